import { existsSync, writeFileSync } from "node:fs";
import type { FrontEndConfig } from "./config.ts";
import { StoreError } from "./object-api.ts";
import { openStore } from "./opening.ts";
import { partsOf } from "./serve.ts";
import { type StoreStatus, statusOf } from "./status.ts";

/**
 * Takes over a store of which this machine has nothing but its secret and a metadata url, makes the view, and writes to `target` the
 * configuration with which a front end goes on.
 */
export async function recover(config: FrontEndConfig, target: string, log: (line: string) => void): Promise<StoreStatus> {
    // Before anybody is replaced for nothing.
    if (existsSync(target)) throw new StoreError("invalid", `${target} is there already: move it away, or name another file`);
    const store = await openStore(partsOf(config, log), config.secret, config.metadata);
    try {
        const { secret, socket, view, deadAfterMs, scrubMs } = config;
        const { metadata, writeQuorum, settings, backends } = store.config;
        const active = backends.filter(({ state }) => state === "active").map(({ id, state, ...backend }) => backend);
        const whole = { secret, socket, view, metadata, writeQuorum, backends: active, ...settings, deadAfterMs, scrubMs };
        writeFileSync(target, `${JSON.stringify(whole, undefined, 4)}\n`, { mode: 0o600, flag: "wx" });
        return statusOf(store);
    } finally {
        await store.close();
    }
}
