import { ZeroformError } from "../../protocol/errors.ts";
import { bytesOf, formatSize } from "../../schema/quantity.ts";
import type { zdb } from "../../schema/zdb.ts";
import type { Os } from "../os/os.ts";
import type { Context, Trashed } from "./driver.ts";
import { attachFrom, detachTo } from "./zdb-passage.ts";
import { namespaceOf, placeNow, serverOf, type Zdb, type ZdbServer } from "./zdb-places.ts";
import { parseInfo } from "./zdb-properties.ts";
import { forgetPassword, infoText, settle } from "./zdb-server.ts";

/** Exchanges a namespace's data for trashed ones; its server runs. Cut off anywhere, it can be run again. */
export const restoreNamespace = async (
    trashed: Trashed<typeof zdb>,
    into: Zdb,
    own: string,
    { os }: Pick<Context, "os">,
): Promise<void> => {
    const server = serverOf(into);
    const namespace = namespaceOf(into);
    const place = placeNow(trashed);
    await putBackProbe(server, place, into, os);
    await settle(server, os);
    const found = await os.files.stat(place);
    if (found === undefined) {
        // Done already, when a restore that was cut off is repeated.
        if ((await infoText(server, os, namespace)) !== undefined && (await os.files.stat(own)) !== undefined) return;
        throw invalid(`the trashed data are not at ${place} any more`, "Look at zeroform trash list.");
    }
    await requireFitting(trashed, into, place, server, os);
    if ((await infoText(server, os, namespace)) !== undefined) {
        await detachTo(server, os, namespace, own);
    }
    // The data come back with the password that they went with.
    await forgetPassword(into.life, server, os);
    await attachFrom(server, os, namespace, place);
};

const requireFitting = async (trashed: Trashed<typeof zdb>, into: Zdb, place: string, server: ZdbServer, os: Os): Promise<void> => {
    if (trashed.resource.spec.mode !== into.spec.mode) {
        throw invalid(
            `the trashed data are of mode ${trashed.resource.spec.mode}, Zdb "${into.name}" is of mode ${into.spec.mode}`,
            "Restore them into a Zdb of the same mode.",
        );
    }
    const [here, there] = await Promise.all([os.files.stat(server.data), os.files.stat(place)]);
    if (here?.device !== there?.device) {
        throw invalid(
            `the trashed data are on another file system than Zdb "${into.name}"`,
            "Restore them into a Zdb on the mount they were on.",
        );
    }
    const quota = bytesOf(into.spec.size);
    if ((await os.files.diskUsage(place)) <= quota) return;
    const used = await usedBytes(into, place, server, os);
    if (used <= quota) return;
    throw invalid(
        `the trashed data are ${formatSize(used)}, more than the ${into.spec.size} of Zdb "${into.name}"`,
        `Write a size of at least ${formatSize(used)} first.`,
    );
};

/** The log holds more than what is live in it; how much is live only its server can tell. */
const usedBytes = async (into: Zdb, place: string, server: ZdbServer, os: Os): Promise<number> => {
    await attachFrom(server, os, probeOf(into), place);
    const info = parseInfo((await infoText(server, os, probeOf(into))) ?? "");
    await putBackProbe(server, place, into, os);
    return Number(info.get("data_size_bytes") ?? 0);
};

const putBackProbe = async (server: ZdbServer, place: string, into: Zdb, os: Os): Promise<void> => {
    if ((await infoText(server, os, probeOf(into))) !== undefined) await detachTo(server, os, probeOf(into), place);
};

const probeOf = (into: Zdb): string => `${namespaceOf(into)}.probe`;

const invalid = (message: string, hint: string) => new ZeroformError({ code: "INVALID", message, hint });
