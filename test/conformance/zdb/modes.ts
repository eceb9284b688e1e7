import { expect } from "vitest";
import { error, ok } from "../../zdb/resp-client.ts";
import { id } from "../../zdb/script.ts";
import { type Row, row, script } from "./row.ts";

/** Section 7. */
export const MODE_ROWS: readonly Row[] = [
    script("7.1 user mode needs a key", [[["SET", "", "v"], error("Invalid argument, key needed")]], { only: "user" }),
    script("7.1 worm: no second SET, not even the same, no DEL, new keys fine", ({ namespace, put, key, mode }) => [
        put(0, "a"),
        [["NSSET", namespace, "worm", "1"], ok],
        [["SET", key(0), "b"], error("Namespace is protected by worm mode")],
        [["SET", key(0), "a"], error("Namespace is protected by worm mode")],
        [["DEL", key(0)], error("Cannot delete a key when namespace is in worm mode")],
        [["DEL", "absent"], error("Key not found")],
        [["SET", mode === "user" ? "new" : "", "v"], mode === "user" ? "new" : id(1)],
    ]),
    script(
        "7.2 ids from 0, an effective update takes one, nil and DEL take none, a deleted one never comes back",
        [
            [["SET", "", "zero"], id(0)],
            [["SET", id(0), "again"], id(0)],
            [["GET", id(1)], null],
            [["SET", "", "two"], id(2)],
            [["SET", id(0), "again"], null],
            [["SET", "", "three"], id(3)],
            [["DEL", id(3)], ok],
            [["SET", id(3), "x"], error("Invalid key, only update authorized")],
            [["SET", "", "four"], id(4)],
        ],
        { only: "seq" },
    ),
    script(
        "7.2 SET of a key that is absent or no id",
        [
            [["SET", id(0), "x"], error("Invalid key, only update authorized")],
            [["SET", "key", "x"], error("Invalid key, only update authorized")],
            [["SET", "nine bytes", "x"], error("Invalid key, only update authorized")],
        ],
        { only: "seq" },
    ),
    row(
        "7.2 an id and the one 2^32 above it are not the same",
        async ({ client }) => {
            expect(await client.call("SET", "", "zero")).toBe(id(0));
            const above = Buffer.from([0, 0, 0, 0, 1, 0, 0, 0]);
            expect(await client.call("GET", above)).toBeNull();
            expect(await client.call("SET", above, "x")).toEqual(error("Invalid key, only update authorized"));
        },
        { only: "seq", differs: "17 safe to fix: id+2^32 alias" },
    ),
];

/** Section 7.3, for instances where each namespace has its own mode. */
export const MIXED_ROWS: readonly Row[] = [
    script("7.3 the mode of an unused namespace can be changed, of a used one not", ({ namespace, mode, put }) => {
        const other = mode === "user" ? "seq" : "user";
        return [
            [["NSSET", namespace, "mode", other], ok],
            [["NSSET", namespace, "mode", "bogus"], error("Invalid property value (expected: user, seq)")],
            [["NSSET", namespace, "mode", mode], ok],
            put(0, "a"),
            [["NSSET", namespace, "mode", other], error("Cannot change mode of used namespace")],
            [["NSSET", namespace, "mode", mode], error("Cannot change mode of used namespace")],
        ];
    }),
];

/** Section 7.3, for instances of one mode. */
export const FIXED_ROWS: readonly Row[] = [
    script("7.3 one mode for all", ({ namespace, mode }) => [
        [["NSSET", namespace, "mode", mode], error("This server instance is configured to use a single runtime mode")],
        [["NSSET", "default", "mode", "user"], error("This server instance is configured to use a single runtime mode")],
    ]),
];
