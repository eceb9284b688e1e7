import { runZdb } from "./main.ts";

/** The server as a program of its own: `bun engines/zdb/standalone.ts --data ...`. */
process.exit(await runZdb(process.argv.slice(2)));
