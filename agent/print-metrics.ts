import { prometheusText } from "../protocol/metrics.ts";
import { withAgent } from "./with-agent.ts";

/** Prints the figures of this machine for a collector on it. Answers an exit status. */
export const printMetrics = async (): Promise<number> => {
    const families = await withAgent({}, (channel) => channel.request("metrics", {}));
    // An exit does not wait for a pipe that is read slowly.
    await new Promise((resolve) => process.stdout.write(prometheusText(families), resolve));
    return 0;
};
