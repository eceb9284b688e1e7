import type { Life, TenantId } from "../../protocol/ids.ts";
import { type Kind, primitiveOf } from "../../schema/index.ts";
import type { Row } from "./database.ts";
import { CorruptStore } from "./failures.ts";
import type { Seal } from "./sealing.ts";

/** Kinds of what lives on a node. */
export type ResourceKind = Exclude<Kind, "Node">;

/** Desired state with its secrets in clear: in memory only. */
export type Values = Readonly<Record<string, unknown>>;

/** What a resource is, live or in the trash: the columns that both tables have. */
export interface Described {
    readonly life: Life;
    readonly tenant: TenantId;
    readonly kind: ResourceKind;
    readonly urn: string;
    readonly name: string;
    readonly spec: Values;
    /** The lives that it refers to, by the name of the input. */
    readonly uses: Readonly<Record<string, Life>>;
}

/** The spec in two columns: in clear what is no secret, sealed for its life what is. */
export const sealSpec = (
    seal: Seal,
    kind: Kind,
    spec: Values,
    life: Life,
): { readonly spec: string; readonly secrets: Uint8Array | null } => {
    const { inputs } = primitiveOf(kind);
    const [secret, open] = [true, false].map((wanted) =>
        Object.fromEntries(
            Object.entries(spec).filter(([name, value]) => value !== undefined && (inputs[name]?.secret ?? false) === wanted),
        ),
    );
    const sealed = Object.keys(secret ?? {}).length === 0 ? null : seal.seal(JSON.stringify(secret), life);
    return { spec: JSON.stringify(open), secrets: sealed };
};

/** Throws CorruptStore when the node's key does not open it. */
const openSpec = (seal: Seal, row: Row, life: Life): Values => {
    const open = parse(row.spec) as Values;
    if (!(row.secrets instanceof Uint8Array)) return open;
    try {
        return { ...open, ...(JSON.parse(seal.open(row.secrets, life)) as Values) };
    } catch (failure) {
        throw new CorruptStore(`the node's key does not open the secrets of ${life}`, { cause: failure });
    }
};

/** Inputs that came with a later release than the row are what they are by default. */
const completed = (kind: ResourceKind, spec: Values): Values => {
    const added = defaultsOf(kind).filter(([name]) => spec[name] === undefined);
    return added.length === 0 ? spec : { ...spec, ...Object.fromEntries(added) };
};

const DEFAULTS = new Map<ResourceKind, readonly (readonly [name: string, value: unknown])[]>();

const defaultsOf = (kind: ResourceKind): readonly (readonly [name: string, value: unknown])[] => {
    const known = DEFAULTS.get(kind);
    if (known) return known;
    const defaults = Object.entries(primitiveOf(kind).inputs).flatMap(([name, { schema, change }]) => {
        const { success, data } = schema.safeParse(undefined);
        return change.rule !== "client" && success && data !== undefined ? [[name, data] as const] : [];
    });
    DEFAULTS.set(kind, defaults);
    return defaults;
};

/** The columns that both tables have. Throws CorruptStore. */
export const describedIn = (seal: Seal, row: Row): Described => {
    const life = row.life as Life;
    return {
        life,
        tenant: row.tenant as TenantId,
        kind: row.kind as ResourceKind,
        urn: String(row.urn),
        name: String(row.name),
        spec: completed(row.kind as ResourceKind, openSpec(seal, row, life)),
        uses: parse(row.uses) as Described["uses"],
    };
};

/** JSON of a column. */
export const parse = (value: unknown): unknown => JSON.parse(String(value));

/** undefined instead of SQL's null. */
export const optional = <T>(value: unknown, read: (value: unknown) => T): T | undefined => (value === null ? undefined : read(value));
