/** The word that takes the fewest edits to get to; undefined when none is near enough to be what was meant. */
export const nearest = (word: string, words: readonly string[]): string | undefined => {
    const [best] = words
        .map((each) => ({ each, edits: edits(word.toLowerCase().slice(0, LONGEST), each.toLowerCase()) }))
        .sort((a, b) => a.edits - b.edits);
    return best && best.edits <= Math.max(2, Math.floor(Math.min(word.length, best.each.length) / 2)) ? best.each : undefined;
};

/** No key of ours is longer; what is typed by mistake may be. */
const LONGEST = 64;

/** Levenshtein distance: insertions, deletions and exchanges of one letter. */
const edits = (from: string, to: string): number => {
    let row = Array.from({ length: to.length + 1 }, (_, column) => column);
    for (const [index, letter] of [...from].entries()) {
        const next = [index + 1];
        for (let column = 1; column <= to.length; column++) {
            const exchanged = (row[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1);
            next.push(Math.min(exchanged, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
        }
        row = next;
    }
    return row[to.length] ?? 0;
};
