import type { Fault, Scene } from "../fault.ts";

const MIB = 2 ** 20;
const FILLER = "/var/lib/zeroform/pool/photos/filler";
const TMP_FILLER = "/tmp/filler";

/** Takes all but so many bytes of the disk that pool and store are on; what root may use beyond others counts as free. */
const fill = ({ sh }: Scene, leftBytes: number) =>
    sh(`
        free=$(($(stat -f -c '%f * %S' /var/lib/zeroform)))
        [ $free -le ${leftBytes} ] || fallocate -l $((free - ${leftBytes})) ${FILLER} || true
        [ ${leftBytes} -gt 0 ] || cat /dev/zero >> ${FILLER} 2>/dev/null || true
    `);
const makeRoom = ({ sh }: Scene) => sh(`rm -f ${FILLER}`);

/** Somebody fills the disk before or after a run has begun, and makes room when he is told to. */
const diskFull = (name: string, leftBytes: (scene: Scene) => number): Fault => ({
    name,
    operator: "small",
    async strike(scene) {
        scene.clear(() => makeRoom(scene));
        const isBefore = scene.random.chance(0.7);
        if (isBefore) await fill(scene, leftBytes(scene));
        const run = scene.operate({ ...scene.wanted, patience: "8s" });
        if (!isBefore) await fill(scene, leftBytes(scene));
        await run;
        if (scene.random.chance(0.3)) await makeRoom(scene);
    },
    remedies: [{ said: /make room|free (up )?space|disk is full|no room|does not fit/i, apply: makeRoom }],
});

/** Room for the store, and none for what is wanted. */
export const poolFull = diskFull("the pool's disk is full", ({ random }) => random.whole(1, 60) * MIB);

/** Not a byte: SQLite cannot write. */
export const varFull = diskFull("/var is full", () => 0);

/** What a program on the node finds in /tmp is nothing that the agent needs. */
export const tmpFull: Fault = {
    name: "/tmp is full",
    operator: "small",
    async strike({ sh, undo, operate }) {
        undo(() => sh(`rm -f ${TMP_FILLER}; mount -o remount,size=50% /tmp`));
        await sh(`mount -o remount,size=1m /tmp; cat /dev/zero > ${TMP_FILLER} 2>/dev/null || true`);
        await operate();
    },
};
