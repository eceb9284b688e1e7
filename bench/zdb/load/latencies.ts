const FIRST_CAPACITY = 1 << 16;

/** Times, all of them kept. */
export class Latencies {
    private times = new Float32Array(FIRST_CAPACITY);
    private count = 0;

    add(ms: number): void {
        if (this.count === this.times.length) {
            const grown = new Float32Array(this.count * 2);
            grown.set(this.times);
            this.times = grown;
        }
        this.times[this.count++] = ms;
    }

    clear(): void {
        this.count = 0;
    }

    summary(): { readonly p50Ms: number; readonly p99Ms: number; readonly longestMs: number } {
        const sorted = this.times.subarray(0, this.count).sort();
        const at = (share: number): number => sorted[Math.min(this.count - 1, Math.floor(this.count * share))] ?? 0;
        return { p50Ms: at(0.5), p99Ms: at(0.99), longestMs: at(1) };
    }
}
