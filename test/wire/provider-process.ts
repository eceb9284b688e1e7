import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ServiceError } from "@grpc/grpc-js";
import { grpcOfPulumi } from "../../provider/dynamic/pulumi-wire.ts";
import { provider as messages, ResourceProviderClient, Status, Struct } from "./protos.ts";

export type Props = Record<string, unknown>;

const ROOT = join(import.meta.dirname, "../..");
const HOST = join(ROOT, "node_modules/@pulumi/pulumi/cmd/dynamic-provider/index.js");

/** The constant text, as it is in every resource's state. */
export const textOf = (kind: string) => `exports.handler=()=>require("zeroform/provider").load("${kind}")`;

/** What the engine is told when something exists but is not ready. */
export interface InitFailure {
    readonly id: string;
    readonly properties: Props;
    readonly reasons: readonly string[];
}

/** An error as it reaches the engine. */
export class WireError extends Error {
    readonly partial: InitFailure | undefined;

    constructor(error: ServiceError) {
        super(error.details);
        const [packed] = error.metadata?.get("grpc-status-details-bin") ?? [];
        if (!(packed instanceof Uint8Array)) return;
        const [any] = Status.deserializeBinary(packed).getDetailsList();
        const failure = any?.unpack(messages.ErrorResourceInitFailed.deserializeBinary, "pulumirpc.ErrorResourceInitFailed");
        if (failure)
            this.partial = {
                id: failure.getId(),
                properties: failure.getProperties()?.toJavaScript() ?? {},
                reasons: failure.getReasonsList(),
            };
    }
}

interface Started {
    readonly engine: string;
    readonly env?: Readonly<Record<string, string>>;
    /** Starts it as the engine does, behind a shell. */
    readonly shell?: boolean;
}

/** The real process that hosts dynamic providers, driven over gRPC as the engine does it. */
export const startProvider = async ({ engine, env = {}, shell = false }: Started) => {
    if (!existsSync(join(ROOT, "dist/provider/index.js"))) throw new Error("dist/ is not built: run `npm run build` first.");
    const command = [process.execPath, HOST, engine];
    const [program = "", ...args] = shell ? ["sh", "-c", '"$0" "$@"; exit $?', ...command] : command;
    const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const output: string[] = [];
    const port = await new Promise<number>((resolve, reject) => {
        const lines = createInterface({ input: child.stdout });
        lines.once("line", (line) => resolve(Number(line)));
        lines.on("line", (line) => output.push(line));
        createInterface({ input: child.stderr }).on("line", (line) => output.push(line));
        child.once("exit", () => reject(new Error(output.join("\n"))));
    });
    const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
    const grpc = grpcOfPulumi();
    const client = new ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    await configure(client);
    return { ...calls(client), child, output, ended, stop: () => stop(child, client, ended) };
};

export type Provider = Awaited<ReturnType<typeof startProvider>>;

const stop = async (child: ChildProcess, client: Client, ended: Promise<unknown>) => {
    client.close();
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
};

type Client = InstanceType<typeof ResourceProviderClient>;

const answerOf = <Response>(call: (done: (error: ServiceError | null, response: Response) => void) => unknown): Promise<Response> =>
    new Promise((resolve, reject) => {
        call((error, response) => (error ? reject(new WireError(error)) : resolve(response)));
    });

const configure = async (client: Client) => {
    const request = new messages.ConfigureRequest();
    request.setArgs(struct({}));
    await answerOf<unknown>((done) => client.configure(request, done));
};

const calls = (client: Client) => ({
    async check(kind: string, olds: Props, news: Props) {
        const request = new messages.CheckRequest();
        request.setOlds(struct(olds));
        request.setNews(struct({ ...news, __provider: textOf(kind) }));
        const response = await answerOf<InstanceType<typeof messages.CheckResponse>>((done) => client.check(request, done));
        const failures = response.getFailuresList().map((failure) => ({ property: failure.getProperty(), reason: failure.getReason() }));
        return { inputs: response.getInputs()?.toJavaScript() ?? {}, failures };
    },
    async diff(kind: string, id: string, olds: Props, news: Props) {
        const request = new messages.DiffRequest();
        request.setId(id);
        request.setOlds(struct({ ...olds, __provider: textOf(kind) }));
        request.setNews(struct({ ...news, __provider: textOf(kind) }));
        const response = await answerOf<InstanceType<typeof messages.DiffResponse>>((done) => client.diff(request, done));
        const changes = (["unknown", "none", "some"] as const)[response.getChanges()];
        return { changes, replaces: response.getReplacesList(), deleteBeforeReplace: response.getDeletebeforereplace() };
    },
    async create(kind: string, inputs: Props) {
        const request = new messages.CreateRequest();
        request.setProperties(struct({ ...inputs, __provider: textOf(kind) }));
        const response = await answerOf<InstanceType<typeof messages.CreateResponse>>((done) => client.create(request, done));
        return { id: response.getId(), outs: response.getProperties()?.toJavaScript() ?? {} };
    },
    async update(kind: string, id: string, olds: Props, news: Props) {
        const request = new messages.UpdateRequest();
        request.setId(id);
        request.setOlds(struct({ ...olds, __provider: textOf(kind) }));
        request.setNews(struct({ ...news, __provider: textOf(kind) }));
        const response = await answerOf<InstanceType<typeof messages.UpdateResponse>>((done) => client.update(request, done));
        return { outs: response.getProperties()?.toJavaScript() ?? {} };
    },
    async read(kind: string, id: string, outputs: Props) {
        const request = new messages.ReadRequest();
        request.setId(id);
        request.setProperties(struct({ ...outputs, __provider: textOf(kind) }));
        const response = await answerOf<InstanceType<typeof messages.ReadResponse>>((done) => client.read(request, done));
        return {
            id: response.getId(),
            props: response.getProperties()?.toJavaScript() ?? {},
            inputs: response.getInputs()?.toJavaScript(),
        };
    },
    async delete(kind: string, id: string, outputs: Props) {
        const request = new messages.DeleteRequest();
        request.setId(id);
        request.setProperties(struct({ ...outputs, __provider: textOf(kind) }));
        await answerOf<unknown>((done) => client.delete(request, done));
    },
});

const struct = (value: Props) => Struct.fromJavaScript(value as Parameters<typeof Struct.fromJavaScript>[0]);
