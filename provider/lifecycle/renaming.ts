import { ZeroformError } from "../../protocol/errors.ts";
import type { NodeAddress, ResourceAddress } from "../../protocol/ids.ts";
import type { Reach } from "../../schema/on-node.ts";
import { asCaller, contact } from "./contact.ts";
import type { Surroundings } from "./surroundings.ts";
import { nameOf, type Properties, text, URN } from "./values.ts";

/** A node that does not answer by then learns the name at the next change. */
const TELL_MS = 10_000;

/**
 * Tells a node how a resource is called from now on: by its URN a state that was lost is put together again. Nothing depends on
 * it today, so a node that cannot be told is no failure.
 */
export const tellName = async (
    surroundings: Surroundings,
    reach: Reach,
    address: NodeAddress | ResourceAddress,
    news: Properties,
): Promise<void> => {
    const { clock, engine } = surroundings;
    const urn = text(news[URN]);
    if (urn === undefined) return;
    const expired = new AbortController();
    const takeBack = clock.after(TELL_MS, () => expired.abort());
    const { signal } = expired;
    const say = (doing: string) => engine.say(urn, doing);
    try {
        const link = await contact(surroundings, reach, address, { signal, say, remainingMs: () => TELL_MS, moved: () => undefined });
        const what = "life" in address ? { life: address.life, urn } : { urn };
        await asCaller(surroundings, address, (caller) => link.request("tenant.rename", { caller, ...what }, { signal }));
    } catch (thrown) {
        if (!(thrown instanceof ZeroformError)) throw thrown;
        engine.inform(
            urn,
            `${reach.host} was not told the new name ${nameOf(urn)}, and hears of it at the next change: ${thrown.message}.`,
        );
    } finally {
        takeBack();
    }
};
