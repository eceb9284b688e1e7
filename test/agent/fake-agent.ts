import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { basename, dirname } from "node:path";
import type { Welcome } from "../../protocol/api.ts";
import { type Handlers, openServerChannel } from "../../protocol/channel.ts";
import { mintMachineId } from "../../protocol/ids.ts";
import { CURRENT, LAUNCHER, RPC_MARKER, RUN, SOCKET } from "../../protocol/layout.ts";

/**
 * An agent that does nothing but be installed, started and spoken with: so that versions, protocols and broken installations can be chosen.
 * Its version and manners are set when it is bundled.
 */
declare const FAKE_VERSION: string;
declare const FAKE_PROTOCOLS: readonly number[];
declare const FAKE_BUILD: number;
declare const FAKE_MANNERS: "good" | "does not install";

const UNIT = "zeroform-agent.service";
const self = dirname(process.argv[1] ?? "");

const install = async (): Promise<void> => {
    if (FAKE_MANNERS === "does not install") fail("the fake agent was told not to install");
    console.error(`writing units (build ${FAKE_BUILD})`);
    const restart = "Restart=always\nRestartSec=0\nStartLimitIntervalSec=0";
    writeFileSync(
        `/etc/systemd/system/${UNIT}`,
        `[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=${LAUNCHER} serve\n${restart}\n[Install]\nWantedBy=multi-user.target\n`,
    );
    rmSync(`${CURRENT}.new`, { force: true });
    symlinkSync(self, `${CURRENT}.new`);
    renameSync(`${CURRENT}.new`, CURRENT);
    systemctl("daemon-reload");
    systemctl("enable", "--quiet", UNIT);
    rmSync(SOCKET, { force: true });
    systemctl("restart", UNIT);
    console.error("waiting for the agent");
    for (let look = 0; look < 400; look++) {
        if (await answers()) return;
        await new Promise((resolve) => setTimeout(resolve, 25));
    }
    fail("the fake agent did not start");
};

const systemctl = (...words: string[]) => {
    const { exitCode, stderr } = Bun.spawnSync(["systemctl", ...words]);
    if (exitCode !== 0) fail(stderr.toString());
};

const answers = () =>
    new Promise<boolean>((resolve) => {
        const socket = connect(SOCKET, () => {
            socket.destroy();
            resolve(true);
        });
        socket.on("error", () => resolve(false));
    });

const serve = (): void => {
    mkdirSync(RUN, { recursive: true });
    rmSync(SOCKET, { force: true });
    const welcome: Welcome = {
        machine: mintMachineId(),
        protocols: FAKE_PROTOCOLS,
        agentVersion: FAKE_VERSION,
        agentHash: basename(self),
        epoch: 1,
        store: "ok",
    };
    const handlers = { "trash.list": async () => [], "reconciler.sweep": () => new Promise(() => undefined) } as unknown as Handlers;
    createServer((socket) => void openServerChannel(socket, socket, welcome, handlers)).listen(SOCKET);
};

const rpc = (): void => {
    const socket = connect(SOCKET);
    socket.on("connect", () => {
        process.stdout.write(RPC_MARKER);
        process.stdin.pipe(socket);
        socket.pipe(process.stdout);
    });
    socket.on("error", () => {
        console.error("the agent does not answer");
        process.exit(3);
    });
    socket.on("close", () => process.exit(0));
};

const fail = (why: string): never => {
    console.error(why);
    process.exit(1);
};

const commands: Record<string, () => void | Promise<void>> = { install, serve, rpc };
await (commands[process.argv[2] ?? ""] ?? (() => fail("no such command")))();
