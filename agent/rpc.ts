import { connect } from "node:net";
import { AGENT_UNIT, RPC_MARKER, SOCKET } from "../protocol/layout.ts";
import { fallOf } from "./os/falls.ts";

/** No agent answers. */
export const NO_AGENT_STATUS = 3;
/** An agent that is being restarted is back within seconds. */
const LONGEST_WAIT_MS = 5_000;
const LOOK_MS = 50;
/** One that falls as soon as it has started is not back by then. */
const ASK_EVERY_MS = 500;

/** Joins standard input and output to the agent's socket, after introducing the process at the other end. Answers an exit status. */
export const rpc = (introduction: { readonly protocols: readonly number[]; readonly session?: string }, waitedMs = 0): Promise<number> =>
    new Promise((resolve) => {
        const socket = connect(SOCKET);
        let connected = false;
        socket.on("connect", () => {
            connected = true;
            socket.write(`${JSON.stringify(introduction)}\n`);
            process.stdout.write(RPC_MARKER);
            process.stdin.pipe(socket);
            socket.pipe(process.stdout, { end: false });
            // The other end of the SSH channel is gone.
            process.stdout.on("error", () => socket.destroy());
        });
        socket.on("error", (failure) => {
            if (connected) return;
            const again = () => setTimeout(() => resolve(rpc(introduction, waitedMs + LOOK_MS)), LOOK_MS);
            const giveUp = (why: string) => {
                console.error(`the agent does not answer on ${SOCKET}: ${why}`);
                resolve(NO_AGENT_STATUS);
            };
            if (waitedMs >= LONGEST_WAIT_MS) giveUp(failure.message);
            else if (waitedMs === 0 || waitedMs % ASK_EVERY_MS !== 0) again();
            else
                fallOf(AGENT_UNIT).then(
                    (fall) => (fall ? giveUp(fall.said) : again()),
                    () => again(),
                );
        });
        socket.on("close", () => {
            if (connected) resolve(0);
        });
    });
