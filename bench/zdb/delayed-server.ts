import { type Disk, nodeDisk } from "../../engines/zdb/disk.ts";
import { ZDB_VERSION } from "../../engines/zdb/main.ts";
import { parseOptions } from "../../engines/zdb/options.ts";
import { WOULD_WAIT } from "../../engines/zdb/seam-read.ts";
import { Server, systemParts } from "../../engines/zdb/server.ts";

/**
 * The server on a disk that takes its time, with data four times as large as memory: of four pages one is in memory, always the same, and a
 * read of the others is answered 5 ms later, however many there are at once. Takes the server's options.
 */
const DELAY_MS = 5;
const DATA_TIMES_MEMORY = 4;
const PAGE_BYTES = 4096;

const isInMemory = (fd: number, position: number): boolean =>
    (Math.imul(Math.floor(position / PAGE_BYTES) ^ (fd << 20), 0x9e37_79b1) >>> 16) % DATA_TIMES_MEMORY === 0;

const disk: Disk = {
    ...nodeDisk,
    readNow: (fd, target, offset, length, position) =>
        isInMemory(fd, position) ? nodeDisk.read(fd, target, offset, length, position) : WOULD_WAIT,
    async readLater(fd, target, offset, length, position) {
        await new Promise<void>((resolve) => setTimeout(resolve, DELAY_MS));
        return nodeDisk.readLater(fd, target, offset, length, position);
    },
};

const parsed = parseOptions(process.argv.slice(2));
if (parsed.action !== "serve") throw new Error("give the options of a server that runs");
const log = (line: string): void => console.log(line);
const server = new Server(parsed.options, ZDB_VERSION, { ...systemParts, disk, log });
await server.start();
process.once("SIGTERM", () => void server.stop().then(() => process.exit(0)));
