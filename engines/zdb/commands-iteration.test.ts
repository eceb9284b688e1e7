import { expect, test } from "vitest";
import { inProcessServer } from "../../test/zdb/in-process-server.ts";
import { encodeRequest, error, type Reply, RespReader } from "../../test/zdb/resp-client.ts";
import { MAX_KSCAN_KEYS } from "./limits.ts";

const MIB = 1024 * 1024;
const TOO_MANY = error("Too many keys match, use SCAN");

test("KSCAN answers so many keys and no more, and no more than 16 MiB; what it does not answer it refuses, naming SCAN", {
    timeout: 60_000,
}, async () => {
    const { store, connect } = await inProcessServer(MIB / 8);
    const { standard } = store;
    const fill = async (count: number, name: (place: number) => string): Promise<void> => {
        for (let place = 0; place < count; place++) {
            standard.set(Buffer.from(name(place)), Buffer.alloc(0), 1);
            if (place % 4000 === 0) await turn();
        }
    };
    const socket = connect();
    const kscan = async (prefix: string): Promise<Reply> => {
        const replies: Reply[] = [];
        const reader = new RespReader((reply) => replies.push(reply));
        socket.emit("data", encodeRequest(["KSCAN", prefix]));
        while (replies.length === 0) {
            await turn();
            const arrived = socket.taken.splice(0);
            if (arrived.length > 0) reader.push(Buffer.concat(arrived));
        }
        return replies[0] ?? null;
    };
    await fill(MAX_KSCAN_KEYS, (place) => `k${place}`);
    const all = await kscan("k");
    expect(Array.isArray(all) && (all[1] as string[]).length).toBe(MAX_KSCAN_KEYS);
    await fill(1, () => "k more");
    expect(await kscan("k")).toEqual(TOO_MANY);
    expect(await kscan("k more")).toEqual(["0", ["k more"]]);
    await fill(Math.ceil((16 * MIB) / 255), (place) => `l${place}`.padEnd(255, "-"));
    expect(await kscan("l")).toEqual(TOO_MANY);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
