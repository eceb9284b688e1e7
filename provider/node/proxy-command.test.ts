import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { runProxyCommand } from "./proxy-command.ts";

const textOf = async ({ stream }: ReturnType<typeof runProxyCommand>): Promise<string> => {
    let text = "";
    for await (const chunk of stream) text += String(chunk);
    return text;
};

describe("a ProxyCommand", () => {
    it("passes both ways, much at once", async () => {
        const transport = runProxyCommand("cat");
        const sent = "x".repeat(3_000_000);
        transport.stream.end(sent);
        expect((await textOf(transport)).length).toBe(sent.length);
    });

    it("is over once its last words are known, else its status", async () => {
        const said = async (command: string) => {
            const transport = runProxyCommand(command);
            transport.stream.write("SSH-2.0-test\r\n");
            await textOf(transport);
            return transport.lastWords();
        };
        expect(await said("sh -c 'exec >&-; sleep 0.1; echo one >&2; echo two >&2; exit 3'")).toBe("two");
        expect(await said("sh -c 'exit 3'")).toBe("it ended with status 3");
        expect(await said("/no/such/program 2>/dev/null")).toBe("it ended with status 127 (no such program)");
        expect(await said("sh -c 'kill -9 $$'")).toBe("ended by SIGKILL");
    });

    it("is stopped with the connection", async () => {
        const { stream } = runProxyCommand("sh -c 'echo $$; exec sleep 1000'");
        const [pid] = (await once(stream, "data")) as [Buffer];
        stream.destroy();
        const isRunning = () => {
            try {
                return process.kill(Number(String(pid)), 0);
            } catch {
                return false;
            }
        };
        await expect.poll(isRunning, { timeout: 10_000 }).toBe(false);
    });
});
