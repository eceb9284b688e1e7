import { asZeroformError } from "../../protocol/errors.ts";
import type { zstor } from "../../schema/zstor.ts";
import type { Os } from "../os/os.ts";
import type { Observation } from "./driver.ts";
import { emptyingInWords } from "./zstor-emptying.ts";
import { SUPERSEDED } from "./zstor-front-end.ts";
import { cacheOf, frontEndOf, type ZStor } from "./zstor-places.ts";
import { type Answered, exchangeInWords, parseStatus } from "./zstor-status.ts";
import { configOf, FRONT_END, instanceOf, revisionOf } from "./zstor-units.ts";

/** What the node shows about one front end. */
export interface FrontEndFacts {
    readonly installed: boolean;
    readonly config: string | undefined;
    readonly superseded: boolean;
    /** The mount of its cache is there. */
    readonly hasCacheMount: boolean;
    readonly answer: Answered | { readonly silent: string };
    /** What its unit does instead of running, with the journal's last words. */
    readonly down: { readonly sub: string; readonly lastWords: string } | undefined;
}

/** By life. */
export type ZStorFacts = ReadonlyMap<string, FrontEndFacts>;

export const gatherZStors = async (os: Os, resources: readonly ZStor[]): Promise<ZStorFacts> => {
    if (resources.length === 0) return new Map();
    const [template, answers] = await Promise.all([os.systemd.installed(FRONT_END), Promise.all(resources.map((each) => ask(os, each)))]);
    // Who answers runs; systemd is asked about the others only, because asking costs more than all the rest.
    const isLost = answers.some((answer) => "cache" in answer && answer.cache?.isLost);
    const mounts = isLost ? await os.mounts.list() : undefined;
    const states = answers.some((answer) => "silent" in answer) ? await os.systemd.states() : undefined;
    const facts = await Promise.all(
        resources.map(async (resource, index): Promise<[string, FrontEndFacts]> => {
            const front = frontEndOf(resource);
            const answer = answers[index] ?? { silent: "it was not asked" };
            const isRunning = !("silent" in answer) || states?.get(front.unit)?.sub === "running";
            const [config, instance, superseded, lastWords] = await Promise.all([
                os.files.readText(front.config),
                os.systemd.installed(instanceOf(front, cacheOf(resource))),
                os.files.stat(front.superseded),
                isRunning ? "" : os.systemd.lastWords(front.unit),
            ]);
            const down = isRunning ? undefined : { sub: states?.get(front.unit)?.sub ?? "dead", lastWords };
            const hasCacheMount = mounts?.has(cacheOf(resource)?.mountPoint ?? "") ?? false;
            const judged = { installed: template && instance, superseded: superseded !== undefined };
            return [resource.life, { ...judged, config, hasCacheMount, answer, down }];
        }),
    );
    return new Map(facts);
};

const ask = async (os: Os, resource: ZStor): Promise<FrontEndFacts["answer"]> => {
    try {
        return parseStatus(await os.frontEnds.ask(frontEndOf(resource).socket, ["status", "explain"]));
    } catch (failure) {
        return { silent: asZeroformError(failure).message };
    }
};

/** Judges a ZStor by the facts alone. */
export const observeZStor = (resource: ZStor, all: ZStorFacts): Observation<typeof zstor> => {
    const facts = all.get(resource.life);
    if (facts === undefined) return { state: "absent" };
    const front = frontEndOf(resource);
    const outputs = { socket: front.socket };
    const drifted = (why: string) => ({ state: "drifted" as const, why, outputs });

    if (facts.superseded) return drifted(SUPERSEDED);
    if (facts.down) return drifted(`its front end does not run (${facts.down.sub})${tail(facts.down.lastWords)}`);
    if ("silent" in facts.answer) return drifted(`its front end does not answer: ${facts.answer.silent}`);
    if (!facts.installed) return drifted("its front end's unit is gone or changed");
    const config = configOf(resource, front);
    if (facts.config !== config) return drifted("its front end's parameters are gone or changed");
    if (facts.answer.revision !== revisionOf(config)) return drifted("its front end still runs by earlier parameters");
    const emptying = emptyingInWords(facts.answer);
    if (emptying !== undefined) return drifted(emptying);
    if (facts.answer.cache?.isLost && facts.hasCacheMount) return drifted("its front end does not see the disk of its cache");
    const { stopped, layout, backends, warnings } = facts.answer;
    if (stopped !== undefined) return drifted(`nothing is written any more: ${stopped}`);
    const exchange = exchangeInWords(facts.answer);
    if (exchange !== undefined) return drifted(exchange);
    if (layout.holds) return { state: "ready", outputs, ...(warnings.length > 0 && { notes: warnings }) };
    // With all backends there, it is what was asked for that cannot be; otherwise they may come back.
    const isWhole = backends.every(({ state, draining, downSinceMs }) => draining || (state === "ok" && downSinceMs === undefined));
    if (isWhole) return drifted(`the backends cannot hold what is asked for: ${layout.why}`);
    return { state: "ready", outputs, notes: [`a stripe that is written now is less safe than asked for: ${layout.why}`, ...warnings] };
};

const tail = (words: string): string => (words === "" ? "" : `: ${words}`);
