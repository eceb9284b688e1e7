import type { Fault, Scene } from "../fault.ts";

const STORE = "/var/lib/zeroform/store.db";
const SOUND = "/srv/store.sound";

const putBack = ({ sh }: Scene) =>
    sh(
        `[ ! -e ${SOUND} ] || { systemctl stop zeroform-agent || true; rm -f ${STORE} ${STORE}-wal ${STORE}-shm; cp -a ${SOUND} ${STORE}; systemctl start zeroform-agent; }`,
    );

/** Bytes of the SQLite file are changed, or its end is cut off, somewhere; the agent starts with that, or meets it while it runs. */
export const storeDamaged: Fault = {
    name: "the SQLite file is damaged",
    operator: "small",
    async strike(scene) {
        const { random, sh, clear, operate, wanted } = scene;
        clear(() => sh(`rm -f ${SOUND}`));
        // Stopped in order, so that the file alone is all of it.
        await sh(`systemctl stop zeroform-agent; cp -a ${STORE} ${SOUND}; [ ! -e ${STORE}-wal ] || rm ${STORE}-wal ${STORE}-shm`);
        const bytes = Number(await sh(`stat -c %s ${STORE}`));
        if (random.chance(0.4)) await sh(`truncate -s ${random.whole(0, bytes - 1)} ${STORE}`);
        else {
            const length = random.pick([1, 16, 512, 4_096]);
            const at = random.whole(0, Math.max(0, bytes - length));
            await sh(`head -c ${length} /dev/urandom | dd of=${STORE} bs=1 seek=${at} conv=notrunc status=none`);
        }
        await sh("systemctl start zeroform-agent || true");
        await operate({ ...wanted, patience: "5s" });
    },
    remedies: [{ said: /put (the file|back|it back)/i, apply: putBack }],
};
