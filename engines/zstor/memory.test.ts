import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { startFrontEnd } from "../../test/zstor/front-end.ts";
import { LongContent } from "../../test/zstor/long-content.ts";
import { mostPrivateBytes } from "../../test/zstor/private-memory.ts";
import { startZdb } from "../../test/zstor/zdb-servers.ts";
import { ApiClient } from "./api-client.ts";

/** What a front end promises, whatever the size of an object. */
const MOST_BYTES = 200e6;
const GIB = 2 ** 30;
const NAMES = ["d0", "d1", "d2", "d3", "d4", "d5", "d6"];

test("an object of 1 GiB goes in and out with no more than 200 MB in memory", { timeout: 300_000 }, async () => {
    const directory = temporaryDirectory();
    const server = await startZdb(join(directory, "zdb"), [...NAMES, "meta"]);
    const backends = NAMES.map((name) => ({ url: server.url(name), group: name, disk: name }));
    const front = await startFrontEnd(directory, { secret: "a secret that nobody else knows", metadata: [server.url("meta")], backends });
    const client = await ApiClient.open(front.socket);
    const content = new LongContent(randomBytes(2 ** 22), GIB);
    const most = await mostPrivateBytes(front.pid, async () => {
        await client.put("large", content.pieces());
        await content.readFrom(client, "large");
    });
    client.close();
    expect(most).toBeLessThanOrEqual(MOST_BYTES);
});
