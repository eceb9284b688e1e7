import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VERSION } from "../../protocol/version.ts";
import { type Kind, primitives } from "../../schema/index.ts";
import { check } from "./check.ts";
import { checked, written } from "./sample.ts";
import { type Properties, UNKNOWN } from "./values.ts";

const kinds = Object.keys(primitives) as Kind[];
const failuresOf = (kind: Kind, more: Properties, olds: Properties = {}) => check(kind, olds, { ...written[kind], ...more }).failures;

describe("what check makes of inputs", () => {
    it("completes and normalises them", () => {
        expect(checked("Node")).toMatchObject({ onUnreachable: "fail", installPackages: true, trash: "1d", agentVersion: VERSION });
        expect(checked("Node", { trash: "24h", hostKey: "ssh-ed25519 AAAA me@home" })).toMatchObject({
            trash: "1d",
            hostKey: "ssh-ed25519 AAAA",
        });
        expect(checked("ZMount", { size: 2 ** 30, pool: "/srv//pool/", timeouts: { create: "120s" } })).toMatchObject({
            size: "1GiB",
            pool: "/srv/pool",
            filesystem: "ext4",
            onRemove: "delete",
            replaceData: false,
            timeouts: { create: "2m" },
            connection: { host: "10.0.0.11", hostKey: "ssh-ed25519 AAAA" },
        });
        const onDevice = checked("ZMount", { device: "/dev/disk/by-id/ata-X_Y:0", size: undefined, pool: undefined });
        expect(onDevice).toMatchObject({ device: "/dev/disk/by-id/ata-X_Y:0", filesystem: "ext4" });
        expect(onDevice).not.toHaveProperty("size");
        expect(checked("Zdb")).toMatchObject({ mode: "user", public: false, listen: "127.0.0.1" });
        // No default, so that what an older release stored stays complete.
        expect(checked("Zdb")).not.toHaveProperty("limits");
        expect(checked("Zdb", { limits: { memory: "1024MiB", cpu: 0.29 } }).limits).toEqual({ memory: "1GiB", cpu: 0.29 });
    });

    it("changes nothing the second time", () => {
        for (const kind of kinds) expect(check(kind, {}, checked(kind)).inputs).toEqual(checked(kind));
    });

    it("takes null as left out, as the engine sends it", () => {
        expect(checked("ZMount", { pool: null, timeouts: { create: null } })).not.toHaveProperty("pool");
    });

    it("passes the URN and leaves other hidden keys to the host", () => {
        const { inputs, failures } = check("Node", {}, { ...written.Node, __provider: "text", __unfinished: "why" });
        expect(failures).toEqual([]);
        expect(inputs.__urn).toBe(written.Node.__urn);
        expect(inputs).not.toHaveProperty("__provider");
        expect(inputs).not.toHaveProperty("__unfinished");
    });

    it.each(kinds.flatMap((kind) => Object.keys(primitives[kind].inputs).map((field) => [kind, field] as const)))(
        "passes an unknown %s.%s through",
        (kind, field) => {
            for (const value of [UNKNOWN, { inside: [UNKNOWN] }]) {
                const { inputs, failures } = check(kind, {}, { ...written[kind], [field]: value });
                expect(failures).toEqual([]);
                expect(inputs[field]).toEqual(value);
            }
        },
    );
});

describe("a value that is unknown in part", () => {
    it("is normalised around what is not known", () => {
        const { inputs } = check("ZMount", {}, { ...written.ZMount, connection: { host: "10.0.0.11", hostKey: UNKNOWN, trash: "48h" } });
        expect(inputs.connection).toEqual({
            host: "10.0.0.11",
            hostKey: UNKNOWN,
            trash: "2d",
        });
    });
});

const HOP_FORMS =
    'write via as "user@host:port", as { host, port, user, hostKey, identityFile, privateKey, passphrase }, or as a list of those';

const LIMITS = 'write limits as { memory: "512MiB", cpu: 0.5, ioWeight: 50 }, with those of the three that you want';
const WEIGHT = "write ioWeight as a whole number from 1 to 10000; what asks for nothing has 100";

describe("what check refuses", () => {
    it.each<[Kind, Properties, string, string]>([
        ["Node", { host: undefined }, "host", "host is missing: write host as a name or an address"],
        ["Node", { host: "" }, "host", "host: host is empty"],
        ["Node", { port: 0 }, "port", "port: a port is 1 to 65535"],
        ["Node", { port: 22.5 }, "port", "port: write port as a whole number"],
        ["Node", { user: 1 }, "user", "user: write user as a string"],
        ["Node", { hostKey: "AAAA" }, "hostKey", 'hostKey: write hostKey as in known_hosts: "ssh-ed25519 AAAA..."'],
        ["Node", { identityFile: {} }, "identityFile", "identityFile: write identityFile as a path"],
        ["Node", { passphrase: 7 }, "", "passphrase: write passphrase as a string"],
        // The engine would print the key that lies in it.
        ["Node", { via: { hots: "a", privateKey: "k" } }, "", `via: ${HOP_FORMS}`],
        ["Node", { via: ["a:x"] }, "", `via: ${HOP_FORMS}`],
        ["Node", { sudo: "yes" }, "sudo", "sudo: write sudo as true or false"],
        ["Node", { onUnreachable: "skip" }, "onUnreachable", 'onUnreachable: write onUnreachable as "fail" or "abandon"'],
        ["Node", { installPackages: 1 }, "installPackages", "installPackages: write installPackages as true or false"],
        ["Node", { trash: "1 day" }, "trash", 'trash: write a duration as "30s" (ms, s, m, h, d)'],
        ["Node", { machine: 7 }, "machine", "machine: write machine as a string"],
        ["Node", { agentVersion: "latest" }, "agentVersion", 'agentVersion: write agentVersion as "1.2.3"'],
        ["ZMount", { size: "20GB" }, "size", 'size: write a size as "20GiB" (B, KiB, MiB, GiB, TiB) or as a whole number of bytes'],
        ["ZMount", { size: "1MiB" }, "size", "size: a ZMount is at least 16MiB"],
        ["ZMount", { filesystem: "ext3" }, "filesystem", 'filesystem: write filesystem as "ext4", "xfs" or "btrfs"'],
        ["ZMount", { filesystem: "xfs", size: "299MiB" }, "size", "a ZMount on xfs is at least 300MiB"],
        ["ZMount", { size: undefined }, "size", 'size is missing: write size as "20GiB", or a block device of the node as device'],
        ["ZMount", { device: "/dev/sdb" }, "size", "leave size out with device: all of the device is taken"],
        ["ZMount", { device: "/dev/sdb", size: undefined }, "pool", "leave pool out with device: the device is where the space is"],
        ["ZMount", { device: "sdb" }, "device", 'device: write device as the path of a block device, such as "/dev/disk/by-id/..."'],
        ["ZMount", { device: "/dev/../etc/x" }, "device", "device: write device as an absolute path without .."],
        ["ZMount", { pool: "/srv/../etc" }, "pool", "pool: write pool as an absolute path without .."],
        ["ZMount", { onRemove: "burn" }, "onRemove", 'onRemove: write onRemove as "delete" or "keep"'],
        ["ZMount", { replaceData: "yes" }, "replaceData", "replaceData: write replaceData as true or false"],
        ["ZMount", { timeouts: { create: 5 } }, "timeouts", 'timeouts.create: write a duration as "30s" (ms, s, m, h, d)'],
        ["ZMount", { timeouts: { read: "5m" } }, "timeouts", 'timeouts: write timeouts as { create: "5m", update: "5m", delete: "5m" }'],
        ["ZMount", { node: undefined }, "node", "node is missing: make the resource with its class in zeroform"],
        ["Zdb", { mode: "direct" }, "mode", 'mode: write mode as "user" or "seq"'],
        ["Zdb", { public: 1 }, "public", "public: write public as true or false"],
        [
            "Zdb",
            { listen: "eth0" },
            "listen",
            'listen: write listen as an IP address of the node, such as "10.0.0.11" ("0.0.0.0" or "::" for all of them)',
        ],
        ["Zdb", { port: 80 }, "port", "port: a port is 1024 to 65535"],
        ["Zdb", { limits: "1GiB" }, "limits", `limits: ${LIMITS}`],
        ["Zdb", { limits: { memroy: "1GiB" } }, "limits", `limits: ${LIMITS}`],
        [
            "Zdb",
            { limits: { memory: "32MiB" } },
            "limits",
            "limits.memory: memory is at least 64MiB: with less its server would not come up; write 64MiB or more",
        ],
        [
            "Zdb",
            { limits: { memory: "half" } },
            "limits",
            'limits.memory: write a size as "20GiB" (B, KiB, MiB, GiB, TiB) or as a whole number of bytes',
        ],
        ["Zdb", { limits: { cpu: "2" } }, "limits", "limits.cpu: write cpu as a number of processor cores, such as 0.5 or 2"],
        ["Zdb", { limits: { cpu: 0.05 } }, "limits", "limits.cpu: cpu is at least 0.1 of a core"],
        ["Zdb", { limits: { cpu: 0.125 } }, "limits", "limits.cpu: cpu is told in hundredths of a core at the finest, such as 0.25"],
        ["Zdb", { limits: { ioWeight: 0 } }, "limits", `limits.ioWeight: ${WEIGHT}`],
        ["Zdb", { limits: { ioWeight: 1.5 } }, "limits", `limits.ioWeight: ${WEIGHT}`],
    ])("%s %j", (kind, more, property, reason) => {
        expect(failuresOf(kind, more)).toEqual([{ property, reason }]);
    });

    it("says one thing of each field", () => {
        expect(failuresOf("Zdb", { port: "x", listen: 7, size: 0 }).map(({ property }) => property)).toEqual(["size", "listen", "port"]);
    });

    it("names the nearest key for one that is unknown, and shows no value", () => {
        const [failure] = failuresOf("Zdb", { pasword: "geheim-geheim" });
        expect(failure).toEqual({ property: "", reason: 'a Zdb has no input "pasword": did you mean "password"?' });
        expect(failuresOf("ZMount", { colour: 1 })[0]?.reason).toMatch(
            /^a ZMount has no input "colour": its inputs are node, timeouts, size/,
        );
        // A hidden input is not one to be proposed.
        expect(failuresOf("ZMount", { nodeMachin: 1 })[0]?.reason).not.toContain("nodeMachine");
    });

    it("gives a secret field's failure no property and no value", () => {
        for (const [kind, more] of [
            ["Zdb", { password: "geheim" }],
            ["Node", { privateKey: ["geheim"] }],
            ["ZMount", { connection: { host: 7, privateKey: "geheim" } }],
        ] as const) {
            const failures = failuresOf(kind, more);
            expect(failures).toHaveLength(1);
            expect(failures[0]?.property).toBe("");
            expect(JSON.stringify(failures)).not.toContain("geheim");
        }
    });
});

describe("growth", () => {
    const olds = checked("ZMount");

    it("is judged against the known old input", () => {
        expect(failuresOf("ZMount", { size: "30GiB" }, olds)).toEqual([]);
        expect(failuresOf("ZMount", { size: "10GiB" }, olds)).toEqual([
            { property: "size", reason: "size only grows and is 20GiB: write at least 20GiB, or make another ZMount and move the data" },
        ]);
    });

    it.each<[string, Properties, Properties]>([
        ["the old size is unknown", {}, { ...olds, size: UNKNOWN }],
        ["the new size is unknown", { size: UNKNOWN }, olds],
        ["there are no old inputs", {}, {}],
        ["a replace field differs", { filesystem: "xfs" }, olds],
        ["a replace field is unknown", { node: UNKNOWN }, olds],
        ["a replace field is left out now", { filesystem: undefined }, { ...olds, filesystem: "xfs" }],
        ["the old size is what no release wrote", {}, { ...olds, size: { odd: true } }],
    ])("is not judged when %s", (_, more, before) => {
        expect(failuresOf("ZMount", { size: "10GiB", ...more }, before)).toEqual([]);
    });

    it("takes a default that the old inputs lack for no difference", () => {
        const { filesystem: _, ...older } = olds;
        expect(failuresOf("ZMount", { size: "10GiB" }, older)).toHaveLength(1);
    });
});

describe("the law of check", () => {
    it("never throws, whatever JSON it is given, and fails at most once a field", () => {
        const field = fc.constantFrom(...new Set(kinds.flatMap((kind) => Object.keys(primitives[kind].inputs))), "__urn", "__proto__", "x");
        const value = fc.oneof(
            fc.jsonValue(),
            fc.constant(UNKNOWN),
            fc.stringMatching(/^\d{1,400}(GiB|TiB|d|ms)$/),
            fc.double(),
            fc.record({ host: fc.jsonValue(), trash: fc.jsonValue() }),
        );
        const properties = fc.oneof(fc.dictionary(field, value), fc.jsonValue());
        fc.assert(
            fc.property(fc.constantFrom(...kinds), properties, properties, (kind, olds, news) => {
                const { failures } = check(kind, olds, news);
                const named = failures.map(({ property }) => property).filter((property) => property !== "");
                expect(new Set(named).size).toBe(named.length);
            }),
            { numRuns: 3_000 },
        );
    });
});
