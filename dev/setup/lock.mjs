// One set-up at a time: two at once would install and build over each other. A file with the holder's pid and the time it started, so that
// a lock left by a killed run, or a pid that now is another process, holds nobody up.
import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { say } from "./say.mjs";

const POLL_MS = 200;

/** Runs the action while holding the lock. */
export async function withLock(file, action) {
    await acquire(file);
    const release = () => rmSync(file, { force: true });
    process.once("exit", release);
    try {
        return await action();
    } finally {
        release();
        process.removeListener("exit", release);
    }
}

async function acquire(file) {
    mkdirSync(dirname(file), { recursive: true });
    const own = `${process.pid} ${startOf(process.pid)}`;
    const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
    writeFileSync(draft, own);
    try {
        for (let told = false; !tryLink(draft, file); ) {
            const holder = read(file);
            if (holder === undefined) continue;
            if (!isAlive(holder)) {
                takeAway(file, holder);
                continue;
            }
            if (!told) say(`waiting for another set-up (process ${holder.split(" ")[0]})`);
            told = true;
            await sleep(POLL_MS);
        }
    } finally {
        rmSync(draft, { force: true });
    }
}

/** A link appears with its content or not at all. */
function tryLink(draft, file) {
    try {
        linkSync(draft, file);
        return true;
    } catch (error) {
        if (error.code === "EEXIST") return false;
        throw error;
    }
}

/** Only the file that was judged: if another has taken the lock meanwhile, it gets it back. */
function takeAway(file, judged) {
    const aside = `${file}.stale.${process.pid}`;
    try {
        renameSync(file, aside);
    } catch {
        return;
    }
    if (read(aside) !== judged) tryLink(aside, file);
    rmSync(aside, { force: true });
}

function read(file) {
    try {
        return readFileSync(file, "utf8");
    } catch {
        return undefined;
    }
}

function isAlive(holder) {
    const [pid, start] = holder.split(" ");
    try {
        process.kill(Number(pid), 0);
    } catch (error) {
        if (error.code === "ESRCH") return false;
    }
    return startOf(pid) === start;
}

/** Clock ticks since the machine started, field 22; the program's name in field 2 may hold spaces. Elsewhere than on Linux the pid has to do. */
function startOf(pid) {
    const stat = read(`/proc/${pid}/stat`);
    return stat === undefined ? "-" : stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}
