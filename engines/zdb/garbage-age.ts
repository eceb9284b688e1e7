import { RECORD_HEAD_BYTES } from "./record.ts";
import type { Segment } from "./segment.ts";

/** The mark of an orderly end is garbage, but nothing that has to be erased. */
const MARK_BYTES = RECORD_HEAD_BYTES;

/** Since when the segments of a log hold something that was overwritten or deleted. */
export class GarbageAge {
    private readonly sinceMs = new WeakMap<Segment, number>();

    /** What is there when a log is opened may be as old as its segment. */
    opened(segments: readonly Segment[], nowMs: number, wallMs: number): void {
        for (const segment of segments) {
            if (hasGarbage(segment)) this.sinceMs.set(segment, nowMs - Math.max(0, wallMs - segment.header.createdMs));
        }
    }

    /** Looks at all segments; the ones that held garbage at a look so long ago, and ever since. */
    olderThan(ms: number, segments: readonly Segment[], nowMs: number): Segment[] {
        return segments.filter((segment) => {
            if (!hasGarbage(segment)) {
                this.sinceMs.delete(segment);
                return false;
            }
            const sinceMs = this.sinceMs.get(segment);
            if (sinceMs === undefined) this.sinceMs.set(segment, nowMs);
            return sinceMs !== undefined && nowMs - sinceMs >= ms;
        });
    }
}

const hasGarbage = ({ garbageBytes }: Segment): boolean => garbageBytes > MARK_BYTES;
