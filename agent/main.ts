import { parseArgs } from "node:util";
import { PROTOCOLS_UNDERSTOOD, VERSION } from "../protocol/version.ts";

const USAGE = `zeroform-agent ${VERSION}: keeps what a Pulumi program with zeroform wants on this machine.

zeroform-agent serve                      run the agent (zeroform-agent.service does)
zeroform-agent rpc [--session <id>] [--protocol <n,...>]
                                          join standard input and output to the agent
zeroform-agent install                    make this agent the machine's and start it
zeroform-agent uninstall [--if-unused]    take the agent off the machine when nothing is left for it to do
zeroform-agent metrics                    print figures of agent and engines as Prometheus reads them
zeroform-agent units [<life>|<name>]      print the systemd units of resources, as JSON on a line each
zeroform-agent claim same|new             say what a machine with a copied disk is
zeroform-agent zdb [options]              run a Zero-DB server
zeroform-agent zdb check|repair|import|dump ...
                                          work on the files of one that is stopped
zeroform-agent zstor <command>            run a front end of a dispersed store, or speak to one
zeroform-agent --version | --help
`;

/** One program for everything on a node; each command loads only what it needs. */
const main = async ([command, ...rest]: readonly string[]): Promise<number> => {
    switch (command) {
        case "serve":
            return (await import("./serve.ts")).serve();
        case "rpc":
            return rpc(rest);
        case "install":
            await (await import("./os/install.ts")).install((doing) => console.error(doing));
            return 0;
        case "uninstall":
            return (await import("./uninstall.ts")).uninstall(rest.includes("--if-unused"));
        case "metrics":
            return (await import("./print-metrics.ts")).printMetrics();
        case "units":
            return (await import("./units-of.ts")).printUnits(rest[0]);
        case "claim":
            return (await import("./claim.ts")).claim(rest[0]);
        case "zdb":
            return (await import("../engines/zdb/main.ts")).runZdb(rest);
        case "zstor":
            return (await import("../engines/zstor/main.ts")).runZstor(rest);
        case "--version":
            console.log(VERSION);
            return 0;
        case "--help":
            console.log(USAGE);
            return 0;
        default:
            console.error(USAGE);
            return 2;
    }
};

const rpc = async (args: readonly string[]): Promise<number> => {
    const { values } = parseArgs({ args: [...args], options: { session: { type: "string" }, protocol: { type: "string" } } });
    const { session, protocol } = values;
    const protocols = protocol?.split(",").map(Number) ?? PROTOCOLS_UNDERSTOOD;
    const join = (await import("./rpc.ts")).rpc;
    return join({ protocols, ...(session === undefined ? {} : { session }) });
};

try {
    process.exit(await main(process.argv.slice(2)));
} catch (failure) {
    const { asZeroformError } = await import("../protocol/errors.ts");
    console.error(asZeroformError(failure).sentence());
    process.exit(1);
}
