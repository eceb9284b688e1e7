import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";

const LEAST = { secret: "a secret that nobody else knows", socket: "/run/store.sock", view: "/var/lib/store/view" };
const parsed = (more: object) => parseConfig(JSON.stringify({ ...LEAST, metadata: ["redis://m:word@a"], ...more }), "front.json");

test("a namespace that is named twice is refused, whatever it looks like, and no password is said", () => {
    expect(() => parsed({ metadata: ["redis://m:word@a", "redis://m:other@a:9900"] })).toThrow(
        "front.json: metadata has the namespace m@a:9900 twice: name it once",
    );
    const backends = [
        { url: "redis://d:word@a", disk: "one" },
        { url: "redis://d:word@a:9900", disk: "two" },
    ];
    expect(() => parsed({ backends })).toThrow("front.json: backends has the namespace d@a:9900 twice: name it once");
    expect(parsed({ backends: backends.slice(1) }).backends).toHaveLength(1);
    expect(() => parsed({ backends: [{ url: "redis://m:other@a:9900" }] })).toThrow(
        "front.json: metadata and backends together has the namespace m@a:9900 twice",
    );
});
