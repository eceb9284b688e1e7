import type { HostInfo } from "../../dev/hosts/index.ts";
import type { MachineStatus, Method, Params, Result } from "../../protocol/api.ts";
import { mintSessionId } from "../../protocol/ids.ts";
import { NodePool } from "../../provider/node/pool.ts";
import { reach } from "../../schema/on-node.ts";
import { machineOf } from "./hosts.ts";

/** A session of the test's own with the agent of a host, over real SSH. */
export class AgentSession implements AsyncDisposable {
    readonly #pool = new NodePool({ session: mintSessionId() });
    readonly #host: HostInfo;

    constructor(host: HostInfo) {
        this.#host = host;
    }

    async request<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
        const link = await this.#pool.link(reach.parse(machineOf(this.#host)), { agent: "present", signal: AbortSignal.timeout(30_000) });
        return link.request(method, params);
    }

    status(): Promise<MachineStatus> {
        return this.request("status", { events: 200 });
    }

    async [Symbol.asyncDispose](): Promise<void> {
        // In order, as a provider ends; on a host that is off there is nobody to tell.
        await this.request("session.end", { confirmed: [] }).catch(() => undefined);
        await this.#pool.end();
    }
}
