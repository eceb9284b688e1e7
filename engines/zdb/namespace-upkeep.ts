import { CompactionOver, compact } from "./compaction.ts";
import { chooseRun, fitTogether, isWorthRewriting, isWorthwhile, mustWait, type SpaceUse } from "./compaction-plan.ts";
import { type Disk, isNoSpace } from "./disk.ts";
import type { DiskSpace } from "./disk-space.ts";
import { GarbageAge } from "./garbage-age.ts";
import { HistoryLeases } from "./history-leases.ts";
import { LogIteration } from "./log-iteration.ts";
import type { Namespace } from "./namespace.ts";
import { versionLife } from "./namespace-reading.ts";
import type { Segment } from "./segment.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";
import type { Upkeep, Upkept } from "./upkeep.ts";
import { UnreadableRecord } from "./whole-segment.ts";

const SEGMENTS_EACH_BATCH = 256;

/** Keeps the log of one namespace small, and its sidecars complete. */
export class NamespaceUpkeep implements Upkept {
    private readonly namespace: Namespace;
    private readonly disk: Disk;
    private readonly space: DiskSpace;
    /** undefined: only what is asked for is done. */
    private readonly server: Upkeep | undefined;
    private readonly nowMs: () => number;
    private isOver = false;
    private isCrowded = false;
    /** Until when nothing can be done about it. */
    private futility: "none" | "until writes would wait" | "until another segment is closed" = "none";
    private batches = 0;
    private readonly garbageAge = new GarbageAge();
    private readonly leases = new HistoryLeases();
    private eraseMs = Number.POSITIVE_INFINITY;
    private running: Promise<unknown> = Promise.resolve();
    private waiting: (() => void)[] = [];

    constructor(namespace: Namespace, disk: Disk, space: DiskSpace, server: Upkeep | undefined) {
        this.server = server;
        this.nowMs = () => server?.nowMs() ?? 0;
        this.namespace = namespace;
        this.disk = disk;
        this.space = space;
    }

    get name(): string {
        return this.namespace.name;
    }

    /** The log grew. */
    wrote(): void {
        // Adding up thousands of segments takes longer than a small batch.
        this.batches++;
        if (this.server && this.batches % Math.ceil(this.namespace.segments.all.length / SEGMENTS_EACH_BATCH) === 0) this.look();
    }

    /** A segment was closed. */
    closedOne(): void {
        this.futility = "none";
        const closed = this.namespace.segments.all.at(-2);
        if (this.server && closed) this.space.mayRewrite(closed.endOffset);
        this.server?.wants(this);
    }

    /** The namespace can be written to. */
    begin(): void {
        this.server?.begin(this);
        this.endLeases();
        this.garbageAge.opened(this.namespace.segments.all, this.nowMs(), Date.now());
        const closed = this.namespace.segments.closed.map(({ endOffset }) => endOffset);
        if (this.server && closed.length > 0) this.space.mayRewrite(Math.max(...closed));
    }

    /** It can be written to again. */
    resume(): void {
        this.server?.wants(this);
    }

    sawFull(): void {
        this.server?.sawFull();
    }

    mayHelp(): void {
        this.futility = "none";
    }

    /** What is kept as history is another thing now. */
    retentionChanged(): void {
        this.leases.endAll(this.namespace.segments.all);
        this.futility = "none";
        this.look();
    }

    /** What became garbage longer ago than this is rewritten away, however little it is. */
    eraseWhatIsOlder(ms: number): void {
        this.eraseMs = ms;
        this.endLeases();
        if (this.server?.compacts && this.oldest) this.server.wants(this);
    }

    /** What a write has to wait for before it is tried: room that a rewriting makes. */
    room(): Promise<void> | undefined {
        if (!this.isCrowded || this.isOver || this.isFutile || this.namespace.log.failure !== undefined) return undefined;
        this.server?.wants(this);
        if (!this.server?.helps(this)) return undefined;
        this.namespace.measures.delayedWrites++;
        return new Promise((resolve) => this.waiting.push(resolve));
    }

    tidy(): Promise<boolean> {
        const work = this.tidyOnce().catch((error: unknown) => {
            // Left as it is from now on, so that nothing of it is passed over.
            if (error instanceof UnreadableRecord) error.segment.damaged = true;
            // Begun anew by the rules of now.
            if (error instanceof CompactionOver && !this.isOver) return true;
            throw error;
        });
        this.running = work.catch(() => undefined);
        return work;
    }

    untidied(): void {
        this.isCrowded = mustWait(this.use);
        for (const goOn of this.waiting.splice(0)) goOn();
    }

    /** No more of it; resolves when what is under way has ended. */
    async stop(): Promise<void> {
        this.isOver = true;
        this.server?.forget(this);
        for (const goOn of this.waiting.splice(0)) goOn();
        await this.running;
    }

    get use(): SpaceUse {
        const { segments } = this.namespace;
        const segmentBytes = this.namespace.segmentBytes();
        // Of what is there twice for a moment, one segment is allowed for.
        const twiceBytes = Math.max(0, segments.replacedBytes - segmentBytes);
        return { totalBytes: segments.totalBytes + twiceBytes, neededBytes: segments.neededBytes, segmentBytes };
    }

    private async tidyOnce(): Promise<boolean> {
        if (this.isOver || this.namespace.log.failure !== undefined) return false;
        const { segments } = this.namespace;
        // What can be rebuilt is not made on a full disk.
        if (this.space.refusesValues) return this.compactOnce();
        const unlisted = segments.closed.find(({ marks, damaged }) => marks !== undefined && !damaged);
        if (mustWait(this.use) && (await this.compactOnce())) return true;
        if (!unlisted) return (await this.checkpointOnce()) || (await this.compactOnce()) || this.eraseOnce();
        await buildSidecar(this.disk, segments, this.namespace.sidecars, unlisted, this.slices());
        return true;
    }

    private async checkpointOnce(): Promise<boolean> {
        const { checkpoint } = this.namespace;
        if (!checkpoint.isDue) return false;
        await checkpoint.write(this.slices());
        return true;
    }

    private async compactOnce(): Promise<boolean> {
        if (this.server?.compacts === false) {
            this.futility = "until another segment is closed";
            return false;
        }
        const isFull = this.space.refusesValues;
        if (!isWorthwhile(this.use) && !isFull) return false;
        const limits = { segmentBytes: this.namespace.segmentBytes(), mostOutputBytes: this.space.freeBytes(), isFull };
        if (isFull) this.closeActive(isFull);
        const isCrowded = mustWait(this.use);
        let run = chooseRun(this.namespace.segments.closed, limits);
        if (!run && isCrowded && this.closeActive(isFull)) run = chooseRun(this.namespace.segments.closed, limits);
        if (run) this.futility = "none";
        else this.futility = isCrowded ? "until another segment is closed" : "until writes would wait";
        if (!run) return false;
        await this.rewriteAndCount(run);
        return true;
    }

    private async rewriteAndCount(run: readonly Segment[]): Promise<void> {
        let before = 0;
        for (const { endOffset } of run) before += endOffset;
        const { endOffset } = await this.rewrite(run);
        this.namespace.checkpoint.rewrote(endOffset);
        this.namespace.measures.compactions++;
        this.namespace.measures.compactedBytes += before - endOffset;
        this.untidied();
    }

    /** The oldest segments first: then nothing older stands in the way of tombstones in the others. */
    private get oldest(): Segment | undefined {
        const { segments, wasUsed } = this.namespace;
        const old = this.garbageAge.olderThan(this.eraseMs, segments.all, this.nowMs()).find(({ damaged }) => !damaged);
        // One that holds properties only is as good as new.
        return wasUsed ? old : undefined;
    }

    private async eraseOnce(): Promise<boolean> {
        if (this.server?.compacts === false) return false;
        const segment = this.oldest;
        if (!segment) return false;
        const { segments, log } = this.namespace;
        if (segment === segments.all.at(-1)) log.jump();
        const [before] = segments.closed.slice(0, segments.closed.indexOf(segment)).slice(-1);
        await this.rewriteAndCount(before && fitTogether(before, segment, this.namespace.segmentBytes()) ? [before, segment] : [segment]);
        return true;
    }

    /** All there is to be freed may be in the segment that is appended to. Whether it was, and is closed now. */
    private closeActive(isFull: boolean): boolean {
        const { segments, log } = this.namespace;
        const active = segments.all.at(-1);
        const isWorthIt = active !== undefined && this.namespace.wasUsed && isWorthRewriting(active, isFull);
        if (isWorthIt) log.jump();
        return isWorthIt;
    }

    private get isFutile(): boolean {
        return this.futility === "until another segment is closed" || (this.futility === "until writes would wait" && !this.isCrowded);
    }

    /** Rewrites these adjacent closed segments. */
    async rewrite(run: readonly Segment[]): Promise<Segment> {
        const { namespace, disk, space } = this;
        const { segments, sidecars } = namespace;
        const { history } = namespace.properties;
        // LSNs of a batch that may fail are given out again.
        namespace.log.write();
        const isLive = (key: Uint8Array, segment: Segment, offset: number): boolean => namespace.isLive(key, segment, offset);
        return await compact(
            {
                disk,
                segments,
                sidecars,
                iteration: new LogIteration({ disk, segments, sidecars, isLive }),
                lastLsn: namespace.log.writtenLsn,
                segmentBytes: namespace.segmentBytes(),
                isLive,
                relocate: (key, from, to) => namespace.relocate(key, from, to),
                isLastProperty: (name, lsn) => namespace.isLastProperty(name, lsn),
                history: () => versionLife(namespace),
                isOutdated: () => namespace.properties.history !== history,
                commit: () => namespace.log.syncWritten(),
                isOver: () => this.isOver,
                giveUpReserve: (error) => isNoSpace(error) && space.giveUp(),
            },
            run,
        );
    }

    /** Versions that were kept as history count as garbage after a while, to be judged anew. */
    private endLeases(): void {
        const { properties, segments, keys } = this.namespace;
        const { historyBytes } = segments;
        if (historyBytes === 0) return;
        const progress = {
            supersededBytes: keys.supersededBytes,
            nowMs: this.nowMs(),
            historyBytes,
            segmentBytes: this.namespace.segmentBytes(),
        };
        this.leases.end(segments.all, properties.history, progress);
    }

    private look(): void {
        if (this.namespace.properties.history) this.endLeases();
        const { use } = this;
        this.isCrowded = mustWait(use);
        if (this.space.refusesValues) {
            // What was written was a deletion.
            this.futility = "none";
            this.server?.wants(this);
            return;
        }
        if ((isWorthwhile(use) && !this.isFutile) || this.namespace.checkpoint.isDue) this.server?.wants(this);
    }

    private slices(): Slices {
        return new Slices(() => {
            if (this.isOver) throw new CompactionOver();
        });
    }
}
