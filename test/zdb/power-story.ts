import type { Namespace } from "../../engines/zdb/namespace.ts";
import { emptyLog } from "../../engines/zdb/namespace-emptying.ts";
import type { Mode } from "../../engines/zdb/properties.ts";
import { Refusal, StartError } from "../../engines/zdb/refusal.ts";
import { Upkeep } from "../../engines/zdb/upkeep.ts";
import { Random } from "../faults/random.ts";
import { FragileDevice } from "./fragile-device.ts";
import { type DiskTrouble, FragileDisk, NO_TROUBLE } from "./fragile-disk.ts";
import { ManualTimers } from "./manual-timers.ts";
import { PowerJudge } from "./power-judge.ts";
import type { Effect, NamespaceModel } from "./power-model.ts";
import { openStore, type Store } from "./store.ts";
import { ToldEffects } from "./told-effects.ts";

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
const MOST_TURNS = 5000;
/** Long enough for what failed to be tried again. */
const LONG_PASS_MS = 2000;

/** Several lives of a server on one device, each ended by a power loss, a kill or in order; after each, what is left is judged. */
export class PowerStory {
    /** What happened, for the reader of a failure. */
    readonly told: string[] = [];
    private readonly random: Random;
    private readonly kind: StoryKind;
    private readonly segmentBytes: number;
    private readonly judge: PowerJudge;
    private device: FragileDevice;
    private disk: FragileDisk;
    private timers = new ManualTimers();
    private readonly effects = new ToldEffects(INTERVAL_MS, (line) => this.tellOf(line));
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
        this.judge = new PowerJudge({ random: this.random, names: NAMES, isTroubled: kind.isTroubled, poll: () => this.poll() });
        this.disk.makeDirectory("/data");
        this.disk.syncDirectory("/");
    }

    async tell(): Promise<void> {
        for (let lives = this.random.whole(2, 5); lives > 0; lives--) await this.live();
        // In the end everything is looked at by a server whose disk is sound.
        this.begin(undefined, false);
        const store = await this.open();
        if (!store) throw new Error("the server does not start");
        this.judge.judgeAll(store, this.disk);
        if ([...store.namespaces.unavailable()].length > 0) throw new Error("a namespace is not available");
        await this.settled(store.namespaces.close());

        if (this.disk.openFiles > 0) throw new Error(`${this.disk.openFiles} files are open after the end`);
    }

    private async live(): Promise<void> {
        this.begin(this.random.chance(0.7) ? this.random.whole(1, 250) : undefined, this.random.chance(0.3));
        const store = await this.open();
        if (!store || this.disk.isDead) return this.end();
        this.judge.judgeAll(store, this.disk);
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
        this.judge.begins();
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
        this.effects.forgetAll();
        const isKill = this.random.chance(0.3);
        const how = isKill ? "kill" : "power loss";
        this.tellOf(`${how} at ${diedMs} ms`);
        const isPromised = (model: NamespaceModel, { ackedMs, promisedMs }: Effect): boolean => {
            if (this.wasInOrder && !model.isVague) return ackedMs !== undefined;
            return promisedMs !== undefined && promisedMs < diedMs;
        };
        // Of what this process never opened the lives before have said what must stay.
        this.judge.serverEnds(isPromised);
        if (!isKill) this.judge.lostPower();
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
        this.judge.lookAgain(store, this.disk);
        const name = random.pick(NAMES);
        const dice = random.fraction();
        const namespace = this.judge.namespace(store, name);
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
        this.judge.look(store, this.disk);
    }

    private set(namespace: Namespace | undefined, name: string): void {
        if (!namespace) return;
        const model = this.judge.model(name);
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
        const keys = [...this.judge.model(name).now.keys()];
        const key = keys[this.random.whole(0, Math.max(0, keys.length - 1))];
        if (!namespace || key === undefined) return;
        this.attempt(() => this.wrote(namespace, name, namespace.delete(Buffer.from(key, "latin1"), 1), { key, value: undefined }));
    }

    private wrote(namespace: Namespace, name: string, lsn: number, effect: Effect): void {
        this.tellOf(`${name} ${lsn} ${JSON.stringify(effect.key)} = ${effect.value?.slice(0, 9)} (${effect.value?.length})`);
        // What was written by this very call failed before it, not after.
        this.poll();
        const model = this.judge.model(name);
        this.effects.wrote(namespace, lsn, effect, model);
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
        this.effects.look(this.timers.nowMs(), this.disk.isDead);
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
        if (this.judge.isUnavailable(store, name)) return;
        const isThere = store.namespaces.get(name) !== undefined;
        const model = this.judge.model(name);
        this.tellOf(`${isThere ? "remove" : "create"} ${name}`);
        if (!isThere && !model.mayBeAbsent) throw new Error(`${name} is not there any more`);
        model.mayBeAbsent = true;
        try {
            if (isThere) await this.settled(store.namespaces.remove(name));
            else await this.settled(store.namespaces.create(name));
            if (this.disk.isDead) return;
            this.tellOf("done");
            this.effects.forget(model);
            this.judge.forget(name);
            if (!isThere) this.judge.wasMade(name);
        } catch (error) {
            this.refused(error);
        }
    }

    private async empty(store: Store, name: string): Promise<void> {
        if (!this.judge.namespace(store, name)) return;
        const model = this.judge.model(name);
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
            this.judge.reread(store, name, this.disk);
        }
    }

    private async renew(store: Store, name: string): Promise<void> {
        if (!this.judge.namespace(store, name)) return;
        this.tellOf(`renew ${name}`);
        try {
            await this.settled(store.namespaces.renew(name));
        } catch (error) {
            this.refused(error);
            this.judge.reread(store, name, this.disk);
        }
    }

    private async setText(namespace: Namespace | undefined, name: string): Promise<void> {
        if (!namespace || name === "default") return;
        const model = this.judge.model(name);
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

const hasCode = (error: unknown): boolean => error instanceof Error && "code" in error;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
