import { mintSessionId } from "../../protocol/ids.ts";
import { NodePool } from "../../provider/node/pool.ts";
import { reach } from "../../schema/on-node.ts";

/** A process of its own that links to a node once: `link-once.ts <agent bundle> <reach as JSON>`. Prints what it was told, then the agent's hash. */
const [agentBundle, given] = process.argv.slice(2);
const pool = new NodePool({ session: mintSessionId(), agentBundle });
const link = await pool.link(reach.parse(JSON.parse(given ?? "")), {
    agent: "current",
    signal: AbortSignal.timeout(60_000),
    onProgress: (doing) => console.log(doing),
});
console.log(link.welcome.agentHash);
await pool.end();
