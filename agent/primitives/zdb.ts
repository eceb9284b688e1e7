import { randomInt } from "node:crypto";
import { ZeroformError } from "../../protocol/errors.ts";
import type { Life } from "../../protocol/ids.ts";
import { bytesOf, formatSize } from "../../schema/quantity.ts";
import { zdb } from "../../schema/zdb.ts";
import { inTurn } from "../os/in-turn.ts";
import type { Os } from "../os/os.ts";
import type { Context, Driver } from "./driver.ts";
import { hasGround } from "./zdb-ground.ts";
import { measureZdbs } from "./zdb-measure.ts";
import { gatherZdbs, observeZdb, type ZdbFacts } from "./zdb-observe.ts";
import { detachTo } from "./zdb-passage.ts";
import { namespaceOf, placeNow, serverOf, sharesServer, traceNamespace, trashedNamespace, type Zdb, type ZdbServer } from "./zdb-places.ts";
import { admitPort } from "./zdb-ports.ts";
import {
    differing,
    type Info,
    NEW_NAMESPACE,
    type Property,
    parseDigests,
    parseInfo,
    provesPassword,
    unknownTo,
} from "./zdb-properties.ts";
import { restoreNamespace } from "./zdb-restore.ts";
import { requireRoom } from "./zdb-room.ts";
import {
    COMMAND_MS,
    command,
    commands,
    dropServer,
    ensureServer,
    forgetPassword,
    infoText,
    isAnswering,
    isOnDisk,
    isRunning,
    limitServer,
    look,
    refusal,
    rememberPassword,
    requireOpen,
    restartServer,
    settle,
    withServer,
} from "./zdb-server.ts";
import { onServer } from "./zdb-turns.ts";

/** A Zdb is a namespace on the Zero-DB server of its tenant and mount. */
export const zdbDriver: Driver<typeof zdb, ZdbFacts> = {
    primitive: zdb,
    packages: () => ({}),

    gather: gatherZdbs,
    observe: observeZdb,

    async admit(wanted, old, context) {
        await requireQuota(wanted, old, context.os);
        await requireRoom(wanted, old, context);
        const password = wanted.spec.password ?? old?.spec.password ?? generatePassword();
        return { ...wanted.spec, password, port: await admitPort(wanted, old, context) };
    },

    async apply(resource, context) {
        const server = serverOf(resource);
        taken.delete(resource.life);
        const password = await onServer(server, context, () => ensureNamespace(resource, server, context));
        // Beside what the next one does with the server; until it is known, every apply sets the password again.
        if (password !== undefined) await rememberPassword(resource.life, password, server, context.os);
    },

    trashPlace: trashedNamespace,
    trace: (life, { files }) => traceNamespace(life, files),

    keptPlace: (resource) => `${serverOf(resource).data}/${namespaceOf(resource)}`,

    async remove(resource, place, context) {
        const server = serverOf(resource);
        const isLast = await withServer(server, async () => {
            await takeNamespace(resource, server, place, context);
            const isLast = isLastOn(resource, context);
            if (isLast) {
                // After all who left before, of whom some may still be at that file: written after the server's directory went, it would stay.
                await forgetPassword(resource.life, server, context.os);
                await dropServer(server, context.os);
            } else await limitServer(server, context, resource.life);
            return isLast;
        });
        if (!isLast) await forgetPassword(resource.life, server, context.os);
    },

    async trashedBytes(trashed, context) {
        return (await hasGround(trashed.resource, context)) ? context.os.files.diskUsage(placeNow(trashed)) : 0;
    },

    async purge(trashed, context) {
        if (await hasGround(trashed.resource, context)) await context.os.files.remove(placeNow(trashed));
    },

    restore(trashed, into, own, context) {
        const server = serverOf(into);
        return withServer(server, async () => {
            await ensureServer(server, context);
            await restoreNamespace(trashed, into, own, context);
        });
    },

    units: (resource) => [serverOf(resource).unit],
    measure: measureZdbs,
};

const PASSWORD_LENGTH = 32;
const PASSWORD_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const generatePassword = (): string =>
    Array.from({ length: PASSWORD_LENGTH }, () => PASSWORD_LETTERS.charAt(randomInt(PASSWORD_LETTERS.length))).join("");

/** A quota below what is used would make every write fail. */
const requireQuota = async (wanted: Zdb, old: Zdb | undefined, os: Os): Promise<void> => {
    if (old === undefined || bytesOf(wanted.spec.size) >= bytesOf(old.spec.size)) return;
    const text = await infoText(serverOf(old), os, namespaceOf(old));
    if (text === undefined) return;
    const size = parseInfo(text).get("data_size_bytes");
    // A namespace that cannot be opened may hold more than is asked for.
    if (size === undefined)
        throw new ZeroformError({
            code: "NOT_READY",
            message: `how much of it is used cannot be told at this moment, so its size stays ${old.spec.size}`,
            hint: "Look at `zeroform status`, and try again when it is ready.",
            retryable: true,
        });
    const used = Number(size);
    if (used <= bytesOf(wanted.spec.size)) return;
    throw new ZeroformError({
        code: "INVALID",
        message: `size ${wanted.spec.size} is less than the ${formatSize(used)} that are used`,
        hint: `Write a size of at least ${formatSize(used)}, or delete keys first.`,
    });
};

/** Makes the namespace what its spec says. Answers the password that it has been given, if it has. */
const ensureNamespace = async (resource: Zdb, server: ZdbServer, context: Context): Promise<string | undefined> => {
    const { os, progress } = context;
    const namespace = namespaceOf(resource);
    const { password } = resource.spec;
    if (password === undefined) throw new TypeError("a Zdb without a password has not been admitted");
    const set = (name: string, value: string) => ["NSSET", namespace, name, value];
    let text = await infoText(server, os, namespace);
    const isNew = text === undefined;
    if (isNew) {
        await requireOpen(server, os, namespace);
        progress(`making namespace ${namespace}`);
        text = await makeNamespace(resource, password, server, os);
    }
    let info = parseInfo(text ?? "");
    if (lacks(resource, info)) info = await restartIfOld(resource, server, context);
    const digests = isNew ? undefined : parseDigests(await os.files.readText(server.digests));
    const isKnown = info.get("password") === "yes" && !isClosed(info) && provesPassword(digests?.get(resource.life), password);
    if (!isNew && !isKnown) await command(server, os, ...set("password", password));
    // A new listener comes last, when all else is known to be so.
    for (const last of [false, true]) {
        const properties = differing(resource, info).filter(({ name }) => (name === "listen") === last);
        await commands(
            server,
            os,
            properties.map((property) => set(...property.set)),
        );
    }
    return isKnown ? undefined : password;
};

const lacks = (resource: Zdb, info: Info): Property | undefined => unknownTo(info, differing(resource, info))[0];

/** Starts a server that is too old for what is asked of it anew: once, however many ask in the same turn. Answers what it says then. */
const restartIfOld = (resource: Zdb, server: ZdbServer, context: Context): Promise<Info> =>
    inTurn(`zdb restart ${server.id}`, async () => {
        const look = async () => parseInfo((await infoText(server, context.os, namespaceOf(resource))) ?? "");
        const info = await look();
        const unknown = lacks(resource, info);
        if (unknown === undefined) return info;
        await restartServer(server, context, `whose program is too old for ${unknown.name}`);
        return look();
    });

/** What a server of a release that does not make a namespace with properties says of them; it goes on until its next start. */
const TOO_MANY = "Unexpected arguments";

/** Makes a namespace that is as it shall be from its first moment: one write of the disk. Answers what its server says of it. */
const makeNamespace = async (resource: Zdb, password: string, server: ZdbServer, os: Os): Promise<string> => {
    const namespace = namespaceOf(resource);
    const properties = differing(resource, NEW_NAMESPACE).flatMap((property) => property.set);
    const info = ["NSINFO", namespace];
    const asked = [["NSNEW", namespace, "password", password, ...properties], info];
    const [made, said] = await os.redis.ask(server.adminSocket, asked, { silenceMs: COMMAND_MS });
    if (!(made instanceof Error)) return String(said);
    if (made.message !== TOO_MANY) throw refusal(["NSNEW", namespace], made);
    // The password before anything can reach it; the rest is set like what differs of one that was there.
    return String((await commands(server, os, [["NSNEW", namespace], ["NSSET", namespace, "password", password], info])).at(-1));
};

/** Its password was sealed with a key that is gone: setting it anew opens it. */
const isClosed = (info: ReadonlyMap<string, string>): boolean => info.get("state")?.startsWith("closed") ?? false;

/** Those that are being removed and have left their server, as far as this process knows: their rows go a moment later. */
const taken = new Set<Life>();

/** Whether nothing of this server is wanted or still on it, now that this one has left: so one removal of many takes the server away. */
const isLastOn = (resource: Zdb, { resources, leaving }: Context): boolean => {
    const going = leaving("Zdb") as readonly Zdb[];
    for (const life of taken) if (!going.some((each) => each.life === life)) taken.delete(life);
    taken.add(resource.life);
    const others = [...(resources("Zdb") as readonly Zdb[]), ...going.filter(({ life }) => !taken.has(life))];
    return !others.some((other) => other.life !== resource.life && sharesServer(other, resource));
};

/** Takes a namespace off its server, its data to `place`; without a place they stay, and nobody reaches them. */
const takeNamespace = async (resource: Zdb, server: ZdbServer, place: string | undefined, context: Context): Promise<void> => {
    const { os } = context;
    const { files, systemd } = os;
    if (!(await hasGround(resource, context))) return;
    const namespace = namespaceOf(resource);
    await settle(server, os);
    // Kept data that go on listening would be reachable again when the server comes back: only the server itself can end that.
    if (place === undefined && !(await isAnswering(server, os)) && (await isOnDisk(server, os, namespace)))
        await ensureServer(server, context);
    const found = await look(server, os, namespace);
    if (found.isAnswering) {
        if (found.info === undefined) return requireOpen(server, os, namespace);
        if (place === undefined) return void (await command(server, os, "NSSET", namespace, "listen", "*"));
        return detachTo(server, os, namespace, place);
    }
    // A server that starts meanwhile would open what is being moved.
    if (await isRunning(server, os)) await systemd.stop(server.unit);
    const data = `${server.data}/${namespace}`;
    if (place !== undefined && (await files.stat(data)) !== undefined) await files.move(data, place);
    await files.remove(`${server.index}/${namespace}`);
};
