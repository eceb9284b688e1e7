/** Memory for large requests on their way in, shared by all connections: first come, first served, waiting when it is spent. */
export class InputBudget {
    private free: number;
    private readonly waiting: { readonly bytes: number; readonly granted: () => void }[] = [];

    constructor(bytes: number) {
        this.free = bytes;
    }

    /** Calls `granted`, at once or later, when the bytes are set aside. The result takes a waiting claim back. */
    claim(bytes: number, granted: () => void): () => void {
        const entry = { bytes, granted };
        this.waiting.push(entry);
        this.grant();
        return () => {
            const place = this.waiting.indexOf(entry);
            if (place >= 0) this.waiting.splice(place, 1);
            this.grant();
        };
    }

    release(bytes: number): void {
        this.free += bytes;
        this.grant();
    }

    /** In order, so that a large claim is not overtaken for ever. */
    private grant(): void {
        for (let next = this.waiting[0]; next && next.bytes <= this.free; next = this.waiting[0]) {
            this.waiting.shift();
            this.free -= next.bytes;
            next.granted();
        }
    }
}
