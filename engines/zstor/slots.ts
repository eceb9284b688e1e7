/** So many at once, the others in order. */
export class Slots {
    private free: number;
    private readonly waiting: (() => void)[] = [];

    constructor(count: number) {
        this.free = count;
    }

    get load(): number {
        return this.waiting.length;
    }

    async take(): Promise<void> {
        if (this.free > 0) this.free--;
        else await new Promise<void>((resolve) => this.waiting.push(resolve));
    }

    give(): void {
        const next = this.waiting.shift();
        if (next) next();
        else this.free++;
    }
}
