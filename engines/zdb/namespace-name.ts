import { MAX_NAMESPACE_NAME_BYTES } from "./limits.ts";

/** The namespace that is always there, where every client begins. */
export const DEFAULT_NAMESPACE = "default";

/** Letters, digits, `_`, `.`, `-`, not beginning with a dot: safe as a directory, a line of NSINFO and a user name in a URL. */
export function isNamespaceName(name: string): boolean {
    return name !== DEFAULT_NAMESPACE && name.length <= MAX_NAMESPACE_NAME_BYTES && /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/.test(name);
}
