import { writeCheckpoint } from "./checkpoint-writer.ts";
import { errorCode } from "./disk.ts";
import { CHECKPOINT_LEAST_LOG_BYTES, LAST_CHECKPOINT_LEAST_LOG_BYTES } from "./limits.ts";
import type { Namespace } from "./namespace.ts";
import { Refusal } from "./refusal.ts";
import { Slices } from "./slices.ts";

/** A checkpoint is written after this many bytes of log for each byte of index, so that writing them stays the smaller part. */
const LOG_BYTES_EACH_INDEX_BYTE = 2;
/** About what an entry takes in the file. */
const ENTRY_BYTES = 26;

/** When the index of one namespace is copied to disk. */
export class NamespaceCheckpoint {
    private readonly namespace: Namespace;
    private readonly leastLogBytes: number;
    /** Log that a start would have to read. */
    private logBytes = 0;
    private seenBytes = 0;

    constructor(namespace: Namespace, leastLogBytes = CHECKPOINT_LEAST_LOG_BYTES) {
        this.namespace = namespace;
        this.leastLogBytes = leastLogBytes;
    }

    /** The namespace was opened after so much of its log had to be read. */
    begun(readBytes: number): void {
        this.logBytes = readBytes;
    }

    /** A rewritten segment makes the checkpoint before it useless. */
    rewrote(bytes: number): void {
        this.logBytes += bytes;
    }

    get isDue(): boolean {
        const indexBytes = this.namespace.entries * ENTRY_BYTES;
        return this.unread >= Math.max(this.leastLogBytes, indexBytes * LOG_BYTES_EACH_INDEX_BYTE);
    }

    async write(slices: Slices): Promise<void> {
        const bytes = this.unread;
        const { writtenBytes } = this.namespace.log;
        // Also when it does not come about: it is not tried again before more was written.
        this.logBytes = 0;
        this.seenBytes = writtenBytes;
        if (!(await writeCheckpoint(this.namespace.checkpointParts(), slices))) this.logBytes = bytes / 2;
    }

    /** Before an orderly end: so that the next start has next to nothing to read. */
    async writeLast(log: (line: string) => void): Promise<void> {
        await this.namespace.upkeep.stop();
        if (this.namespace.log.failure !== undefined || this.unread < Math.min(this.leastLogBytes, LAST_CHECKPOINT_LEAST_LOG_BYTES)) return;
        try {
            await this.write(new Slices());
        } catch (error) {
            const why = error instanceof Refusal ? error.message : errorCode(error);
            log(`namespace ${this.namespace.name}: its checkpoint could not be written (${why}), the next start reads its log`);
        }
    }

    private get unread(): number {
        return this.logBytes + this.namespace.log.writtenBytes - this.seenBytes;
    }
}
