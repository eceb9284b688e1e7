import { randomBytes } from "node:crypto";

/** A Linux installation: minted when the agent is first installed. */
export type MachineId = string & { readonly brand: "MachineId" };
/** One owner on a machine: minted by a Node's create. */
export type TenantId = string & { readonly brand: "TenantId" };
/** One existence of a resource on a machine; what everything it owns is named after. */
export type Life = string & { readonly brand: "Life" };
/** One provider process. */
export type SessionId = string & { readonly brand: "SessionId" };

/** Letters and digits that are not mistaken for each other and need no escape in unit names, paths or URLs. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";
const RANDOM_LENGTH = 16;
const ID = new RegExp(`^[mtls][${ALPHABET}]{${RANDOM_LENGTH}}$`);

const mint = (prefix: string): string => {
    // 31 symbols: bytes from 248 up would favour the first ones.
    let text = prefix;
    while (text.length <= RANDOM_LENGTH) {
        for (const byte of randomBytes(RANDOM_LENGTH)) {
            if (byte < 248 && text.length <= RANDOM_LENGTH) text += ALPHABET.charAt(byte % 31);
        }
    }
    return text;
};

export const mintMachineId = () => mint("m") as MachineId;
export const mintTenantId = () => mint("t") as TenantId;
export const mintLife = () => mint("l") as Life;
export const mintSessionId = () => mint("s") as SessionId;

const isId = (text: string | undefined, prefix: string): text is string => (text ?? "").startsWith(prefix) && ID.test(text ?? "");
export const isMachineId = (text: string | undefined): text is MachineId => isId(text, "m");
export const isTenantId = (text: string | undefined): text is TenantId => isId(text, "t");
export const isLife = (text: string | undefined): text is Life => isId(text, "l");
export const isSessionId = (text: string | undefined): text is SessionId => isId(text, "s");

/** The Pulumi id of a Node: `<machine>/<tenant>`. */
export const formatNodeId = (machine: MachineId, tenant: TenantId): string => `${machine}/${tenant}`;
/** The Pulumi id of a resource on a node: `<machine>/<tenant>/<life>`. */
export const formatResourceId = (machine: MachineId, tenant: TenantId, life: Life): string => `${machine}/${tenant}/${life}`;

export interface NodeAddress {
    readonly machine: MachineId;
    readonly tenant: TenantId;
}
export interface ResourceAddress extends NodeAddress {
    readonly life: Life;
}

/** The parts of a Node's id, or undefined when it is none. */
export const parseNodeId = (id: string): NodeAddress | undefined => {
    const [machine, tenant, ...rest] = id.split("/");
    return isMachineId(machine) && isTenantId(tenant) && rest.length === 0 ? { machine, tenant } : undefined;
};

/** The parts of a resource's id, or undefined when it is none. */
export const parseResourceId = (id: string): ResourceAddress | undefined => {
    const [machine, tenant, life, ...rest] = id.split("/");
    return isMachineId(machine) && isTenantId(tenant) && isLife(life) && rest.length === 0 ? { machine, tenant, life } : undefined;
};
