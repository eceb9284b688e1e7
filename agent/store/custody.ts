import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Welcome } from "../../protocol/api.ts";
import { isMachineId, type MachineId, mintMachineId } from "../../protocol/ids.ts";
import type { Clock } from "../clock.ts";
import { renameDurably, writeDurably } from "./durable-file.ts";
import { CorruptStore } from "./failures.ts";
import { differing, type Fingerprint, type MachineRecord, readMachine, writeMachine } from "./machine-file.ts";
import { nodeKey, sealWith } from "./sealing.ts";
import { openStore, type Store } from "./store.ts";

/** Where the agent keeps what it must not lose. */
export interface Places {
    readonly machineFile: string;
    readonly storeFile: string;
    readonly keyFile: string;
    /** Directories that hold data of resources. */
    readonly data: readonly string[];
}

/** What a machine that began anew has put aside. */
export interface Former {
    readonly machineFile: string;
    readonly storeFile?: string;
}

/** The store when it is this machine's and sound, else why nothing may be done. */
export type Held =
    | { readonly state: "ok"; readonly store: Store }
    | { readonly state: Exclude<Welcome["store"], "ok">; readonly reason: string };

/** Files that SQLite keeps beside a database. */
const BESIDE = ["", "-wal", "-shm"];
/** Names that drivers give to what they make: a tenant's or a life's id is in them. */
const OURS = /[lt][a-hjkmnp-z2-9]{16}/;

/** Decides whether the store on this disk is this machine's desired state. Never takes a store that is missing for one that is empty. */
export class Custody {
    readonly #places: Places;
    readonly #fingerprint: Fingerprint;
    readonly #clock: Clock;
    #machine: MachineId;
    #held: Held;

    constructor(places: Places, fingerprint: Fingerprint, clock: Clock) {
        this.#places = places;
        this.#fingerprint = fingerprint;
        this.#clock = clock;
        const { machine, held } = this.#open();
        this.#machine = machine;
        this.#held = held;
    }

    get machine(): MachineId {
        return this.#machine;
    }

    get held(): Held {
        return this.#held;
    }

    /** Paths of data that no row tells of, the first few: never touched. */
    unclaimed(): readonly string[] {
        const store = this.#held.state === "ok" ? this.#held.store : undefined;
        const known = [...(store?.lives.all() ?? []), ...(store?.trash.all() ?? [])].flatMap((row) => [
            row.life,
            row.tenant,
        ]) as readonly string[];
        return this.#dataFound().filter((path) => !known.some((id) => path.includes(id)));
    }

    /** What was put aside of the machine that this was before, undefined when it was not: `storeFile` only when there was one. */
    formerly(machine: MachineId): Former | undefined {
        const { machineFile, storeFile } = this.#places;
        if (!isMachineId(machine) || !existsSync(`${machineFile}.${machine}`)) return undefined;
        const directory = dirname(storeFile);
        const prefix = `${basename(storeFile)}.${machine}-`;
        const aside = readdirSync(directory).find((name) => name.startsWith(prefix) && !BESIDE.some((end) => end && name.endsWith(end)));
        return { machineFile: `${machineFile}.${machine}`, ...(aside === undefined ? {} : { storeFile: `${directory}/${aside}` }) };
    }

    /** A new machine with nothing desired; a store that is there is put aside with the name that it belongs to, data stay where they are. */
    startEmpty(): Store {
        if (this.#held.state === "ok") this.#held.store.close();
        const { storeFile, machineFile } = this.#places;
        if (existsSync(machineFile)) writeDurably(`${machineFile}.${this.#machine}`, readFileSync(machineFile));
        const aside = `${storeFile}.${this.#machine}-${this.#clock.now()}`;
        for (const suffix of [...BESIDE].reverse()) if (existsSync(storeFile + suffix)) renameDurably(storeFile + suffix, aside + suffix);
        this.#machine = mintMachineId();
        return this.#begin(this.#machine);
    }

    /** This is the recorded machine on other hardware. */
    claimSame(): Held {
        const record = readMachine(this.#places.machineFile);
        if (record) writeMachine(this.#places.machineFile, { ...record, ...this.#fingerprint });
        const { machine, held } = this.#open();
        this.#machine = machine;
        this.#held = held;
        return held;
    }

    close(): void {
        if (this.#held.state === "ok") this.#held.store.close();
    }

    #open(): { readonly machine: MachineId; readonly held: Held } {
        const { machineFile, storeFile } = this.#places;
        let record: MachineRecord | undefined;
        try {
            record = readMachine(machineFile);
        } catch (failure) {
            return { machine: mintMachineId(), held: corrupt(`${machineFile} cannot be read: ${wordsOf(failure)}`) };
        }
        if (record) return { machine: record.machine, held: this.#openOf(record) };
        if (existsSync(storeFile)) return this.#adopt();
        const machine = mintMachineId();
        const data = this.#dataFound().at(0);
        if (data === undefined) return { machine, held: this.#first(machine) };
        this.#record(machine);
        return { machine, held: { state: "lost", reason: `${storeFile} is missing beside data such as ${data}` } };
    }

    #first(machine: MachineId): Held {
        try {
            return { state: "ok", store: this.#begin(machine) };
        } catch (failure) {
            if (failure instanceof CorruptStore) return corrupt(failure.message);
            throw failure;
        }
    }

    /** The store of the machine that machine.json names. */
    #openOf(record: MachineRecord): Held {
        const { storeFile, machineFile } = this.#places;
        const other = differing(record, this.#fingerprint);
        if (other) return { state: "copied", reason: `${other} is not the one that was recorded when the agent was installed` };
        if (!existsSync(storeFile)) return { state: "lost", reason: `${storeFile} is missing, and ${machineFile} says that there was one` };
        const held = this.#read();
        if (held.state !== "ok" || held.store.machine === record.machine) return held;
        const whose = held.store.machine ?? "no machine";
        held.store.close();
        return { state: "lost", reason: `${storeFile} belongs to ${whose}, and ${machineFile} names ${record.machine}` };
    }

    /** The first start was cut off between store and machine.json, or somebody removed the latter. */
    #adopt(): { readonly machine: MachineId; readonly held: Held } {
        const held = this.#read();
        if (held.state !== "ok") return { machine: mintMachineId(), held };
        const machine = held.store.machine ?? mintMachineId();
        held.store.belongTo(machine);
        this.#record(machine);
        return { machine, held };
    }

    #read(): Held {
        const key = nodeKey(this.#places.keyFile, false);
        if (!key) return corrupt(`the key that seals its secrets (${this.#places.keyFile}) is missing or damaged`);
        try {
            return { state: "ok", store: openStore(this.#places.storeFile, sealWith(key), this.#clock) };
        } catch (failure) {
            if (failure instanceof CorruptStore) return corrupt(`${this.#places.storeFile} is damaged: ${failure.message}`);
            throw failure;
        }
    }

    #begin(machine: MachineId): Store {
        const key = nodeKey(this.#places.keyFile, true);
        if (!key) throw new CorruptStore(`${this.#places.keyFile} is damaged`);
        const store = openStore(this.#places.storeFile, sealWith(key), this.#clock);
        store.belongTo(machine);
        this.#record(machine);
        this.#held = { state: "ok", store };
        const unclaimed = this.unclaimed();
        if (unclaimed.length > 0)
            store.events.add({
                at: this.#clock.now(),
                what: "found",
                detail: `data that belong to nothing this agent knows; they are never touched: ${unclaimed.join(", ")}`,
            });
        return store;
    }

    #record(machine: MachineId): void {
        writeMachine(this.#places.machineFile, {
            machine,
            ...this.#fingerprint,
            createdAt: new Date(this.#clock.now()).toISOString(),
        });
    }

    #dataFound(): readonly string[] {
        return this.#places.data.flatMap((directory) =>
            existsSync(directory)
                ? readdirSync(directory)
                      .filter((name) => OURS.test(name))
                      .map((name) => `${directory}/${name}`)
                : [],
        );
    }
}

const corrupt = (reason: string): Held => ({ state: "corrupt", reason });

const wordsOf = (failure: unknown): string => (failure instanceof Error ? failure.message : String(failure));
