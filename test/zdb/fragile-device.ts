import type { Random } from "../faults/random.ts";
import { FragileFile } from "./fragile-file.ts";

export class FragileDirectory {
    /** As programs see it. */
    readonly entries = new Map<string, FragileNode>();
    /** As the disk has it. */
    readonly durable = new Map<string, FragileNode>();
}

export type FragileNode = FragileFile | FragileDirectory;

/** A change of names that is not on the disk yet: it gets there as a whole, or not at all. */
interface Change {
    readonly directories: readonly FragileDirectory[];
    /** Makes the names of the disk so. */
    persist(): void;
}

/**
 * A disk that forgets what was not synced: bytes, sizes, and the names that were made, changed and removed in a directory. Programs
 * that use it come and go; a power loss leaves another device.
 */
export class FragileDevice {
    readonly sectorBytes: number;
    private readonly root = new FragileDirectory();
    private changes: Change[] = [];

    constructor(sectorBytes: number) {
        this.sectorBytes = sectorBytes;
    }

    /** What has this name; undefined when there is nothing. */
    find(name: string): FragileNode | undefined {
        let node: FragileNode | undefined = this.root;
        for (const part of parts(name)) {
            if (!(node instanceof FragileDirectory)) return undefined;
            node = node.entries.get(part);
        }
        return node;
    }

    /** The directory that holds a name, and the last part of it; undefined when there is no such directory. */
    place(name: string): { readonly directory: FragileDirectory; readonly base: string } | undefined {
        const all = parts(name);
        const base = all.pop();
        const directory = this.find(all.join("/"));
        return base !== undefined && directory instanceof FragileDirectory ? { directory, base } : undefined;
    }

    link(directory: FragileDirectory, base: string, node: FragileNode): void {
        directory.entries.set(base, node);
        this.changes.push({ directories: [directory], persist: () => void directory.durable.set(base, node) });
    }

    unlink(directory: FragileDirectory, base: string): void {
        const node = directory.entries.get(base);
        if (!directory.entries.delete(base)) return;
        this.changes.push({ directories: [directory], persist: () => forget(directory, base, node) });
    }

    rename(from: FragileDirectory, base: string, to: FragileDirectory, newBase: string): void {
        const node = from.entries.get(base);
        if (!node) return;
        from.entries.delete(base);
        to.entries.set(newBase, node);
        const persist = (): void => {
            forget(from, base, node);
            to.durable.set(newBase, node);
        };
        this.changes.push({ directories: [from, to], persist });
    }

    /** All names of this directory are as the disk has them. */
    syncNames(directory: FragileDirectory): void {
        for (const change of this.changes) if (change.directories.includes(directory)) change.persist();
        this.changes = this.changes.filter((change) => !change.directories.includes(directory));
    }

    /** What the machine finds when the power is back. */
    afterPowerLoss(random: Random): FragileDevice {
        // A journal keeps the order of changes; other file systems promise nothing.
        const share = random.pick([0, 0.3, 0.7, 1]);
        const kept = random.chance(0.5)
            ? this.changes.slice(0, Math.round(share * this.changes.length))
            : this.changes.filter(() => random.chance(share));
        for (const change of kept) change.persist();
        const device = new FragileDevice(this.sectorBytes);
        copyDurable(this.root, device.root, random, new Map());
        return device;
    }

    get usedBytes(): number {
        return bytesIn(this.root);
    }
}

function copyDurable(from: FragileDirectory, to: FragileDirectory, random: Random, copies: Map<FragileNode, FragileNode>): void {
    for (const [base, node] of from.durable) {
        let copy = copies.get(node);
        if (!copy) {
            copy = node instanceof FragileFile ? node.afterPowerLoss(random) : new FragileDirectory();
            copies.set(node, copy);
            if (node instanceof FragileDirectory && copy instanceof FragileDirectory) copyDurable(node, copy, random, copies);
        }
        to.entries.set(base, copy);
        to.durable.set(base, copy);
    }
}

function bytesIn(directory: FragileDirectory): number {
    let bytes = 0;
    for (const node of directory.entries.values()) bytes += node instanceof FragileFile ? node.size : bytesIn(node);
    return bytes;
}

function forget(directory: FragileDirectory, base: string, node: FragileNode | undefined): void {
    if (directory.durable.get(base) === node) directory.durable.delete(base);
}

const parts = (name: string): string[] => name.split("/").filter((part) => part !== "");
