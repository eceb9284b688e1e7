import { setTimeout as sleep } from "node:timers/promises";
import { powerOff, powerOn } from "../../../dev/hosts/index.ts";
import type { Fault } from "../fault.ts";

/** The host loses power while a run is under way, and has it again before or after the run has given up. */
export const powerCutDuringRun: Fault = {
    name: "the host loses power during a run",
    operator: "small",
    async strike({ host, random, operate, wanted, undo }) {
        undo(() => powerOn(host));
        const isPatient = random.chance(0.6);
        const run = operate(isPatient ? wanted : { ...wanted, patience: "2s" });
        await sleep(random.fraction() * 1_000);
        await powerOff(host);
        if (isPatient) await powerOn(host);
        await run;
    },
};

/** The host loses power when nobody looks, and heals by itself. */
export const powerCutBetweenRuns: Fault = {
    name: "the host loses power between runs",
    operator: "small",
    async strike({ host, random }) {
        await powerOff(host);
        await powerOn(host);
        if (random.chance(0.3)) {
            await sleep(random.fraction() * 1_000);
            await powerOff(host);
            await powerOn(host);
        }
    },
};
