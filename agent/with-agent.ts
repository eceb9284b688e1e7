import { once } from "node:events";
import { connect } from "node:net";
import type { Introduction } from "../protocol/api.ts";
import { type ClientChannel, openClientChannel } from "../protocol/channel.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { AGENT_UNIT, SOCKET } from "../protocol/layout.ts";
import { PROTOCOLS_UNDERSTOOD } from "../protocol/version.ts";

/** Talks to the agent of this machine, from a command on it. */
export const withAgent = async <T>(
    { session }: Pick<Introduction, "session">,
    act: (channel: ClientChannel) => Promise<T>,
    path = SOCKET,
): Promise<T> => {
    const socket = connect(path);
    await once(socket, "connect").catch((failure: Error) => {
        throw new ZeroformError({
            code: "AGENT_BROKEN",
            message: `the agent does not answer on ${path}: ${failure.message}`,
            hint: `Run it as root, and start the agent with: systemctl start ${AGENT_UNIT}`,
        });
    });
    // First of all, before the first beat of the channel.
    socket.write(`${JSON.stringify({ protocols: PROTOCOLS_UNDERSTOOD, ...(session && { session }) } satisfies Introduction)}\n`);
    const channel = openClientChannel(socket, socket);
    try {
        return await act(channel);
    } finally {
        channel.close();
    }
};
