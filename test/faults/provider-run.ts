import type { ZeroformError } from "../../protocol/errors.ts";
import { ZeroformError as UserError } from "../../protocol/errors.ts";
import { systemClock } from "../../provider/dynamic/clock.ts";
import { type Lifecycle, lifecycle } from "../../provider/lifecycle/lifecycle.ts";
import type { Outcome } from "../../provider/lifecycle/operations.ts";
import { unfinishedSentence } from "../../provider/lifecycle/resource-operations.ts";
import { Session } from "../../provider/lifecycle/session.ts";
import type { Surroundings } from "../../provider/lifecycle/surroundings.ts";
import { NodePool } from "../../provider/node/pool.ts";
import { destinationOf, resolveRoute } from "../../provider/node/route.ts";
import type { Kind } from "../../schema/index.ts";

/** As long as a provider process takes to say goodbye. */
const GOODBYE_MS = 2_000;

/** What one provider process is, in the test's own: a session and its connections. */
export class ProviderRun implements AsyncDisposable {
    readonly warnings: string[] = [];
    readonly #session = new Session();
    readonly #pool = new NodePool({ session: this.#session.id });
    readonly #surroundings: Surroundings = {
        session: this.#session,
        nodes: { link: (reach, options) => this.#pool.link(reach, options), resolve: (reach) => destinationOf(resolveRoute(reach)) },
        engine: {
            assertAlive: async () => undefined,
            say: () => undefined,
            inform: (_urn, text) => this.warnings.push(text),
            warn: (_urn, text) => this.warnings.push(text),
        },
        clock: systemClock,
        onUnreachable: undefined,
    };

    of(kind: Kind): Lifecycle {
        return lifecycle(kind, this.#surroundings);
    }

    unfinished(kind: Kind, urn: string, outcome: Outcome): ZeroformError {
        return new UserError({ code: "NOT_READY", message: unfinishedSentence(kind, urn, outcome) });
    }

    async [Symbol.asyncDispose](): Promise<void> {
        await this.#session.end(AbortSignal.timeout(GOODBYE_MS));
        await this.#pool.end();
    }
}
