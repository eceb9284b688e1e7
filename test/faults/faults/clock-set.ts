import { setTimeout as sleep } from "node:timers/promises";
import { sh } from "../../e2e/hosts.ts";
import type { Fault } from "../fault.ts";

/** Seconds by which the clock is off. */
const OFFSET = "/srv/clock-offset";
const UNITS = ["zeroform-agent.service", "zeroform-zdb@.service"];
const DAY_S = 86_400;

/**
 * The machine's clock is everybody's on it, so the processes of a host are shown another one: libfaketime under agent and servers, whose
 * offset from the true time is in a file that is read at every look. Timers run on the monotonic clock, as they do when a real one is set.
 */
export const FAKE_CLOCK = `
library=$(ls /usr/lib/*/faketime/libfaketime.so.1 | head -n 1); test -n "$library"
echo +0 > ${OFFSET}
for unit in ${UNITS.join(" ")}; do
    mkdir -p /run/systemd/system/$unit.d
    echo "[Service]
Environment=LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=${OFFSET} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1" > /run/systemd/system/$unit.d/clock.conf
done
systemctl daemon-reload
`;

/** Sets it by so many seconds. */
export const setClock = (offset: number): string =>
    `echo ${offset < 0 ? offset : `+${offset}`} > ${OFFSET}.new && mv ${OFFSET}.new ${OFFSET}`;

/** The clock of a node jumps by seconds or days, before a run and in the middle of it. */
export const clockSet: Fault = {
    name: "the clock is set back and forth",
    operator: "small",
    prepare: (host) => sh(host, FAKE_CLOCK),
    async strike({ sh, random, operate }) {
        const set = async () => {
            const most = random.pick([60, 3_600, 10 * DAY_S]);
            const offset = random.whole(-most, most);
            await sh(setClock(offset));
        };
        await set();
        const run = operate();
        for (let times = random.whole(1, 3); times > 0; times--) {
            await sleep(random.fraction() * 400);
            await set();
        }
        await run;
    },
};
