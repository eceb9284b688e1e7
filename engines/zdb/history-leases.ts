import type { Retention } from "./retention.ts";
import type { Segment } from "./segment.ts";

/** How far a namespace has come in what makes versions lose their place in the history. */
export interface Progress {
    /** Bytes of versions that were superseded. */
    readonly supersededBytes: number;
    readonly nowMs: number;
    /** Of all versions kept as history. */
    readonly historyBytes: number;
    readonly segmentBytes: number;
}

/**
 * Versions that a rewriting kept as history are not looked at one by one: they count as wanted for a while, in which at most a half of them (by
 * count) or a quarter (by age) can have lost their place. Then they count as garbage, until a rewriting keeps those that still have it.
 */
export class HistoryLeases {
    private readonly ends = new WeakMap<Segment, number>();

    end(segments: readonly Segment[], retention: Retention | undefined, progress: Progress): void {
        for (const segment of segments) {
            if (segment.historyBytes === 0) continue;
            const end = this.ends.get(segment);
            if (!retention || (end !== undefined && position(retention, progress) >= end)) segment.historyBytes = 0;
            else if (end === undefined) this.ends.set(segment, position(retention, progress) + term(retention, progress));
        }
    }

    /** What is kept is another thing now. */
    endAll(segments: readonly Segment[]): void {
        for (const segment of segments) segment.historyBytes = 0;
    }
}

const position = ({ kind }: Retention, { supersededBytes, nowMs }: Progress): number => (kind === "count" ? supersededBytes : nowMs);

function term(retention: Retention, { historyBytes, segmentBytes }: Progress): number {
    return retention.kind === "count" ? Math.max(historyBytes / 2, segmentBytes / 4) : (retention.seconds * 1000) / 4;
}
