import { randomBytes } from "node:crypto";
import { challengeAnswer, isReachable, isSamePassword } from "./access.ts";
import { argument, type Call, type Command, textArgument } from "./command.ts";
import { FAILED_LOGIN_DELAY_MS, MAX_ADMIN_PASSWORD_BYTES, MAX_SELECT_PASSWORD_BYTES } from "./limits.ts";
import type { Namespace } from "./namespace.ts";
import { DEFAULT_NAMESPACE } from "./namespace-name.ts";
import { Refusal } from "./refusal.ts";
import type { Entry } from "./session.ts";

const NONCE_BYTES = 8;
const HASH_LENGTH = 40;

export const AUTH_COMMANDS: Readonly<Record<string, Command>> = {
    AUTH: { argc: [2, 3], run: auth },
    SELECT: { argc: [2, Number.MAX_SAFE_INTEGER], argcError: "Invalid argument", refusesEmpty: true, run: select },
};

/**
 * `AUTH <password>` and `AUTH SECURE <hash>` make the client an administrator, `AUTH SECURE CHALLENGE` asks for a nonce.
 * Ours: `AUTH <namespace> <password>` is SELECT, which Redis clients repeat after a reconnect.
 */
function auth(call: Call): undefined | Promise<void> {
    if (call.args.length === 2) return authPlain(call);
    if (textArgument(call, 1).toUpperCase() !== "SECURE") return select(call);
    return textArgument(call, 2).toUpperCase() === "CHALLENGE" ? challenge(call) : authSecure(call);
}

function authPlain(call: Call): undefined | Promise<void> {
    const password = argument(call, 1);
    const { adminPassword } = call.context;
    if (adminPassword === undefined) throw new Refusal("Authentication disabled");
    if (password.length > MAX_ADMIN_PASSWORD_BYTES) throw new Refusal("Password too long");
    if (!isSamePassword(password, adminPassword)) return refuseLater(call);
    call.session.admin = true;
    call.reply.ok();
}

function authSecure(call: Call): undefined | Promise<void> {
    const { adminPassword } = call.context;
    if (adminPassword === undefined) throw new Refusal("Authentication disabled");
    const isRight = answersChallenge(call, argument(call, 2), adminPassword);
    call.session.nonce = undefined;
    if (!isRight) return refuseLater(call);
    call.session.admin = true;
    call.reply.ok();
}

function challenge(call: Call): undefined {
    call.session.nonce = randomBytes(NONCE_BYTES).toString("hex");
    call.reply.status(call.session.nonce);
}

function answersChallenge({ session }: Call, hash: Buffer, password: string): boolean {
    if (session.nonce === undefined) throw new Refusal("No CHALLENGE requested, secure authentication not available");
    if (hash.length !== HASH_LENGTH) throw new Refusal("Invalid hash length");
    return isSamePassword(hash, challengeAnswer(session.nonce, password));
}

/** `SELECT <namespace> [<password>]` or `SELECT <namespace> SECURE <hash>`. A failure leaves the client where it is. */
function select(call: Call): undefined | Promise<void> {
    const { context, session, args } = call;
    if (args.length > 4) throw new Refusal("Too many arguments");
    const namespace = context.namespaces.get(textArgument(call, 1));
    if (!namespace || !mayEnter(call, namespace)) throw new Refusal("Namespace not found");
    if (namespace.closedReason !== undefined && !session.admin) throw new Refusal(`Namespace is closed: ${namespace.closedReason}`);

    const { password } = namespace.properties;
    if (session.entrance.kind === "admin") return enter(call, namespace, "admin");
    if (password === "") return enter(call, namespace, "free");
    if (args.length === 2) {
        if (!namespace.properties.public) throw new Refusal("Namespace protected and private");
        return enter(call, namespace, "public");
    }
    return hasPassword(call, password) ? enter(call, namespace, "password") : refuseLater(call);
}

function mayEnter({ context, session }: Call, namespace: Namespace): boolean {
    return namespace.name === DEFAULT_NAMESPACE || isReachable(namespace, session, context.closed);
}

function hasPassword(call: Call, password: string): boolean {
    const given = argument(call, 2);
    if (call.args.length === 4) {
        if (given.toString("latin1").toUpperCase() !== "SECURE") throw new Refusal("Only SECURE extra method supported");
        return answersChallenge(call, argument(call, 3), password);
    }
    if (given.length > MAX_SELECT_PASSWORD_BYTES) throw new Refusal("Password too long");
    return isSamePassword(given, password);
}

function enter({ session, reply }: Call, namespace: Namespace, entry: Entry): undefined {
    session.namespace = namespace;
    session.entry = entry;
    reply.ok();
}

/** Guessing is slowed down for this connection; nobody else waits. */
function refuseLater({ context, reply }: Call): Promise<void> {
    return new Promise((resolve) => {
        context.timers.after(FAILED_LOGIN_DELAY_MS, () => {
            reply.error("Access denied");
            resolve();
        });
    });
}
