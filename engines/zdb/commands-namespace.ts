import { checkWrite, isVisible } from "./access.ts";
import { argument, type Call, type Command, textArgument } from "./command.ts";
import type { HookEvent } from "./hooks.ts";
import {
    MAX_HOOK_VALUE_BYTES,
    MAX_LISTEN_VALUE_BYTES,
    MAX_NAMESPACE_NAME_BYTES,
    MAX_PROPERTY_NAME_BYTES,
    MAX_PROPERTY_VALUE_BYTES,
    MAX_TLS_VALUE_BYTES,
} from "./limits.ts";
import type { Namespace } from "./namespace.ts";
import { emptyLog } from "./namespace-emptying.ts";
import { namespaceInfo, unavailableInfo } from "./namespace-info.ts";
import { DEFAULT_NAMESPACE } from "./namespace-name.ts";
import { PROPERTY_NAMES, type PropertyChange, propertyChange } from "./properties.ts";
import { Refusal } from "./refusal.ts";
import { whyNotRun } from "./seam-process.ts";

/** What may be set on `default`; its size, password and listeners are the server's. */
const DEFAULT_PROPERTIES: readonly string[] = ["mode", "lock", "freeze", "durability"];

/** What decides who may be in a namespace. */
const TERMS: readonly string[] = ["listen", "tls", "password", "public"];

/** Properties that may be longer than others. */
const LONGER: ReadonlyMap<string, number> = new Map([
    ["listen", MAX_LISTEN_VALUE_BYTES],
    ["tls", MAX_TLS_VALUE_BYTES],
    ["hook", MAX_HOOK_VALUE_BYTES],
]);

export const NAMESPACE_COMMANDS: Readonly<Record<string, Command>> = {
    NSNEW: { admin: true, argc: [2, 2 + 2 * PROPERTY_NAMES.length], refusesEmpty: true, run: create },
    NSDEL: { admin: true, argc: [2, 2], refusesEmpty: true, run: remove },
    NSSET: { admin: true, argc: [4, 4], refusesEmpty: true, run: setProperty },
    NSINFO: { argc: [2, 2], refusesEmpty: true, run: info },
    NSLIST: { run: list },
    RELOAD: { admin: true, argc: [2, 2], refusesEmpty: true, run: reload },
    FLUSH: { run: flush },
    NSJUMP: { admin: true, run: jump },
    NSDETACH: { admin: true, argc: [3, 3], refusesEmpty: true, run: detach },
    NSSNAPSHOT: { admin: true, argc: [3, 3], refusesEmpty: true, run: snapshot },
    NSATTACH: { admin: true, argc: [3, 3], refusesEmpty: true, run: attach },
};

/** Ours: with properties and their values behind the name, which it has from its first moment, for one write of the disk. */
async function create(call: Call): Promise<void> {
    const { context, args } = call;
    const name = nameArgument(call);
    if (args.length % 2 !== 0) throw new Refusal("Unexpected arguments");
    const changes: PropertyChange[] = [];
    for (let place = 2; place < args.length; place += 2) changes.push(changeArgument(call, place));
    if (changes.some((change) => change.name === "mode")) checkOwnModes(call);
    const namespace = await context.namespaces.create(name, changes);
    if (changes.some((change) => TERMS.includes(change.name))) await context.rearrange();
    tell(call, "namespace-created", name, namespace);
    call.reply.ok();
}

async function remove(call: Call): Promise<void> {
    const { context, session, reply } = call;
    const name = nameArgument(call);
    if (name === DEFAULT_NAMESPACE) throw new Refusal("Cannot remove default namespace");
    const namespace = context.namespaces.get(name);
    if (namespace === session.namespace) throw new Refusal("Cannot remove namespace you're currently using.");
    await context.namespaces.remove(name);
    await context.rearrange();
    tell(call, "namespace-deleted", name, namespace);
    reply.ok();
}

async function setProperty(call: Call): Promise<void> {
    const { context, reply } = call;
    const name = nameArgument(call);
    const property = textArgument(call, 2);
    checkLength(property, textArgument(call, 3));

    const namespace = context.namespaces.get(name);
    if (!namespace) throw new Refusal("Namespace not found");
    if (name === DEFAULT_NAMESPACE && !DEFAULT_PROPERTIES.includes(property)) throw new Refusal("Cannot update default namespace");
    if (property === "mode") checkModeChange(call, namespace);

    await namespace.setProperty(changeArgument(call, 2));
    if (TERMS.includes(property)) await context.rearrange();
    tell(call, "namespace-updated", name, namespace);
    reply.ok();
}

/** A property's name and its value behind it. */
function changeArgument(call: Call, place: number): PropertyChange {
    const property = textArgument(call, place);
    const value = textArgument(call, place + 1);
    checkLength(property, value);
    // A password may be read by whoever reads the values; with a key one could pose as the server.
    if (property === "tls" && value !== "*" && !call.context.sealsSecrets)
        throw new Refusal("Cannot keep a private key without --seal-key-file");
    const change = propertyChange(property, property === "listen" && value === "*" ? "" : value);
    if (change.name === "hook") checkHook(call, change.text);
    return change;
}

/** It runs as the server does, so only the server's owner says what; and one that cannot run is told at once. */
function checkHook({ session }: Call, program: string): void {
    if (session.entrance.kind !== "admin") throw new Refusal("Permission denied");
    if (program === "") return;
    const problem = whyNotRun(program);
    if (problem) throw new Refusal(`Cannot run ${program} (${problem})`);
}

function checkLength(property: string, value: string): void {
    const longest = LONGER.get(property) ?? MAX_PROPERTY_VALUE_BYTES;
    if (property.length > MAX_PROPERTY_NAME_BYTES || value.length > longest) throw new Refusal("Argument too long");
}

function checkOwnModes({ context }: Call): void {
    if (context.namespaces.hasFixedMode) throw new Refusal("This server instance is configured to use a single runtime mode");
}

function checkModeChange(call: Call, namespace: Namespace): void {
    checkOwnModes(call);
    if (namespace.wasUsed) throw new Refusal("Cannot change mode of used namespace");
}

function info(call: Call): undefined {
    const { context, session, reply } = call;
    const name = nameArgument(call);
    if (session.admin) {
        for (const unopened of context.namespaces.unavailable())
            if (unopened.name === name) {
                reply.text(unavailableInfo(unopened));
                return;
            }
    }
    const namespace = context.namespaces.get(name);
    if (!namespace || !isVisible(namespace, session, context)) throw new Refusal("Namespace not found");
    reply.text(namespaceInfo(namespace, context, session.admin));
}

/** What could not be opened comes last, for the administrator only: nobody knows whether it is private. */
function list({ context, session, reply }: Call): undefined {
    const { namespaces } = context;
    const visible = [...namespaces.all()].filter((namespace) => isVisible(namespace, session, context));
    const names = [...visible, ...(session.admin ? namespaces.unavailable() : [])].map(({ name }) => name);
    reply.array(names.length);
    for (const name of names) reply.text(name);
}

/** Reads a namespace anew from its files. Its clients wait, nobody else. */
async function reload(call: Call): Promise<void> {
    const name = nameArgument(call);
    await call.context.namespaces.renew(name);
    tell(call, "namespace-reloaded", name, call.context.namespaces.get(name));
    call.reply.ok();
}

/** Drops everything but the properties; the history begins anew. */
async function flush({ context, session, reply }: Call): Promise<void> {
    const { name, properties } = session.namespace;
    if (properties.public || properties.password === "") throw new Refusal("Flushing public namespace denied");
    checkWrite(session, context.closed);
    if (properties.worm) throw new Refusal("Cannot flush a namespace that is in worm mode");
    await context.namespaces.renew(name, emptyLog);
    reply.ok();
}

/** Ends the segment of the client's namespace, so that it can be copied away. */
function jump({ session, reply }: Call): undefined {
    session.namespace.nextSegment();
    reply.ok();
}

/** Ours: `NSDETACH <namespace> <directory>` takes a namespace out of the server, data and all. */
async function detach(call: Call): Promise<void> {
    const { context, reply } = call;
    const name = nameArgument(call);
    if (name === DEFAULT_NAMESPACE) throw new Refusal("Cannot update default namespace");
    const detached = context.namespaces.known(name);
    await context.namespaces.detach(name, argument(call, 2).toString("utf8"));
    await context.rearrange();
    tell(call, "namespace-deleted", name, detached);
    reply.ok();
}

/** Ours: `NSATTACH <namespace> <directory>` brings one back, under any name. */
async function attach(call: Call): Promise<void> {
    const { context, reply } = call;
    const name = nameArgument(call);
    const attached = await context.namespaces.attach(name, argument(call, 2).toString("utf8"));
    await context.rearrange();
    tell(call, "namespace-created", name, attached);
    reply.ok();
}

/** Ours: `NSSNAPSHOT <namespace> <directory>` copies a namespace as it is now, while it is written. */
async function snapshot(call: Call): Promise<void> {
    const { context, reply } = call;
    await context.namespaces.snapshot(nameArgument(call), argument(call, 2).toString("utf8"));
    reply.ok();
}

/** The hook runs beside; nobody waits for it. */
function tell({ context }: Call, event: HookEvent, name: string, namespace: Namespace | undefined): void {
    void context.hooks.fireFor(namespace?.properties, event, name);
}

function nameArgument(call: Call): string {
    const name = textArgument(call, 1);
    if (name.length > MAX_NAMESPACE_NAME_BYTES) throw new Refusal("Namespace too long");
    return name;
}
