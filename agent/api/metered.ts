import type { Method } from "../../protocol/api.ts";
import type { Handlers, ServerCall } from "../../protocol/channel.ts";
import { asZeroformError } from "../../protocol/errors.ts";
import type { Meters } from "../meters.ts";

const OPERATIONS = {
    name: "zeroform_operation_duration_seconds",
    help: "How long calls of the agent took, by method and result: ok, or the code of the error.",
    type: "summary",
} as const;

type AnyHandler = (params: unknown, call: ServerCall) => Promise<unknown>;

/** The same handlers, counted. */
export const metered = (meters: Meters, handlers: Handlers): Handlers =>
    Object.fromEntries(
        (Object.entries(handlers) as [Method, AnyHandler][]).map(([method, handle]): [Method, AnyHandler] => [
            method,
            async (params, call) => {
                const begun = performance.now();
                const ended = (result: string) => meters.observe(OPERATIONS, (performance.now() - begun) / 1_000, { method, result });
                try {
                    const answer = await handle(params, call);
                    ended("ok");
                    return answer;
                } catch (failure) {
                    ended(asZeroformError(failure).code);
                    throw failure;
                }
            },
        ]),
    ) as unknown as Handlers;
