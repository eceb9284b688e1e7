import type { Namespace } from "../../engines/zdb/namespace.ts";
import { scanNamespace } from "../../engines/zdb/namespace-reading.ts";
import { Refusal } from "../../engines/zdb/refusal.ts";
import type { Random } from "../faults/random.ts";
import { type FragileDisk, NO_TROUBLE } from "./fragile-disk.ts";
import { type Effect, NamespaceModel } from "./power-model.ts";
import { readValue, type Store } from "./store.ts";

const ALL = { entries: 10_000, ms: 60_000 };

export interface JudgeParts {
    readonly random: Random;
    readonly names: readonly [string, ...string[]];
    /** The disk also fails, or runs full. */
    readonly isTroubled: boolean;
    /** Takes note of what clients were told. */
    poll(): void;
}

/** What may be left of the namespaces of a server that dies again and again, and whether it is. */
export class PowerJudge {
    private readonly random: Random;
    private readonly names: readonly [string, ...string[]];
    private readonly isTroubled: boolean;
    private readonly poll: () => void;
    private readonly models = new Map<string, NamespaceModel>();
    /** Those that were opened in this life. */
    private readonly judged = new Set<NamespaceModel>();
    /** Those that could not be opened when this life began, and were not looked at since. */
    private readonly unopened = new Set<string>();

    constructor({ random, names, isTroubled, poll }: JudgeParts) {
        this.random = random;
        this.names = names;
        this.isTroubled = isTroubled;
        this.poll = poll;
    }

    /** Another server begins. */
    begins(): void {
        this.unopened.clear();
    }

    /** Of what it never opened the lives before have said what must stay. */
    serverEnds(isPromised: (model: NamespaceModel, effect: Effect) => boolean): void {
        for (const model of this.judged) model.ends((effect) => isPromised(model, effect));
        this.judged.clear();
    }

    lostPower(): void {
        for (const model of this.models.values()) model.lostPower();
    }

    /** The namespace is there, for good. */
    wasMade(name: string): void {
        const model = this.model(name);
        model.mayBeAbsent = false;
        this.judged.add(model);
    }

    forget(name: string): void {
        this.models.delete(name);
    }

    /** undefined when it is not there, or cannot be opened. */
    namespace(store: Store, name: string): Namespace | undefined {
        return this.isUnavailable(store, name) ? undefined : store.namespaces.get(name);
    }

    isUnavailable(store: Store, name: string): boolean {
        if (!this.isTroubled) return false;
        return [...store.namespaces.unavailable()].some((each) => each.name === name);
    }

    /** What is known of the namespace of this name; a new one may be absent. */
    model(name: string): NamespaceModel {
        let model = this.models.get(name);
        if (!model) {
            model = new NamespaceModel();
            model.mayBeAbsent = true;
            this.models.set(name, model);
        }
        return model;
    }

    /** Namespaces that were not available for a while. */
    lookAgain(store: Store, disk: FragileDisk): void {
        for (const name of this.names) {
            if (this.models.get(name)?.isVague) this.reread(store, name, disk);
            if (!this.unopened.has(name)) continue;
            const namespace = this.namespace(store, name);
            if (namespace) untroubled(disk, () => this.judge(namespace));
        }
    }

    /** Reading anew after trouble: what could not be written may be there or not, and what is there is what counts. */
    reread(store: Store, name: string, disk: FragileDisk): void {
        this.poll();
        const model = this.model(name);
        model.isVague = true;
        const namespace = disk.isDead ? undefined : this.namespace(store, name);
        if (!namespace) return;
        untroubled(disk, () => this.judge(namespace, "is running"));
    }

    /** Clients see what they wrote, or an error. */
    look(store: Store, disk: FragileDisk): void {
        if (disk.isDead) return;
        const name = this.random.pick(this.names);
        const namespace = this.namespace(store, name);
        const model = this.models.get(name);
        if (!namespace || !model || namespace.log.failure !== undefined) return;
        // It came back since the step began, and is judged before the next one.
        if (model.isVague || this.unopened.has(name)) return;
        const keys = [...model.now.keys(), "absent"];
        const key = keys[this.random.whole(0, keys.length - 1)] ?? "";
        try {
            const found = readValue(namespace, Buffer.from(key, "latin1"));
            this.poll();
            const wanted = model.now.get(key);
            if (found !== wanted)
                throw new Error(`${name}: key ${JSON.stringify(key)} reads as ${found?.slice(0, 9)} instead of ${wanted?.slice(0, 9)}`);
        } catch (error) {
            const isUnreadable = error instanceof Refusal || (error instanceof Error && error.message === "unreadable");
            if (!isUnreadable || (disk.trouble.read === 0 && disk.trouble.name === 0)) throw error;
        }
    }

    /** When a server has begun, on a disk that does not fail meanwhile. */
    judgeAll(store: Store, disk: FragileDisk): void {
        disk.trouble = NO_TROUBLE;
        const names = new Set([...store.namespaces.all()].map(({ name }) => name));
        const unavailable = new Set([...store.namespaces.unavailable()].map(({ name }) => name));
        for (const name of this.names) {
            const model = this.model(name);
            const namespace = this.namespace(store, name);
            if (namespace) this.judge(namespace);
            else if (unavailable.has(name)) this.unopened.add(name);
            else if (model.mayBeAbsent) this.models.delete(name);
            else throw new Error(`namespace ${name} is gone`);
            names.delete(name);
        }
        if (names.size > 0) throw new Error(`there are more namespaces: ${[...names].join()}`);
    }

    private judge(namespace: Namespace, server: "began" | "is running" = "began"): void {
        const { name, disturbance } = namespace;
        if (disturbance !== undefined) throw new Error(`${name}: ${disturbance}`);
        const model = this.model(name);
        const found = new Map<string, string>();
        for (const { key } of scanNamespace(namespace, undefined, 1, ALL).entries) {
            const value = readValue(namespace, key);
            if (value === undefined) throw new Error(`${name}: ${key.toString("hex")} is listed and absent`);
            found.set(key.toString("latin1"), value);
        }
        if (namespace.entries !== found.size) throw new Error(`${name}: ${namespace.entries} entries, ${found.size} listed`);
        if (server === "is running") model.ends(() => false);
        const problem = model.judge(found);
        if (problem !== undefined) throw new Error(`${name}: ${problem}`);
        const { password } = namespace.properties;
        if (!model.texts.includes(password)) throw new Error(`${name}: property ${password} instead of ${model.texts.join(" or ")}`);
        model.texts = [password];
        this.judged.add(model);
        this.unopened.delete(name);
        model.isVague = false;
        model.isNow(found);
    }
}

/** Looks at what is there with a disk that does not fail meanwhile. */
function untroubled(disk: FragileDisk, look: () => void): void {
    const { trouble } = disk;
    disk.trouble = NO_TROUBLE;
    look();
    disk.trouble = trouble;
}
