import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { errorCode } from "./disk.ts";
import type { Namespace } from "./namespace.ts";
import { makeNamespace, unbornDirectory } from "./namespace-making.ts";
import { checkPlace, holdsLog, moveNamespace } from "./namespace-moves.ts";
import { DEFAULT_NAMESPACE, isNamespaceName } from "./namespace-name.ts";
import { openNamespace } from "./namespace-opening.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { DELETED_PREFIX, Removals, removeLeftovers } from "./namespace-removal.ts";
import type { Mode, PropertyChange } from "./properties.ts";
import { Refusal, StartError } from "./refusal.ts";
import { takeSnapshot } from "./snapshot.ts";
import { problemOf, Unavailable } from "./unavailable.ts";

/** All namespaces of one data directory, each in a directory of its name. */
export class Namespaces {
    private readonly parts: NamespaceParts;
    private readonly root: string;
    /** The mode of every namespace; undefined when each has its own. */
    private readonly mode: Mode | undefined;
    private readonly loaded = new Map<string, Namespace>();
    /** Namespaces whose directory is there but could not be opened yet. */
    private readonly unopened = new Map<string, Unavailable>();
    /** Names that are being made, removed or moved. */
    private readonly busy = new Set<string>();
    /** Directories that are being made. */
    private readonly snapshots = new Set<string>();
    private readonly removals: Removals;

    constructor(parts: NamespaceParts, root: string, mode: Mode | undefined) {
        this.parts = parts;
        this.root = root;
        this.mode = mode;
        this.removals = new Removals(parts);
    }

    /** Loads every namespace of the directory and makes `default` when there is none. */
    async load(): Promise<void> {
        const { disk, indexDirectory } = this.parts;
        this.syncNames();
        const names = disk.list(this.root);
        for (const directory of [this.root, indexDirectory]) await removeLeftovers(disk, directory);
        for (const name of names.filter((name) => isNamespaceName(name) || name === DEFAULT_NAMESPACE).sort(defaultFirst)) {
            await this.openOrList(name);
        }
        if (!this.loaded.has(DEFAULT_NAMESPACE)) await this.make(DEFAULT_NAMESPACE);
    }

    /** A killed server may have left names that are not on disk: what is written under them from here on must not be lost with them. */
    private syncNames(): void {
        try {
            this.parts.disk.syncDirectory(this.root);
        } catch (error) {
            throw new StartError(`cannot sync the directory ${this.root} (${errorCode(error)})`);
        }
    }

    /** Throws a Refusal that says why when the namespace is there but could not be opened. */
    get(name: string): Namespace | undefined {
        const unopened = this.unopened.get(name);
        if (unopened) throw new Refusal(`Namespace is not available: ${unopened.reason}`);
        return this.loaded.get(name);
    }

    /** The same where it does not matter whether it could be opened. */
    known(name: string): Namespace | undefined {
        return this.loaded.get(name);
    }

    /** `default` first, then in the order they were loaded or made. */
    all(): IterableIterator<Namespace> {
        return this.loaded.values();
    }

    /** What could not be opened, for the administrator. */
    unavailable(): IterableIterator<Unavailable> {
        return this.unopened.values();
    }

    get hasFixedMode(): boolean {
        return this.mode !== undefined;
    }

    /** With these properties from its first moment. */
    async create(name: string, properties: readonly PropertyChange[] = []): Promise<Namespace> {
        if (!isNamespaceName(name)) throw new Refusal("This name is not allowed");
        if (this.isTaken(name)) throw new Refusal("This namespace is not available");
        return this.exclusively(name, async () => {
            try {
                return await this.make(name, properties);
            } catch (error) {
                if (error instanceof Refusal) throw error;
                throw new Refusal(`Could not create namespace (${errorCode(error)})`);
            }
        });
    }

    async remove(name: string): Promise<void> {
        const namespace = this.get(name);
        if (!namespace || this.busy.has(name)) throw new Refusal("This namespace doesn't exists");
        await this.exclusively(name, async () => {
            const { disk } = this.parts;
            const doomed = path.join(this.root, `${DELETED_PREFIX}${randomBytes(8).toString("hex")}`);
            try {
                disk.rename(namespace.directory, doomed);
            } catch (error) {
                throw new Refusal(`Could not delete this namespace (${errorCode(error)})`);
            }
            // Gone for everybody from here on, whatever the disk says: the next start would remove what is still written into it.
            this.forget(namespace);
            await namespace.log.abandon();
            this.removals.index(name);
            try {
                await disk.syncDirectoryLater(this.root);
            } catch (error) {
                throw new Refusal(`Could not delete this namespace for good (${errorCode(error)}): after a power loss it may be back`);
            }
            // Not before: it must not come back in parts.
            this.removals.later(doomed);
        });
    }

    /**
     * Opens a namespace anew from its files, which `change` may change while they are closed. Its clients wait, and are moved to the new one.
     */
    async renew(name: string, change: (parts: NamespaceParts, namespace: Namespace) => void = () => undefined): Promise<void> {
        const namespace = this.get(name);
        if (!namespace || this.busy.has(name)) throw new Refusal("Namespace not found");
        await this.exclusively(name, () => {
            const renewal = this.reopen(namespace, change);
            namespace.renewal = renewal.catch(() => undefined);
            return renewal;
        });
    }

    /** Closes a namespace and moves its directory away, of one that cannot be opened too. Done already is done. */
    async detach(name: string, target: string): Promise<void> {
        checkPlace(this.root, target);
        const { disk } = this.parts;
        if (this.busy.has(name)) throw new Refusal("This namespace is not available");
        if (!this.loaded.has(name) && !this.unopened.has(name)) {
            if (holdsLog(disk, target)) return;
            throw new Refusal("Namespace not found");
        }
        if (disk.exists(target)) throw new Refusal(`Cannot detach: ${target} exists`);
        await this.exclusively(name, async () => {
            const unopened = this.unopened.get(name);
            await unopened?.stop();
            const namespace = this.loaded.get(name);
            const place = path.join(this.root, name);
            if (namespace) this.forget(namespace);
            try {
                await namespace?.log.close();
                moveNamespace(disk, place, target);
                this.unopened.delete(name);
                this.removals.index(name);
            } catch (error) {
                if (!disk.exists(place)) this.unopened.delete(name);
                else if (namespace) await this.openOrList(name);
                else unopened?.goOn();
                throw error;
            }
        });
    }

    /** Moves a directory into place as namespace `name` and loads it, whatever it was called. Done already is done. */
    async attach(name: string, source: string): Promise<Namespace> {
        checkPlace(this.root, source);
        if (!isNamespaceName(name)) throw new Refusal("This name is not allowed");
        const { disk } = this.parts;
        if (!disk.exists(source)) {
            const namespace = this.get(name);
            if (namespace) return namespace;
        }
        if (this.isTaken(name)) throw new Refusal("This namespace is not available");
        if (!holdsLog(disk, source)) throw new Refusal(`Cannot attach: ${source} holds no namespace`);
        return this.exclusively(name, async () => {
            const place = path.join(this.root, name);
            try {
                moveNamespace(disk, source, place);
                return await this.open(name);
            } catch (error) {
                this.putBack(name, source, error);
                if (error instanceof Refusal) throw error;
                throw new Refusal(`Cannot attach ${source}: ${problemOf(error)}`);
            }
        });
    }

    /** Makes a directory with what a namespace is now, which `attach` takes. */
    async snapshot(name: string, target: string): Promise<void> {
        checkPlace(this.root, target);
        const namespace = this.get(name);
        if (!namespace || this.busy.has(name)) throw new Refusal("Namespace not found");
        const { disk } = this.parts;
        if (disk.exists(target) || this.snapshots.has(target)) throw new Refusal(`Cannot take a snapshot: ${target} exists`);
        const parent = path.dirname(target);
        if (!disk.exists(parent)) throw new Refusal(`Cannot take a snapshot: ${parent} does not exist`);
        this.snapshots.add(target);
        try {
            await takeSnapshot(disk, namespace, unbornDirectory(this.root), target);
        } finally {
            this.snapshots.delete(target);
        }
    }

    /** Writes, syncs and closes everything; throws the first failure when all were tried. */
    async close(): Promise<void> {
        await Promise.all([...this.unopened.values()].map((unopened) => unopened.stop()));
        const results = await Promise.allSettled([...this.loaded.values()].map((namespace) => this.closeOne(namespace)));
        await this.removals.ended();
        for (const result of results) if (result.status === "rejected") throw result.reason;
    }

    private async closeOne(namespace: Namespace): Promise<void> {
        await namespace.checkpoint.writeLast(this.parts.log);
        await namespace.log.close();
    }

    private isTaken(name: string): boolean {
        return this.loaded.has(name) || this.busy.has(name) || this.parts.disk.exists(path.join(this.root, name));
    }

    private async exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
        this.busy.add(name);
        try {
            return await work();
        } finally {
            this.busy.delete(name);
        }
    }

    private async make(name: string, properties: readonly PropertyChange[] = []): Promise<Namespace> {
        const mode = this.mode ? [{ name: "mode" as const, text: this.mode }] : [];
        const namespace = await makeNamespace(this.parts, path.join(this.root, name), [...mode, ...properties], this.removals);
        this.loaded.set(name, namespace);
        return namespace;
    }

    /** One directory that cannot be opened must not keep the others from their clients; it is tried again and again. */
    private async openOrList(name: string): Promise<void> {
        try {
            await this.open(name);
        } catch (error) {
            if (error instanceof StartError) throw error;
            if (name === DEFAULT_NAMESPACE) throw new StartError(`namespace ${name} in ${this.root}: ${problemOf(error)}`);
            if (errorCode(error) === "ENOTDIR") this.parts.log(`${name} in ${this.root} is no directory, it is left alone`);
            else this.listUnopened(name, error);
        }
    }

    private listUnopened(name: string, error: unknown): void {
        const { timers, log, arrived } = this.parts;
        const open = async (): Promise<void> => {
            await this.open(name);
            this.unopened.delete(name);
            arrived();
        };
        this.unopened.set(name, new Unavailable({ timers, log, open }, name, path.join(this.root, name), error));
    }

    /** After an attach that failed: what was moved goes back where it was, or stays listed. */
    private putBack(name: string, source: string, error: unknown): void {
        const { disk } = this.parts;
        const place = path.join(this.root, name);
        if (!disk.exists(place) || disk.exists(source)) return;
        try {
            moveNamespace(disk, place, source);
        } catch {
            if (disk.exists(place)) this.listUnopened(name, error);
        }
    }

    private async open(name: string): Promise<Namespace> {
        const namespace = await openNamespace(this.parts, name, path.join(this.root, name));
        const { mode } = namespace.properties;
        if (this.mode && mode !== this.mode) {
            await namespace.log.abandon();
            throw new StartError(`namespace ${name} in ${this.root} is of mode ${mode}: start without --mode or with that one`);
        }
        this.loaded.set(name, namespace);
        return namespace;
    }

    private async reopen(namespace: Namespace, change: (parts: NamespaceParts, namespace: Namespace) => void): Promise<void> {
        let failure: unknown;
        try {
            await namespace.log.close();
            change(this.parts, namespace);
        } catch (error) {
            failure = error;
        }
        try {
            this.parts.renewed(namespace, await this.open(namespace.name));
        } catch (error) {
            this.loaded.delete(namespace.name);
            this.listUnopened(namespace.name, error);
            failure ??= new Refusal(`Namespace is not available: ${problemOf(error)}`);
        }
        namespace.gone = true;
        if (failure !== undefined) throw failure;
    }

    private forget(namespace: Namespace): void {
        namespace.gone = true;
        this.loaded.delete(namespace.name);
    }
}

const defaultFirst = (a: string, b: string): number => {
    if (a === b) return 0;
    if (a === DEFAULT_NAMESPACE) return -1;
    return b === DEFAULT_NAMESPACE || a > b ? 1 : -1;
};
