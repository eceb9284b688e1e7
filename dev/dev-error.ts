/** A failure the user can mend: its message is one whole sentence, shown without a stack. */
export class DevError extends Error {
    override readonly name = "DevError";
}
