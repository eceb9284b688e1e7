/** The name of the mount unit of a path (systemd.mount(5)). */
export const mountUnitOf = (path: string): string => `${escapePath(path)}.mount`;

/** A path as part of a unit's name, as `systemd-escape --path` makes it. */
export const escapePath = (path: string): string => {
    const parts = path.split("/").filter((part) => part !== "");
    if (parts.length === 0) return "-";
    return parts.map(escapePart).join("-").replace(/^\./, hex);
};

const escapePart = (part: string): string =>
    part.replace(/[^A-Za-z0-9:_.]/g, (character) => [...Buffer.from(character)].map(hexByte).join(""));

const hex = (character: string): string => hexByte(character.charCodeAt(0));
const hexByte = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`;
