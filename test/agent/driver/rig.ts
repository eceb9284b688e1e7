import { fileURLToPath } from "node:url";
import type { Resource, Trashed } from "../../../agent/primitives/driver.ts";
import { trashedImage } from "../../../agent/primitives/zmount-places.ts";
import { down, exec, type HostInfo, up } from "../../../dev/hosts/index.ts";
import { ZeroformError } from "../../../protocol/errors.ts";
import { mintLife, mintTenantId, type TenantId } from "../../../protocol/ids.ts";
import type { Answer, Request } from "./protocol.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const BUN = `${ROOT}node_modules/.bin/bun`;
/** What `zeroform-agent zdb` is on a node, started from the sources. */
const LAUNCHER = `#!/bin/sh
shift
exec ${BUN} ${ROOT}engines/zdb/standalone.ts "$@"
`;

type Verb = Request["verb"];
type Options = Partial<Pick<Request, "old" | "from" | "own" | "keep" | "resources" | "trash">>;

/** A test host on which drivers are run as the agent would. */
export class Rig {
    readonly host: HostInfo;
    readonly tenant: TenantId = mintTenantId();

    constructor(host: HostInfo) {
        this.host = host;
    }

    static async start(prefix: string, diskBytes: number): Promise<Rig> {
        await down({ prefix });
        const [host] = await up({ prefix, count: 1, diskBytes });
        if (host === undefined) throw new Error("no host came up");
        const rig = new Rig(host);
        await rig.sh(
            `mkdir -p /var/lib/zeroform/current && cat > /var/lib/zeroform/current/zeroform-agent && chmod 755 /var/lib/zeroform/current/zeroform-agent && (umask 077; head -c 32 /dev/urandom > /var/lib/zeroform/node.key)`,
            LAUNCHER,
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
        const kind = resource.kind === "Zdb" ? "Zdb" : "ZMount";
        const request: Request = { kind, verb, resource, resources: [], trash: [], ...options };
        const argv = [BUN, `${ROOT}test/agent/driver/in-host.ts`];
        const { code, stdout, stderr } = await exec(this.host, argv, { input: JSON.stringify(request), timeoutMs: 150_000 });
        if (code !== 0) throw new Error(`the driver ended with ${code}: ${stderr}`);
        const answer = JSON.parse(stdout) as Answer;
        if ("error" in answer) throw new ZeroformError(answer.error);
        return answer;
    }

    /** Starts a verb and kills it after a while, as a power cut would. */
    async cutOff(verb: Verb, resource: Resource, afterMs: number, options: Options = {}): Promise<void> {
        const kind = resource.kind === "Zdb" ? "Zdb" : "ZMount";
        const request: Request = { kind, verb, resource, resources: [], trash: [], ...options };
        const argv = ["timeout", "-s", "KILL", String(afterMs / 1_000), BUN, `${ROOT}test/agent/driver/in-host.ts`];
        await exec(this.host, argv, { input: JSON.stringify(request), timeoutMs: 150_000 });
    }

    mount(name: string, size: string, more: { readonly pool?: string } = {}): Resource {
        return this.#resource("ZMount", name, { size, filesystem: "ext4", node: "", ...more }, {});
    }

    zdb(name: string, spec: Readonly<Record<string, unknown>>, mount?: Resource): Resource {
        const complete = { size: "8MiB", mode: "user", public: false, listen: "127.0.0.1", node: "", ...spec };
        return this.#resource("Zdb", name, complete, mount === undefined ? {} : { mount });
    }

    #resource(kind: "ZMount" | "Zdb", name: string, spec: Readonly<Record<string, unknown>>, uses: Resource["uses"]): Resource {
        return { life: mintLife(), tenant: this.tenant, kind, name, spec: spec as Resource["spec"], uses };
    }
}

/** The same life with another spec. */
export const changed = (resource: Resource, spec: Readonly<Record<string, unknown>>): Resource => ({
    ...resource,
    spec: { ...resource.spec, ...spec },
});

export const trashedMount = (resource: Resource): Trashed => ({ resource, place: trashedImage(resource as never) });
