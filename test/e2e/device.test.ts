import { expect, it } from "vitest";
import { zeroform } from "./cli.ts";
import { expectNothingLeft, host, type Machine, machineOf, sh } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";
import { withClient } from "./with-client.ts";

interface Values {
    readonly machine: Machine;
    readonly device: string;
    readonly trash?: string;
    readonly second?: boolean;
}

const program: Program<Values> = ({ zeroform }, { machine, device, trash = "1h", second = false }) => {
    const node = new zeroform.Node("node", { ...machine, trash });
    const disk = new zeroform.ZMount("disk", { node, device, filesystem: "xfs" });
    if (second) new zeroform.ZMount("second", { node, device });
    const db = new zeroform.Zdb("events", { mount: disk, size: "8MiB", listen: machine.host });
    return { path: disk.path, bytes: disk.sizeBytes, url: db.url };
};

const BYTES = 320 * 2 ** 20;

it("a ZMount takes a whole device, gives it to nobody else, gets its data back from it, and leaves it empty", async () => {
    const on = await host();
    await using stack = await Stack.create();
    const device = await sh(on, `truncate -s ${BYTES} /var/lib/disk.img; losetup --find --show /var/lib/disk.img`);
    try {
        const values = { machine: machineOf(on), device };
        await stack.program(program, values);
        await stack.up();
        expect(await stack.revealed<number>("bytes")).toBe(BYTES);
        await withClient(await stack.revealed<string>("url"), (client) => client.set("key", "value"));
        await sh(on, `echo precious > ${await stack.revealed<string>("path")}/file`);
        await stack.program(program, { ...values, second: true });
        expect(await stack.fails(["up", "--yes", "--skip-preview"])).toContain(`device ${device} is not free: it is that of ZMount "disk"`);

        // Removed by mistake, and wanted back: what is made instead waits, and says what for.
        await stack.destroy();
        await stack.program(program, { ...values, trash: "0s" });
        const waiting = await stack.fails(["up", "--yes", "--skip-preview"]);
        const life = /the data of (\w+) are on it, in the trash/.exec(waiting)?.[1] ?? waiting;
        expect(waiting).toContain(`zeroform trash restore ${life}`);
        const into =
            String((await stack.resource("disk")).id)
                .split("/")
                .at(-1) ?? "";
        await zeroform(values.machine, ["trash", "restore", life, "--into", into]);
        await stack.up();
        expect(await sh(on, `cat ${await stack.revealed<string>("path")}/file`)).toBe("precious");
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });

        await stack.destroy();
        expect(await sh(on, `wipefs --no-act ${device}; cmp -n ${2 ** 20} ${device} /dev/zero`)).toBe("");
        await expectNothingLeft(on);
    } finally {
        await sh(on, `umount -A ${device}; losetup -d ${device}; rm /var/lib/disk.img`).catch(() => undefined);
    }
}, 300_000);
