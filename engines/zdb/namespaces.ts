import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { errorCode, moveDirectory } from "./disk.ts";
import type { Namespace } from "./namespace.ts";
import { DEFAULT_NAMESPACE, isNamespaceName } from "./namespace-name.ts";
import { beginNamespace, openNamespace } from "./namespace-opening.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import type { Mode } from "./properties.ts";
import { Refusal, StartError } from "./refusal.ts";
import { segmentNumber } from "./segment-header.ts";

/** Directories with these prefixes are on their way in or out; what a crash leaves of them is removed at start. */
const NEW_PREFIX = ".new-";
const DELETED_PREFIX = ".deleted-";

/** All namespaces of one data directory, each in a directory of its name. */
export class Namespaces {
    private readonly parts: NamespaceParts;
    private readonly root: string;
    /** The mode of every namespace; undefined when each has its own. */
    private readonly mode: Mode | undefined;
    private readonly loaded = new Map<string, Namespace>();
    /** Names that are being made, removed or moved. */
    private readonly busy = new Set<string>();
    private readonly removals = new Set<Promise<void>>();

    constructor(parts: NamespaceParts, root: string, mode: Mode | undefined) {
        this.parts = parts;
        this.root = root;
        this.mode = mode;
    }

    /** Loads every namespace of the directory and makes `default` when there is none. */
    async load(): Promise<void> {
        const { disk } = this.parts;
        const names = disk.list(this.root);
        await Promise.all(names.filter(isLeftover).map((name) => disk.removeTree(path.join(this.root, name))));
        for (const name of names.filter((name) => isNamespaceName(name) || name === DEFAULT_NAMESPACE).sort(defaultFirst)) {
            const namespace = await this.tryOpen(name);
            if (!namespace) continue;
            if (this.mode && namespace.properties.mode !== this.mode) {
                throw new StartError(
                    `namespace ${name} in ${this.root} is of mode ${namespace.properties.mode}: start without --mode or with that one`,
                );
            }
        }
        if (!this.loaded.has(DEFAULT_NAMESPACE)) await this.make(DEFAULT_NAMESPACE);
    }

    get(name: string): Namespace | undefined {
        return this.loaded.get(name);
    }

    /** `default` first, then in the order they were loaded or made. */
    all(): IterableIterator<Namespace> {
        return this.loaded.values();
    }

    get hasFixedMode(): boolean {
        return this.mode !== undefined;
    }

    async create(name: string): Promise<Namespace> {
        if (!isNamespaceName(name)) throw new Refusal("This name is not allowed");
        if (this.isTaken(name)) throw new Refusal("This namespace is not available");
        return this.exclusively(name, async () => {
            try {
                return await this.make(name);
            } catch (error) {
                throw new Refusal(`Could not create namespace (${errorCode(error)})`);
            }
        });
    }

    async remove(name: string): Promise<void> {
        const namespace = this.loaded.get(name);
        if (!namespace || this.busy.has(name)) throw new Refusal("This namespace doesn't exists");
        await this.exclusively(name, async () => {
            const { disk } = this.parts;
            const doomed = path.join(this.root, `${DELETED_PREFIX}${randomBytes(8).toString("hex")}`);
            try {
                disk.rename(namespace.directory, doomed);
                disk.syncDirectory(this.root);
            } catch (error) {
                throw new Refusal(`Could not delete this namespace (${errorCode(error)})`);
            }
            this.forget(namespace);
            await namespace.log.abandon();
            this.removeLater(doomed);
        });
    }

    /** Closes a namespace and moves its directory away. Done already is done. */
    async detach(name: string, target: string): Promise<void> {
        this.checkPlace(target);
        const { disk } = this.parts;
        const namespace = this.loaded.get(name);
        if (this.busy.has(name)) throw new Refusal("This namespace is not available");
        if (!namespace) {
            if (this.holdsLog(target)) return;
            throw new Refusal("Namespace not found");
        }
        if (disk.exists(target)) throw new Refusal(`Cannot detach: ${target} exists`);
        await this.exclusively(name, async () => {
            this.forget(namespace);
            try {
                await namespace.log.close();
                this.move(namespace.directory, target);
            } catch (error) {
                if (disk.exists(namespace.directory)) await this.open(name);
                throw error;
            }
        });
    }

    /** Moves a directory into place as namespace `name` and loads it, whatever it was called. Done already is done. */
    async attach(name: string, source: string): Promise<Namespace> {
        this.checkPlace(source);
        if (!isNamespaceName(name)) throw new Refusal("This name is not allowed");
        const { disk } = this.parts;
        const namespace = this.loaded.get(name);
        if (namespace && !disk.exists(source)) return namespace;
        if (this.isTaken(name)) throw new Refusal("This namespace is not available");
        if (!this.holdsLog(source)) throw new Refusal(`Cannot attach: ${source} holds no namespace`);
        return this.exclusively(name, async () => {
            this.move(source, path.join(this.root, name));
            return this.open(name);
        });
    }

    /** Writes, syncs and closes everything; throws the first failure when all were tried. */
    async close(): Promise<void> {
        const results = await Promise.allSettled([...this.loaded.values()].map((namespace) => namespace.log.close()));
        await Promise.all(this.removals);
        for (const result of results) if (result.status === "rejected") throw result.reason;
    }

    private isTaken(name: string): boolean {
        return this.loaded.has(name) || this.busy.has(name) || this.parts.disk.exists(path.join(this.root, name));
    }

    /** A place to move a namespace to or from: not a relative one, nor that of a namespace of this server. */
    private checkPlace(directory: string): void {
        if (!path.isAbsolute(directory)) throw new Refusal(`Invalid argument, ${directory} is not an absolute path`);
        const [first = ""] = path.relative(this.root, directory).split(path.sep);
        if (first === "" || first === DEFAULT_NAMESPACE || isNamespaceName(first)) {
            throw new Refusal(`Invalid argument, ${directory} is the place of a namespace of this server`);
        }
    }

    private async exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
        this.busy.add(name);
        try {
            return await work();
        } finally {
            this.busy.delete(name);
        }
    }

    /** Made complete under another name first, so that no crash leaves half a namespace. */
    private async make(name: string): Promise<Namespace> {
        const { disk } = this.parts;
        const unborn = path.join(this.root, `${NEW_PREFIX}${randomBytes(8).toString("hex")}`);
        disk.makeDirectory(unborn);
        try {
            const namespace = beginNamespace(this.parts, name, unborn);
            if (this.mode) await namespace.setProperty({ name: "mode", text: this.mode });
            namespace.moveTo(path.join(this.root, name));
            moveDirectory(disk, unborn, namespace.directory);
            this.loaded.set(name, namespace);
            return namespace;
        } catch (error) {
            this.removeLater(unborn);
            throw error;
        }
    }

    /** One directory that cannot be read must not keep the others from their clients. */
    private async tryOpen(name: string): Promise<Namespace | undefined> {
        try {
            return await this.open(name);
        } catch (error) {
            const problem = `the directory of namespace ${name} in ${this.root} cannot be read (${errorCode(error)})`;
            if (name === DEFAULT_NAMESPACE) throw new StartError(problem);
            this.parts.log(`${problem}, the namespace is not available`);
            return undefined;
        }
    }

    private async open(name: string): Promise<Namespace> {
        const namespace = await openNamespace(this.parts, name, path.join(this.root, name));
        this.loaded.set(name, namespace);
        return namespace;
    }

    private forget(namespace: Namespace): void {
        namespace.gone = true;
        this.loaded.delete(namespace.name);
    }

    private move(from: string, to: string): void {
        try {
            moveDirectory(this.parts.disk, from, to);
        } catch (error) {
            const hint = errorCode(error) === "EXDEV" ? ", both must be on one file system" : "";
            throw new Refusal(`Cannot move ${from} to ${to} (${errorCode(error)}${hint})`);
        }
    }

    private holdsLog(directory: string): boolean {
        const { disk } = this.parts;
        try {
            return disk.list(directory).some((name) => segmentNumber(name) !== undefined);
        } catch {
            return false;
        }
    }

    /** The namespace is gone for everybody already; a failure leaves files for the next start to remove. */
    private removeLater(directory: string): void {
        const removal = this.parts.disk.removeTree(directory).catch((error: unknown) => {
            this.parts.log(`could not remove ${path.basename(directory)} (${errorCode(error)}), the next start tries again`);
        });
        this.removals.add(removal);
        void removal.then(() => this.removals.delete(removal));
    }
}

const isLeftover = (name: string): boolean => name.startsWith(NEW_PREFIX) || name.startsWith(DELETED_PREFIX);

const defaultFirst = (a: string, b: string): number => {
    if (a === b) return 0;
    if (a === DEFAULT_NAMESPACE) return -1;
    return b === DEFAULT_NAMESPACE || a > b ? 1 : -1;
};
