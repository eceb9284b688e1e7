import { dirname } from "node:path";
import type { TestContext } from "vitest";
import type { Resource, Trashed } from "../../../agent/primitives/driver.ts";
import { trashedImage } from "../../../agent/primitives/zmount-places.ts";
import { down, exec, type HostInfo, up } from "../../../dev/hosts/index.ts";
import { ZeroformError } from "../../../protocol/errors.ts";
import { mintLife, mintTenantId, type TenantId } from "../../../protocol/ids.ts";
import type { AnyPrimitive } from "../../../schema/primitive.ts";
import { zdb } from "../../../schema/zdb.ts";
import { zstor } from "../../../schema/zstor.ts";
import { placeBun, placeProgram } from "../in-host.ts";
import type { Answer, Request } from "./protocol.ts";

/** What `zeroform-agent <engine>` is on a node. */
const launcher = (bun: string, directory: string) => `#!/bin/sh
engine=$1
shift
exec ${bun} ${directory}/$engine.js "$@"
`;

type Verb = Request["verb"];
type Options = Partial<Pick<Request, "old" | "from" | "own" | "keep" | "resources" | "trash">>;

/** A test host on which drivers are run as the agent would. */
export class Rig {
    readonly host: HostInfo;
    readonly tenant: TenantId = mintTenantId();

    /** The program on the host that runs one verb of a driver. */
    readonly #program: readonly string[];
    /** What was named since the last test ended. */
    #named: Resource[] = [];

    private constructor(host: HostInfo, program: readonly string[]) {
        this.host = host;
        this.#program = program;
    }

    static async start(prefix: string, diskBytes: number): Promise<Rig> {
        await down({ prefix });
        const [host] = await up({ prefix, count: 1, diskBytes });
        if (host === undefined) throw new Error("no host came up");
        const bun = await placeBun(host);
        const engine = await placeProgram(host, "engines/zdb/standalone.ts", "zdb.js");
        const rig = new Rig(host, [bun, await placeProgram(host, "test/agent/driver/in-host.ts", "driver.js")]);
        await rig.sh(
            `mkdir -p /var/lib/zeroform/current && cat > /var/lib/zeroform/current/zeroform-agent && chmod 755 /var/lib/zeroform/current/zeroform-agent && (umask 077; head -c 32 /dev/urandom > /var/lib/zeroform/node.key)`,
            launcher(bun, dirname(engine)),
        );
        return rig;
    }

    async stop(): Promise<void> {
        await down({ prefix: this.host.name.slice(0, this.host.name.lastIndexOf("-")) });
    }

    /** Runs a script on the host; throws when it fails. */
    async sh(script: string, input = ""): Promise<string> {
        const { code, stdout, stderr } = await exec(this.host, ["sh", "-ec", script], { input });
        if (code !== 0) throw new Error(`${script}: status ${code}: ${stderr || stdout}`);
        return stdout.trim();
    }

    /** Runs a verb of a driver; throws the driver's error. */
    async run(verb: Verb, resource: Resource, options: Options = {}): Promise<unknown> {
        const { ok } = await this.runAloud(verb, resource, options);
        return ok;
    }

    async runAloud(verb: Verb, resource: Resource, options: Options = {}): Promise<Extract<Answer, { readonly ok: unknown }>> {
        const kind = kindOf(resource);
        const request: Request = { kind, verb, resource, resources: [], trash: [], ...options };
        const { code, stdout, stderr } = await exec(this.host, this.#program, { input: JSON.stringify(request), timeoutMs: 150_000 });
        if (code !== 0) throw new Error(`the driver ended with ${code}: ${stderr}`);
        const answer = JSON.parse(stdout) as Answer;
        if ("error" in answer) throw new ZeroformError(answer.error);
        return answer;
    }

    /** Starts a verb and kills it after a while, as a power cut would. */
    async cutOff(verb: Verb, resource: Resource, afterMs: number, options: Options = {}): Promise<void> {
        const kind = kindOf(resource);
        const request: Request = { kind, verb, resource, resources: [], trash: [], ...options };
        const argv = ["timeout", "-s", "KILL", String(afterMs / 1_000), ...this.#program];
        await exec(this.host, argv, { input: JSON.stringify(request), timeoutMs: 150_000 });
    }

    mount(name: string, size: string, more: Readonly<Record<string, unknown>> = {}): Resource {
        return this.#resource("ZMount", name, { size, filesystem: "ext4", node: "", ...more }, {});
    }

    zdb(name: string, spec: Readonly<Record<string, unknown>>, mount?: Resource): Resource {
        const complete = { ...defaultsOf(zdb as unknown as AnyPrimitive), size: "8MiB", node: "", ...spec };
        return this.#resource("Zdb", name, complete, mount === undefined ? {} : { mount });
    }

    /** The engine has to be on the host: `placeProgram(host, "engines/zstor/standalone.ts", "zstor.js")`. */
    zstor(name: string, spec: Readonly<Record<string, unknown>>, cache?: Resource): Resource {
        const complete = { ...defaultsOf(zstor as unknown as AnyPrimitive), node: "", ...spec };
        return this.#resource("ZStor", name, complete, cache === undefined ? {} : { cache });
    }

    #resource(kind: Request["kind"], name: string, spec: Readonly<Record<string, unknown>>, uses: Resource["uses"]): Resource {
        const life = mintLife();
        const resource: Resource = {
            life,
            tenant: this.tenant,
            kind,
            urn: `urn:${kind}:${name}`,
            name,
            spec: spec as Resource["spec"],
            uses,
        };
        this.#named.push(resource);
        return resource;
    }

    /** For `afterEach`: takes away what a failed test left behind, as far as that goes, so that neither the next one nor its own second try meets it. */
    readonly tidy = async ({ task }: Pick<TestContext, "task">): Promise<void> => {
        const left = this.#named.reverse();
        this.#named = [];
        if (task.result?.state !== "fail") return;
        for (const resource of left) {
            for (const verb of ["remove", "purge"] as const) await this.run(verb, resource).catch(() => undefined);
        }
    };
}

const kindOf = ({ kind }: Resource): Request["kind"] => (kind === "Zdb" || kind === "ZStor" ? kind : "ZMount");

/** As a schema has them. */
const defaultsOf = ({ inputs }: AnyPrimitive) =>
    Object.fromEntries(
        Object.entries(inputs).flatMap(([name, { schema, change }]) => {
            const { success, data } = schema.safeParse(undefined);
            return success && change.rule !== "client" ? [[name, data]] : [];
        }),
    );

/** The same life with another spec. */
export const changed = (resource: Resource, spec: Readonly<Record<string, unknown>>): Resource => ({
    ...resource,
    spec: { ...resource.spec, ...spec },
});

export const trashedMount = (resource: Resource): Trashed => ({ resource, place: trashedImage(resource as never) });
