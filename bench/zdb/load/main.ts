import { Generator } from "./generator.ts";
import type { LoadJob } from "./job.ts";

/** The load generator as a program of its own, under Bun: the job as its argument, the result on standard output. */
const job: LoadJob = JSON.parse(process.argv[2] ?? "");
process.stdout.write(JSON.stringify(new Generator(job).run()));
