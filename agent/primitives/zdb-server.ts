import { ZeroformError } from "../../protocol/errors.ts";
import type { Life } from "../../protocol/ids.ts";
import { NO_OWN_VIEW } from "../os/confinement.ts";
import { inTurn } from "../os/in-turn.ts";
import type { Os } from "../os/os.ts";
import type { Reply } from "../os/redis.ts";
import type { Context } from "./driver.ts";
import { limitsText, merged } from "./zdb-limits.ts";
import { serverOf, type Zdb, type ZdbServer } from "./zdb-places.ts";
import { digestOf, formatDigests, parseDigests } from "./zdb-properties.ts";
import { configOf, instanceOf, newSealKey, TEMPLATE } from "./zdb-units.ts";

/** How long a server may take to read its log and answer; a large one goes on, and is asked again by the next try. */
const START_WAIT_MS = 60_000;
const START_POLL_MS = 50;

/** How long it may take to do something, such as reading the log of a namespace that comes back. */
export const COMMAND_MS = 120_000;

/** Everything that changes a server, or what lies in its directories, one after the other. */
export const withServer = <T>(server: ZdbServer, act: () => Promise<T>): Promise<T> => inTurn(`zdb ${server.id}`, act);

/** Makes the server run as it should and answer. */
export const ensureServer = async (server: ZdbServer, context: Context): Promise<void> => {
    const { os, signal, progress } = context;
    const { files, systemd } = os;
    await requireMount(server, os);
    for (const directory of [server.data, server.index, server.passage]) await files.makeDirectory(directory);
    await settle(server, os);
    if ((await files.readText(server.sealKey)) === undefined) await files.writeText(server.sealKey, newSealKey());
    const config = configOf(server);
    if ((await files.readText(server.config)) !== config) await files.writeText(server.config, config);
    await systemd.install([TEMPLATE, instanceOf(server)]);
    await limitServer(server, context);

    // Who answers runs: systemd is asked about the others only, because asking costs more than all the rest. Parameters that changed are
    // those of another release: they are good for its next start, and cut nobody off.
    const health = await healthOf(server, os);
    if (health === "answering") return;
    const active = (await systemd.states()).get(server.unit)?.active === "active";
    await sayWhatIsMissing(context);
    progress("starting its Zero-DB server");
    // One that is reached and says nothing hangs; one that is not reached yet is still reading its log.
    await (active && health === "silent" ? systemd.restart(server.unit, signal) : systemd.start(server.unit, signal));
    await untilAnswering(server, os, signal);
};

/** Starts it anew with the program and parameters of today. Clients that reconnect notice a pause of less than a second. */
export const restartServer = async (server: ZdbServer, { os, signal, progress }: Context, why: string): Promise<void> => {
    progress(`restarting its Zero-DB server, ${why}`);
    await os.systemd.restart(server.unit, signal);
    await untilAnswering(server, os, signal);
};

/** Lets a server take what those ask for who are on it, but for one that leaves; at once, and nobody notices. */
export const limitServer = async (
    server: ZdbServer,
    { os, resources }: Pick<Context, "os" | "resources">,
    leaving?: Life,
): Promise<void> => {
    const asking = (resources("Zdb") as readonly Zdb[]).filter(
        (each) => each.spec.limits && each.tenant === server.tenant && each.life !== leaving && serverOf(each).id === server.id,
    );
    await os.systemd.limit(server.unit, limitsText(merged(asking.map(({ spec }) => spec.limits))));
};

/** A limit or a wall that this machine cannot give is left out, never silently. */
const sayWhatIsMissing = async ({ os, progress }: Context): Promise<void> => {
    if (!(await os.systemd.hasOwnViews())) progress(NO_OWN_VIEW);
    const missing = await os.systemd.missingControllers();
    if (missing.length > 0) progress(`this machine has no cgroup controller for ${missing.join(" and ")}: servers run without that limit`);
};

/** Ends what was cut off on its way between a server and the trash: it is in the trash then. */
export const settle = async ({ passage, root }: ZdbServer, { files }: Os): Promise<void> => {
    for (const name of await files.list(passage)) {
        if ((await files.stat(`${root}/.trash/${name}`)) === undefined) await files.move(`${passage}/${name}`, `${root}/.trash/${name}`);
    }
};

/** Takes a server away of which nothing is wanted any more. What it holds beside its `default` namespace stays. */
export const dropServer = async (server: ZdbServer, os: Os): Promise<void> => {
    const { files, systemd, mounts } = os;
    await systemd.stop(server.unit);
    await systemd.uninstall([instanceOf(server)]);
    for (const path of [server.config, server.sealKey, server.digests, server.adminSocket]) await files.remove(path);
    if (server.mountPoint !== undefined && !(await mounts.list()).has(server.mountPoint)) return;
    await settle(server, os);
    const left = (await files.list(server.data)).filter((name) => name !== "default" && !name.startsWith("."));
    const directories = [];
    for (const name of left) if ((await files.stat(`${server.data}/${name}`))?.directory) directories.push(name);
    if (directories.length === 0) await files.remove(server.home);
};

export const isRunning = async (server: ZdbServer, os: Os): Promise<boolean> => {
    const active = (await os.systemd.states()).get(server.unit)?.active;
    return active === "active" || active === "activating";
};

export const isAnswering = async (server: ZdbServer, os: Os): Promise<boolean> => (await healthOf(server, os)) === "answering";

const healthOf = async (server: ZdbServer, os: Os): Promise<"answering" | "silent" | "unreachable"> => {
    try {
        return (await os.redis.ask(server.adminSocket, [["PING"]]))[0] === "PONG" ? "answering" : "silent";
    } catch (failure) {
        return failure instanceof ZeroformError && failure.code === "TIMEOUT" ? "silent" : "unreachable";
    }
};

/** Asks one thing of a server as its administrator; its refusal is thrown in its own words. */
export const command = async (server: ZdbServer, os: Os, ...words: readonly string[]): Promise<Reply> =>
    (await commands(server, os, [words]))[0] ?? null;

/** Asks several at once: all of them are done, also those after one that is refused. */
export const commands = async (server: ZdbServer, os: Os, asked: readonly (readonly string[])[]): Promise<readonly Reply[]> => {
    const replies = await os.redis.ask(server.adminSocket, asked, { silenceMs: COMMAND_MS });
    for (const [index, reply] of replies.entries()) {
        if (reply instanceof Error) throw refusal(asked[index] ?? [], reply);
    }
    return replies;
};

/** A refusal in the server's own words. */
export const refusal = ([verb, namespace]: readonly string[], { message }: Error): ZeroformError =>
    new ZeroformError({ code: "FAILED", message: `its server refused ${verb} of ${namespace}: ${message}`, retryable: true });

/** What it says of a namespace; undefined: it has none of that name. */
export const infoText = async (server: ZdbServer, os: Os, namespace: string): Promise<string | undefined> =>
    infoIn((await os.redis.ask(server.adminSocket, [["NSINFO", namespace]]))[0], namespace);

/** Whether it answers, and then what it says of a namespace: both by one connection. */
export const look = async (
    server: ZdbServer,
    os: Os,
    namespace: string,
): Promise<{ readonly isAnswering: false } | { readonly isAnswering: true; readonly info: string | undefined }> => {
    const replies = await os.redis.ask(server.adminSocket, [["PING"], ["NSINFO", namespace]]).catch(() => []);
    return replies[0] === "PONG" ? { isAnswering: true, info: infoIn(replies[1], namespace) } : { isAnswering: false };
};

const infoIn = (reply: Reply | undefined, namespace: string): string | undefined => {
    if (typeof reply === "string") return reply;
    if (reply instanceof Error && /not found/i.test(reply.message)) return undefined;
    throw new ZeroformError({ code: "FAILED", message: `its server does not tell of ${namespace}: ${reply}`, retryable: true });
};

export const UNOPENED = "it cannot be opened: its directory is on the disk, and its server knows no namespace of that name";

/** Whether a namespace's data are there. A path that cannot be looked at is not one that is absent. */
export const isOnDisk = (server: ZdbServer, os: Os, namespace: string): Promise<boolean> =>
    os.files.stat(`${server.data}/${namespace}`).then(
        (found) => found !== undefined,
        () => true,
    );

/** Throws when a server that knows no such namespace has its data: it is neither new nor gone. */
export const requireOpen = async (server: ZdbServer, os: Os, namespace: string): Promise<void> => {
    if (!(await isOnDisk(server, os, namespace))) return;
    throw new ZeroformError({
        code: "NOT_READY",
        message: UNOPENED,
        hint: `\`journalctl -u ${server.unit}\` says why; \`systemctl restart ${server.unit}\` tries it again.`,
        retryable: true,
    });
};

export const requireMount = async (server: ZdbServer, os: Os): Promise<void> => {
    if (server.mountPoint === undefined || (await os.mounts.list()).has(server.mountPoint)) return;
    throw new ZeroformError({ code: "NOT_READY", message: "its ZMount is not mounted", retryable: true });
};

const untilAnswering = async (server: ZdbServer, os: Os, signal: AbortSignal): Promise<void> => {
    const since = new Date();
    while (!(await isAnswering(server, os))) {
        signal.throwIfAborted();
        const late = Date.now() - since.getTime() > START_WAIT_MS;
        if (late || !(await isRunning(server, os))) {
            const words = await os.systemd.lastWords(server.unit, since);
            const message = `its Zero-DB server ${late ? "does not answer yet" : "stopped again"}${words === "" ? "" : `: ${words}`}`;
            throw new ZeroformError({ code: "NOT_READY", message, retryable: true });
        }
        await new Promise((resolve) => setTimeout(resolve, START_POLL_MS));
    }
};

/** What a namespace's password is, is not known any more: the next apply sets it. */
export const forgetPassword = (life: Life, server: ZdbServer, { files }: Os): Promise<void> =>
    files.changeText(server.digests, (text) => {
        // Nothing is known where nothing is, such as on a mount that is gone.
        if (text === undefined) return undefined;
        const digests = new Map(parseDigests(text));
        digests.delete(life);
        return formatDigests(digests);
    });

/** The password that a namespace was given, by a proof of it. */
export const rememberPassword = (life: Life, password: string, server: ZdbServer, { files }: Os): Promise<void> =>
    files.changeText(server.digests, (text) => formatDigests(new Map(parseDigests(text)).set(life, digestOf(password))));
