import { describe, expect, it } from "vitest";
import { prometheusText } from "../../protocol/metrics.ts";
import { expositionOf } from "../../test/e2e/prometheus.ts";
import { HISTOGRAMS } from "./zdb-families.ts";
import { histogram } from "./zdb-measure.ts";

describe("a histogram of a namespace", () => {
    const [{ family } = { family: undefined }] = HISTOGRAMS;
    if (!family) throw new Error("there are no histograms");

    it("is one of Prometheus, in seconds", () => {
        const samples = histogram("50=3 1000=4 2500000=5 inf=6", "3000120").map(({ labels = {}, ...sample }) => ({ ...sample, labels }));
        const text = prometheusText([{ ...family, samples }]);
        const name = "zeroform_zdb_operation_duration_seconds";
        expect(text.split("\n").slice(2)).toEqual([
            `${name}_bucket{le="0.00005"} 3`,
            `${name}_bucket{le="0.001"} 4`,
            `${name}_bucket{le="2.5"} 5`,
            `${name}_bucket{le="+Inf"} 6`,
            `${name}_sum 3.00012`,
            `${name}_count 6`,
            "",
        ]);
        expect(expositionOf(text).value(`${name}_count`, {})).toBe(6);
    });

    it("is left out where the server tells none, or not to its end", () => {
        for (const [steps, sum] of [
            [undefined, undefined],
            ["50=1 inf=1", undefined],
            ["50=1", "7"],
            ["50=x inf=1", "7"],
            ["", "0"],
        ] as const)
            expect(histogram(steps, sum)).toEqual([]);
    });
});
