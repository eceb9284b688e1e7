import * as fs from "node:fs";
import * as path from "node:path";
import { errorCode, nodeDisk } from "./disk.ts";
import { formatAddress } from "./listen-address.ts";
import type { ServerOptions } from "./options.ts";
import { StartError } from "./refusal.ts";

export function makeDirectories({ data, index }: Pick<ServerOptions, "data" | "index">): void {
    for (const directory of [data, index]) {
        try {
            const first = fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
            if (first !== undefined) syncMade(path.resolve(first), path.resolve(directory));
        } catch (error) {
            throw new StartError(`cannot make the directory ${directory} (${errorCode(error)})`);
        }
    }
}

/** New directories, from the first to the last one below it, outlive a power loss. */
function syncMade(first: string, last: string): void {
    for (let directory = last; directory.length >= first.length; directory = path.dirname(directory)) {
        nodeDisk.syncDirectory(path.dirname(directory));
    }
}

/** What hooks know the server by. */
export function instanceName({ listen: [address], socket, adminSocket, data }: ServerOptions): string {
    if (address) return `tcp://${formatAddress(address)}`;
    return `unix://${path.resolve(socket ?? adminSocket ?? data)}`;
}
