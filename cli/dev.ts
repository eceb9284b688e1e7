import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
    cut,
    DEFAULT_PREFIX,
    down,
    type HostInfo,
    type HostRef,
    join,
    list,
    powerOff,
    powerOn,
    prefixes,
    sshArguments,
    up,
} from "../dev/hosts/index.ts";
import { parseHostName } from "../dev/hosts/places.ts";
import { bytesOf, formatSize } from "../schema/quantity.ts";
import { type Explanation, explain } from "./help.ts";

interface Options {
    readonly prefix: string;
    readonly json?: boolean;
    readonly disk?: number;
}

/** `zeroform dev ...`: test hosts on this Linux machine. */
export function register(program: Command): void {
    const dev = program
        .command("dev")
        .description("test hosts on this Linux machine: systemd and sshd in namespaces, with a data disk each");
    dev.enablePositionalOptions();

    command(dev, "up", "make and start hosts until there are [count] that run; what is there already stays")
        .argument("[count]", "how many", wholeNumber, 1)
        .addOption(new Option("--disk <size>", "size of the data disk of hosts made now (default: 20GiB, sparse)").argParser(diskBytes))
        .action(async (count: number, { prefix, disk, json }: Options) => {
            const hosts = await up({ prefix, count, ...(disk === undefined ? {} : { diskBytes: disk }) });
            print(hosts, json);
        });

    command(dev, "down", "switch all hosts of the set off and remove them with their disks").action(async ({ prefix, json }: Options) => {
        const hosts = await list({ prefix });
        await down({ prefix });
        if (json) print([], json);
        else console.log(hosts.length === 0 ? `No test hosts with the prefix ${prefix}.` : `Removed ${names(hosts)}.`);
    });

    command(dev, "list", "the hosts of a set, or of all sets when no prefix is given, and how to reach them").action(
        async ({ prefix, json }: Options, listing: Command) => {
            const sets = listing.getOptionValueSource("prefix") === "default" ? await prefixes() : [prefix];
            print((await Promise.all(sets.map((each) => list({ prefix: each })))).flat(), json);
        },
    );

    dev.command("ssh")
        .description("open a shell on a host, or run a command there, over its real sshd")
        .argument("<name>", "zf-1, or 1 for number 1 of the set; dev@zf-1 or guest@zf-1 for the accounts with and without sudo")
        .argument("[command...]")
        .addOption(prefixOption())
        .passThroughOptions()
        .action(async (host: string, argv: string[], { prefix }: Options) => {
            const [, login = "", bare = host] = /^(\w+@)?(.*)$/.exec(host) ?? [];
            const { name, set } = fullName(bare, prefix);
            process.exitCode = await ssh([...sshArguments(set), login + name, ...argv], name, set);
        });

    for (const [name, description, action] of SWITCHES) {
        command(dev, name, description)
            .argument("<name>", "zf-1, or 1 for number 1 of the set")
            .action(async (host: string, { prefix, json }: Options) => print([await action(fullName(host, prefix).name)], json));
    }

    for (const each of dev.commands) explain(each, { details: SETS, examples: EXAMPLES[each.name()] ?? [] });
}

const SETS = [
    "Hosts are in sets, each with a prefix, a network and keys of its own: several sets live side by side, as for two checkouts or two tests at once.",
];

const EXAMPLES: Readonly<Record<string, Explanation["examples"]>> = {
    up: [
        ["zeroform dev up 3", "zf-1, zf-2 and zf-3"],
        ["zeroform dev up 2 --prefix other --disk 1GiB", "two of another set, with small disks"],
    ],
    down: [["zeroform dev down --prefix other", "that set and nothing else"]],
    list: [
        ["zeroform dev list", "the hosts of all sets"],
        ["zeroform dev list --prefix other --json", "those of one, for a program"],
    ],
    ssh: [
        ["zeroform dev ssh 1", "a shell on zf-1"],
        ["zeroform dev ssh dev@other-2 id", "a command as the account that has sudo"],
    ],
    "power-off": [["zeroform dev power-off zf-2", "as if its power was cut"]],
    "power-on": [["zeroform dev power-on zf-2", "starts it again, with its disk"]],
    cut: [["zeroform dev cut 1 --prefix other", "other-1 runs, and nobody reaches it"]],
    join: [["zeroform dev join 1 --prefix other", "it is reached again"]],
};

const SWITCHES: readonly (readonly [string, string, (host: HostRef) => Promise<HostInfo>])[] = [
    ["power-off", "kill everything in the host at once, as a power cut does; its disk stays", powerOff],
    ["power-on", "start a host that is off", powerOn],
    ["cut", "pull the host's network cable", cut],
    ["join", "put the cable in again", join],
];

function command(parent: Command, name: string, description: string): Command {
    return parent.command(name).description(description).addOption(prefixOption()).option("--json", "print data for programs");
}

function prefixOption(): Option {
    return new Option("--prefix <name>", "which set of hosts; sets live side by side").default(DEFAULT_PREFIX);
}

function wholeNumber(text: string): number {
    if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("Write a whole number, 1 or more.");
    return Number(text);
}

function diskBytes(text: string): number {
    try {
        return bytesOf(/^\d+$/.test(text) ? Number(text) : text);
    } catch {
        throw new InvalidArgumentError('Write a size as "20GiB" (B, KiB, MiB, GiB, TiB) or as a whole number of bytes.');
    }
}

function fullName(host: string, prefix: string): { readonly name: string; readonly set: string } {
    const parsed = parseHostName(host, prefix);
    return { name: `${parsed.prefix}-${parsed.number}`, set: parsed.prefix };
}

async function ssh(argv: readonly string[], name: string, set: string): Promise<number> {
    const host = (await list({ prefix: set })).find((info) => info.name === name);
    if (host === undefined) {
        console.error(`There is no test host ${name}: \`zeroform dev list --prefix ${set}\` names those there are.`);
        return 1;
    }
    const child = spawn("ssh", argv, { stdio: "inherit" });
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 1;
}

function print(hosts: readonly HostInfo[], json: boolean | undefined): void {
    if (json) {
        console.log(JSON.stringify(hosts, null, 4));
        return;
    }
    if (hosts.length === 0) console.log("No test hosts. `zeroform dev up 3` makes three.");
    for (const { name, state, address, diskBytes, user, identityFile } of hosts)
        console.log(`${name.padEnd(10)} ${state.padEnd(4)} ${address.padEnd(15)} disk ${formatSize(diskBytes)}  ${user}, ${identityFile}`);
}

function names(hosts: readonly HostInfo[]): string {
    return hosts.map((host) => host.name).join(", ");
}
