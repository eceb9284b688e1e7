/** How long data stay in the trash that nobody gave a time for: the default of a Node's `trash`. */
export const DEFAULT_TRASH_MS = 86_400_000;

/** How long data that were kept wait in the trash when they had to go there on the way back: until somebody purges them. */
export const KEPT_MS = 100 * 365 * 86_400_000;
