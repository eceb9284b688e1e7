import type { Kind } from "../../schema/index.ts";
import { type Lifecycle, lifecycle } from "../lifecycle/lifecycle.ts";
import { Session } from "../lifecycle/session.ts";
import type { Engine, Nodes, Surroundings } from "../lifecycle/surroundings.ts";
import type { NodePool } from "../node/pool.ts";
import { systemClock } from "./clock.ts";
import { connectEngine } from "./engine.ts";

/** What `ps` shows. */
export const PROCESS_TITLE = "zeroform-provider";
/** An engine that ends waits five seconds before it kills. */
const ORDERLY_END_MS = 2_000;

/** What this process is: one session, one pool of nodes and one engine for all kinds of resources. */
export const startProcess = async (): Promise<(kind: Kind) => Lifecycle> => {
    // From here on it is ours, and ends with its engine; until then it is Pulumi's host of any dynamic provider.
    process.title = PROCESS_TITLE;
    const session = new Session();
    const engine = await connectEngine(process.argv.at(-1));
    const pool = nodesWhenNeeded(session, engine);
    const surroundings: Surroundings = {
        session,
        nodes: pool,
        engine,
        clock: systemClock,
        onUnreachable: process.env.ZEROFORM_ON_UNREACHABLE,
    };
    let ending = false;
    // Nothing is confirmed to the nodes then: nobody has saved what was made last.
    void engine.gone.then(() => ending || process.exit(1));
    const end = () => {
        if (ending) return;
        ending = true;
        void session.end(AbortSignal.timeout(ORDERLY_END_MS)).finally(() => process.exit(0));
    };
    process.on("SIGINT", end);
    // Whoever sends this is not an engine that has saved everything: it only says SIGINT.
    process.on("SIGTERM", () => process.exit(1));
    return (kind) => lifecycle(kind, surroundings);
};

/** SSH and its cryptography cost more to load than the rest of a preview, which contacts nobody. */
const nodesWhenNeeded = (session: Session, engine: Engine): Nodes => {
    let pool: Promise<NodePool> | undefined;
    const started = async () => {
        const { NodePool } = await import("../node/pool.ts");
        return new NodePool({ session: session.id, beforeHello: () => engine.assertAlive() });
    };
    return {
        async link(reach, options) {
            pool ??= started();
            return (await pool).link(reach, options);
        },
        async resolve(reach) {
            const { destinationOf, resolveRoute } = await import("../node/route.ts");
            return destinationOf(resolveRoute(reach));
        },
    };
};
