import type { NewRecord } from "./log-owner.ts";
import { UNREADABLE_TLS } from "./namespace-tls.ts";
import { applyProperty, isPropertyName, type Properties, type PropertyChange, type PropertyName, SECRET_PROPERTIES } from "./properties.ts";
import { ENCODINGS, RECORD_KINDS, unixSeconds } from "./record.ts";
import type { Seal } from "./seal.ts";

const FOREIGN_PASSWORD = "its password was sealed with another key; an admin must set it anew";
const LOST_PASSWORD = "its password is lost; an admin must set it anew";

/** What a property record that was read means for the namespace. */
export interface Replayed {
    /** What is wrong with it. */
    readonly problem?: string;
    /** For a password: why clients may not come in; undefined when it is known. */
    readonly closed?: string | undefined;
}

/** How properties stand in the log: which record each came from, and secrets sealed. */
export class PropertyLog {
    private readonly seal: Seal | undefined;
    private readonly lsns = new Map<PropertyName, number>();

    constructor(seal: Seal | undefined) {
        this.seal = seal;
    }

    /** The record of a change, to be appended with this LSN. */
    record({ name, text }: PropertyChange, lsn: number): NewRecord {
        const clear = Buffer.from(text, "latin1");
        const sealed = SECRET_PROPERTIES.includes(name) && text !== "" ? this.seal?.close(name, lsn, clear) : undefined;
        return {
            kind: RECORD_KINDS.property,
            encoding: sealed ? ENCODINGS.sealed : ENCODINGS.clear,
            key: Buffer.from(name, "latin1"),
            payload: sealed ?? clear,
            previousLsn: this.lsns.get(name) ?? 0,
            timestamp: unixSeconds(),
        };
    }

    /** The record of a secret that cannot be had back, which keeps clients out until it is set anew: a sealed text that is empty. */
    lost(name: PropertyName): NewRecord {
        return { ...this.record({ name, text: "" }, 0), encoding: ENCODINGS.sealed };
    }

    /** The log has the record of a change. */
    wrote(name: PropertyName, lsn: number): void {
        this.lsns.set(name, lsn);
    }

    /** Of the last records of all names. */
    get lastLsns(): readonly number[] {
        return [...this.lsns.values()];
    }

    /** Whether this record or a later one of the name was read. */
    wasRead(name: string, lsn: number): boolean {
        return isPropertyName(name) && (this.lsns.get(name) ?? 0) >= lsn;
    }

    /** Whether the record with this LSN is the last of its name; of names nobody knows it is not known. */
    isLast(name: string, lsn: number): boolean {
        return !isPropertyName(name) || this.lsns.get(name) === lsn;
    }

    /** Takes over one record while the log is read; the payload is undefined when it is not what was written. */
    replay(name: string, encoding: number, lsn: number, payload: Buffer | undefined, properties: Properties): Replayed {
        if (!isPropertyName(name)) return { problem: `property ${name} is not known to this version` };
        this.lsns.set(name, lsn);
        if (!payload && name === "tls") properties.tls = UNREADABLE_TLS;
        if (!payload) return { problem: `property ${name} is unreadable`, closed: "its password is unreadable; an admin must set it anew" };
        const clear = encoding === ENCODINGS.sealed ? this.seal?.open(name, lsn, payload) : payload;
        // Its listeners say so, and whoever sets it anew has mended it.
        if (name === "tls" && !clear) {
            properties.tls = UNREADABLE_TLS;
            return {};
        }
        if (name === "password" && !clear) return { closed: payload.length === 0 ? LOST_PASSWORD : FOREIGN_PASSWORD };
        if (clear && applyProperty(properties, { name, text: clear.toString("latin1") })) return {};
        return { problem: `property ${name} has no known value` };
    }
}
