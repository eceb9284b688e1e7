import { text } from "node:stream/consumers";
import { seam } from "../../../agent/os/seam.ts";
import type { Context, Driver, Resource, Trashed } from "../../../agent/primitives/driver.ts";
import { drivers } from "../../../agent/primitives/index.ts";
import { asZeroformError } from "../../../protocol/errors.ts";
import type { AnyPrimitive } from "../../../schema/primitive.ts";
import type { Answer, Request } from "./protocol.ts";

/** Runs one verb of a driver on the machine it is started on: request on standard input, answer on standard output. */
const request = JSON.parse(await text(process.stdin)) as Request;
const driver = drivers[request.kind] as unknown as Driver<AnyPrimitive, unknown>;
const said: string[] = [];
const machine = {
    facts: () => Promise.reject(new Error("drivers do not ask for the machine's facts")),
};
const packages = {
    missing: () => Promise.reject(new Error("drivers do not install packages")),
    howToInstall: () => Promise.reject(new Error("drivers do not install packages")),
    install: () => Promise.reject(new Error("drivers do not install packages")),
};
const os = { ...seam, machine, packages };
const trash = [...request.trash];
const context: Context = {
    os,
    signal: AbortSignal.timeout(120_000),
    progress: (doing) => said.push(doing),
    resources: (kind) => request.resources.filter((resource) => resource.kind === kind),
    leaving: () => [],
    trash: (kind) => trash.filter(({ resource }) => resource.kind === kind),
    purgeNow: async (trashed) => {
        await (drivers[trashed.resource.kind as keyof typeof drivers] as unknown as typeof driver).purge(trashed, context);
        trash.splice(trash.indexOf(trashed), 1);
    },
};

const answer = async (): Promise<unknown> => {
    const { resource } = request;
    switch (request.verb) {
        case "inquire":
            return driver.inquire?.(resource.spec, context);
        case "admit":
            return driver.admit(resource, request.old, context);
        case "apply":
            return driver.apply(resource, context);
        case "observe":
            return driver.observe(resource, await driver.gather(os, [resource, ...request.resources]));
        case "remove":
            return driver.remove(resource, request.keep ? undefined : await trashPlaceOf(resource), context);
        case "trashed":
            return driver.trashedBytes(trashedOf(resource), context);
        case "purge":
            return driver.purge(trashedOf(resource), context);
        case "restore":
            return driver.restore(trashedOf(request.from ?? resource), resource, request.own ?? "", context);
        case "watch":
            return watched();
    }
};

const trashPlaceOf = async (resource: Resource) => (await driver.trashPlaceNow?.(resource, context)) ?? driver.trashPlace(resource);

/** The first change that is noticed; that it can be is told by a file. */
const watched = (): Promise<string> =>
    new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error("nothing was noticed")), 20_000);
        os.systemd.watch(() => resolve("noticed"));
        // The first poll takes what has been before.
        setTimeout(() => void os.files.writeText("/run/zfd-watching", ""), 2_000);
    });

const trashedOf = (resource: Resource): Trashed => ({ resource, place: driver.trashPlace(resource) ?? "" });

const print = (result: Answer) => process.stdout.write(JSON.stringify(result));
try {
    print({ ok: (await answer()) ?? null, said });
} catch (failure) {
    print({ error: asZeroformError(failure).facts(), said });
}
process.exit(0);
