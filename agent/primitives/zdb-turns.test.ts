import { beforeEach, describe, expect, it } from "vitest";
import { mintLife, mintTenantId } from "../../protocol/ids.ts";
import { FakeOs } from "../../test/agent/fakes/fake-os.ts";
import type { Change } from "../os/shared-writing.ts";
import type { Resource } from "./driver.ts";
import { zdbDriver } from "./zdb.ts";
import { namespaceOf, serverOf, trashedNamespace, type Zdb } from "./zdb-places.ts";

const notFound = new Error("Namespace not found");

describe("many Zdbs on one server", () => {
    let os: FakeOs;
    /** What NSINFO says of each namespace that the server has. */
    let has: Map<string, string>;
    let makesWithProperties: boolean;
    let all: readonly Zdb[];

    const ask = ([verb, name = "", ...rest]: readonly string[]): unknown => {
        if (verb === "NSINFO") return has.get(name) ?? notFound;
        if (verb === "NSNEW" && rest.length > 0 && !makesWithProperties) return new Error("Unexpected arguments");
        if (verb === "NSNEW")
            has.set(name, `name: ${name}\n${rest.length > 0 ? shownAs(name) : "mode: userkey\npublic: yes\nworm: no\naccess: open\n"}`);
        if (verb === "NSDETACH" && has.delete(name)) os.files.set(`${rest[0]}/log`, "");
        return "OK";
    };
    /** As it is shown when it is as the spec of all of them. */
    const shownAs = (name: string) =>
        `mode: userkey\ndata_limits_bytes: 8388608\npublic: no\nworm: no\naccess: open\npassword: yes\ndurability: interval 1s\nlisten: "10.0.0.11:9900"\nname: ${name}\n`;
    const asked = (verb: string) => os.asked.filter((words) => words.startsWith(`${verb} `) || words === verb);

    beforeEach(() => {
        os = new FakeOs();
        has = new Map();
        makesWithProperties = true;
        os.server = ask;
        const tenant = mintTenantId();
        const spec: Zdb["spec"] = {
            node: "",
            nodeMachine: undefined,
            mount: undefined,
            tls: undefined,
            limits: undefined,
            size: "8MiB",
            oversubscribe: false,
            mode: "user",
            password: "correct-horse",
            public: false,
            worm: false,
            access: "open",
            durability: "interval 1s",
            history: "none",
            hook: undefined,
            listen: "10.0.0.11",
            port: 9900,
        };
        all = Array.from({ length: 20 }, (_, index) => ({
            life: mintLife(),
            tenant,
            kind: "Zdb",
            urn: `urn:${index}`,
            name: `db-${index}`,
            spec,
            uses: {},
        }));
    });

    it("are made in turns that look after the server once, each with one command", async () => {
        const context = os.context(all as readonly Resource[]);
        await Promise.all(all.map((each) => zdbDriver.apply(each, context)));
        expect(has.size).toBe(20);
        expect(asked("PING").length).toBeLessThan(5);
        expect(asked("NSNEW")).toHaveLength(20);
        expect(asked("NSSET")).toEqual([]);
    });

    it("are made with single settings on a server of an older release, the password first and the listener last", async () => {
        makesWithProperties = false;
        const [one] = all as [Zdb];
        await zdbDriver.apply(one, os.context([one] as readonly Resource[]));
        const properties = asked("NSSET").map((words) => words.split(" ")[2]);
        expect(properties[0]).toBe("password");
        expect(properties.at(-1)).toBe("listen");
        expect(properties).toContain("maxsize");
    });

    it("have a server that is too old for what they ask started anew once", async () => {
        let isOld = true;
        let restarts = 0;
        os.server = (words) => {
            const said = ask(words);
            return words[0] === "NSINFO" && typeof said === "string" && !isOld ? `${said}history: count 3\n` : said;
        };
        os.started = () => {
            restarts++;
            isOld = false;
        };
        const wishes = all.map((each) => ({ ...each, spec: { ...each.spec, history: "count 3" as const } }));
        for (const each of all) has.set(namespaceOf(each), shownAs(namespaceOf(each)));
        const context = os.context(wishes as readonly Resource[]);
        await Promise.all(wishes.map((each) => zdbDriver.apply(each, context)));
        expect(restarts).toBe(1);
    });

    it("go on when the one whose turn it was is cut off", async () => {
        os.server = undefined;
        const cut = new AbortController();
        os.started = () => {
            os.server = ask;
            os.started = () => undefined;
            cut.abort();
            throw new Error("cut off");
        };
        const [first, ...others] = all as [Zdb, ...Zdb[]];
        const context = os.context(all as readonly Resource[]);
        const outcomes = await Promise.allSettled([
            zdbDriver.apply(first, { ...context, signal: cut.signal }),
            ...others.map((each) => zdbDriver.apply(each, context)),
        ]);
        expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(1);
        expect(has.size).toBe(19);
    });

    it("fail together, in the same words, when the server cannot be started", async () => {
        os.server = undefined;
        os.started = () => {
            throw new Error("no such program");
        };
        const context = os.context(all as readonly Resource[]);
        const outcomes = await Promise.allSettled(all.map((each) => zdbDriver.apply(each, context)));
        expect(new Set(outcomes.map((outcome) => String(outcome.status === "rejected" && outcome.reason)))).toEqual(
            new Set(["Error: no such program"]),
        );
    });

    it("are removed with one stop of the server, by the last of them", async () => {
        const [first] = all as [Zdb];
        const { unit } = serverOf(first);
        for (const each of all) has.set(namespaceOf(each), shownAs(namespaceOf(each)));
        os.running.add(unit);
        const stops: number[] = [];
        os.stopped = () => {
            stops.push(has.size);
            os.server = undefined;
        };
        const gone = new Set<string>();
        const leaving = () => all.filter(({ life }) => !gone.has(life)) as readonly Resource[];
        await Promise.all(
            all.map(async (each) => {
                await zdbDriver.remove(each, trashedNamespace(each), { ...os.context(), leaving });
                gone.add(each.life);
            }),
        );
        expect(stops).toEqual([0]);
        expect(all.every((each) => os.has(trashedNamespace(each)))).toBe(true);
    });

    it("leave no file behind when what the last but one knew of its password is forgotten late", async () => {
        const [first, second] = all as [Zdb, Zdb];
        const { home, digests } = serverOf(first);
        os.files.set(digests, "");
        let writing = Promise.resolve();
        Object.assign(os.os.files, {
            changeText: (path: string, change: Change) => {
                writing = writing.then(async () => {
                    const text = change(os.files.get(path));
                    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
                    if (text !== undefined) os.files.set(path, text);
                });
                return writing;
            },
        });
        const leaving = [first, second] as readonly Resource[];
        await Promise.all([first, second].map((each) => zdbDriver.remove(each, trashedNamespace(each), os.context([], [], leaving))));
        expect(os.has(home)).toBe(false);
    });
});
