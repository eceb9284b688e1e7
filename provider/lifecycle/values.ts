/** Properties of a resource as plain JSON. */
export type Properties = Record<string, unknown>;

/** What the engine sends in place of a value that is not known yet. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A resource that the node could not make ready carries the reason under this input until an update mends it. */
export const UNFINISHED = "__unfinished";
/** Outputs list under it which of the inputs that can be generated the program gave, so that `read` returns exactly what it gave. */
export const GIVEN = "__given";
/** Hidden input: the URN, since calls of a dynamic provider do not carry it. */
export const URN = "__urn";

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether anything in the value is not known yet. */
export const hasUnknown = (value: unknown): boolean => {
    if (value === UNKNOWN) return true;
    if (Array.isArray(value)) return value.some(hasUnknown);
    return isRecord(value) && Object.values(value).some(hasUnknown);
};

/** The value without nulls in its objects: the engine sends what a program left undefined in either way. */
export const withoutNulls = (value: unknown): unknown => {
    if (value === null) return undefined;
    if (Array.isArray(value)) return value.map(withoutNulls);
    if (!isRecord(value)) return value;
    return Object.fromEntries(
        Object.entries(value)
            .map(([key, each]) => [key, withoutNulls(each)] as const)
            .filter(([, each]) => each !== undefined),
    );
};

/** Equality of plain JSON; the order of keys means nothing, and an undefined member is no member. */
export const same = (a: unknown, b: unknown): boolean => {
    if (Object.is(a, b)) return true;
    if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, index) => same(each, b[index]));
    if (!isRecord(a) || !isRecord(b)) return false;
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => same(a[key], b[key]));
};

/** What protobuf can carry of a value: it fails on undefined and BigInt, makes `{}` of a Date and null of NaN, after the work was done. */
export const plain = (value: Properties): Properties =>
    JSON.parse(
        JSON.stringify(value, (_key, each: unknown) => {
            if (typeof each === "bigint") return Number.isSafeInteger(Number(each)) ? Number(each) : String(each);
            return typeof each === "number" && !Number.isFinite(each) ? undefined : each;
        }),
    ) as Properties;

export const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** The name at the end of a URN. */
export const nameOf = (urn: string): string => urn.slice(urn.lastIndexOf("::") + (urn.includes("::") ? 2 : 0));
