import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Whether a Pulumi project lies here or above. */
export const isInProject = (from = process.cwd()): boolean => {
    const directory = resolve(from);
    if (["Pulumi.yaml", "Pulumi.yml", "Pulumi.json"].some((name) => existsSync(join(directory, name)))) return true;
    return dirname(directory) !== directory && isInProject(dirname(directory));
};
