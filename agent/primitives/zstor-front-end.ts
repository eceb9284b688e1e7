import { ZeroformError } from "../../protocol/errors.ts";
import { NO_OWN_VIEW } from "../os/confinement.ts";
import { inTurn } from "../os/in-turn.ts";
import type { Os } from "../os/os.ts";
import type { Context } from "./driver.ts";
import { type CachePlace, cacheOf, type FrontEnd, frontEndOf, type ZStor } from "./zstor-places.ts";
import { type Answered, exchangeInWords, parseStatus } from "./zstor-status.ts";
import { cacheIn, configOf, FRONT_END, instanceOf, revisionOf, secretsIn, withPrevious } from "./zstor-units.ts";

/** How long a front end may take to read its metadata and answer; with a large store it goes on, and is asked again by the next try. */
const START_WAIT_MS = 60_000;
const START_POLL_MS = 100;
/** How long an exchange of metadata namespaces that cannot go on is waited for; the front end goes on trying. */
const EXCHANGE_WAIT_MS = 30_000;
const EXCHANGE_POLL_MS = 500;

export const SUPERSEDED = "another front end has taken the store over";

/** Makes the front end run by its parameters and answer. */
export const ensureFrontEnd = (resource: ZStor, context: Context): Promise<void> =>
    inTurn(`zstor ${resource.life}`, async () => {
        const { os, progress, signal } = context;
        const { files, systemd } = os;
        const front = frontEndOf(resource);
        if ((await files.stat(front.superseded)) !== undefined)
            throw new ZeroformError({
                code: "CONFLICT",
                message: SUPERSEDED,
                hint: "Remove this ZStor from its program, or run `pulumi refresh` and `pulumi up` to take the store back.",
            });
        await files.makeDirectory(front.home);
        const cache = await readyCache(resource, os);
        await systemd.install([FRONT_END, instanceOf(front, cacheOf(resource))]);
        const config = configOf(resource, front);
        await dropCache(cacheIn(await files.readText(front.config)), cache?.directory, os);
        await writeConfig(front, config, os);

        const runs = await statusOf(front, os);
        if (runs === undefined || runs.revision !== revisionOf(config) || (cache && runs.cache?.isLost)) {
            if (!(await systemd.hasOwnViews())) progress(NO_OWN_VIEW);
            progress(runs === undefined ? "starting its front end" : "restarting its front end with what has changed");
            await systemd.restart(front.unit, signal);
            await untilAnswering(front, os, signal);
        }
        // By now the store is sealed with the secret of today, and the others open nothing.
        if ((await files.readText(front.config)) !== config) await files.writeText(front.config, config);
        await untilExchanged(front, context);
    });

/** Lets somebody who asks for it take a store back. */
export const allowAgain = ({ superseded }: FrontEnd, { files }: Os): Promise<void> => files.remove(superseded);

/** Takes the front end away. What it stored lies in the namespaces of the store. */
export const dropFrontEnd = (resource: ZStor, { os, progress }: Context): Promise<void> =>
    inTurn(`zstor ${resource.life}`, async () => {
        const { files, systemd } = os;
        const front = frontEndOf(resource);
        progress("taking its front end away; the store stays in its namespaces, for whoever has its secret");
        await systemd.stop(front.unit);
        await systemd.uninstall([instanceOf(front, cacheOf(resource))]);
        await dropCache(cacheIn(await files.readText(front.config)), undefined, os);
        for (const path of [front.config, front.home]) await files.remove(path);
    });

/** Its directory, once its mount is there. On the bare mount point nothing is made. */
const readyCache = async (resource: ZStor, { files, mounts }: Os): Promise<CachePlace | undefined> => {
    const cache = cacheOf(resource);
    if (cache === undefined || !(await mounts.list()).has(cache.mountPoint)) return undefined;
    await files.makeDirectory(cache.directory);
    return cache;
};

/** Takes away what is not to be kept there any more; before the parameters that name it change, so that it is not forgotten. */
const dropCache = async (directory: string | undefined, kept: string | undefined, { files }: Os): Promise<void> => {
    if (directory !== undefined && directory !== kept) await files.remove(directory);
};

/** Secrets that the store may still be sealed with stay in the file until a front end has sealed it with the one of today. */
const writeConfig = async (front: FrontEnd, config: string, os: Os): Promise<void> => {
    const before = await os.files.readText(front.config);
    const [secret] = secretsIn(config);
    const wanted = withPrevious(
        config,
        secretsIn(before).filter((each) => each !== secret),
    );
    if (before !== wanted) await os.files.writeText(front.config, wanted);
};

const statusOf = async ({ socket }: FrontEnd, os: Os): Promise<Answered | undefined> => {
    try {
        return parseStatus(await os.frontEnds.ask(socket, ["status", "explain"]));
    } catch (failure) {
        if (failure instanceof ZeroformError) return undefined;
        throw failure;
    }
};

/** Throws what it says when it falls instead. */
const untilAnswering = async (front: FrontEnd, os: Os, signal: AbortSignal): Promise<void> => {
    const since = new Date();
    while ((await statusOf(front, os)) === undefined) {
        signal.throwIfAborted();
        const sub = (await os.systemd.states()).get(front.unit)?.sub;
        const late = Date.now() - since.getTime() > START_WAIT_MS;
        if (late || sub !== "running") {
            const words = await os.systemd.lastWords(front.unit, since);
            const message = `its front end ${late ? "does not answer yet" : "stopped again"}${words === "" ? "" : `: ${words}`}`;
            throw new ZeroformError({ code: "NOT_READY", message, ...hintOf(words), retryable: true });
        }
        await new Promise((resolve) => setTimeout(resolve, START_POLL_MS));
    }
};

/**
 * Until the metadata lie where they are asked to lie: whoever waits for this removes the namespaces that are asked for no more. What cannot
 * go on is said by whoever observes.
 */
const untilExchanged = async (front: FrontEnd, { os, progress, signal }: Context): Promise<void> => {
    let stuckSince = Date.now();
    let said: string | undefined;
    for (;;) {
        const answered = await statusOf(front, os);
        const words = answered && exchangeInWords(answered);
        if (answered === undefined || words === undefined || answered.metadata.refusal !== undefined) return;
        if (words !== said || answered.metadata.exchange?.why === undefined) stuckSince = Date.now();
        if (words !== said) progress(words);
        said = words;
        if (Date.now() - stuckSince > EXCHANGE_WAIT_MS) return;
        signal.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, EXCHANGE_POLL_MS));
    }
};

const hintOf = (words: string): { readonly hint?: string } =>
    words.includes("the secret opens none")
        ? { hint: "The metadata namespaces hold a store already: give its secret, or namespaces that are empty." }
        : {};
