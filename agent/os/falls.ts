import { run } from "./program.ts";

/** A service that ended with an error of its own and waits for its next start. */
export interface Fall {
    /** How often it was started again by now. */
    readonly times: number;
    /** The last that it said. */
    readonly said: string;
}

/** undefined: it runs, is starting, was stopped, or was killed, and may be well in a moment. */
export const fallOf = async (unit: string): Promise<Fall | undefined> => {
    const { stdout } = await run("systemctl", ["show", "--property=SubState,Result,NRestarts", unit]);
    if (!stdout.includes("SubState=auto-restart") || !stdout.includes("Result=exit-code")) return undefined;
    const words = await run("journalctl", ["--quiet", `_SYSTEMD_UNIT=${unit}`, "--lines=1", "--output=cat", "--no-pager"], {
        accept: [0, 1],
    });
    return { times: Number(/NRestarts=(\d+)/.exec(stdout)?.[1] ?? 0), said: words.stdout.trim() };
};
