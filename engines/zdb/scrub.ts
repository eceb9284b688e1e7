import { SCRUB_PERIOD_MS, SCRUB_START_MS } from "./limits.ts";
import type { Namespace } from "./namespace.ts";
import { type DamagedRecord, scrubSegment } from "./scrub-segment.ts";
import type { Segment } from "./segment.ts";
import { segmentName } from "./segment-header.ts";
import type { Timers } from "./syncer.ts";

/** Records of one round through a namespace that get a line of their own. */
const MOST_LINES = 100;

export interface ScrubParts {
    readonly timers: Timers;
    /** What is read in a second at most; 0 for nothing at all. */
    readonly bytesPerSecond: number;
    namespaces(): Iterable<Namespace>;
    log(line: string): void;
    /** Unix milliseconds. */
    nowMs(): number;
}

/** Reads everything that is not appended to any more, again and again and slowly, so that damage is found before a client needs what it hit. */
export class Scrub {
    private readonly parts: ScrubParts;
    /** Offsets of damaged records that were told. */
    private readonly told = new WeakMap<Segment, Set<number>>();
    private cancel: () => void = () => undefined;
    private wake: () => void = () => undefined;
    private running: Promise<void> = Promise.resolve();
    private isOver = false;

    constructor(parts: ScrubParts) {
        this.parts = parts;
    }

    /** The first round begins a while after the start, each next one a period after the one before began. */
    start(): void {
        if (this.parts.bytesPerSecond > 0) this.plan(SCRUB_START_MS);
    }

    async stop(): Promise<void> {
        this.isOver = true;
        this.cancel();
        this.wake();
        await this.running;
    }

    /** One round through all namespaces. */
    async round(): Promise<void> {
        for (const namespace of [...this.parts.namespaces()]) await this.scrubNamespace(namespace);
    }

    private plan(ms: number): void {
        const { timers } = this.parts;
        this.cancel = timers.after(ms, () => {
            const nextMs = timers.nowMs() + SCRUB_PERIOD_MS;
            this.running = this.round().then(() => {
                if (!this.isOver) this.plan(Math.max(SCRUB_START_MS, nextMs - timers.nowMs()));
            });
        });
    }

    private async scrubNamespace(namespace: Namespace): Promise<void> {
        let damaged = 0;
        const found = (segment: Segment, record: DamagedRecord): void => {
            damaged++;
            // What an earlier round found stays until this one has been there.
            namespace.scrubbed = { ...namespace.scrubbed, damaged: Math.max(damaged, namespace.scrubbed.damaged) };
            this.tell(namespace, segment, record, damaged);
        };
        for (const segment of namespace.segments.closed) {
            if (this.isOver || namespace.gone) return;
            const parts = {
                namespace,
                segment,
                isOver: () => this.isOver || namespace.gone || namespace.segments.get(segment.id) !== segment,
                read: (bytes: number) => this.pause(bytes),
                found: (record: DamagedRecord) => found(segment, record),
            };
            await scrubSegment(parts);
        }
        if (!this.isOver) namespace.scrubbed = { endedMs: this.parts.nowMs(), damaged };
    }

    private tell(namespace: Namespace, segment: Segment, { offset, lsn, why, isLive }: DamagedRecord, number: number): void {
        const told = this.told.get(segment) ?? new Set<number>();
        this.told.set(segment, told);
        if (told.has(offset)) return;
        told.add(offset);
        namespace.measures.sawReadError();
        // It would stop at what it has to copy, again and again.
        if (isLive) segment.damaged = true;
        if (number > MOST_LINES) return;
        const record = lsn === undefined ? "a record" : `record ${lsn}`;
        const what = isLive ? "" : ", which is not the newest of its key";
        const place = `${segmentName(segment.header.number)} offset ${offset}`;
        this.parts.log(`namespace ${namespace.name}: ${record} at ${place}${what}: ${why}: stop the server and see zdb check`);
        if (number === MOST_LINES) this.parts.log(`namespace ${namespace.name}: more damage is not told, only counted`);
    }

    /** Waits until so many bytes may have been read. */
    private pause(bytes: number): Promise<void> {
        if (this.isOver) return Promise.resolve();
        return new Promise((resolve) => {
            const cancel = this.parts.timers.after((bytes / this.parts.bytesPerSecond) * 1000, resolve);
            this.wake = () => {
                cancel();
                resolve();
            };
        });
    }
}
