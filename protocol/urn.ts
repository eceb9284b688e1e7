/** What a URN says, in words. */
export interface UrnParts {
    readonly stack: string;
    readonly project: string;
    readonly name: string;
}

/** The parts of `urn:pulumi:<stack>::<project>::<types>::<name>`. A name may hold "::" itself. */
export const partsOf = (urn: string): UrnParts => {
    const [stack = "", project = "", , ...name] = urn.replace(/^urn:pulumi:/, "").split("::");
    return { stack, project, name: name.join("::") };
};

/** The types of the resource and its parents, outermost first. */
export const typesOf = (urn: string): readonly string[] => (urn.split("::")[2] ?? "").split("$");
