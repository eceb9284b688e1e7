import type { Gate } from "../../engines/zdb/gate.ts";
import { Log } from "../../engines/zdb/log.ts";
import type { Namespace } from "../../engines/zdb/namespace.ts";
import type { Effect, NamespaceModel } from "./power-model.ts";

interface Pending {
    readonly gate: Gate;
    readonly effect: Effect;
    readonly model: NamespaceModel;
    /** Of the namespace when it was written. */
    readonly promise: (ackedMs: number) => number | undefined;
}

/** A sync may end so long after the disk was to have it. */
const LATE_MS = 10;

/** What clients of a server have done and were told of it: acknowledged, and so promised from some time on, or failed. */
export class ToldEffects {
    private readonly intervalMs: number;
    private readonly tell: (line: string) => void;
    private pending: Pending[] = [];
    /** What was acknowledged and may not be on the disk yet. */
    private unsure: { readonly keeper: unknown; readonly effect: Effect }[] = [];

    constructor(intervalMs: number, tell: (line: string) => void) {
        this.intervalMs = intervalMs;
        this.tell = tell;
    }

    /** A record with this LSN was appended. */
    wrote(namespace: Namespace, lsn: number, effect: Effect, model: NamespaceModel): void {
        model.did(effect);
        const gate = namespace.log.gate(lsn) ?? { keeper: namespace.log, batch: undefined, lsn };
        const { durabilityText } = namespace;
        const promise = (ackedMs: number): number | undefined => {
            if (durabilityText === "none") return undefined;
            return durabilityText === "commit" ? ackedMs - 1 : ackedMs + this.intervalMs;
        };
        this.pending.push({ gate, effect, model, promise });
    }

    /** Takes note of what was acknowledged and what failed. */
    look(nowMs: number, isDead: boolean): void {
        const left: Pending[] = [];
        const failed = new Map<NamespaceModel, Effect[]>();
        for (const each of this.pending) {
            const { gate, effect, model } = each;
            const passes = gate.keeper.passes(gate);
            if (passes === true) {
                if (!isDead) this.acknowledged(each, nowMs);
            } else if (passes === false) left.push(each);
            else if (gate.batch?.failure !== undefined) failed.set(model, [...(failed.get(model) ?? []), effect]);
            // Refused because of the log, and its batch is still to be tried: it may fail for itself, and its LSNs are given out again then.
            else if (isUnwritten(gate)) left.push(each);
        }
        this.pending = left;
        for (const { keeper, effect } of this.unsure) {
            // A disk that fails a sync keeps no promise that is not due yet; the log is written anew once that works.
            const isFailing = keeper instanceof Log && keeper.failure !== undefined;
            if (isFailing && (effect.ackedMs ?? 0) >= nowMs - this.intervalMs - LATE_MS) effect.promisedMs = undefined;
        }
        for (const [model, effects] of failed) model.failed(effects);
    }

    /** The namespace is another one now. */
    forget(model: NamespaceModel): void {
        this.pending = this.pending.filter((each) => each.model !== model);
    }

    /** The server is dead: nobody is told anything more. */
    forgetAll(): void {
        this.pending = [];
        this.unsure = [];
    }

    private acknowledged({ gate, effect, promise }: Pending, nowMs: number): void {
        effect.ackedMs = nowMs;
        effect.promisedMs = promise(nowMs);
        if (effect.promisedMs !== undefined && effect.promisedMs > nowMs) this.unsure.push({ keeper: gate.keeper, effect });
        this.tell(`acknowledged ${gate.lsn}`);
    }
}

const isUnwritten = ({ batch, keeper, lsn }: Gate): boolean => batch !== undefined && keeper instanceof Log && keeper.writtenLsn < lsn;
