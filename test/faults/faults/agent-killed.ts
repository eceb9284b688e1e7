import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";

const LONGEST_RUN_MS = 2_500;

/** kill -9 of the agent at random moments of a run, once or several times. */
export const agentKilled: Fault = {
    name: "the agent is killed",
    operator: "small",
    async strike({ sh, random, operate }) {
        const run = operate();
        for (let times = random.whole(1, 3); times > 0; times--) {
            await sleep(random.fraction() * (random.chance(0.5) ? 200 : LONGEST_RUN_MS / 2));
            await sh("systemctl kill --signal=KILL zeroform-agent.service || true");
        }
        await run;
    },
};
