import { PROBE_ANSWER_MS } from "./limits.ts";

interface Page {
    /** Behind `zeroform-agent zstor`. */
    readonly usage: string;
    /** Half a sentence for the list of all. */
    readonly summary: string;
    readonly text: string;
}

const SOCKET = "--socket <path>";

/** Every command, in the order in which one meets them. */
const PAGES = {
    serve: {
        usage: "serve --config <file>",
        summary: "run a front end",
        text: `Opens the store, makes it when its metadata namespaces are empty and the file has backends, and serves it on a unix socket until SIGTERM or SIGINT.
It takes over from any other front end of the store, which ends with code 3. Changed backends and settings in the file are taken at the start:
backends that are no longer listed are drained, and the metadata are moved to the namespaces that are listed, one at a time. The file is JSON, must be mode 0600 since it holds the secret, and is described in the engine's README.
Prints "ready" once requests are answered.`,
    },
    recover: {
        usage: "recover --config <file> --write <file>",
        summary: "take over a store from its secret and one metadata url",
        text: `For a machine on which nothing of the store is left. --config names a file like that of serve (mode 0600) with "secret", "socket", "view" and
in "metadata" one or two urls of the store's metadata namespaces; backends and settings in it are not looked at. Takes over from any other front end,
makes the view from the metadata, and writes the whole configuration, with all metadata urls, backends and settings as the store has them, to the file that
--write names (mode 0600; it must not exist). Prints the status as JSON. Go on with: serve --config <that file>.
Nothing is deleted but what the metadata themselves say: run sweep once you know that they are the newest.`,
    },
    put: {
        usage: `put <name> [<file>] [--until <mark>] ${SOCKET}`,
        summary: "store a file, or standard input",
        text: `Makes the next generation of the object: whole or not at all. Ends with 0 once it is on enough backends and metadata replicas, and prints what stat does.
A name is 1 to 1024 bytes of UTF-8 without NUL. The content is read no faster than it is stored.
With --until its last bytes have to be that mark, which is not stored: for input that comes over a network, whose end may be that of the connection.`,
    },
    get: {
        usage: `get <name> [--generation <n>] ${SOCKET}`,
        summary: "write an object to standard output",
        text: `Every byte is authenticated before it is written. When it cannot be had to its end the command ends with 1: what was written until then is a true beginning, no more.
--generation takes an older one that is still kept; see history.`,
    },
    range: {
        usage: `range <name> <offset> <length> ${SOCKET}`,
        summary: "write a part of an object to standard output",
        text: "Fetches the shards that hold the part, nothing else while these answer. A part beyond the end is as long as what there is.",
    },
    import: {
        usage: `import [<prefix>] [--until <mark>] ${SOCKET}`,
        summary: "store the files of a tar archive from standard input",
        text: `Each file is an object, named by the prefix and its path in the archive: tar c docs | zeroform-agent zstor import backup/ ...
Each is whole or not there; when the archive breaks off, or one cannot be stored, what came before it stays. Links and other things that are no files
are left out, and said. --until is that of put. Prints "objects", "bytes" and "leftOut".`,
    },
    export: {
        usage: `export [<prefix>] ${SOCKET}`,
        summary: "write objects to standard output as a tar archive",
        text: `All whose names begin with the prefix, which is left out of their names in the archive: zeroform-agent zstor export backup/ ... | tar x
Every byte is authenticated before it is written. When an object cannot be had the command ends with 1, and the archive lacks its end.`,
    },
    stat: {
        usage: `stat <name> ${SOCKET}`,
        summary: "generation, size and time of an object, as JSON",
        text: 'Prints "name", "generation", "sizeBytes", "createdMs" (Unix milliseconds) and "removed". Ends with 1 when there is no such object.',
    },
    history: {
        usage: `history <name> ${SOCKET}`,
        summary: "the generations of a name that are kept, as JSON",
        text: 'The newest first; a removal is one with "removed". How many are kept is "keepGenerations" of the configuration.',
    },
    ls: {
        usage: `ls [<prefix>] [--after <name>] [--limit <n>] ${SOCKET}`,
        summary: "names, one a line",
        text: "In the order of their bytes. With --after those behind that name only.",
    },
    rm: {
        usage: `rm <name> ${SOCKET}`,
        summary: "remove an object",
        text: "Its space comes back by and by, once no older generation is to be kept. Ends with 1 when there is no such object.",
    },
    check: {
        usage: `check <name> ${SOCKET}`,
        summary: "read every shard that an object stands on, as JSON",
        text: `"spare" is how many shards more than needed the worst of its stripes has; "faults" says which shards are not there byte for byte, and why.
What it finds is repaired with the next round.`,
    },
    status: {
        usage: `status [--words] ${SOCKET}`,
        summary: "what is stored, what could still be lost, what is owed",
        text: `As JSON, or with --words as sentences, the worst first. "spare" counts stripes by how many more shards than needed are on backends that answer:
below 0 they cannot be read now; "bears" is how many more backends, or whole groups of them, may be lost, whichever. "owed" are stripes with shards that
are to be made again elsewhere, "outOfPolicy" those that would not survive what redundantGroups and redundantNodes say. "metadata" has each replica,
and under "exchange" how far the one is that takes the place of another. Every backend is asked first,
for ${PROBE_ANSWER_MS / 1000} s at most.`,
    },
    explain: {
        usage: `explain ${SOCKET}`,
        summary: "where a stripe would go now, and why not better, as JSON",
        text: 'One line a shard in "placement"; "holds" says whether the policy would hold; "why" has the numbers, and each backend that is not written to with its reason; "metadata" says how the replicas of the metadata are.',
    },
    metrics: {
        usage: `metrics ${SOCKET}`,
        summary: "figures as Prometheus reads them",
        text: "Counts, bytes and times of operations and of requests to each backend, redundancy, debt and its age.",
    },
    repair: {
        usage: `repair [--wait [--words]] ${SOCKET}`,
        summary: "do now what is owed",
        text: `One round of what the front end does by itself every 2 s: repair, free space, bring metadata replicas up to date. Prints the status afterwards.
With --wait it goes on until no shard is owed, and tells on standard error how many stripes are left.`,
    },
    scrub: {
        usage: `scrub ${SOCKET}`,
        summary: "read every shard now, compare, and repair",
        text: 'Takes as long as reading everything. Prints how many "stripes" were read and how many "badShards" were found, and the same of the "values" of the metadata, on all replicas, and "badValues". By itself it does so within "scrubMs".',
    },
    rebalance: {
        usage: `rebalance ${SOCKET}`,
        summary: "even out what backends hold, such as one that was added",
        text: `Begins one pass over all stripes and ends; the front end moves at most 16 shards every 2 s, behind repair, to backends that hold less for their weight, never so
that the policy would hold less. status has its progress under "rebalance". When the front end ends meanwhile, ask again.`,
    },
    repack: {
        usage: `repack ${SOCKET}`,
        summary: "pack small and mostly deleted stripes into fuller ones, now",
        text: `By itself the front end does so behind all other work, at most 8 MiB every 2 s, with stripes that are half a minute old. Prints how many "stripes" were given up and
how many bytes were moved; status has what the shards take as "storedBytes".`,
    },
    sweep: {
        usage: `sweep ${SOCKET}`,
        summary: "delete shards that nothing has named for a day",
        text: `Says that the metadata that were found are the newest, which a person must know after a recovery; from then on it is done by itself.
An orphan is deleted when it is seen a second time a day later. Prints "orphans", "deleted", and in "unseen" the backends that did not answer.`,
    },
    "rotate-wrapping": {
        usage: `rotate-wrapping ${SOCKET}`,
        summary: "wrap all data keys with another key",
        text: 'New objects at once, all others with the next rounds; no data is read. For another secret give it in "secret" of the configuration and the old one in "previousSecrets".',
    },
} satisfies Record<string, Page>;

const ENDING = `Exit status: 0; 1 with a sentence on standard error; 2 for a command line that is none; 3 when another front end has taken over.
`;

/** Of all commands, or of one. */
export function helpFor(command: string): string {
    const page = Object.entries<Page>(PAGES).find(([name]) => name === command)?.[1];
    if (page) return `zeroform-agent zstor ${page.usage}\n\n${sentence(page.summary)}\n\n${page.text}\n\n${ENDING}`;
    const width = Math.max(...Object.keys(PAGES).map((name) => name.length));
    const lines = Object.entries<Page>(PAGES).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
    return `zeroform-agent zstor <command> ...: a dispersed object store over Zero-DB namespaces\n\n${lines.join("\n")}\n
All but serve and recover take ${SOCKET} of the front end. More of each: zeroform-agent zstor <command> --help\n${ENDING}`;
}

export const COMMANDS: readonly string[] = Object.keys(PAGES);

function sentence(text: string): string {
    return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
