/** By how much counters have grown while that work was done. */
export async function grownBy<T extends Readonly<Record<keyof T, number>>>(counters: () => T, work: () => Promise<unknown>): Promise<T> {
    const before = counters();
    await work();
    const after = counters();
    const grown = Object.entries<number>(after).map(([name, count]) => [name, count - (before[name as keyof T] ?? 0)]);
    return Object.fromEntries(grown) as T;
}
