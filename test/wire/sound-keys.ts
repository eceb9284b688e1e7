import ssh2 from "ssh2";

/** A key pair that ssh2 can read again: of those that it makes, one in two hundred is malformed. */
export const soundKeys = (): ReturnType<typeof ssh2.utils.generateKeyPairSync> => {
    for (;;) {
        const pair = ssh2.utils.generateKeyPairSync("ed25519");
        if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
    }
};
