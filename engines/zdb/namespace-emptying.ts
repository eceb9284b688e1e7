import * as path from "node:path";
import { errorCode, isNoSpace } from "./disk.ts";
import type { Namespace } from "./namespace.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { type PropertyName, propertyChanges } from "./properties.ts";
import { PropertyLog } from "./property-log.ts";
import { headOf, RECORD_HEAD_BYTES, writeHead } from "./record.ts";
import { Refusal } from "./refusal.ts";
import { newSegmentHeader } from "./segment-files.ts";
import { encodeSegmentHeader, segmentName, unfinishedName } from "./segment-header.ts";

const FIRST_SEGMENT = 0;

/**
 * Empties a namespace whose log is closed, on disk: one segment of a new epoch, with its properties only, takes the place of the first one.
 * From that moment on all segments of the epoch before are left-overs, which the next opening removes. Throws a Refusal, and changed nothing.
 */
export function emptyLog(parts: NamespaceParts, namespace: Namespace): void {
    const { disk, space } = parts;
    const { directory } = namespace;
    const content = emptiedSegment(parts, namespace);
    const draft = path.join(directory, unfinishedName(FIRST_SEGMENT));
    for (;;) {
        try {
            disk.remove(draft);
            const fd = disk.create(draft);
            try {
                disk.write(fd, content, 0, content.length, 0);
                disk.syncNow(fd);
            } finally {
                disk.close(fd);
            }
            disk.rename(draft, path.join(directory, segmentName(FIRST_SEGMENT)));
            disk.syncDirectory(directory);
            return;
        } catch (error) {
            if (isNoSpace(error) && space.giveUp()) continue;
            parts.log(`namespace ${namespace.name} could not be emptied (${errorCode(error)})`);
            throw new Refusal("Internal Server Error");
        }
    }
}

/** The bytes of a segment that holds the properties of a namespace and nothing else. */
function emptiedSegment({ seal }: NamespaceParts, namespace: Namespace): Buffer {
    const { log, properties } = namespace;
    const epoch = Math.max(Date.now(), log.epoch + 1);
    const header = newSegmentHeader(epoch, FIRST_SEGMENT, 1, 0, namespace.segmentBytes());
    const propertyLog = new PropertyLog(seal);
    const known = propertyChanges(properties).map((change, place) => propertyLog.record(change, place + 1));
    const records = [...known, ...lostSecrets(namespace).map((name) => propertyLog.lost(name))];
    const encoded = records.map(({ kind, key, payload, encoding, timestamp }, place) => {
        const head = headOf({ lsn: place + 1, kind, key, payload, previousLsn: 0, timestamp, ...(encoding !== undefined && { encoding }) });
        const record = Buffer.alloc(RECORD_HEAD_BYTES + key.length + payload.length);
        record.set(payload, writeHead(record, 0, head, key, header.salt));
        return record;
    });
    return Buffer.concat([encodeSegmentHeader(header), ...encoded]);
}

/** Whoever was kept out because of them is kept out of the emptied namespace too. */
function lostSecrets({ closedReason, properties }: Namespace): PropertyName[] {
    return [
        ...(closedReason === undefined ? [] : (["password"] as const)),
        ...(properties.tls?.kind === "unreadable" ? (["tls"] as const) : []),
    ];
}
