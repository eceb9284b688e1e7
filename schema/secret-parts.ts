/** Fields that are secret wherever they lie within an input that holds secrets, or within an output. */
export const SECRET_PARTS: readonly string[] = ["privateKey", "passphrase", "privateKeyPassword"];

/**
 * The value with its secret parts as `mark` makes them; of a list with secret parts, the whole: the engine does so too, and takes anything
 * else for a change. What is neither list nor plain record is left as it is.
 */
export const markSecretParts = (value: unknown, mark: (secret: unknown) => unknown): unknown => {
    if (Array.isArray(value)) return hasSecretParts(value) ? mark(value) : value;
    if (!isPlainRecord(value)) return value;
    return Object.fromEntries(
        Object.entries(value).map(([key, each]) => [
            key,
            SECRET_PARTS.includes(key) && each !== undefined && each !== null ? mark(each) : markSecretParts(each, mark),
        ]),
    );
};

export const hasSecretParts = (value: unknown): boolean => {
    if (Array.isArray(value)) return value.some(hasSecretParts);
    if (!isPlainRecord(value)) return false;
    return Object.entries(value).some(
        ([key, each]) => (SECRET_PARTS.includes(key) && each !== undefined && each !== null) || hasSecretParts(each),
    );
};

const isPlainRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value));
