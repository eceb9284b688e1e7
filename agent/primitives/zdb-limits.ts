import type { Limits } from "../../schema/limits.ts";
import { bytesOf, formatSize } from "../../schema/quantity.ts";

type Limit = keyof Limits;
/** Bytes, hundredths of a core, a weight. */
export type Amounts = Readonly<Partial<Record<Limit, number>>>;

/** Slowed down, so that it gives back what it can, before anything is refused: the relation that servers without a limit of their own have. */
const HIGH_OF_MAX = 0.8;

interface Kind {
    readonly amountOf: (limits: Limits) => number | undefined;
    /** Lines of [Service], and how the amount is found in them. */
    readonly lines: (amount: number) => string;
    readonly line: RegExp;
    readonly words: (amount: number) => string;
    /** The controller of cgroup v2 without which systemd cannot keep it. */
    readonly controller: string;
}

const KINDS: Readonly<Record<Limit, Kind>> = {
    memory: {
        amountOf: ({ memory }) => (memory === undefined ? undefined : bytesOf(memory)),
        lines: (bytes) => `MemoryHigh=${Math.floor(bytes * HIGH_OF_MAX)}\nMemoryMax=${bytes}\n`,
        line: /^MemoryMax=(\d+)$/m,
        words: (bytes) => `memory ${formatSize(bytes)}`,
        controller: "memory",
    },
    cpu: {
        amountOf: ({ cpu }) => (cpu === undefined ? undefined : Math.round(cpu * 100)),
        lines: (hundredths) => `CPUQuota=${hundredths}%\n`,
        line: /^CPUQuota=(\d+)%$/m,
        words: (hundredths) => `cpu ${hundredths / 100}`,
        controller: "cpu",
    },
    ioWeight: {
        amountOf: ({ ioWeight }) => ioWeight,
        lines: (weight) => `IOWeight=${weight}\n`,
        line: /^IOWeight=(\d+)$/m,
        words: (weight) => `ioWeight ${weight}`,
        controller: "io",
    },
};
const LIMITS = Object.keys(KINDS) as readonly Limit[];

const collect = (amountOf: (limit: Limit) => number | undefined): Amounts =>
    Object.fromEntries(LIMITS.flatMap((limit) => [[limit, amountOf(limit)] as const]).filter(([, amount]) => amount !== undefined));

/**
 * What a server gets that several share: of each limit the largest that one of them asks for. Who asks for nothing counts for nothing: where
 * nobody asks, the server has what all servers have.
 */
export const merged = (asked: readonly (Limits | undefined)[]): Amounts =>
    collect((limit) => {
        const amounts = asked.flatMap((limits) => (limits && KINDS[limit].amountOf(limits)) ?? []);
        return amounts.length === 0 ? undefined : Math.max(...amounts);
    });

/** The drop-in that says so to systemd; undefined: nothing is asked for. */
export const limitsText = (amounts: Amounts): string | undefined => {
    const lines = LIMITS.flatMap((limit) => {
        const amount = amounts[limit];
        return amount === undefined ? [] : [KINDS[limit].lines(amount)];
    });
    return lines.length === 0 ? undefined : `[Service]\n${lines.join("")}`;
};

export const parseLimits = (text: string | undefined): Amounts =>
    collect((limit) => {
        const found = KINDS[limit].line.exec(text ?? "")?.[1];
        return found === undefined ? undefined : Number(found);
    });

/** What one that shares the server asks for and does not have. More is no lack: another may have asked for that. */
export const lacking = (limits: Limits | undefined, has: Amounts): string | undefined => {
    const asked = merged([limits]);
    const short = LIMITS.find((limit) => (asked[limit] ?? 0) > (has[limit] ?? 0));
    if (short === undefined) return undefined;
    const amount = has[short];
    const is = amount === undefined ? "has no such limit" : `has ${KINDS[short].words(amount)}`;
    return `it asks for ${KINDS[short].words(asked[short] ?? 0)}, and its server ${is}`;
};

/** What is asked for and cannot be kept on a machine with these controllers. */
export const unkept = (limits: Limits | undefined, controllers: readonly string[]): readonly string[] => {
    const asked = merged([limits]);
    const without = LIMITS.filter((limit) => asked[limit] !== undefined && !controllers.includes(KINDS[limit].controller));
    if (without.length === 0) return [];
    const needed = without.map((limit) => KINDS[limit].controller).join(", ");
    return [`this machine has no cgroup v2 controller for ${needed}, so it does not keep limits.${without.join(" and limits.")}`];
};
