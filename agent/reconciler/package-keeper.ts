import { ZeroformError } from "../../protocol/errors.ts";
import type { Os, Work } from "../os/os.ts";
import type { Machinery } from "./machinery.ts";

/** An installation goes on when nobody waits for it any more: a package manager that is killed half-way leaves a machine that needs repair. */
const LONGEST_INSTALLATION_MS = 15 * 60_000;

/** Sees to it that the OS packages a driver needs are there. */
export class PackageKeeper {
    readonly #os: Os;
    readonly #tell: Machinery["tell"];
    readonly #listeners = new Set<(doing: string) => void>();
    #installing: Promise<void> | undefined;

    constructor(os: Os, tell: Machinery["tell"]) {
        this.#os = os;
        this.#tell = tell;
    }

    /** Throws PACKAGE_MISSING when they are not there and may not, or cannot, be installed. */
    async ensure(needed: Readonly<Record<string, string>>, mayInstall: boolean, work: Work): Promise<void> {
        const { signal, progress } = work;
        for (;;) {
            const missing = await this.#os.packages.missing(needed);
            if (missing.length === 0) return;
            if (!mayInstall)
                throw new ZeroformError({
                    code: "PACKAGE_MISSING",
                    message: `the OS package ${missing.join(", ")} is not installed, and the agent may not install it (installPackages is false)`,
                    hint: `${await this.#os.packages.howToInstall(missing)}, or set installPackages on the Node.`,
                });
            this.#listeners.add(progress);
            try {
                // One installation at a time; afterwards it is looked again at what this one needs.
                this.#installing ??= this.#install(missing).finally(() => {
                    this.#installing = undefined;
                });
                await unlessAborted(this.#installing, signal);
            } finally {
                this.#listeners.delete(progress);
            }
        }
    }

    async #install(names: readonly string[]): Promise<void> {
        const progress = (doing: string) => {
            for (const hear of this.#listeners) hear(doing);
        };
        progress(`installing ${names.join(", ")}`);
        await this.#os.packages.install(names, { signal: AbortSignal.timeout(LONGEST_INSTALLATION_MS), progress });
        this.#tell("installed", `OS package ${names.join(", ")}`);
    }
}

const unlessAborted = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> => {
    // Nobody may be left to hear how it ended.
    promise.catch(() => undefined);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", abort));
};
