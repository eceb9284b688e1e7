import { expect } from "vitest";
import type { RespClient } from "./resp-client.ts";

/** One row: what is asked and what is answered, in order, on one connection. */
export type Script = readonly (readonly [request: readonly (string | Buffer)[], reply: unknown])[];

export async function follow(client: RespClient, script: Script): Promise<void> {
    for (const [request, reply] of script) expect(await client.call(...request), String(request[0])).toEqual(reply);
}

export const words = (text: string): string[] => text.split(" ");

/** The key of an id in sequential mode. */
export const id = (number: number): string => {
    const key = Buffer.alloc(8);
    key.writeUInt32LE(number);
    return key.toString("latin1");
};
