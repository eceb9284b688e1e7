import { describe, expect, it } from "vitest";
import { type Change, changeTogether } from "./shared-writing.ts";

/** A file in memory whose writings take turns and wait to be let through. */
const fakeFile = () => {
    const held: (() => void)[] = [];
    let turn: Promise<void> = Promise.resolve();
    const file = { text: undefined as string | undefined, writings: 0 };
    const write = (change: Change) => {
        turn = turn
            .catch(() => undefined)
            .then(async () => {
                const next = change(file.text);
                await new Promise<void>((resolve) => held.push(resolve));
                file.writings++;
                file.text = next;
            });
        return turn;
    };
    const begun = async () => {
        while (held.length === 0) await Promise.resolve();
    };
    const release = async () => {
        await begun();
        held.shift()?.();
    };
    return { file, write, begun, release };
};

const append = (word: string) => (text: string | undefined) => `${text ?? ""}${word}`;

describe("changes of one file", () => {
    it("share a writing when they come while another is under way, and lose nothing", async () => {
        const { file, write, begun, release } = fakeFile();
        const first = changeTogether("/a", append("1"), write);
        await begun();
        const others = ["2", "3", "4"].map((word) => changeTogether("/a", append(word), write));
        await release();
        await first;
        expect(file.text).toBe("1");
        await release();
        await Promise.all(others);
        expect(file).toEqual({ text: "1234", writings: 2 });
    });

    it("fail together, and the next one begins anew", async () => {
        const broken = async (change: Change) => {
            change(undefined);
            throw new Error("no room");
        };
        await expect(changeTogether("/b", append("1"), broken)).rejects.toThrow("no room");
        const { file, write, release } = fakeFile();
        const again = changeTogether("/b", append("2"), write);
        await release();
        await again;
        expect(file.text).toBe("2");
    });

    it("a writing that fails before it has read keeps nobody waiting for ever", async () => {
        const unreadable = async () => {
            throw new Error("unreadable");
        };
        await expect(changeTogether("/c", append("1"), unreadable)).rejects.toThrow("unreadable");
        await expect(changeTogether("/c", append("2"), unreadable)).rejects.toThrow("unreadable");
    });
});
