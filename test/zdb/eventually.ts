/** A busy machine takes its time; below what a test may take in all. */
const PATIENCE_MS = 25_000;

/** Tries again until the attempt succeeds: for what another process does in its own time. */
export async function eventually<T>(attempt: () => T | Promise<T>): Promise<T> {
    const endMs = performance.now() + PATIENCE_MS;
    for (;;) {
        try {
            return await attempt();
        } catch (failure) {
            if (performance.now() > endMs) throw failure;
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
    }
}
