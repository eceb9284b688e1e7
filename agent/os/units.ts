import { lstat, mkdir, readlink, rm, symlink } from "node:fs/promises";
import { UNITS } from "../../protocol/layout.ts";
import { hasOwnViews } from "./confinement.ts";
import { absentAs, files, syncDirectory } from "./files.ts";

/** A unit of ours: constant texts and names of our own making only, never a user's words or a secret. */
export interface Unit {
    /** `zeroform-zdb@0123.service`, `var-lib-...mount` */
    readonly name: string;
    /** Its own unit file; left out for an instance of a template. */
    readonly text?: string;
    /** What this instance has beside its template. */
    readonly dropIn?: string;
    /** Lines of [Service] for machines that can give a service a view of the system of its own: at the end of its text, of its drop-in when it has none. */
    readonly ownView?: string;
    /** The system user that it runs as. */
    readonly user?: string;
    /** The target that starts it at boot. */
    readonly wantedBy?: "zeroform.target" | "multi-user.target";
    /** A device unit that starts it whenever it appears, with or without the agent; only where udev runs. */
    readonly wantedByDevice?: string;
}

/** Everything of ours hangs below it; nothing of the machine's own boot requires it. */
export const ZEROFORM_TARGET: Unit = {
    name: "zeroform.target",
    text: "[Unit]\nDescription=zeroform: mounts and services of this node\n",
    wantedBy: "multi-user.target",
};

const TARGETS = ["zeroform.target", "multi-user.target"] as const;

/** Where links to a unit may lie: what wants it, or would where it is no longer wanted. */
const wantersOf = ({ wantedByDevice }: Unit): readonly string[] => [...TARGETS, ...(wantedByDevice === undefined ? [] : [wantedByDevice])];
const isWantedBy = ({ wantedBy, wantedByDevice }: Unit, wanter: string): boolean => wanter === wantedBy || wanter === wantedByDevice;

const fileOf = (unit: Unit) => `${UNITS}/${unit.name}`;
export const dropInOf = (unit: Unit) => `${UNITS}/${unit.name}.d/zeroform.conf`;
/** Apart from the drop-in, as it changes with what others ask of the same service. */
export const limitsOf = (name: string) => `${UNITS}/${name}.d/zeroform-limits.conf`;
const linkOf = (unit: Unit, wanter: string) => `${UNITS}/${wanter}.wants/${unit.name}`;
/** What the link of an enabled unit points to: for an instance, its template's file. */
const fragmentOf = (unit: Unit) => `${UNITS}/${unit.text === undefined ? unit.name.replace(/@[^.]*\./, "@.") : unit.name}`;

/** A unit as it is written on this machine. */
const onThisMachine = async (unit: Unit): Promise<Unit> => {
    const { text, dropIn, ownView } = unit;
    if (ownView === undefined || !(await hasOwnViews())) return unit;
    return text === undefined ? { ...unit, dropIn: `${dropIn ?? ""}${ownView}` } : { ...unit, text: `${text}${ownView}` };
};

/** Whether a unit is on the disk as it should be. */
export const unitMatches = async (wanted: Unit): Promise<boolean> => matches(await onThisMachine(wanted));

const matches = async (unit: Unit): Promise<boolean> => {
    const [text, dropIn, links] = await Promise.all([
        unit.text === undefined ? undefined : files.readText(fileOf(unit)),
        files.readText(dropInOf(unit)),
        Promise.all(wantersOf(unit).map((wanter) => absentAs(undefined, () => readlink(linkOf(unit, wanter))))),
    ]);
    return (
        text === unit.text &&
        dropIn === unit.dropIn &&
        wantersOf(unit).every((wanter, index) => links[index] === (isWantedBy(unit, wanter) ? fragmentOf(unit) : undefined))
    );
};

/** Writes what differs. Answers whether it had to: `made` when there was no unit file of this name. */
export const writeUnit = async (wanted: Unit): Promise<"made" | "changed" | "as it was"> => {
    const unit = await onThisMachine(wanted);
    if (await matches(unit)) return "as it was";
    const before = await files.readText(fileOf(unit));
    if (unit.text !== undefined && before !== unit.text) await files.writeText(fileOf(unit), unit.text, 0o644);
    if (unit.dropIn === undefined) await removeDropIn(unit);
    else if ((await files.readText(dropInOf(unit))) !== unit.dropIn) await writeDropIn(unit, unit.dropIn);
    for (const wanter of wantersOf(unit)) await (isWantedBy(unit, wanter) ? enable(unit, wanter) : disable(unit, wanter));
    return before === undefined ? "made" : "changed";
};

/** Answers whether there was anything to remove. */
export const removeUnit = async (unit: Unit): Promise<boolean> => {
    const known = [fileOf(unit), dropInOf(unit), limitsOf(unit.name), ...wantersOf(unit).map((wanter) => linkOf(unit, wanter))];
    const found = await Promise.all(known.map((path) => absentAs(undefined, () => lstat(path))));
    if (found.every((each) => each === undefined)) return false;
    for (const wanter of wantersOf(unit)) await disable(unit, wanter);
    // A directory of a target is every unit's, one of a device this unit's alone.
    if (unit.wantedByDevice !== undefined) await files.remove(`${UNITS}/${unit.wantedByDevice}.wants`);
    await removeDropIn(unit);
    if (unit.text !== undefined) await files.remove(fileOf(unit));
    return true;
};

export const readLimits = (name: string): Promise<string | undefined> => files.readText(limitsOf(name));

export const writeLimits = async (name: string, dropIn: string): Promise<"changed" | "as it was"> => {
    if ((await readLimits(name)) === dropIn) return "as it was";
    await files.makeDirectory(`${UNITS}/${name}.d`, 0o755);
    await files.writeText(limitsOf(name), dropIn, 0o644);
    return "changed";
};

const writeDropIn = async (unit: Unit, text: string): Promise<void> => {
    await files.makeDirectory(`${UNITS}/${unit.name}.d`, 0o755);
    await files.writeText(dropInOf(unit), text, 0o644);
};

const removeDropIn = (unit: Unit): Promise<void> => files.remove(`${UNITS}/${unit.name}.d`);

const enable = async (unit: Unit, wanter: string): Promise<void> => {
    const link = linkOf(unit, wanter);
    if ((await absentAs(undefined, () => readlink(link))) === fragmentOf(unit)) return;
    await mkdir(`${UNITS}/${wanter}.wants`, { recursive: true, mode: 0o755 });
    await rm(link, { force: true });
    await symlink(fragmentOf(unit), link);
    await syncDirectory(`${UNITS}/${wanter}.wants`);
};

const disable = (unit: Unit, wanter: string): Promise<void> => files.remove(linkOf(unit, wanter));
