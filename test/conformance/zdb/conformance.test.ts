import { beforeAll, describe, test } from "vitest";
import { COMMAND_ROWS } from "./commands.ts";
import { ITERATION_ROWS } from "./iteration.ts";
import { LOGIN_ROWS } from "./login.ts";
import { FIXED_ROWS, MIXED_ROWS, MODE_ROWS } from "./modes.ts";
import { NAMESPACE_ROWS } from "./namespaces.ts";
import { RENEWAL_ROWS } from "./renewal.ts";
import { type Row, titleOf } from "./row.ts";
import { SYSTEM_ROWS } from "./system.ts";
import { TRANSPORT_ROWS } from "./transport.ts";
import { inWorld, MODES, type Server, startServer, TRANSPORTS } from "./world.ts";

/** The tables of the wire specification, a case a row: over every transport, in every mode. */
const ROWS: readonly Row[] = [
    ...TRANSPORT_ROWS,
    ...COMMAND_ROWS,
    ...NAMESPACE_ROWS,
    ...MODE_ROWS,
    ...FIXED_ROWS,
    ...ITERATION_ROWS,
    ...LOGIN_ROWS,
    ...SYSTEM_ROWS,
    ...RENEWAL_ROWS,
];

for (const transport of TRANSPORTS) {
    for (const mode of MODES) {
        describe(`${transport}, --mode ${mode}`, () => {
            let server: Server;
            beforeAll(async () => {
                server = await startServer(mode, transport);
                return server.stop;
            });
            const rows = ROWS.filter(({ only }) => only === undefined || only === mode);
            test.concurrent.for(rows.map((row) => [titleOf(row), row] as const))("%s", ([, row]) => inWorld(server, mode, row.check));
        });
    }
}

describe("an instance where each namespace has its own mode", () => {
    let server: Server;
    beforeAll(async () => {
        server = await startServer("mixed", "unix");
        return server.stop;
    });
    for (const mode of MODES) {
        const rows = [...MODE_ROWS, ...MIXED_ROWS].filter(({ only }) => only === undefined || only === mode);
        test.concurrent.for(rows.map((row) => [`${mode}: ${titleOf(row)}`, row] as const))("%s", ([, row]) =>
            inWorld(server, mode, row.check),
        );
    }
});
