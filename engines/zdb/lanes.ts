/** Lets only so many in at once; the others wait in the order in which they came. */
export class Lanes {
    private free: number;
    private readonly queue: (() => void)[] = [];

    constructor(count: number) {
        this.free = count;
    }

    get waiting(): number {
        return this.queue.length;
    }

    async run<T>(work: () => Promise<T>): Promise<T> {
        if (this.free > 0) this.free--;
        else await new Promise<void>((resolve) => this.queue.push(resolve));
        try {
            return await work();
        } finally {
            const next = this.queue.shift();
            if (next) next();
            else this.free++;
        }
    }
}
