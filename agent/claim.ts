import { once } from "node:events";
import { connect } from "node:net";
import { openClientChannel } from "../protocol/channel.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { mintSessionId } from "../protocol/ids.ts";
import { AGENT_UNIT, SOCKET } from "../protocol/layout.ts";
import { PROTOCOLS_UNDERSTOOD } from "../protocol/version.ts";

/** Tells the agent what a machine with a copied disk is. Answers an exit status. */
export const claim = async (as: string | undefined, path = SOCKET): Promise<number> => {
    if (as !== "same" && as !== "new") {
        console.error("say what this machine is: `zeroform-agent claim same` (other hardware) or `zeroform-agent claim new` (a copy)");
        return 2;
    }
    const socket = connect(path);
    await once(socket, "connect").catch((failure: Error) => {
        throw new ZeroformError({
            code: "AGENT_BROKEN",
            message: `the agent does not answer on ${path}: ${failure.message}`,
            hint: `Run it as root, and start the agent with: systemctl start ${AGENT_UNIT}`,
        });
    });
    const channel = openClientChannel(socket, socket);
    socket.write(`${JSON.stringify({ protocols: PROTOCOLS_UNDERSTOOD, session: mintSessionId() })}\n`);
    const { machine } = await channel.request("machine.claim", { as });
    console.log(`this machine is ${machine}`);
    channel.close();
    return 0;
};
