import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";
import { engineService, grpcOfPulumi } from "../../provider/dynamic/pulumi-wire.ts";
import { Empty } from "./protos.ts";

export interface LogLine {
    readonly urn: string;
    readonly message: string;
    readonly ephemeral: boolean;
    readonly severity: number;
}

/** The engine's end of the wire, as far as a provider speaks to it: it keeps the lines that it is told. */
export const startEngineLog = async () => {
    const grpc = grpcOfPulumi();
    const lines: LogLine[] = [];
    const listening = new Set<() => void>();
    const server = new grpc.Server();
    server.addService(engineService().EngineService as unknown as Parameters<typeof server.addService>[0], {
        log: ({ request }: { request: LogRequest }, callback: (error: null, response: unknown) => void) => {
            lines.push({
                urn: request.getUrn(),
                message: request.getMessage(),
                ephemeral: request.getEphemeral(),
                severity: request.getSeverity(),
            });
            for (const hear of [...listening]) hear();
            callback(null, new Empty());
        },
    });
    const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
            error ? reject(error) : resolve(bound),
        );
    });
    /** Waits for a line. */
    const heard = (message: string) =>
        new Promise<void>((resolve) => {
            const look = () => {
                if (!lines.some((line) => line.message === message)) return;
                listening.delete(look);
                resolve();
            };
            listening.add(look);
            look();
        });
    return { address: `127.0.0.1:${port}`, lines, heard, stop: () => server.forceShutdown() };
};

export type EngineLog = Awaited<ReturnType<typeof startEngineLog>>;
