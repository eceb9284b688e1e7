import type { Writable } from "node:stream";
import { AbstractMessageWriter, type Message, type MessageWriter } from "vscode-jsonrpc/node";

/**
 * Writes each message as one piece. The library's own writer waits between head and body, and over SSH each is then a packet of its own for
 * every process on the way.
 */
export class WholeMessageWriter extends AbstractMessageWriter implements MessageWriter {
    readonly #writable: Writable;
    #failures = 0;

    constructor(writable: Writable) {
        super();
        this.#writable = writable;
        writable.on("error", (error) => this.fireError(error));
        writable.on("close", () => this.fireClose());
    }

    async write(message: Message): Promise<void> {
        const body = JSON.stringify(message);
        await new Promise<void>((resolve, reject) => {
            this.#writable.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, (failure) => {
                if (!failure) return resolve();
                this.fireError(failure, message, ++this.#failures);
                reject(failure);
            });
        });
    }

    end(): void {
        this.#writable.end();
    }
}
