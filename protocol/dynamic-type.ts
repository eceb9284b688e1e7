/** The type of a class of resources, by which Pulumi, policies and transforms know it. */
export const typeToken = <K extends string>(kind: K) => `pulumi-nodejs:dynamic/zeroform:${kind}` as const;

/** What the engine keeps as a resource's provider. Constant, so that no state ever changes because our code did. */
export const loaderText = (kind: string) => `exports.handler=()=>require("zeroform/provider").load("${kind}")`;
