import { ErasureCodec } from "./erasure.ts";
import { addScaled } from "./galois.ts";

/** Plain TypeScript, on every machine. */
export const galoisCodec = new ErasureCodec("plain", (coefficients, sources, targets) => {
    coefficients.forEach((row, index) => {
        const target = targets[index];
        if (target === undefined) throw new RangeError("there are fewer targets than rows");
        target.fill(0);
        for (const [column, source] of sources.entries()) addScaled(target, source, row[column] ?? 0);
    });
});
