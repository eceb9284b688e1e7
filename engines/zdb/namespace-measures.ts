import { Latency } from "./latency.ts";
import { unixSeconds } from "./record.ts";

/** What a command does to the data of its namespace. */
export type Operation = "read" | "write" | "delete" | "scan";

/** Groups of answers that wait for a sync; when there are more, the newest ones count as begun together. */
const MOST_HELD_GROUPS = 32;

/** Commands carried out in the turn at hand. */
interface Pending {
    reads: number;
    writes: number;
}

/** Answers of one turn that wait until the log has acknowledged this LSN. */
interface HeldGroup extends Pending {
    lsn: number;
    readonly startedMs: number;
}

/** What a namespace has done since it was opened, for whoever watches over it. Counting a command makes nothing and asks no clock. */
export class NamespaceMeasures {
    reads = 0;
    writes = 0;
    deletes = 0;
    scans = 0;
    readonly readLatency = new Latency();
    /** Of deletions too. */
    readonly writeLatency = new Latency();
    readonly syncLatency = new Latency();
    compactions = 0;
    /** Bytes of log that rewriting segments has freed. */
    compactedBytes = 0;
    /** Writes that had to wait for the room that a rewriting makes. */
    delayedWrites = 0;
    readErrors = 0;
    lastReadErrorS = 0;
    writeErrors = 0;
    lastWriteErrorS = 0;

    private readonly prompt: Pending = { reads: 0, writes: 0 };
    private readonly late: Pending = { reads: 0, writes: 0 };
    private readonly held: HeldGroup[] = [];
    private isNextLate = false;

    /** The disk did not give what was written. */
    sawReadError(): void {
        this.readErrors++;
        this.lastReadErrorS = unixSeconds();
    }

    /** The disk did not take what was to be written. */
    sawWriteError(): void {
        this.writeErrors++;
        this.lastWriteErrorS = unixSeconds();
    }

    /** The answer that is being made must wait for a sync. */
    holdsNext(): void {
        this.isNextLate = true;
    }

    /** A command was carried out. True for one whose time is taken with the other ones of its turn: `turnEnded` must be called. */
    count(operation: Operation): boolean {
        const pending = this.isNextLate ? this.late : this.prompt;
        this.isNextLate = false;
        switch (operation) {
            case "read":
                this.reads++;
                pending.reads++;
                return true;
            case "write":
                this.writes++;
                pending.writes++;
                return true;
            case "delete":
                this.deletes++;
                pending.writes++;
                return true;
            case "scan":
                this.scans++;
                return false;
        }
    }

    /** A command that did not end in the turn it began in has ended. */
    countSlow(operation: Operation, ms: number): void {
        this.isNextLate = false;
        switch (operation) {
            case "read":
                this.reads++;
                this.readLatency.add(ms);
                return;
            case "write":
                this.writes++;
                this.writeLatency.add(ms);
                return;
            case "delete":
                this.deletes++;
                this.writeLatency.add(ms);
                return;
            case "scan":
                this.scans++;
        }
    }

    /** The answers of a turn go out, but those that wait for the log to acknowledge `lsn`. */
    turnEnded(startedMs: number, nowMs: number, lsn: number, acknowledgedLsn: number): void {
        this.took(this.prompt, nowMs - startedMs);
        const { late } = this;
        if (late.reads + late.writes === 0) return;
        if (lsn <= acknowledgedLsn) {
            this.took(late, nowMs - startedMs);
            return;
        }
        const newest = this.held.length < MOST_HELD_GROUPS ? undefined : this.held.at(-1);
        if (newest) {
            newest.lsn = lsn;
            newest.reads += late.reads;
            newest.writes += late.writes;
        } else this.held.push({ ...late, lsn, startedMs });
        clear(late);
    }

    /** Answers that depend on nothing newer than this LSN may go. */
    acknowledged(lsn: number, nowMs: number): void {
        for (let [group] = this.held; group && group.lsn <= lsn; [group] = this.held) {
            this.took(group, nowMs - group.startedMs);
            this.held.shift();
        }
    }

    private took(pending: Pending, ms: number): void {
        if (pending.reads > 0) this.readLatency.add(ms, pending.reads);
        if (pending.writes > 0) this.writeLatency.add(ms, pending.writes);
        clear(pending);
    }
}

function clear(pending: Pending): void {
    pending.reads = 0;
    pending.writes = 0;
}
