import { expect } from "vitest";
import type { Namespace } from "../../../engines/zdb/namespace.ts";
import { scanNamespace, versionOf } from "../../../engines/zdb/namespace-reading.ts";
import { buildSidecar } from "../../../engines/zdb/sidecar-building.ts";
import { Slices } from "../../../engines/zdb/slices.ts";
import { Upkeep } from "../../../engines/zdb/upkeep.ts";
import { type FakeSocket, type InProcessServer, inProcessServer } from "../in-process-server.ts";
import { MemoryDisk } from "../memory-disk.ts";
import { encodeRequest, ok, type Reply, RespReader } from "../resp-client.ts";
import { readValue } from "../store.ts";
import { KnowingClient } from "./answers.ts";
import { MOST_KEY, type ModelCommand, type ModelStep, type TidyingStep } from "./commands.ts";
import { Contents } from "./contents.ts";

/** How the server of a story is set up. */
export interface StoryTerms {
    readonly mode: "user" | "seq";
    /** It rewrites segments by itself; otherwise where the story says so. */
    readonly isTidied: boolean;
    /** The namespace is private from its first moment, so that FLUSH is allowed. */
    readonly isPrivate: boolean;
}

const NAME = "one";
const SEGMENT_BYTES = 4096;
const PATIENCE_TURNS = 3000;
const MOST_SNAPSHOTS = 3;
const EVERYTHING = { entries: 1000, ms: 60_000 };
/** A checkpoint is of no use once segments were rewritten, or the namespace was emptied or is another one. */
const EXPECTED_LINE = /checkpoint of its index is not used: (segment d\d+ (was rewritten since|is missing)|it is of another epoch)/;

/** The lives of a server on one disk, and a client that compares every answer. */
export class ModelStory {
    private readonly terms: StoryTerms;
    private readonly client: KnowingClient;
    private disk = new MemoryDisk("/data", "/elsewhere");
    private server: InProcessServer | undefined;
    private socket: FakeSocket | undefined;
    private snapshots: { readonly place: string; readonly contents: Contents }[] = [];
    private places = 0;

    constructor(terms: StoryTerms) {
        this.terms = terms;
        this.client = new KnowingClient(new Contents(terms.mode), terms.isTidied);
    }

    async tell(steps: readonly ModelStep[]): Promise<void> {
        await this.begin();
        const { mode, isPrivate } = this.terms;
        const properties = [...(mode === "seq" ? ["mode", "seq"] : []), ...(isPrivate ? ["public", "0", "password", "secret"] : [])];
        expect(await this.call("NSNEW", NAME, ...properties)).toEqual(ok);
        if (isPrivate) Object.assign(this.client.contents, { isPublic: false, password: "secret" });
        this.enter();
        for (const step of steps) {
            await this.take(step);
            if (this.terms.isTidied) this.client.mayHaveForgotten();
            this.check();
        }
        await this.end();
    }

    private async take(step: ModelStep): Promise<void> {
        switch (step.do) {
            case "commands":
                return this.send(step.all);
            case "list":
            case "checkpoint":
            case "compact":
                // A server that tidies by itself does it all in its own time.
                return this.terms.isTidied ? undefined : this.tidy(step);
            case "pass":
                this.running.timers.advance(step.ms);
                return turn();
            case "reload":
                return expect(await this.call("RELOAD", NAME)).toEqual(ok);
            case "snapshot":
                return this.takeSnapshot();
            case "restore":
                return this.goBack();
            case "restart":
                await this.end();
                return this.begin();
            case "kill":
                // All that was answered is in the files.
                this.disk = this.disk.copy();
                return this.begin();
        }
    }

    private async tidy(step: TidyingStep): Promise<void> {
        const { segments, sidecars, checkpoint, upkeep } = this.namespace;
        if (step.do === "checkpoint") return checkpoint.write(new Slices());
        if (step.do === "list") {
            for (const segment of segments.closed)
                if (segment.marks) await buildSidecar(this.disk, segments, sidecars, segment, new Slices());
            return;
        }
        if (step.do !== "compact") return;
        const run = segments.closed.slice(step.from, step.from + step.count);
        if (run.length === 0) return;
        await upkeep.rewrite(run);
        this.client.mayHaveForgotten();
    }

    private async takeSnapshot(): Promise<void> {
        if (this.snapshots.length === MOST_SNAPSHOTS) this.snapshots.shift();
        const place = `/elsewhere/${this.places++}`;
        expect(await this.call("NSSNAPSHOT", NAME, place)).toEqual(ok);
        this.snapshots.push({ place, contents: this.client.contents.copy() });
    }

    /** The namespace makes room for what it was once. */
    private async goBack(): Promise<void> {
        const snapshot = this.snapshots.pop();
        if (!snapshot) return;
        expect(await this.call("NSDETACH", NAME, `/elsewhere/${this.places++}`)).toEqual(ok);
        this.socket = undefined;
        expect(await this.call("NSATTACH", NAME, snapshot.place)).toEqual(ok);
        this.client.goBack(snapshot.contents);
        this.enter();
    }

    private async send(commands: readonly ModelCommand[]): Promise<void> {
        const requests = commands.map((command) => encodeRequest(this.client.request(command, NAME)));
        const judges = commands.map((command) => this.client.sending(command));
        const replies = await this.exchange(Buffer.concat(requests), commands.length);
        for (const [place, judge] of judges.entries()) {
            const reply = replies[place];
            if (reply === undefined) throw new Error("no answer");
            try {
                judge(reply);
            } catch (failure) {
                throw new Error(`${JSON.stringify(commands[place])} answered ${JSON.stringify(reply)}: ${String(failure)}`, {
                    cause: failure,
                });
            }
        }
    }

    private async call(...request: string[]): Promise<Reply> {
        const [reply] = await this.exchange(encodeRequest(request), 1);
        if (reply === undefined) throw new Error("no answer");
        return reply;
    }

    private async exchange(bytes: Buffer, count: number): Promise<Reply[]> {
        const socket = this.socket ?? this.running.connect();
        this.socket = socket;
        const replies: Reply[] = [];
        const reader = new RespReader((reply) => replies.push(reply));
        socket.emit("data", bytes);
        for (let turns = 0; replies.length < count; turns++) {
            await turn();
            for (const chunk of socket.taken.splice(0)) reader.push(chunk);
            if (turns > PATIENCE_TURNS) throw new Error(`${replies.length} answers of ${count}`);
        }
        return replies;
    }

    private async begin(): Promise<void> {
        const { isTidied } = this.terms;
        const options = { disk: this.disk, checkpointBytes: 6000, openFiles: 3 };
        this.server = await inProcessServer(SEGMENT_BYTES, {
            ...options,
            ...(isTidied && { upkeep: (parts) => new Upkeep(parts) }),
        });
        this.socket = undefined;
        if (this.running.store.namespaces.get(NAME)) this.enter();
    }

    /** The client comes in anew, as the administrator who is in the namespace. */
    private enter(): void {
        this.socket = this.running.connect({ namespace: this.namespace });
    }

    private async end(): Promise<void> {
        await this.running.store.namespaces.close();
        expect(this.disk.openFiles).toBe(0);
    }

    private get running(): InProcessServer {
        if (!this.server) throw new Error("the server was not started");
        return this.server;
    }

    private get namespace(): Namespace {
        const namespace = this.running.store.namespaces.get(NAME);
        if (!namespace) throw new Error(`namespace ${NAME} is gone`);
        return namespace;
    }

    /** Behind the commands: everything that is there, nothing that is not, and its figures. */
    private check(): void {
        const { namespace } = this;
        const { contents } = this.client;
        for (const line of this.running.store.lines) expect(line).toMatch(EXPECTED_LINE);
        expect(namespace.disturbance).toBeUndefined();
        expect([namespace.entries, namespace.liveBytes, namespace.nextId()]).toEqual([
            contents.entries.length,
            contents.liveBytes,
            contents.nextId,
        ]);
        const { mode, worm, access, public: isPublic, password, maxsize, history } = namespace.properties;
        expect({ mode, worm, access, isPublic, password, maxsize, history }).toEqual({
            mode: contents.mode,
            worm: contents.worm,
            access: contents.access,
            isPublic: contents.isPublic,
            password: contents.password,
            maxsize: contents.maxsize,
            history: contents.history,
        });
        const forwards = scanNamespace(namespace, undefined, 1, EVERYTHING).entries.map(({ key }) => key.toString("latin1"));
        expect(forwards).toEqual(contents.entries.map(({ key }) => key));
        const backwards = scanNamespace(namespace, undefined, -1, EVERYTHING).entries.map(({ key }) => key.toString("latin1"));
        expect(backwards).toEqual(forwards.reverse());
        for (let number = 0; number <= MOST_KEY; number++) {
            const key = this.client.key(number);
            if (!contents.get(key)) expect(namespace.find(Buffer.from(key, "latin1"))).toBeUndefined();
        }
        for (const { key, value } of contents.entries) {
            expect(Buffer.from(readValue(namespace, Buffer.from(key, "latin1")) ?? "absent", "latin1").toString()).toBe(value);
            this.checkPast(namespace, key);
        }
    }

    private checkPast(namespace: Namespace, key: string): void {
        const { contents } = this.client;
        const name = Buffer.from(key, "latin1");
        let wanted = contents.get(key)?.previous;
        for (let lsn = versionOf(namespace, name).previousLsn; lsn !== undefined; wanted = wanted?.previous) {
            const version = versionOf(namespace, name, lsn);
            expect(version.payload?.toString()).toBe(wanted?.value);
            lsn = version.previousLsn;
        }
        expect(wanted !== undefined && contents.isSure(wanted)).toBe(false);
    }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
