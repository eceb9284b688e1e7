import { parseResourceId } from "../../../protocol/ids.ts";
import type { Kind } from "../../../schema/index.ts";
import { AgentSession } from "../../e2e/agent.ts";
import { zeroform } from "../../e2e/cli.ts";
import { machineOf } from "../../e2e/hosts.ts";
import type { Fault, Remedy, Scene } from "../fault.ts";

/** What stands on another is removed before it. */
const ORDER: readonly Kind[] = ["Zdb", "ZMount"];
const ROOT = "/var/lib/zeroform";
const COPY = "/srv/backup";
/** Everything of the agent's but data: what a careless clean-up takes, and what a backup has. */
const MEMORY = ["store.db", "store.db-wal", "store.db-shm", "machine.json", "node.key"];
const PROGRAMS = ["agents", "runtimes", "current"];

/** As a backup program does it: the agent is stopped for a moment, so that the store is whole. */
const backUp = ({ sh }: Scene) =>
    sh(`
        systemctl stop zeroform-agent; mkdir -p ${COPY}
        for file in ${MEMORY.join(" ")}; do rm -f ${COPY}/$file; [ ! -e ${ROOT}/$file ] || cp -a ${ROOT}/$file ${COPY}/; done
        systemctl start zeroform-agent
    `);
const putBack = ({ sh }: Scene) =>
    sh(`
        systemctl stop zeroform-agent || true
        for file in ${MEMORY.join(" ")}; do rm -f ${ROOT}/$file; [ ! -e ${COPY}/$file ] || cp -a ${COPY}/$file ${ROOT}/; done
        systemctl start zeroform-agent || true
    `);
const forgetBackup = ({ sh }: Scene) => sh(`rm -rf ${COPY}`);

/** "Put the file back", "Put back a sound copy of that file". */
const putItBack: Remedy = { said: /put (the file|back|it back)/i, apply: putBack };

/** Somebody cleans up below /var/lib: some or all of what the agent keeps beside data, while it runs or before it starts again. */
export const directoryDeleted: Fault = {
    name: "the agent's directory is deleted",
    operator: "small",
    async strike(scene) {
        const { random, sh, clear, operate, wanted } = scene;
        clear(() => forgetBackup(scene));
        await backUp(scene);
        const all = [...MEMORY, ...PROGRAMS, "services"];
        const doomed = random.chance(0.4) ? all : all.filter(() => random.chance(0.4));
        await sh(`cd ${ROOT} && rm -rf ${doomed.join(" ")} -- .none`);
        if (random.chance(0.7)) await sh("systemctl kill --signal=KILL zeroform-agent.service || true");
        await operate({ ...wanted, patience: "5s" });
    },
    remedies: [putItBack],
};

/** Nothing can be written there: neither new files nor into the store. */
export const directoryReadOnly: Fault = {
    name: "the agent's directory is read-only",
    operator: "small",
    async strike(scene) {
        const { random, sh, clear, operate, wanted } = scene;
        clear(() => makeWritable(scene));
        await sh(`cd ${ROOT} && chattr +i store.db store.db-wal store.db-shm machine.json services . 2>/dev/null || true`);
        if (random.chance(0.5)) await sh("systemctl kill --signal=KILL zeroform-agent.service || true");
        await operate({ ...wanted, patience: "4s" });
    },
    remedies: [{ said: /writ(able|e|ten)|read-only/i, apply: (scene) => makeWritable(scene) }],
};

const makeWritable = ({ sh }: Scene) =>
    sh(`cd ${ROOT} && chattr -i . && chattr -i store.db store.db-wal store.db-shm machine.json services 2>/dev/null || true`);

/** The store is older than the stack's state: the node has lives that it does not know, and it knows some that are gone. */
export const restoredFromBackup: Fault = {
    name: "the agent's directory is restored from an old backup",
    operator: "small",
    async strike(scene) {
        const { sh, clear, operate, random } = scene;
        clear(() => forgetBackup(scene));
        await backUp(scene);
        const outcome = await operate();
        if (!outcome.ok) throw new Error(outcome.said);
        // What is newest on the node is put aside first, as a careful person does.
        await sh(
            `systemctl stop zeroform-agent; mkdir -p ${COPY}/newer; for file in ${MEMORY.join(" ")}; do [ ! -e ${ROOT}/$file ] || cp -a ${ROOT}/$file ${COPY}/newer/; done`,
        );
        await putBack(scene);
        if (random.chance(0.5)) await sh("systemctl restart zeroform-agent");
        await removeWhatNoProgramKnows(scene);
    },
    refreshes: true,
    remedies: [
        {
            said: /put (the file|back|it back)|newer/i,
            apply: async (scene) => {
                await scene.sh(`mv -f ${COPY}/newer/* ${COPY}/`);
                await putBack(scene);
            },
        },
    ],
};

/** `zeroform status` shows them as lost: their data went when they were removed, before the backup was put back. */
const removeWhatNoProgramKnows = async ({ host, operator }: Scene): Promise<void> => {
    await using agent = new AgentSession(host);
    const known = (await operator.ids()).map((id) => parseResourceId(id)?.life);
    const { resources } = await agent.status();
    const lost = resources
        .filter(({ life }) => !known.includes(life))
        .sort((one, other) => ORDER.indexOf(one.kind) - ORDER.indexOf(other.kind));
    for (const { life } of lost) await zeroform(machineOf(host), ["remove", life, "--purge", "--yes"]);
};
