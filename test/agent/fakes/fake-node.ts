import type { Os } from "../../../agent/os/os.ts";
import type { Context, Driver, Resource, Trashed } from "../../../agent/primitives/driver.ts";
import type { AnyDriver, Drivers } from "../../../agent/reconciler/drivers.ts";
import type { ResourceKind } from "../../../agent/store/rows.ts";
import { ZeroformError } from "../../../protocol/errors.ts";
import { parseResourceId } from "../../../protocol/ids.ts";
import { primitiveOf } from "../../../schema/index.ts";
import type { AnyPrimitive } from "../../../schema/primitive.ts";
import { bytesOf } from "../../../schema/quantity.ts";

/** A resource as it is on the node. */
interface Piece {
    readonly kind: ResourceKind;
    readonly spec: Readonly<Record<string, unknown>>;
    /** What the user has put there. */
    readonly data: string;
}

/** A node in memory, with drivers that make things on it, and everything on it that can go wrong. It survives its agent. */
export class FakeNode {
    pieces = new Map<string, Piece>();
    trash = new Map<string, string>();
    /** The mount that a piece of trash lies on, and goes with. */
    liesOn = new Map<string, string>();
    /** What is wrong with a resource, by life; applying mends it. */
    readonly drift = new Map<string, string>();
    /** What somebody should know of a resource of this name although it is ready. */
    readonly notes = new Map<string, string>();
    /** Errors that the next attempts on a resource of this name end with; `always` never runs out. */
    readonly failures = new Map<string, { readonly error: ZeroformError; times: number }>();
    /** Attempts on a resource of this name wait for this. */
    readonly gates = new Map<string, Promise<void>>();
    /** Why resources of a kind cannot be looked at. */
    readonly blind = new Map<ResourceKind, string>();
    /** What `admit` refuses, by name. */
    readonly refused = new Map<string, ZeroformError>();
    installed = new Set<string>();
    missing: Readonly<Record<string, string>> = {};
    /** What drivers did, in order. */
    readonly did: string[] = [];
    changed: () => void = () => undefined;
    /** Called at every step that a driver takes, to cut the power there. */
    step: () => void = () => undefined;
    /** What all figures wait for. */
    measuring: Promise<void> | undefined;
    facts = { arch: "x86_64", kernel: "6.1", cores: 2, memory: 1, disks: [] };

    readonly drivers: Drivers = { ZMount: this.#driver("ZMount"), Zdb: this.#driver("Zdb"), ZStor: this.#driver("ZStor") };

    /** The parts of the seam that the core itself uses. */
    readonly os = {
        machine: { facts: async () => this.facts },
        packages: {
            howToInstall: async (names: readonly string[]) => `Run \`apt-get install ${names.join(" ")}\` on the node`,
            missing: async (needed: Readonly<Record<string, string>>) => Object.keys(needed).filter((name) => !this.installed.has(name)),
            install: async (names: readonly string[]) => {
                for (const name of names) this.installed.add(name);
            },
        },
        systemd: {
            watch: (onChange: () => void) => {
                this.changed = onChange;
                return () => undefined;
            },
        },
    } as unknown as Os;

    /** The data of a resource, as its user sees them. */
    data(life: string): string | undefined {
        return this.pieces.get(life)?.data;
    }

    write(life: string, data: string): void {
        const piece = this.pieces.get(life);
        if (piece) this.pieces.set(life, { ...piece, data });
    }

    fail(name: string, error: ZeroformError, times = Number.POSITIVE_INFINITY): void {
        this.failures.set(name, { error, times });
    }

    copy(): Pick<FakeNode, "pieces" | "trash" | "liesOn"> {
        return { pieces: new Map(this.pieces), trash: new Map(this.trash), liesOn: new Map(this.liesOn) };
    }

    #driver(kind: ResourceKind): AnyDriver {
        const node = this;
        const driver: Driver<AnyPrimitive, ReadonlyMap<string, Piece>> = {
            primitive: primitiveOf(kind),
            packages() {
                return node.missing;
            },
            async gather() {
                const why = node.blind.get(kind);
                if (why !== undefined) throw new ZeroformError({ code: "FAILED", message: why });
                return new Map(node.pieces);
            },
            observe(resource, pieces) {
                const piece = pieces.get(resource.life);
                if (!piece) return { state: "absent" };
                const why = node.drift.get(resource.life);
                if (why !== undefined) return { state: "drifted", why };
                if (kind === "ZMount" && piece.spec.size !== resource.spec.size)
                    return { state: "drifted", why: `it is ${String(piece.spec.size)} large` };
                const note = node.notes.get(resource.name);
                return { state: "ready", outputs: { path: `/on/${resource.life}` }, ...(note !== undefined && { notes: [note] }) };
            },
            async admit(wanted, old) {
                const refusal = node.refused.get(wanted.name);
                if (refusal) throw refusal;
                if (old && kind === "ZMount" && bytesOf(String(wanted.spec.size)) < bytesOf(String(old.spec.size)))
                    throw new ZeroformError({ code: "INVALID", message: "it never shrinks" });
                if (kind === "ZMount") return wanted.spec;
                return {
                    ...wanted.spec,
                    password: wanted.spec.password ?? old?.spec.password ?? "generated-secret",
                    port: wanted.spec.port ?? old?.spec.port ?? 9900,
                };
            },
            async apply(resource, context) {
                await node.#attempt("apply", resource, context);
                const data = node.pieces.get(resource.life)?.data ?? "";
                node.pieces.set(resource.life, { kind, spec: resource.spec, data });
                node.drift.delete(resource.life);
                node.step();
            },
            trashPlace: (resource) => `/trash/${resource.life}`,
            async trace(life) {
                const piece = node.pieces.get(life);
                const mount = parseResourceId(String(piece?.spec.mount ?? ""))?.life;
                return piece?.kind === kind && (mount === undefined || node.pieces.has(mount)) ? `/on/${life}` : undefined;
            },
            keptPlace: (resource) => `/kept/${resource.life}`,
            async remove(resource, place, context) {
                await node.#attempt("remove", resource, context);
                const data = node.pieces.get(resource.life)?.data;
                if (place !== undefined && data !== undefined) node.#discard(place, data, resource);
                if (place !== undefined) node.pieces.delete(resource.life);
                node.step();
            },
            trashedBytes: async ({ place }) => (node.trash.has(place) ? 1 : 0),
            async purge(trashed, context) {
                await node.#attempt("purge", trashed.resource, context);
                node.trash.delete(trashed.place);
                for (const [place, mount] of node.liesOn) if (mount === trashed.resource.life) node.trash.delete(place);
                node.step();
            },
            async restore(trashed: Trashed, into, own, context) {
                await node.#attempt("restore", into, context);
                const piece = node.pieces.get(into.life);
                const back = node.trash.get(trashed.place);
                if (back === undefined) return;
                if (piece) node.#discard(own, piece.data, into);
                node.trash.delete(trashed.place);
                for (const [place, mount] of node.liesOn) if (mount === trashed.resource.life) node.liesOn.set(place, into.life);
                node.pieces.set(into.life, { kind, spec: into.spec, data: back });
                node.step();
            },
            units: ({ life }) => [`fake-${life}.service`],
            measure: async (_os, resources) => {
                await node.measuring;
                const family = { name: `zeroform_fake_${kind.toLowerCase()}_bytes`, help: "Bytes of a fake.", type: "gauge" } as const;
                return resources.map((resource) => ({ family, resource, value: 1 }));
            },
        };
        return driver as unknown as AnyDriver;
    }

    #discard(place: string, data: string, { uses }: Resource): void {
        this.trash.set(place, data);
        if (uses.mount) this.liesOn.set(place, uses.mount.life);
    }

    async #attempt(verb: string, { name }: Resource, { signal, progress }: Context): Promise<void> {
        this.did.push(`${verb} ${name}`);
        progress(`${verb} ${name}`);
        this.step();
        const gate = this.gates.get(name);
        if (gate) {
            const aborted = new Promise<never>((_, reject) =>
                signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
            );
            await Promise.race([gate, aborted]);
        }
        signal.throwIfAborted();
        const failure = this.failures.get(name);
        if (!failure || failure.times <= 0) return;
        failure.times--;
        throw failure.error;
    }
}
