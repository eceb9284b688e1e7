/** Lets so many run at a time; the others wait in the order of asking. */
export class Slots {
    readonly #waiting: (() => void)[] = [];
    #free: number;

    constructor(count: number) {
        this.#free = count;
    }

    async run<T>(act: () => Promise<T>): Promise<T> {
        if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
        else this.#free--;
        try {
            return await act();
        } finally {
            const next = this.#waiting.shift();
            if (next) next();
            else this.#free++;
        }
    }
}
