import type { HostInfo } from "../../dev/hosts/index.ts";
import { sh, until } from "../e2e/hosts.ts";
import { differences } from "./foreign.ts";

/** The agent takes itself away after the last answer, and systemd collects what ended with it. */
const SETTLES_WITHIN_MS = 30_000;

/**
 * Everything that a leak would show in: units, unit files, mounts, loops on files of the host's own disk, and files. Loop numbers are the
 * kernel's and differ from run to run, so loops are named by what they are on. Other services' private directories come and go.
 */
const LOOK = `
systemctl list-units --all --plain --no-legend --full 'zeroform*' 'var-lib-zeroform-*' 'foreign*' 'mnt-*' | awk '{print "unit", $1}'
find /etc/systemd/system /run/systemd/system /run/systemd/transient -mindepth 1 2>/dev/null | sed 's/^/unit file /'
awk '{print "mount", $2, $3}' /proc/mounts
disk=$(stat -c %d /var/lib/zeroform)
losetup --list --noheadings --raw --output BACK-MAJ:MIN,BACK-INO | awk -v d="$disk" '{split($1,n,":"); if (n[1]*256+n[2]==d) print "loop on inode", $2}'
find /var/lib/zeroform /run/zeroform* /tmp -mindepth 1 ! -path '*/systemd-private-*' ! -path '*/lost+found' 2>/dev/null | sed 's/^/file /'
`;

/** What is on a host at a moment. */
export class Footprint {
    readonly #host: HostInfo;
    readonly #before: string;

    private constructor(host: HostInfo, before: string) {
        this.#host = host;
        this.#before = before;
    }

    static async of(host: HostInfo): Promise<Footprint> {
        return new Footprint(host, await sh(host, LOOK));
    }

    /** Waits until the host is as it was; what has come or gone, in words, when it does not become so. */
    async leaked(): Promise<readonly string[]> {
        let left: readonly string[] = [];
        const isClean = async () => {
            left = differences(this.#before, await sh(this.#host, LOOK));
            return left.length === 0 ? true : undefined;
        };
        await until(isClean, SETTLES_WITHIN_MS).catch(() => undefined);
        return left;
    }
}
