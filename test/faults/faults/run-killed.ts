import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../e2e/hosts.ts";
import { CliOperator } from "../cli-operator.ts";
import type { Fault } from "../fault.ts";
import { providersOf } from "../providers.ts";

/** Longer than a run takes where nothing else is going on, so that some are killed at their very end. */
const LONGEST_RUN_MS = 4_000;
/** It looks twice a second; this is for machines that do much else. */
const PROVIDER_GONE_MS = 15_000;
const OF_DESTROY = 0.25;

type Victim = "the CLI" | "the provider" | "CLI and provider";

/** kill -9 in the middle of an `up` or a `destroy`. */
export const runKilled = (victim: Victim): Fault => ({
    name: `${victim} killed`,
    operator: "cli",
    async strike({ operator, random, wanted, disown }) {
        if (!(operator instanceof CliOperator)) throw new TypeError("there is no CLI to kill");
        const { stack } = operator;
        await operator.write(wanted);
        const isDestroy = random.chance(OF_DESTROY);
        if (isDestroy) disown();
        const run = stack.start([isDestroy ? "destroy" : "up", "--skip-preview"]);
        await Promise.race([sleep(random.fraction() * LONGEST_RUN_MS), run.ended]);
        if (victim !== "the CLI") for (const pid of await providersOf(stack)) process.kill(pid, "SIGKILL");
        if (victim !== "the provider") run.child.kill("SIGKILL");
        await run.ended;
        await until(async () => ((await providersOf(stack)).length === 0 ? true : undefined), PROVIDER_GONE_MS);
        if (victim === "the provider") return;
        // What Pulumi tells its user to do about the lock, and about what was under way.
        await stack.run(["cancel"]);
        if (isDestroy) await stack.refresh("--clear-pending-creates");
    },
});
