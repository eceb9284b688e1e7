/** A secret as the text that proofs of it are made of: objects with their keys in order, so that the order means nothing. */
export const secretText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value, inOrder));

const inOrder = (_key: string, value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value;
