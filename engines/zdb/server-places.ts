import * as fs from "node:fs";
import * as path from "node:path";
import { errorCode } from "./disk.ts";
import { formatAddress } from "./listen-address.ts";
import type { ServerOptions } from "./options.ts";
import { StartError } from "./refusal.ts";

export function makeDirectories({ data, index }: ServerOptions): void {
    for (const directory of [data, index]) {
        try {
            fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
        } catch (error) {
            throw new StartError(`cannot make the directory ${directory} (${errorCode(error)})`);
        }
    }
}

/** What hooks know the server by. */
export function instanceName({ listen: [address], socket, adminSocket, data }: ServerOptions): string {
    if (address) return `tcp://${formatAddress(address)}`;
    return `unix://${path.resolve(socket ?? adminSocket ?? data)}`;
}
