import type { HostInfo } from "../../dev/hosts/index.ts";
import { machineOf } from "../../test/e2e/hosts.ts";
import { seconds } from "./cost.ts";
import { measured, withStack } from "./phases.ts";
import { NOTHING_OF_OURS, zmounts } from "./programs.ts";
import { mountsByHand } from "./shell-loop.ts";

const RATIO = 1.3;
const SIZE = "32MiB";
const SIZE_BYTES = 32 * 2 ** 20;

/** Time of `up` of ZMounts on one host, of the same program whose provider does nothing, and of a shell loop there that does the same by hand. */
export const compareMounts = async (host: HostInfo, count: number, rounds: number): Promise<boolean> => {
    const times: { readonly ours: number; readonly nothing: number; readonly byHand: number }[] = [];
    for (let round = 1; round <= rounds; round++) {
        const nothing = await upOf(host, count, NOTHING_OF_OURS);
        const byHand = await mountsByHand(host, count, SIZE_BYTES);
        const ours = await upOf(host, count);
        times.push({ ours, nothing, byHand });
        console.log(`round ${round}: ours ${seconds(ours)}, provider does nothing ${seconds(nothing)}, by hand ${seconds(byHand)}`);
    }
    const best = (who: "ours" | "nothing" | "byHand") => Math.min(...times.map((time) => time[who]));
    const added = best("ours") - best("nothing");
    const ratio = added / best("byHand");
    console.table({
        [`${count} ZMounts`]: {
            ok: ratio <= RATIO,
            ours: seconds(best("ours")),
            nothing: seconds(best("nothing")),
            added: seconds(added),
            "by hand": seconds(best("byHand")),
            ratio: ratio.toFixed(2),
            allowed: RATIO,
        },
    });
    return ratio <= RATIO;
};

const upOf = (host: HostInfo, count: number, provider?: string): Promise<number> =>
    withStack(async (stack) => {
        const shape = { machines: [machineOf(host)], nodes: 1, resources: count, size: SIZE };
        await stack.program(zmounts, { ...shape, ...(provider !== undefined && { provider }) });
        const { seconds: taken } = await measured(stack, [host], ["up", "--skip-preview"]);
        await stack.must(["destroy", "--skip-preview"]);
        return taken;
    });
