import { mintSessionId } from "../protocol/ids.ts";
import { SOCKET } from "../protocol/layout.ts";
import { withAgent } from "./with-agent.ts";

/** Tells the agent what a machine with a copied disk is. Answers an exit status. */
export const claim = async (as: string | undefined, path = SOCKET): Promise<number> => {
    if (as !== "same" && as !== "new") {
        console.error("say what this machine is: `zeroform-agent claim same` (other hardware) or `zeroform-agent claim new` (a copy)");
        return 2;
    }
    const session = mintSessionId();
    const { machine } = await withAgent({ session }, (channel) => channel.request("machine.claim", { as }), path);
    console.log(`this machine is ${machine}`);
    return 0;
};
