import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { type Disk, errorCode } from "./disk.ts";
import type { NamespaceParts } from "./namespace-parts.ts";

/** Directories with these prefixes are on their way in or out; what a crash leaves of them is removed at start. */
export const NEW_PREFIX = ".new-";
export const DELETED_PREFIX = ".deleted-";

const isLeftover = (name: string): boolean => name.startsWith(NEW_PREFIX) || name.startsWith(DELETED_PREFIX);

/** Removes what servers before have left on its way. */
export async function removeLeftovers(disk: Disk, directory: string): Promise<void> {
    const names = disk.exists(directory) ? disk.list(directory) : [];
    await Promise.all(names.filter(isLeftover).map((name) => disk.removeTree(path.join(directory, name))));
}

/** Directories of namespaces that are gone for everybody already, while their files are removed. */
export class Removals {
    private readonly parts: Pick<NamespaceParts, "disk" | "indexDirectory" | "log">;
    private readonly under = new Set<Promise<void>>();

    constructor(parts: Removals["parts"]) {
        this.parts = parts;
    }

    /** What can be rebuilt of a namespace goes with it: it holds keys too. */
    index(name: string): void {
        const { disk, indexDirectory, log } = this.parts;
        const directory = path.join(indexDirectory, name);
        if (!disk.exists(directory)) return;
        const doomed = path.join(indexDirectory, `${DELETED_PREFIX}${randomBytes(8).toString("hex")}`);
        try {
            disk.rename(directory, doomed);
            this.later(doomed);
        } catch (error) {
            log(`could not remove the index of namespace ${name} (${errorCode(error)}), remove ${directory}`);
        }
    }

    /** A failure leaves files for the next start to remove. */
    later(directory: string): void {
        const removal = this.parts.disk.removeTree(directory).catch((error: unknown) => {
            this.parts.log(`could not remove ${path.basename(directory)} (${errorCode(error)}), the next start tries again`);
        });
        this.under.add(removal);
        void removal.then(() => this.under.delete(removal));
    }

    async ended(): Promise<void> {
        await Promise.all(this.under);
    }
}
