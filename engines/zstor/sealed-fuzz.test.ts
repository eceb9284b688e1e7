import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyRecord } from "../../test/zstor/any-record.ts";
import { damaged, damages } from "../../test/zstor/damage.ts";
import { PATIENCE_MS, runs } from "../../test/zstor/fuzzing.ts";
import { backendsOf, METADATA, SECRET, SETTINGS } from "../../test/zstor/memory-store.ts";
import { NO_BATCH, openBatch, openPage, sealBatch, sealPage } from "./batch.ts";
import { type ChunkOwner, openChunk, sealChunk } from "./chunk.ts";
import { unwrapKey, wrapKey } from "./data-key.ts";
import { openEpoch, sealEpoch } from "./epoch-record.ts";
import { StoreKeys } from "./keys.ts";
import { claimedMembership, openMembership, sealMembership } from "./membership.ts";
import { decodeRecords, encodeRecord, type ObjectId, type StripeId, type StripeRecord, type WriterId } from "./record.ts";
import { openStoreRecord, type StoreConfig, sealingKey, sealStoreRecord } from "./store-record.ts";
import { faultOf } from "./stripe-reader.ts";
import { macOf } from "./stripe-writer.ts";

const keys = new StoreKeys(Buffer.alloc(32, 1));
const storeId = Buffer.alloc(16, 3);
const writer = "0000000100000002" as WriterId;
const place = { writer, sequence: 5 };
const object = "0123456789abcdef0123456789abcdef" as ObjectId;

const records = fc.array(anyRecord, { minLength: 1, maxLength: 5 }).map((all) => Buffer.concat(all.map(encodeRecord)));

describe("what is sealed is opened as it was, or not at all", { timeout: PATIENCE_MS }, () => {
    const bytes = records.map((all) => ({
        all,
        batch: sealBatch(keys, place, NO_BATCH, all),
        page: sealPage(keys, { ...place, page: 2 }, all),
    }));

    test("batches and pages of snapshots", () => {
        fc.assert(
            fc.property(bytes, damages, ({ all, batch, page }, harm) => {
                expect(openBatch(keys, place, batch)?.records).toEqual(decodeRecords(all));
                const wrong = [damaged(batch, harm), damaged(page, harm)] as const;
                if (!wrong[0].equals(batch)) expect(openBatch(keys, place, wrong[0])).toBeUndefined();
                if (!wrong[1].equals(page)) expect(openPage(keys, { ...place, page: 2 }, wrong[1])).toBeUndefined();
                // Of another place, or as the other kind.
                expect(openBatch(keys, { ...place, sequence: 6 }, batch)).toBeUndefined();
                expect(openPage(keys, { ...place, page: 3 }, page)).toBeUndefined();
                expect(openBatch(keys, place, page)).toBeUndefined();
                expect(openPage(keys, { ...place, page: 0 }, batch)).toBeUndefined();
                expect(openBatch(new StoreKeys(Buffer.alloc(32, 2)), place, batch)).toBeUndefined();
            }),
            runs,
        );
    });

    test("marks of epoch and membership", () => {
        const epoch = sealEpoch(keys, storeId, writer);
        const mark = sealMembership(keys, storeId, { standing: "outside", configuration: 4 });
        expect(openEpoch(keys, storeId, epoch)).toBe(writer);
        expect(openMembership(keys, storeId, mark)).toEqual({ standing: "outside", configuration: 4 });
        fc.assert(
            fc.property(damages, (harm) => {
                const wrong = [damaged(epoch, harm), damaged(mark, harm)] as const;
                if (!wrong[0].equals(epoch)) expect(openEpoch(keys, storeId, wrong[0])).toBeUndefined();
                if (!wrong[1].equals(mark)) expect(openMembership(keys, storeId, wrong[1])).toBeUndefined();
                claimedMembership(wrong[1]);
                expect(openEpoch(keys, storeId, mark)).toBeUndefined();
                expect(openMembership(keys, storeId, epoch)).toBeUndefined();
            }),
            runs,
        );
    });

    test("store records, whatever they say that their key costs", () => {
        const config: StoreConfig = {
            storeId: storeId.toString("hex"),
            storeKey: Buffer.alloc(32, 1).toString("base64"),
            generation: 1,
            wrapping: 1,
            metadata: METADATA,
            writeQuorum: 3,
            configuration: 1,
            backends: backendsOf(6),
            settings: SETTINGS,
        };
        const value = sealStoreRecord(sealingKey(SECRET, Buffer.alloc(32, 9), 4), Buffer.alloc(12, 8), config);
        expect(openStoreRecord(SECRET, value)?.config).toEqual(config);
        expect(openStoreRecord(`${SECRET} `, value)).toBeUndefined();
        fc.assert(
            fc.property(damages, (harm) => {
                const wrong = damaged(value, harm);
                if (!wrong.equals(value)) expect(openStoreRecord(SECRET, wrong)).toBeUndefined();
            }),
            runs,
        );
        // Too costly, and such as scrypt is not defined for.
        for (const [log2N, block, parallel] of [
            [20, 8, 1],
            [17, 8, 2],
            [2, 255, 255],
            [15, 8, 255],
            [16, 1, 1],
            [0, 8, 1],
            [4, 0, 1],
            [255, 255, 255],
        ] as const) {
            const wrong = Buffer.from(value);
            wrong.set([log2N, block, parallel], 12);
            expect(openStoreRecord(SECRET, wrong)).toBeUndefined();
        }
    });

    test("data keys, chunks and shards", () => {
        const owner: ChunkOwner = { object, generation: 2, dataKey: Buffer.alloc(32, 6) };
        const wrapped = wrapKey(keys, 1, object, 2, owner.dataKey, Buffer.alloc(12, 4));
        const content = fc.oneof(
            fc.uint8Array({ minLength: 1, maxLength: 2000 }).map(Buffer.from),
            fc.nat(5000).map((length) => Buffer.alloc(length + 1, "ab")),
        );
        const id = "00000001000000020000002a" as StripeId;
        fc.assert(
            fc.property(content, damages, (plain, harm) => {
                const { codec, bytes: sealed } = sealChunk(owner, 3, plain, true);
                expect(openChunk(owner, 3, codec, plain.length, sealed)?.equals(plain)).toBe(true);
                const wrong = damaged(sealed, harm);
                if (!wrong.equals(sealed)) expect(openChunk(owner, 3, codec, plain.length, wrong)).toBeUndefined();
                expect(openChunk(owner, 4, codec, plain.length, sealed)).toBeUndefined();
                expect(openChunk({ ...owner, generation: 3 }, 3, codec, plain.length, sealed)).toBeUndefined();
                expect(openChunk(owner, 3, 1 - codec, plain.length, sealed)).toBeUndefined();
                expect(openChunk(owner, 3, codec, plain.length + 1, sealed)).toBeUndefined();

                const stripe: StripeRecord = {
                    type: "stripe",
                    id,
                    layout: 1,
                    createdMs: 0,
                    lengths: [sealed.length],
                    macs: [macOf(keys, id, 0, sealed)],
                };
                expect(faultOf(keys, stripe, 0, sealed)).toBeUndefined();
                if (!wrong.equals(sealed)) expect(faultOf(keys, stripe, 0, wrong)).toBeDefined();

                const otherKey = damaged(wrapped, harm);
                if (!otherKey.equals(wrapped)) expect(unwrapKey(keys, 1, object, 2, otherKey)).toBeUndefined();
            }),
            runs,
        );
    });
});
