import { runZstor } from "./main.ts";

/** The engine as a program of its own: `bun engines/zstor/standalone.ts serve --config ...`. */
process.exit(await runZstor(process.argv.slice(2)));
