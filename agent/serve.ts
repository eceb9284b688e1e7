import { MACHINE_FILE, MOUNTS, NODE_KEY_FILE, POOL, SOCKET, STORE_FILE, ZDBS } from "../protocol/layout.ts";
import { Agent } from "./agent.ts";
import { listen } from "./api/server.ts";
import { clockOf } from "./clock.ts";
import { awaitingRestart, ownHash } from "./os/installation.ts";
import { boot, fingerprint, machine } from "./os/machine.ts";
import { packages } from "./os/packages.ts";
import { seam } from "./os/seam.ts";
import { leave } from "./os/uninstall.ts";
import { drivers } from "./primitives/index.ts";
import type { Drivers } from "./reconciler/drivers.ts";
import { Custody } from "./store/custody.ts";

/** Work that does not let go in time goes on after the next start: every step can be cut off anywhere. */
const LONGEST_STOP_MS = 3_000;
/** The answer to the last call of a Node reaches the other end before the agent goes. */
const LEAVE_AFTER_MS = 1_000;

/** Runs the agent until it is told to stop. Answers an exit status. */
export const serve = async (): Promise<number> => {
    const places = { machineFile: MACHINE_FILE, storeFile: STORE_FILE, keyFile: NODE_KEY_FILE, data: [POOL, MOUNTS, ZDBS] };
    const clock = clockOf(boot());
    const custody = new Custody(places, fingerprint(), clock);
    // Once asked, it is ended by what was asked: gone, or started anew because something came meanwhile.
    let leaving: NodeJS.Timeout | undefined;
    const agent = new Agent({
        custody,
        os: { ...seam, packages, machine },
        // A driver of one primitive stands here for any: each is only ever given resources of its own kind.
        drivers: drivers as unknown as Drivers,
        clock,
        random: Math.random,
        agentHash: ownHash(),
        awaitingRestart,
        leave: () => {
            leaving ??= setTimeout(() => {
                leave().catch((failure: unknown) => {
                    leaving = undefined;
                    console.error(`the agent could not take itself away: ${String(failure)}`);
                });
            }, LEAVE_AFTER_MS);
        },
    });
    agent.start();
    const server = await listen(agent, SOCKET);
    if (custody.held.state !== "ok") console.error(`doing nothing, the store is ${custody.held.state}: ${custody.held.reason}`);

    await new Promise<void>((resolve) => {
        process.once("SIGTERM", resolve);
        process.once("SIGINT", resolve);
    });
    clearTimeout(leaving);
    await Promise.race([
        server.close().then(() => agent.stop()),
        new Promise((resolve) => {
            setTimeout(resolve, LONGEST_STOP_MS);
        }),
    ]);
    return 0;
};
