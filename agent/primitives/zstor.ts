import { randomBytes } from "node:crypto";
import { zstor } from "../../schema/zstor.ts";
import type { Driver } from "./driver.ts";
import { untilEmptied } from "./zstor-emptying.ts";
import { allowAgain, dropFrontEnd, ensureFrontEnd } from "./zstor-front-end.ts";
import { measureZStors } from "./zstor-measure.ts";
import { gatherZStors, observeZStor, type ZStorFacts } from "./zstor-observe.ts";
import { frontEndOf, traceFrontEnd } from "./zstor-places.ts";
import { refuseTaken } from "./zstor-taken.ts";

/** As many bits as the keys that it guards. */
const SECRET_BYTES = 32;

/** A ZStor is a front end: a process of its own, whose store lies in Zero-DB namespaces elsewhere. */
export const zstorDriver: Driver<typeof zstor, ZStorFacts> = {
    primitive: zstor,
    packages: () => ({}),

    gather: gatherZStors,
    observe: observeZStor,

    inquire: refuseTaken,

    async admit(wanted, old, { os }) {
        // Somebody wants this one: one that another has taken over from may start again.
        if (old !== undefined) await allowAgain(frontEndOf(old), os);
        return { ...wanted.spec, secret: wanted.spec.secret ?? old?.spec.secret ?? randomBytes(SECRET_BYTES).toString("base64url") };
    },

    async apply(resource, context) {
        await ensureFrontEnd(resource, context);
        await untilEmptied(resource, context);
    },

    // Nothing of the store lies on this node.
    trashPlace: () => undefined,
    keptPlace: (resource) => frontEndOf(resource).home,
    trace: (life, { files }) => traceFrontEnd(life, files),

    remove: (resource, _, context) => dropFrontEnd(resource, context),
    trashedBytes: async () => 0,
    purge: async () => undefined,
    restore: async () => undefined,

    units: (resource) => [frontEndOf(resource).unit],
    measure: measureZStors,
};
