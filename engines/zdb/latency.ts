/** Upper bounds of the steps in microseconds; the last step has none. */
export const LATENCY_BOUNDS_US: readonly number[] = [
    50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
];

/** How long something took, counted in steps. Counting makes nothing. */
export class Latency {
    sumUs = 0;
    count = 0;
    private readonly steps = new Float64Array(LATENCY_BOUNDS_US.length + 1);

    /** So many took this long each. */
    add(ms: number, times = 1): void {
        const us = Math.max(0, Math.round(ms * 1000));
        let step = 0;
        while (us > (LATENCY_BOUNDS_US[step] ?? Number.POSITIVE_INFINITY)) step++;
        this.steps[step] = (this.steps[step] ?? 0) + times;
        this.sumUs += us * times;
        this.count += times;
    }

    /** `50=<so many took 50 us or less> 100=<...> ... inf=<all>`. */
    get text(): string {
        let total = 0;
        const upTo = [...LATENCY_BOUNDS_US, "inf"].map((bound, step) => {
            total += this.steps[step] ?? 0;
            return `${bound}=${total}`;
        });
        return upTo.join(" ");
    }
}
