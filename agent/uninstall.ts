import { existsSync } from "node:fs";
import { NODE_KEY_FILE, STORE_FILE } from "../protocol/layout.ts";
import { clockOf } from "./clock.ts";
import { boot } from "./os/machine.ts";
import { removeInstallation, startAgent, stopAgent } from "./os/uninstall.ts";
import { nodeKey, sealWith } from "./store/sealing.ts";
import { openStore } from "./store/store.ts";

/** Takes the agent off the machine. Refuses while something is left that it keeps. Answers an exit status. */
export const uninstall = async (onlyIfLeaving: boolean): Promise<number> => {
    console.error("stopping the agent");
    await stopAgent();
    const reason = whyNot(onlyIfLeaving);
    if (reason !== undefined) {
        await startAgent();
        console.error(reason);
        return onlyIfLeaving ? 0 : 1;
    }
    console.error("removing units and files");
    const left = await removeInstallation();
    if (left.length > 0) console.error(`left, because it belongs to nothing the agent knows: ${left.slice(0, 10).join(", ")}`);
    return 0;
};

/** The agent is stopped, so this cannot change any more. */
const whyNot = (onlyIfLeaving: boolean): string | undefined => {
    if (!existsSync(STORE_FILE)) return onlyIfLeaving ? "the agent's store is missing" : undefined;
    const key = nodeKey(NODE_KEY_FILE, false);
    if (!key) return "the key of the agent's store is missing: what is on this machine cannot be told";
    const store = openStore(STORE_FILE, sealWith(key), clockOf(boot()));
    try {
        const [tenants, lives, trash] = [store.tenants.all().length, store.lives.all().length, store.trash.all().length];
        if (tenants + lives + trash > 0)
            return `the agent is still needed: ${tenants} Nodes, ${lives} resources and ${trash} pieces of trash are on this machine; run \`pulumi destroy\` with trash: "0s" first`;
        return onlyIfLeaving && !store.leaving() ? "a new Node has come meanwhile" : undefined;
    } finally {
        store.close();
    }
};
