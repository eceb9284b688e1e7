import { connect } from "node:net";
import { openClientChannel } from "../protocol/channel.ts";
import { mintSessionId } from "../protocol/ids.ts";
import { SOCKET } from "../protocol/layout.ts";
import { PROTOCOLS_UNDERSTOOD } from "../protocol/version.ts";

/** Tells the agent what a machine with a copied disk is. Answers an exit status. */
export const claim = async (as: string | undefined): Promise<number> => {
    if (as !== "same" && as !== "new") {
        console.error("say what this machine is: `zeroform-agent claim same` (other hardware) or `zeroform-agent claim new` (a copy)");
        return 2;
    }
    const socket = connect(SOCKET);
    const channel = openClientChannel(socket, socket);
    socket.write(`${JSON.stringify({ protocols: PROTOCOLS_UNDERSTOOD, session: mintSessionId() })}\n`);
    const { machine } = await channel.request("machine.claim", { as });
    console.log(`this machine is ${machine}`);
    channel.close();
    return 0;
};
