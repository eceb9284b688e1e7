import type { HostInfo } from "../../dev/hosts/index.ts";
import { sh } from "../e2e/hosts.ts";

/** What belongs to somebody else on a host: files beside and among ours, a unit, a mount on a loop of an image in our pool's directory. */
const PUT = `
set -e
mkdir -p /var/lib/zeroform/pool/photos /srv/foreign /mnt/foreign
head -c 100000 /dev/urandom > /var/lib/zeroform/pool/photos/one.raw
head -c 3000 /dev/urandom > /var/lib/zeroform/notes.txt
head -c 3000 /dev/urandom > /srv/foreign/file
truncate -s 4M /var/lib/zeroform/pool/photos/album.img
mke2fs -q -F -t ext4 -O ^has_journal /var/lib/zeroform/pool/photos/album.img
cat > /etc/systemd/system/foreign.service <<'UNIT'
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
UNIT
cat > /etc/systemd/system/mnt-foreign.mount <<'UNIT'
[Mount]
What=/var/lib/zeroform/pool/photos/album.img
Where=/mnt/foreign
Options=loop
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl -q enable --now foreign.service mnt-foreign.mount
head -c 5000 /dev/urandom > /mnt/foreign/inside
`;

/** Two lines a thing: what it is by name, and by content or state. The image itself changes whenever it is mounted; what is in it may not. */
const LOOK = `
sha256sum /var/lib/zeroform/notes.txt /srv/foreign/* /etc/systemd/system/foreign.service /etc/systemd/system/mnt-foreign.mount /mnt/foreign/inside
find /var/lib/zeroform/pool/photos -printf '%p %y %m\\n' | sort
sha256sum /var/lib/zeroform/pool/photos/one.raw
systemctl is-active foreign.service mnt-foreign.mount
findmnt -n -o TARGET,FSTYPE /mnt/foreign
`;

/** What was on a host before us, and has to be there unchanged after whatever happens. */
export class Foreign {
    readonly #host: HostInfo;
    readonly #before: string;

    private constructor(host: HostInfo, before: string) {
        this.#host = host;
        this.#before = before;
    }

    static async put(host: HostInfo): Promise<Foreign> {
        await sh(host, PUT);
        return new Foreign(host, await sh(host, LOOK));
    }

    /** What differs, in words; empty when all is as it was. */
    async touched(): Promise<readonly string[]> {
        const now = await sh(this.#host, `{ ${LOOK} } 2>&1; true`);
        return differences(this.#before, now);
    }
}

/** Lines that one of two texts has and the other has not. */
export const differences = (before: string, after: string): readonly string[] => {
    const [was, is] = [before.split("\n"), after.split("\n")];
    const gone = was.filter((line) => !is.includes(line)).map((line) => `- ${line}`);
    const come = is.filter((line) => !was.includes(line)).map((line) => `+ ${line}`);
    return [...gone, ...come];
};
