import fc from "fast-check";
import { expect, test } from "vitest";
import { isNamespaceUrl, namespaceOf } from "../../schema/namespace-url.ts";
import { identityOf, parseBackendUrl } from "./backend-url.ts";

const url = fc
    .record({
        scheme: fc.constantFrom("redis", "rediss"),
        namespace: fc.constantFrom("a", "A", "%61", "a b", "a%20b", "a%"),
        password: fc.constantFrom("", ":b", ":c%40", ":100%"),
        host: fc.constantFrom("h", "H", "10.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]", "[::2]"),
        port: fc.constantFrom("", ":9900", ":9901"),
    })
    .map(({ scheme, namespace, password, host, port }) => `${scheme}://${namespace}${password}@${host}${port}`);

test("what a preview takes for one namespace, or for none, the engine takes for that too", () => {
    fc.assert(
        fc.property(url, url, (one, other) => {
            expect(isNamespaceUrl(one)).toBe(isRead(one));
            if (isRead(one) && isRead(other)) expect(namespaceOf(one) === namespaceOf(other)).toBe(identityOf(one) === identityOf(other));
        }),
        { seed: 1, numRuns: 1000 },
    );
});

function isRead(text: string): boolean {
    try {
        parseBackendUrl(text);
        return true;
    } catch {
        return false;
    }
}
