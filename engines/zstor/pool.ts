import { type Backend, BackendError, type NamespaceInfo } from "./backend.ts";
import { BoundedBackend } from "./bounded-backend.ts";
import { Figures } from "./figures.ts";
import { FAILURES_TO_DOWN, PROBE_MS, RESERVE_BYTES } from "./limits.ts";
import type { Candidate } from "./placement.ts";
import type { BackendConfig } from "./store-record.ts";
import type { Surroundings } from "./surroundings.ts";

export type Connect = (url: string) => Backend;

export interface Member {
    readonly config: BackendConfig;
    readonly backend: Backend;
    /** Since when it does not answer; undefined while it does. */
    readonly downSinceMs: number | undefined;
    /** What it said last. */
    readonly info: NamespaceInfo | undefined;
    /** Why nothing new is placed on it; undefined when something is. */
    readonly refusal: string | undefined;
    /** Of requests, by kind. */
    readonly figures: Figures;
}

/** The data backends of a store, and how they are: from what is asked of them, and from probes. */
export class Pool {
    private readonly surroundings: Surroundings;
    private readonly connect: Connect;
    private readonly members = new Map<number, PoolMember>();
    private cancelProbe: (() => void) | undefined;
    private closed = false;

    constructor(connect: Connect, surroundings: Surroundings) {
        this.connect = connect;
        this.surroundings = surroundings;
    }

    /** Takes the backends that are configured, lets go of others, and asks all how they are. */
    async configure(configs: readonly BackendConfig[]): Promise<void> {
        for (const [id, member] of this.members) {
            if (configs.some((config) => config.id === id && config.url === member.config.url)) continue;
            member.backend.close();
            this.members.delete(id);
        }
        for (const config of configs) {
            const known = this.members.get(config.id);
            if (known) known.config = config;
            else this.members.set(config.id, new PoolMember(config, this.connect(config.url), this.surroundings));
        }
        await this.probe();
    }

    member(id: number): Member | undefined {
        return this.members.get(id);
    }

    all(): Member[] {
        return [...this.members.values()];
    }

    isUp(id: number): boolean {
        const member = this.members.get(id);
        return member !== undefined && member.downSinceMs === undefined;
    }

    /** Where something new may go. */
    candidates(): Candidate[] {
        return [...this.members.values()].flatMap((member) => (member.refusal === undefined ? [member.candidate()] : []));
    }

    /** As placement sees it, also when nothing new may go there. */
    candidate(id: number): Candidate | undefined {
        return this.members.get(id)?.candidate();
    }

    async probe(): Promise<void> {
        this.cancelProbe?.();
        await Promise.all([...this.members.values()].map((member) => member.probe()));
        this.cancelProbe?.();
        if (!this.closed) this.cancelProbe = this.surroundings.clock.after(PROBE_MS, () => void this.probe());
    }

    close(): void {
        this.closed = true;
        this.cancelProbe?.();
        for (const { backend } of this.members.values()) backend.close();
    }
}

class PoolMember implements Member {
    config: BackendConfig;
    readonly backend: Backend;
    downSinceMs: number | undefined;
    info: NamespaceInfo | undefined;
    private readonly surroundings: Surroundings;
    readonly figures: Figures;
    private failures = 0;
    /** Written since the last probe. */
    private writtenBytes = 0;

    constructor(config: BackendConfig, backend: Backend, surroundings: Surroundings) {
        this.config = config;
        this.surroundings = surroundings;
        this.figures = new Figures(surroundings.clock);
        this.backend = this.watched(new BoundedBackend(backend, surroundings.clock));
    }

    get refusal(): string | undefined {
        const { info, config } = this;
        if (config.state !== "active") return `it is ${config.state}`;
        if (this.downSinceMs !== undefined) return "it does not answer";
        if (info === undefined) return "it has not answered yet";
        if (info.state !== "ok") return `it is ${info.state}`;
        if (info.mode !== "user") return `its mode is ${info.mode}, not user`;
        if (info.durability !== "commit" && !config.allowUnsafe) return `its durability is ${info.durability ?? "not known"}, not commit`;
        return this.freeBytes > 0 ? undefined : "it is full";
    }

    candidate(): Candidate {
        const { id, group, disk, weight } = this.config;
        return { id, group, disk, weight, freeBytes: this.freeBytes };
    }

    async probe(): Promise<void> {
        try {
            this.info = await this.backend.info();
            this.writtenBytes = 0;
        } catch {
            // Watched: it counts as a failure there.
        }
    }

    private get freeBytes(): number {
        if (this.info === undefined) return 0;
        const { limitBytes, usedBytes, diskFreeBytes } = this.info;
        const quota = limitBytes === undefined ? Number.POSITIVE_INFINITY : limitBytes - usedBytes;
        return Math.max(0, Math.min(quota, diskFreeBytes - RESERVE_BYTES) - this.writtenBytes);
    }

    private watched(backend: Backend): Backend {
        return {
            get: (key) =>
                this.watch(
                    "get",
                    (value) => value?.length ?? 0,
                    () => backend.get(key),
                ),
            set: (key, value) => {
                this.writtenBytes += value.length;
                return this.watch(
                    "set",
                    () => value.length,
                    () => backend.set(key, value),
                );
            },
            delete: (key) => this.watch("delete", none, () => backend.delete(key)),
            scan: (cursor) => this.watch("scan", none, () => backend.scan(cursor)),
            info: () => this.watch("info", none, () => backend.info()),
            close: () => backend.close(),
        };
    }

    private async watch<T>(request: string, bytesOf: (result: T) => number, operation: () => Promise<T>): Promise<T> {
        const isProbe = request === "info";
        try {
            const result = await this.figures.time(request, bytesOf, operation);
            // Only a probe brings a backend back: an answer that was under way says nothing of now.
            if (isProbe || this.downSinceMs === undefined) {
                this.failures = 0;
                this.downSinceMs = undefined;
            }
            return result;
        } catch (error) {
            this.failed(error, isProbe);
            throw error;
        }
    }

    private failed(error: unknown, isProbe: boolean): void {
        if (!(error instanceof BackendError)) return;
        if (error.failure === "full") {
            // Nothing more until the next probe says how much room there is.
            this.writtenBytes = Number.POSITIVE_INFINITY;
            return;
        }
        this.failures++;
        if (isProbe || error.failure === "unreachable" || this.failures >= FAILURES_TO_DOWN)
            this.downSinceMs ??= this.surroundings.clock.nowMs();
    }
}

const none = () => 0;
