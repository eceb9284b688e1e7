import type { Call, Command } from "./command.ts";
import { Refusal } from "./refusal.ts";
import { serverInfo } from "./server-info.ts";

export const SERVER_COMMANDS: Readonly<Record<string, Command>> = {
    PING: { run: ping },
    TIME: { run: time },
    INFO: { run: info },
    HELLO: { run: hello },
};

function ping({ reply }: Call): undefined {
    reply.status("PONG");
}

function info({ context, reply }: Call): undefined {
    reply.text(serverInfo(context));
}

function time({ reply }: Call): undefined {
    const nowMs = Date.now();
    reply.array(2);
    reply.text(String(Math.floor(nowMs / 1000)));
    reply.text(String((nowMs % 1000) * 1000));
}

/** In the words of a Redis that knows no RESP3: clients that ask for it first (ioredis 6) then go on with RESP2. Its arguments hold a password. */
function hello(): undefined {
    throw new Refusal("ERR unknown command 'HELLO'");
}
