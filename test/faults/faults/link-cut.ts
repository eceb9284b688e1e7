import { setTimeout as sleep } from "node:timers/promises";
import { cut, join } from "../../../dev/hosts/index.ts";
import type { Fault } from "../fault.ts";

const LONGEST_CUT_MS = 5_000;

/** Its cable is pulled while a run is under way, and put in again before the run gives up. */
export const linkCutBriefly: Fault = {
    name: "the link is cut for less than the deadline",
    operator: "small",
    async strike({ host, random, operate, undo }) {
        undo(() => join(host));
        const run = operate();
        await sleep(random.fraction() * 500);
        await cut(host);
        await sleep(random.fraction() * 1_500);
        await join(host);
        await run;
    },
};

/** The run gives up first; nobody told the node. */
export const linkCutBeyondDeadline: Fault = {
    name: "the link is cut for longer than the deadline",
    operator: "small",
    async strike({ host, random, operate, wanted, undo }) {
        undo(() => join(host));
        const run = operate({ ...wanted, patience: `${random.whole(1, 2)}s` });
        await sleep(random.fraction() * 500);
        await cut(host);
        // A removal has the deadline that its resource was made with, which is longer.
        await Promise.race([run, sleep(LONGEST_CUT_MS)]);
        await join(host);
        await run;
    },
};
