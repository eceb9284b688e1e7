import type { Disk } from "../../engines/zdb/disk.ts";
import { runTool, type Tool, type ToolWorld } from "../../engines/zdb/tool.ts";
import type { MemoryDisk } from "./memory-disk.ts";

export interface ToolResult {
    readonly code: number;
    readonly out: string;
    readonly said: readonly string[];
}

/** Runs a tool on a disk of the test's. */
export async function runOn(disk: Disk, tool: Tool, ...argv: readonly string[]): Promise<ToolResult> {
    let out = "";
    const said: string[] = [];
    const world: ToolWorld = {
        disk,
        lockForReading: () => () => undefined,
        lockForWriting: () => () => undefined,
        lockOriginal: () => () => undefined,
        out: (text) => {
            out += text;
        },
        say: (line) => said.push(line),
        progress: () => undefined,
    };
    return { code: await runTool("tool", tool, argv, world), out, said };
}

/** One bit of a file is another. */
export function flip(disk: MemoryDisk, file: string, bit: number): MemoryDisk {
    const copy = disk.copy();
    const bytes = copy.contents(file);
    const at = Math.floor(bit / 8);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8));
    copy.replace(file, bytes);
    return copy;
}

const CHANGES: readonly PropertyKey[] = ["create", "write", "truncate", "rename", "link", "remove", "syncNow", "syncDirectory"];

/** A disk that stops for good before its change number `steps`. */
export function stopping(disk: MemoryDisk, steps: number): { readonly disk: MemoryDisk; readonly wasHit: boolean } {
    let left = steps;
    const stop = {
        wasHit: false,
        disk: new Proxy(disk, {
            get(target, name) {
                const member: unknown = Reflect.get(target, name);
                if (typeof member !== "function") return member;
                if (CHANGES.includes(name) && left-- <= 0) {
                    stop.wasHit = true;
                    return () => {
                        throw new Error("the machine stopped");
                    };
                }
                return member.bind(target);
            },
        }),
    };
    return stop;
}
