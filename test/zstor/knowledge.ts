/** Nothing acknowledged, and what was tried since without an answer: any of them may be there. Undefined: no object. */
interface Known {
    acknowledged: Buffer | undefined;
    uncertain: (Buffer | undefined)[];
}

export type Content = Buffer | undefined;

/** What whoever uses a store may expect of it, by name. */
export class Knowledge {
    private readonly known = new Map<string, Known>();

    begins(name: string, content: Content): void {
        const known = this.about(name);
        known.uncertain = [...known.uncertain, content];
    }

    /** What was tried before it and may still come is older than it: generations only rise. */
    acknowledged(name: string, content: Content): void {
        this.known.set(name, { acknowledged: content, uncertain: [] });
    }

    /** Of several at once one came last, and which one is not known. */
    oneOf(name: string, contents: readonly Content[]): void {
        this.known.set(name, { acknowledged: contents[0], uncertain: contents.slice(1) });
    }

    possible(name: string): Content[] {
        const { acknowledged, uncertain } = this.about(name);
        return [acknowledged, ...uncertain];
    }

    judgeList(listed: readonly string[]): void {
        for (const [name, { acknowledged, uncertain }] of this.known)
            if (uncertain.length === 0 && listed.includes(name) !== (acknowledged !== undefined))
                throw new Error(`${name} is listed wrongly`);
    }

    private about(name: string): Known {
        let known = this.known.get(name);
        if (known === undefined) {
            known = { acknowledged: undefined, uncertain: [] };
            this.known.set(name, known);
        }
        return known;
    }
}

export function judge(name: string, found: Content, possible: readonly Content[]): void {
    const isPossible = possible.some((content) => (content === undefined ? found === undefined : found?.equals(content)));
    if (!isPossible)
        throw new Error(
            `${name} is ${found === undefined ? "not there" : `${found.length} other bytes`}, of ${possible.map((content) => content?.length ?? "none").join(", ")}`,
        );
}
