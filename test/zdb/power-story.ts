import type { Gate } from "../../engines/zdb/gate.ts";
import { Log } from "../../engines/zdb/log.ts";
import type { Namespace } from "../../engines/zdb/namespace.ts";
import { emptyLog } from "../../engines/zdb/namespace-emptying.ts";
import { scanNamespace } from "../../engines/zdb/namespace-reading.ts";
import type { Mode } from "../../engines/zdb/properties.ts";
import { Refusal, StartError } from "../../engines/zdb/refusal.ts";
import { Upkeep } from "../../engines/zdb/upkeep.ts";
import { Random } from "../faults/random.ts";
import { FragileDevice } from "./fragile-device.ts";
import { type DiskTrouble, FragileDisk, NO_TROUBLE } from "./fragile-disk.ts";
import { ManualTimers } from "./manual-timers.ts";
import { type Effect, NamespaceModel } from "./power-model.ts";
import { openStore, readValue, type Store } from "./store.ts";

/** What a story may be about. */
export interface StoryKind {
    readonly durability: "none" | "interval" | "commit";
    readonly mode: Mode;
    /** The disk also fails, or runs full. */
    readonly isTroubled: boolean;
}

const INTERVAL_MS = 200;
/** A sync that takes no longer leaves the interval its word. */
const LONGEST_SYNC_MS = INTERVAL_MS / 4;
const NAMES = ["default", "one", "two"] as const;
const ALL = { entries: 10_000, ms: 60_000 };
const MOST_TURNS = 5000;
/** Long enough for what failed to be tried again. */
const LONG_PASS_MS = 2000;

interface Pending {
    readonly gate: Gate;
    readonly effect: Effect;
    readonly model: NamespaceModel;
    /** Of the namespace when it was written. */
    readonly promise: (ackedMs: number) => number | undefined;
}

/** Several lives of a server on one device, each ended by a power loss, a kill or in order; after each, what is left is judged. */
export class PowerStory {
    /** What happened, for the reader of a failure. */
    readonly told: string[] = [];
    private readonly random: Random;
    private readonly kind: StoryKind;
    private readonly segmentBytes: number;
    /** Those that were opened in this life. */
    private readonly judged = new Set<NamespaceModel>();
    /** Those that could not be opened when this life began, and were not looked at since. */
    private readonly unopened = new Set<string>();
    private readonly models = new Map<string, NamespaceModel>();
    private device: FragileDevice;
    private disk: FragileDisk;
    private timers = new ManualTimers();
    private pending: Pending[] = [];
    /** What was acknowledged and may not be on the disk yet. */
    private unsure: { readonly keeper: unknown; readonly effect: Effect }[] = [];
    private values = 0;
    private diedMs: number | undefined;
    private wasInOrder = false;
    private wasOpen = false;
    private wasPowerLost = false;

    constructor(seed: number, kind: StoryKind) {
        this.random = new Random(seed);
        this.kind = kind;
        this.segmentBytes = this.random.pick([600, 1500, 4096]);
        this.device = new FragileDevice(this.random.pick([32, 64, 512, 4096]));
        this.disk = new FragileDisk(this.device, { random: this.random });
        this.disk.makeDirectory("/data");
        this.disk.syncDirectory("/");
    }

    async tell(): Promise<void> {
        for (let lives = this.random.whole(2, 5); lives > 0; lives--) await this.live();
        // In the end everything is looked at by a server whose disk is sound.
        this.begin(undefined, false);
        const store = await this.open();
        if (!store) throw new Error("the server does not start");
        this.judgeAll(store);
        if ([...store.namespaces.unavailable()].length > 0) throw new Error("a namespace is not available");
        await this.settled(store.namespaces.close());

        if (this.disk.openFiles > 0) throw new Error(`${this.disk.openFiles} files are open after the end`);
    }

    private async live(): Promise<void> {
        this.begin(this.random.chance(0.7) ? this.random.whole(1, 250) : undefined, this.random.chance(0.3));
        const store = await this.open();
        if (!store || this.disk.isDead) return this.end();
        this.judgeAll(store);
        this.wasOpen = [...store.namespaces.unavailable()].length === 0;
        if (this.kind.isTroubled) this.disk.trouble = this.trouble();
        if (this.kind.isTroubled && this.random.chance(0.4)) this.disk.capacity = this.device.usedBytes + this.random.whole(0, 6000);
        for (let steps = this.random.whole(1, 120); steps > 0 && !this.disk.isDead; steps--) await this.step(store);
        if (!this.disk.isDead && this.random.chance(0.2)) await this.close(store);
        this.end();
    }

    private begin(operations: number | undefined, isTroubled: boolean): void {
        this.timers = new ManualTimers();
        this.diedMs = undefined;
        this.wasInOrder = false;
        this.wasOpen = false;
        this.unopened.clear();
        this.disk = new FragileDisk(this.device, {
            random: this.random,
            operations,
            trouble: isTroubled && this.kind.isTroubled ? this.trouble() : NO_TROUBLE,
            syncing: () => this.syncing(),
            died: () => {
                this.diedMs ??= this.timers.nowMs();
            },
        });
    }

    private trouble(): DiskTrouble {
        const share = (): number => this.random.pick([0, 0, 0, 0.02, 0.2]);
        return { write: share(), sync: share(), read: share(), name: share() };
    }

    private syncing(): Promise<void> {
        if (this.random.chance(0.7)) return Promise.resolve();
        return new Promise((resolve) => void this.timers.after(this.random.whole(1, LONGEST_SYNC_MS), resolve));
    }

    private async open(): Promise<Store | undefined> {
        this.tellOf("open");
        try {
            return await this.settled(
                openStore("/data", {
                    disk: this.disk,
                    timers: this.timers,
                    power: { mayHaveBeenLost: this.wasPowerLost },
                    durability: this.durability,
                    mode: this.kind.mode,
                    segmentBytes: this.segmentBytes,
                    checkpointBytes: 2000,
                    openFiles: 3,
                    reserveBytes: 0,
                    upkeep: (parts) => new Upkeep(parts),
                }),
            );
        } catch (error) {
            this.tellOf(`could not open: ${String(error)}`);
            if (this.disk.isDead || (this.kind.isTroubled && (error instanceof StartError || error instanceof Refusal || hasCode(error))))
                return undefined;
            throw error;
        }
    }

    private get durability() {
        const { durability: kind } = this.kind;
        return kind === "interval" ? ({ kind, ms: INTERVAL_MS } as const) : ({ kind } as const);
    }

    /** The process ends, if it has not: by the end of the power or by a kill. */
    private end(): void {
        const diedMs = this.diedMs ?? this.timers.nowMs();
        this.disk.kill();
        this.pending = [];
        this.unsure = [];
        const isKill = this.random.chance(0.3);
        const how = isKill ? "kill" : "power loss";
        this.tellOf(`${how} at ${diedMs} ms`);
        const isPromised = (model: NamespaceModel, { ackedMs, promisedMs }: Effect): boolean => {
            if (this.wasInOrder && !model.isVague) return ackedMs !== undefined;
            return promisedMs !== undefined && promisedMs < diedMs;
        };
        // Of what this process never opened the lives before have said what must stay.
        for (const model of this.judged) model.ends((effect) => isPromised(model, effect));
        this.judged.clear();
        if (!isKill) for (const model of this.models.values()) model.lostPower();
        // A kill before everything was opened again leaves what the power loss did.
        this.wasPowerLost = !isKill || (this.wasPowerLost && !this.wasOpen);
        if (!isKill) this.device = this.device.afterPowerLoss(this.random);
    }

    private async close(store: Store): Promise<void> {
        this.tellOf("close");
        try {
            await this.settled(store.namespaces.close());
            this.poll();
            this.wasInOrder = !this.disk.isDead;
            if (this.disk.openFiles > 0 && this.wasInOrder) throw new Error(`${this.disk.openFiles} files are open after the end`);
        } catch (error) {
            if (!(error instanceof Refusal) && !hasCode(error)) throw error;
            this.tellOf(`could not close: ${String(error)}`);
        }
    }

    private async step(store: Store): Promise<void> {
        const { random } = this;
        this.lookAgain(store);
        const name = random.pick(NAMES);
        const dice = random.fraction();
        const namespace = this.namespace(store, name);
        if (dice < 0.5) this.set(namespace, name);
        else if (dice < 0.65) this.delete(namespace, name);
        else if (dice < 0.85) namespace?.log.write();
        else if (dice < 0.93) await this.pass(random.whole(0, random.pick([INTERVAL_MS, INTERVAL_MS, LONG_PASS_MS])));
        else if (dice < 0.95) await this.change(store, name);
        else if (dice < 0.97) await this.empty(store, name);
        else if (dice < 0.985) await this.setText(namespace, name);
        else if (dice < 0.99) await this.renew(store, name);
        else this.jump(namespace);
        await turn();
        this.poll();
        this.look(store);
    }

    private namespace(store: Store, name: string): Namespace | undefined {
        return this.isUnavailable(store, name) ? undefined : store.namespaces.get(name);
    }

    private isUnavailable(store: Store, name: string): boolean {
        if (!this.kind.isTroubled) return false;
        return [...store.namespaces.unavailable()].some((each) => each.name === name);
    }

    private model(name: string): NamespaceModel {
        let model = this.models.get(name);
        if (!model) {
            model = new NamespaceModel();
            model.mayBeAbsent = true;
            this.models.set(name, model);
        }
        return model;
    }

    private set(namespace: Namespace | undefined, name: string): void {
        if (!namespace) return;
        const model = this.model(name);
        const key = this.keyToSet(model);
        const value = `${this.values++}:${"v".repeat(this.random.pick([0, 3, 40, 200, 700]))}`;
        this.attempt(() => {
            const { lsn, key: stored } = namespace.set(Buffer.from(key, "latin1"), Buffer.from(value), 1);
            this.wrote(namespace, name, lsn, { key: stored.toString("latin1"), value });
        });
    }

    /** In sequential mode an empty one asks for a new id. */
    private keyToSet({ now }: NamespaceModel): string {
        const { random } = this;
        if (this.kind.mode === "user") return `k${random.whole(0, 9)}`;
        const known = [...now.keys()];
        return random.chance(0.4) ? "" : (known[random.whole(0, Math.max(0, known.length - 1))] ?? "");
    }

    private delete(namespace: Namespace | undefined, name: string): void {
        const keys = [...this.model(name).now.keys()];
        const key = keys[this.random.whole(0, Math.max(0, keys.length - 1))];
        if (!namespace || key === undefined) return;
        this.attempt(() => this.wrote(namespace, name, namespace.delete(Buffer.from(key, "latin1"), 1), { key, value: undefined }));
    }

    private wrote(namespace: Namespace, name: string, lsn: number, effect: Effect): void {
        this.tellOf(`${name} ${lsn} ${JSON.stringify(effect.key)} = ${effect.value?.slice(0, 9)} (${effect.value?.length})`);
        // What was written by this very call failed before it, not after.
        this.poll();
        const model = this.model(name);
        model.did(effect);
        const gate = namespace.log.gate(lsn) ?? { keeper: namespace.log, batch: undefined, lsn };
        const { durabilityText } = namespace;
        const promise = (ackedMs: number): number | undefined => {
            if (durabilityText === "none") return undefined;
            return durabilityText === "commit" ? ackedMs - 1 : ackedMs + INTERVAL_MS;
        };
        this.pending.push({ gate, effect, model, promise });
        this.poll();
    }

    /** Something that may be refused: by a disk that fails, or after one that did. */
    private attempt(run: () => void): void {
        try {
            run();
        } catch (error) {
            this.refused(error);
        }
    }

    private refused(error: unknown): void {
        this.tellOf(`refused: ${String(error)}`);
        if (!(error instanceof Refusal) && !hasCode(error)) throw error;
        if (!this.kind.isTroubled && !this.disk.isDead)
            throw new Error(`refused although nothing is wrong: ${String(error)}`, { cause: error });
        this.poll();
    }

    /** Takes note of what was acknowledged and what failed. */
    private poll(): void {
        const left: Pending[] = [];
        const failed = new Map<NamespaceModel, Effect[]>();
        for (const each of this.pending) {
            const { gate, effect, model, promise } = each;
            const passes = gate.keeper.passes(gate);
            if (passes === true) {
                if (this.disk.isDead) continue;
                effect.ackedMs = this.timers.nowMs();
                effect.promisedMs = promise(effect.ackedMs);
                if (effect.promisedMs !== undefined && effect.promisedMs > effect.ackedMs)
                    this.unsure.push({ keeper: gate.keeper, effect });
                this.tellOf(`acknowledged ${gate.lsn}`);
            } else if (passes === false) left.push(each);
            else if (gate.batch?.failure !== undefined) failed.set(model, [...(failed.get(model) ?? []), effect]);
            // Refused because of the log, and its batch is still to be tried: it may fail for itself, and its LSNs are given out again then.
            else if (isUnwritten(gate)) left.push(each);
        }
        this.pending = left;
        for (const { keeper, effect } of this.unsure) {
            // A disk that fails a sync keeps no promise that is not due yet; the log is written anew once that works.
            const { failure } = keeper as { failure?: string };
            const nowMs = this.timers.nowMs();
            if (failure !== undefined && (effect.ackedMs ?? 0) >= nowMs - INTERVAL_MS - 10) effect.promisedMs = undefined;
        }
        for (const [model, effects] of failed) model.failed(effects);
    }

    private async pass(ms: number): Promise<void> {
        for (let left = ms; left > 0 && !this.disk.isDead; left -= 10) {
            this.timers.advance(10);
            await turn();
            this.poll();
        }
    }

    /** Makes a namespace, or removes it. */
    private async change(store: Store, name: string): Promise<void> {
        if (name === "default") return;
        if (this.isUnavailable(store, name)) return;
        const isThere = store.namespaces.get(name) !== undefined;
        const model = this.model(name);
        this.tellOf(`${isThere ? "remove" : "create"} ${name}`);
        if (!isThere && !model.mayBeAbsent) throw new Error(`${name} is not there any more`);
        model.mayBeAbsent = true;
        try {
            if (isThere) await this.settled(store.namespaces.remove(name));
            else await this.settled(store.namespaces.create(name));
            if (this.disk.isDead) return;
            this.tellOf("done");
            this.pending = this.pending.filter((each) => each.model !== model);
            this.models.delete(name);
            if (!isThere) {
                this.model(name).mayBeAbsent = false;
                this.judged.add(this.model(name));
            }
        } catch (error) {
            this.refused(error);
        }
    }

    private async empty(store: Store, name: string): Promise<void> {
        if (!this.namespace(store, name)) return;
        const model = this.model(name);
        this.tellOf(`empty ${name}`);
        this.poll();
        model.mayBeEmpty = true;
        try {
            await this.settled(store.namespaces.renew(name, emptyLog));
            this.poll();
            if (!this.disk.isDead) model.emptied();
            this.tellOf("done");
        } catch (error) {
            this.refused(error);
            this.reread(store, name);
        }
    }

    private async renew(store: Store, name: string): Promise<void> {
        if (!this.namespace(store, name)) return;
        this.tellOf(`renew ${name}`);
        try {
            await this.settled(store.namespaces.renew(name));
        } catch (error) {
            this.refused(error);
            this.reread(store, name);
        }
    }

    /** Namespaces that were not available for a while. */
    private lookAgain(store: Store): void {
        for (const name of NAMES) {
            if (this.models.get(name)?.isVague) this.reread(store, name);
            if (!this.unopened.has(name)) continue;
            const namespace = this.namespace(store, name);
            if (namespace) this.untroubled(() => this.judge(namespace));
        }
    }

    /** Looks at what is there with a disk that does not fail meanwhile. */
    private untroubled(look: () => void): void {
        const { trouble } = this.disk;
        this.disk.trouble = NO_TROUBLE;
        look();
        this.disk.trouble = trouble;
    }

    /** Reading anew after trouble: what could not be written may be there or not, and what is there is what counts. */
    private reread(store: Store, name: string): void {
        this.poll();
        const model = this.model(name);
        model.isVague = true;
        const namespace = this.disk.isDead ? undefined : this.namespace(store, name);
        if (!namespace) return;
        this.untroubled(() => this.judge(namespace, "is running"));
    }

    private async setText(namespace: Namespace | undefined, name: string): Promise<void> {
        if (!namespace || name === "default") return;
        const model = this.model(name);
        const text = `p${this.values++}`;
        this.tellOf(`text ${name} ${text}`);
        model.texts.push(text);
        try {
            await this.settled(namespace.setProperty({ name: "password", text }));
            if (!this.disk.isDead) model.texts = [text];
        } catch (error) {
            this.refused(error);
        }
    }

    private jump(namespace: Namespace | undefined): void {
        if (namespace) this.attempt(() => namespace.nextSegment());
    }

    /** Clients see what they wrote, or an error. */
    private look(store: Store): void {
        if (this.disk.isDead) return;
        const name = this.random.pick(NAMES);
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
            if (!isUnreadable || (this.disk.trouble.read === 0 && this.disk.trouble.name === 0)) throw error;
        }
    }

    private judgeAll(store: Store): void {
        this.disk.trouble = NO_TROUBLE;
        const names = new Set([...store.namespaces.all()].map(({ name }) => name));
        const unavailable = new Set([...store.namespaces.unavailable()].map(({ name }) => name));
        for (const name of NAMES) {
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

    /** What is under way goes on while time passes, until it ends or the process is dead. */
    private async settled<T>(work: Promise<T>): Promise<T> {
        let isOver = false;
        const over = (): void => {
            isOver = true;
        };
        work.then(over, over);
        for (let turns = 0; !isOver && !this.disk.isDead; turns++) {
            await turn();
            if (isOver) break;
            if (turns > MOST_TURNS) throw new Error("it does not end");
            if (turns > 3) this.timers.advance(5);
            this.poll();
        }
        if (isOver) return work;
        throw Object.assign(new Error("the process is dead"), { code: "EIO" });
    }

    private tellOf(line: string): void {
        this.told.push(`${this.timers.nowMs()} ${line}`);
    }
}

const isUnwritten = ({ batch, keeper, lsn }: Gate): boolean => batch !== undefined && keeper instanceof Log && keeper.writtenLsn < lsn;

const hasCode = (error: unknown): boolean => error instanceof Error && "code" in error;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
