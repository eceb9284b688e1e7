import { setTimeout as sleep } from "node:timers/promises";
import { ZeroformError } from "../../protocol/errors.ts";
import { formats } from "../os/formats/index.ts";
import type { Loop } from "../os/loops.ts";
import type { Os } from "../os/os.ts";
import type { Context } from "./driver.ts";
import type { Places, ZMount } from "./zmount-places.ts";
import { noteImage, readRecord, unitsFor } from "./zmount-units.ts";

/** How long a loop may take to let go of its file after the unmount, and a process that is about to end to do so. */
const LETTING_GO_MS = 3_000;
const POLL_MS = 50;

/** Mounts the image in its place, with the units that do the same at boot. */
export const ensureMounted = async (resource: ZMount, places: Places, context: Context): Promise<void> => {
    const { mounts, systemd, images, loops } = context.os;
    const { os, progress, signal } = context;
    const { filesystem } = resource.spec;
    if ((await images.uuidOf(places.image, filesystem)) === undefined) {
        throw broken(
            `${places.image} has no ${filesystem} file system any more`,
            "Put a good copy in its place, or remove the ZMount and make a new one.",
        );
    }
    if ((await readRecord(places, os)) === undefined) await noteImage(places, { grownTo: undefined, check: "quick" }, os);
    await mounts.preparePoint(places.mountPoint);
    await systemd.install(unitsFor(resource));

    const mounted = (await mounts.list()).get(places.mountPoint);
    const isGood =
        mounted !== undefined &&
        !mounted.readOnly &&
        !(await mounts.isShutDown(places.mountPoint)) &&
        (await isOnImage(mounted.device, places, os));
    if (!isGood) {
        if (mounted !== undefined) await unmount(places, os);
        await loopEnds(places, os);
        progress(`checking and mounting ${places.mountPoint}`);
        await systemd.start(places.mountUnit, signal).catch(async (failure: unknown) => {
            throw await explained(failure, resource, places, os);
        });
    }
    const loop = await loopOf(places, os);
    if (loop === undefined) throw vanished(places);
    if (loop.discards) await loops.keepReserved(loop);
};

/** The loop that is mounted in its place. */
export const loopOf = async (places: Places, os: Os): Promise<Loop | undefined> => {
    const mounted = (await os.mounts.list()).get(places.mountPoint);
    return mounted && os.loops.byNumber(mounted.device);
};

/** Stops our own servers on it, and refuses while anybody else uses it. Unmounted already is fine. */
export const unmount = async (places: Places, os: Os): Promise<void> => {
    await requireOnlyOurs(places, os);
    await stopMount(places, os);
    await loopEnds(places, os);
    const [held] = await os.loops.ofFile(places.image);
    if (held !== undefined) throw inUse(places.image, `${held.device}, which somebody has open or mounted elsewhere`);
};

/**
 * Ends what is mounted there. Systemd reads the kernel's table of mounts with a delay: of what somebody mounted just now it knows nothing,
 * and a stop of its unit ends nothing. It is asked again until it knows.
 */
export const stopMount = async ({ mountPoint, mountUnit }: Pick<Places, "mountPoint" | "mountUnit">, os: Os): Promise<void> => {
    const deadline = performance.now() + LETTING_GO_MS;
    for (;;) {
        await os.systemd.stop(mountUnit);
        if (!(await os.mounts.list()).has(mountPoint)) return;
        if (performance.now() > deadline) throw inUse(mountPoint, "something");
        await sleep(POLL_MS);
    }
};

/** Refuses while anybody uses it who is not ours to stop. */
export const requireOnlyOurs = async (places: Pick<Places, "mountPoint">, os: Os): Promise<void> => {
    const foreign = await usersOf(places, os, (unit) => !unit?.startsWith("zeroform-"));
    if (foreign !== "") throw inUse(places.mountPoint, foreign);
};

/** Whether nothing of it is in use at this moment. */
export const unmounted = async (places: Places, os: Os): Promise<boolean> =>
    !(await os.mounts.list()).has(places.mountPoint) && (await os.loops.ofFile(places.image)).length === 0;

/** Refuses while anybody uses it, our own servers included. */
export const requireUnused = async (places: Pick<Places, "mountPoint">, os: Os): Promise<void> => {
    const users = await usersOf(places, os, () => true);
    if (users !== "") throw inUse(places.mountPoint, users);
};

/** Names of those that go on using it; none when it is not mounted. */
export const usersOf = async (
    places: Pick<Places, "mountPoint">,
    os: Os,
    counts: (unit: string | undefined) => boolean,
): Promise<string> => {
    const deadline = performance.now() + LETTING_GO_MS;
    for (;;) {
        if (!(await os.mounts.list()).has(places.mountPoint)) return "";
        const users = (await os.processes.using(places.mountPoint)).filter(({ unit }) => counts(unit));
        if (users.length === 0 || performance.now() > deadline) return users.map(({ name }) => name).join(", ");
        await sleep(POLL_MS);
    }
};

/** Waits a moment for loops on the image to end; the kernel ends them when the last user goes. */
const loopEnds = async (places: Places, os: Os): Promise<void> => {
    const deadline = performance.now() + LETTING_GO_MS;
    while ((await os.files.stat(places.image)) !== undefined) {
        const held = await os.loops.ofFile(places.image);
        if (held.length === 0 || performance.now() > deadline) return;
        for (const loop of held) await os.loops.detach(loop);
        await sleep(POLL_MS);
    }
};

const isOnImage = async (device: string, places: Places, os: Os): Promise<boolean> =>
    (await os.loops.ofFile(places.image)).some(({ number }) => number === device);

/** What mount says of a file system that nothing but a repair by hand makes mountable. */
const DAMAGED = /structure needs cleaning|bad superblock|can't read superblock|input\/output error/i;

/** What is damaged fails every time until somebody does something about it. */
export const explained = async (
    failure: unknown,
    { spec }: ZMount,
    places: Pick<Places, "checkUnit" | "image">,
    os: Os,
): Promise<unknown> => {
    if (!(failure instanceof ZeroformError)) return failure;
    const { check, repair } = formats[spec.filesystem];
    const checked = check === undefined ? undefined : (await os.systemd.states()).get(places.checkUnit);
    if (checked?.active === "failed")
        return broken(
            `its file system could not be repaired by itself: ${await os.systemd.lastWords(places.checkUnit)}`,
            repair(places.image),
        );
    return DAMAGED.test(failure.message) ? broken(failure.message, repair(places.image)) : failure;
};

/** Nothing mends this without somebody doing something. */
export const broken = (message: string, hint?: string) => new ZeroformError({ code: "FAILED", message, hint });

export const vanished = (places: Pick<Places, "mountPoint">) =>
    new ZeroformError({ code: "FAILED", message: `${places.mountPoint} was unmounted again at once`, retryable: true });

export const inUse = (what: string, by: string) =>
    new ZeroformError({ code: "IN_USE", message: `${what} is in use by ${by}`, hint: "Stop it first." });
