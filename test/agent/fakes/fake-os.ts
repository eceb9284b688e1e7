import type { FileStat } from "../../../agent/os/files.ts";
import type { Os } from "../../../agent/os/os.ts";
import type { Change } from "../../../agent/os/shared-writing.ts";
import type { Context, Resource, Trashed } from "../../../agent/primitives/driver.ts";

type Replies = (words: readonly string[]) => unknown;

/** The seam over files, mounts and servers in memory, for the verbs of a driver that only move things about. */
export class FakeOs {
    /** Text by path; a directory is what other paths begin with. */
    readonly files = new Map<string, string>();
    readonly mounted = new Set<string>();
    readonly running = new Set<string>();
    /** Who uses every mount. */
    users: Awaited<ReturnType<Os["processes"]["using"]>> = [];
    /** Text of unit files by name. */
    readonly units = new Map<string, string>();
    /** What services may take, by unit. */
    readonly limits = new Map<string, string | undefined>();
    /** Called before everything that changes the machine, to cut the power there. */
    step: (what: string) => void = () => undefined;
    /** What a server answers to each command of its administrator; undefined: nobody answers. */
    server: Replies | undefined;
    /** Called when a unit is started. */
    started: (unit: string) => void = () => undefined;
    stopped: (unit: string) => void = () => undefined;
    readonly asked: string[] = [];

    /** The file system that a path is on. */
    deviceOf: (path: string) => number = () => 1;

    has(path: string): boolean {
        return this.files.has(path) || this.#under(path).length > 0;
    }

    context(resources: readonly Resource[] = [], trash: readonly Trashed[] = [], leaving: readonly Resource[] = []): Context {
        return {
            os: this.os,
            signal: new AbortController().signal,
            progress: () => undefined,
            resources: (kind) => resources.filter((each) => each.kind === kind),
            leaving: (kind) => leaving.filter((each) => each.kind === kind),
            trash: (kind) => trash.filter(({ resource }) => resource.kind === kind),
            purgeNow: () => Promise.reject(new Error("nothing is purged here")),
        };
    }

    readonly os: Os = {
        files: {
            stat: async (path: string) => this.#stat(path),
            readText: async (path: string) => this.files.get(path),
            list: async (directory: string) => [
                ...new Set(this.#under(directory).map((path) => path.slice(directory.length + 1).split("/")[0])),
            ],
            writeText: async (path: string, text: string) => {
                this.step(`write ${path}`);
                this.files.set(path, text);
            },
            changeText: async (path: string, change: Change) => {
                const text = change(this.files.get(path));
                if (text !== undefined) this.files.set(path, text);
            },
            makeDirectory: async () => undefined,
            move: async (from: string, to: string) => {
                this.step(`move ${from} to ${to}`);
                this.#move(from, to);
            },
            link: async (existing: string, name: string) => {
                this.step(`link ${existing} to ${name}`);
                this.files.set(name, this.files.get(existing) ?? "");
                return "linked" as const;
            },
            remove: async (path: string) => {
                this.step(`remove ${path}`);
                for (const each of [path, ...this.#under(path)]) this.files.delete(each);
            },
            diskUsage: async (path: string) => (this.has(path) ? 4_096 : 0),
            fileSystem: async (path: string) => ({ type: "ext4", device: this.deviceOf(path), totalBytes: 2 ** 40, freeBytes: 2 ** 40 }),
        },
        images: {
            ensureReserved: async (path: string) => {
                this.step(`reserve ${path}`);
                if (!this.files.has(path)) this.files.set(path, "");
            },
            makeEqual: async (from: string, to: string) => {
                this.step(`copy ${from} to ${to}`);
                const [wanted, found] = [this.files.get(from) ?? "", this.files.get(to)];
                this.files.set(to, wanted);
                return wanted === found ? 0 : wanted.length;
            },
        },
        mounts: {
            list: async () => new Map([...this.mounted].map((path) => [path, { device: "7:0", readOnly: false }])),
            isShutDown: async () => false,
            removePoint: async () => undefined,
            preparePoint: async () => undefined,
        },
        loops: { ofFile: async () => [], byNumber: async () => undefined },
        processes: { using: async () => this.users },
        systemd: {
            install: async (units: readonly { readonly name: string; readonly text?: string }[]) => {
                for (const { name, text } of units) {
                    this.step(`install ${name}`);
                    this.units.set(name, text ?? "");
                }
            },
            installed: async () => true,
            hasOwnViews: async () => true,
            missingControllers: async () => [],
            controllers: async () => [],
            limit: async (unit: string, dropIn: string | undefined) => {
                this.step(`limit ${unit}`);
                this.limits.set(unit, dropIn);
            },
            limits: async (unit: string) => this.limits.get(unit),
            uninstall: async (units: readonly { readonly name: string }[]) => {
                for (const { name } of units) {
                    this.step(`uninstall ${name}`);
                    this.units.delete(name);
                }
            },
            states: async () => new Map([...this.running].map((name) => [name, { name, active: "active", sub: "running" }])),
            start: async (unit: string) => {
                this.running.add(unit);
                this.started(unit);
            },
            restart: async (unit: string) => {
                this.step(`restart ${unit}`);
                this.started(unit);
            },
            stop: async (unit: string) => {
                this.step(`stop ${unit}`);
                this.running.delete(unit);
                this.stopped(unit);
            },
            lastWords: async () => "",
        },
        ports: { addresses: () => [] },
        redis: {
            ask: async (_: string, commands: readonly (readonly string[])[]) => {
                const { server } = this;
                if (!server) throw new Error("nobody answers");
                for (const words of commands) this.asked.push(words.join(" "));
                return commands.map((words) => (words[0] === "PING" ? "PONG" : server(words)));
            },
        },
    } as unknown as Os;

    #under(directory: string): readonly string[] {
        return [...this.files.keys()].filter((path) => path.startsWith(`${directory}/`));
    }

    #stat(path: string): FileStat | undefined {
        if (!this.has(path)) return undefined;
        const text = this.files.get(path);
        return { bytes: 4_096, reservedBytes: 4_096, directory: text === undefined, changedMs: 0, device: this.deviceOf(path), inode: 1 };
    }

    #move(from: string, to: string): void {
        for (const path of [from, ...this.#under(from)]) {
            const text = this.files.get(path);
            this.files.delete(path);
            if (text !== undefined) this.files.set(to + path.slice(from.length), text);
        }
    }
}
