import { ZeroformError } from "../../protocol/errors.ts";
import type { Engine } from "../lifecycle/surroundings.ts";
import { watchAncestry } from "./ancestry.ts";
import { engineMessages, engineService, grpcOfPulumi } from "./pulumi-wire.ts";
import { withoutStackLines } from "./quiet-error.ts";
import { statusLines } from "./status-lines.ts";

/** A few looks are how long an orphan lives: far below the five seconds that are promised. */
const LOOK_EVERY_MS = 500;
const ANSWER_WITHIN_MS = 2_000;
const LOG_WITHIN_MS = 5_000;

export interface WatchedEngine extends Engine {
    /** Settles when the engine is gone; never while it is there. */
    readonly gone: Promise<void>;
    close(): void;
}

/** The engine at an address, as the last argument of the process says it; without one there are no status lines. */
export const connectEngine = async (address: string | undefined): Promise<WatchedEngine> => {
    const grpc = grpcOfPulumi();
    const { LogRequest, LogSeverity } = engineMessages();
    const { EngineClient } = engineService();
    const client = address === undefined ? undefined : new EngineClient(address, grpc.credentials.createInsecure());
    const hasAncestors = await watchAncestry();
    const { promise: gone, resolve: markGone } = Promise.withResolvers<void>();
    let failures = 0;

    const reachable = (): boolean => {
        const state = client?.getChannel().getConnectivityState(true);
        failures = state === grpc.connectivityState.TRANSIENT_FAILURE ? failures + 1 : 0;
        // One failure may be the attempt at a port whose listener is busy.
        return failures < 2;
    };
    const look = async () => {
        if (reachable() && (await hasAncestors())) return;
        clearInterval(timer);
        markGone();
    };
    const timer = setInterval(() => void look(), LOOK_EVERY_MS);
    timer.unref();

    const answers = () =>
        new Promise<boolean>((resolve) => {
            if (!client) return resolve(true);
            client.waitForReady(Date.now() + ANSWER_WITHIN_MS, (error) => resolve(error === undefined || error === null));
        });

    const log = (severity: 1 | 2, urn: string, message: string, ephemeral: boolean) => {
        if (!client) return;
        const request = new LogRequest();
        request.setSeverity(severity);
        request.setMessage(withoutStackLines(message));
        request.setUrn(urn);
        request.setEphemeral(ephemeral);
        // A line that is lost is no reason to fail what it speaks of.
        client.log(request, new grpc.Metadata(), { deadline: Date.now() + LOG_WITHIN_MS }, () => undefined);
    };
    const lines = statusLines((urn, doing) => log(LogSeverity.INFO, urn, doing, true));

    return {
        gone,
        say: lines.say,
        inform: (urn, text) => log(LogSeverity.INFO, urn, text, false),
        warn: (urn, text) => log(LogSeverity.WARNING, urn, text, false),
        async assertAlive() {
            if ((await hasAncestors()) && (await answers())) return;
            throw new ZeroformError({
                code: "ENGINE_GONE",
                message: "the Pulumi engine that asked for this is gone",
                hint: "Run `pulumi up` again.",
            });
        },
        close() {
            clearInterval(timer);
            lines.close();
            client?.close();
        },
    };
};
