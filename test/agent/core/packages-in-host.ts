import { packagesBy } from "../../../agent/os/packages.ts";
import { asZeroformError } from "../../../protocol/errors.ts";

/** Looks for packages and installs what is missing, on the machine it is started on: packages with their programs as JSON, the outcome on standard output. */
const needed = JSON.parse(process.argv[2] ?? "{}") as Readonly<Record<string, string>>;
const packages = packagesBy({ lockWaitS: Number(process.argv[3] ?? 600) });
const said: string[] = [];
const missing = await packages.missing(needed);
try {
    if (missing.length > 0) await packages.install(missing, { signal: AbortSignal.timeout(60_000), progress: (doing) => said.push(doing) });
    console.log(JSON.stringify({ missing, said, left: await packages.missing(needed) }));
} catch (failure) {
    console.log(JSON.stringify({ missing, said, error: asZeroformError(failure).facts() }));
}
process.exit(0);
