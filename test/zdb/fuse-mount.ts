import { spawn } from "node:child_process";
import * as fs from "node:fs";
import type { Random } from "../faults/random.ts";
import { type FragileDevice, FragileDirectory, type FragileNode } from "./fragile-device.ts";
import { type DiskTrouble, NO_TROUBLE } from "./fragile-disk.ts";
import { FragileFile } from "./fragile-file.ts";
import * as fuse from "./fuse-replies.ts";

const MAX_WRITE_BYTES = 128 * 1024;
const ROOT_ID = 1;
const SET_SIZE = 1 << 3;
const [ENOENT, EIO, EEXIST, ENOTEMPTY, ENOSPC, ENOSYS] = [2, 5, 17, 39, 28, 38];

/** Whether this machine lets the tests have a file system of their own. */
export const canMount = process.getuid?.() === 0 && fs.existsSync("/dev/fuse");

class Failure extends Error {
    readonly errno: number;

    constructor(errno: number) {
        super(`errno ${errno}`);
        this.errno = errno;
    }
}

/** A device that forgets what was not synced, as a file system of this machine: the kernel's requests are answered by this process. */
export class FuseMount {
    trouble: DiskTrouble = NO_TROUBLE;
    capacity = Number.POSITIVE_INFINITY;
    /** Writes that take a part only, as a share of all. */
    shortWrites = 0;
    /** The power is off: nothing succeeds and nothing changes any more. */
    isDead = false;
    private readonly device: FragileDevice;
    private readonly directory: string;
    private readonly random: Random;
    private readonly fd = fs.openSync("/dev/fuse", "r+");
    private readonly nodes = new Map<number, FragileNode>();
    private readonly ids = new Map<FragileNode, number>();
    private serving: Promise<void> = Promise.resolve();
    private isOver = false;

    constructor(device: FragileDevice, directory: string, random: Random) {
        this.device = device;
        this.directory = directory;
        this.random = random;
        const root = device.find("/");
        if (root) this.idOf(root);
    }

    async mount(): Promise<void> {
        this.serving = this.serve();
        const options = `fd=3,rootmode=40000,user_id=0,group_id=0`;
        await run("mount", ["-i", "-t", "fuse", "-o", options, "fragile", this.directory], this.fd);
    }

    async unmount(): Promise<void> {
        await run("umount", ["-l", this.directory]);
        this.isOver = true;
        await this.serving;
        fs.closeSync(this.fd);
    }

    private async serve(): Promise<void> {
        const buffer = Buffer.alloc(MAX_WRITE_BYTES + 64 * 1024);
        while (!this.isOver) {
            let count: number;
            try {
                count = await readOnce(this.fd, buffer);
            } catch (error) {
                const code = error instanceof Error && "code" in error ? error.code : undefined;
                if (code === "ENODEV") return;
                // EPERM until the mount is there; ENOENT when a request was taken back.
                await new Promise((resolve) => setTimeout(resolve, 2));
                continue;
            }
            const answer = this.answer(fuse.readRequest(buffer.subarray(0, count)));
            if (answer) this.send(answer);
        }
    }

    private send(answer: Buffer): void {
        try {
            fs.writeSync(this.fd, answer);
        } catch {
            // The program that asked is gone, or the mount.
        }
    }

    private answer(request: fuse.Request): Buffer | undefined {
        try {
            const body = this.perform(request);
            return body && fuse.reply(request.unique, 0, body);
        } catch (error) {
            if (error instanceof Failure) return fuse.reply(request.unique, error.errno);
            throw error;
        }
    }

    /** What is answered; undefined for what is not answered at all. */
    private perform({ opcode, node: id, body }: fuse.Request): Buffer | undefined {
        switch (opcode) {
            // FORGET, BATCH_FORGET and INTERRUPT
            case 2:
            case 42:
            case 36:
                return undefined;
            case 26:
                return fuse.initialised(MAX_WRITE_BYTES);
        }
        if (this.isDead) throw new Failure(EIO);
        const nothing = Buffer.alloc(0);
        const [first = "", second = ""] = fuse.namesIn(body);
        switch (opcode) {
            // LOOKUP
            case 1:
                return this.entry(this.directoryOf(id).entries.get(first));
            // GETATTR
            case 3:
                return fuse.attributesOf(id, this.node(id));
            // SETATTR
            case 4:
                this.mayFail("write");
                if ((body.readUInt32LE(0) & SET_SIZE) !== 0) this.file(id).truncate(Number(body.readBigUInt64LE(16)));
                return fuse.attributesOf(id, this.node(id));
            // MKDIR
            case 9:
                return this.entry(this.add(id, fuse.namesIn(body.subarray(8))[0] ?? "", new FragileDirectory()));
            // UNLINK, RMDIR
            case 10:
            case 11:
                this.remove(id, first);
                return nothing;
            // RENAME, RENAME2
            case 12:
                return this.rename(id, Number(body.readBigUInt64LE(0)), fuse.namesIn(body.subarray(8)));
            case 45:
                return this.rename(id, Number(body.readBigUInt64LE(0)), fuse.namesIn(body.subarray(16)));
            // LINK
            case 13:
                return this.entry(this.add(id, fuse.namesIn(body.subarray(8))[0] ?? second, this.node(Number(body.readBigUInt64LE(0)))));
            // OPEN, OPENDIR
            case 14:
                return fuse.opened(true);
            case 27:
                return fuse.opened(false);
            // CREATE
            case 35: {
                const created = this.add(id, fuse.namesIn(body.subarray(16))[0] ?? "", new FragileFile(this.device.sectorBytes));
                return Buffer.concat([this.entry(created), fuse.opened(true)]);
            }
            // READ
            case 15: {
                this.mayFail("read");
                const at = Number(body.readBigUInt64LE(8));
                return Buffer.from(this.file(id).data.subarray(at, at + body.readUInt32LE(16)));
            }
            // WRITE
            case 16:
                return this.write(this.file(id), Number(body.readBigUInt64LE(8)), body.subarray(40, 40 + body.readUInt32LE(16)));
            // STATFS
            case 17:
                return fuse.space(this.capacity - this.device.usedBytes);
            // RELEASE, FLUSH, RELEASEDIR, ACCESS, DESTROY
            case 18:
            case 25:
            case 29:
            case 34:
            case 38:
                return nothing;
            // FSYNC, FSYNCDIR
            case 20:
                this.sync(this.file(id));
                return nothing;
            case 30:
                this.mayFail("sync");
                this.device.syncNames(this.directoryOf(id));
                return nothing;
            // READDIR
            case 28: {
                const names = [".", "..", ...this.directoryOf(id).entries.keys()];
                return fuse.listing(names, Number(body.readBigUInt64LE(8)), body.readUInt32LE(16));
            }
            default:
                throw new Failure(ENOSYS);
        }
    }

    private write(file: FragileFile, position: number, bytes: Buffer): Buffer {
        this.mayFail("write");
        const room = this.capacity - this.device.usedBytes + Math.max(0, file.size - position);
        const most = this.random.chance(this.shortWrites) ? this.random.whole(1, bytes.length) : bytes.length;
        const length = Math.min(most, room);
        if (length <= 0) throw new Failure(ENOSPC);
        file.write(bytes.subarray(0, length), position);
        return fuse.written(length);
    }

    private sync(file: FragileFile): void {
        if (!this.random.chance(this.trouble.sync)) {
            file.synced(file.take());
            return;
        }
        file.failed(file.take(), this.random);
        throw new Failure(EIO);
    }

    private add(parent: number, name: string, node: FragileNode): FragileNode {
        this.mayFail("name");
        const directory = this.directoryOf(parent);
        if (directory.entries.has(name)) throw new Failure(EEXIST);
        this.device.link(directory, name, node);
        return node;
    }

    private remove(parent: number, name: string): void {
        this.mayFail("name");
        const directory = this.directoryOf(parent);
        const node = directory.entries.get(name);
        if (!node) throw new Failure(ENOENT);
        if (node instanceof FragileDirectory && node.entries.size > 0) throw new Failure(ENOTEMPTY);
        this.device.unlink(directory, name);
    }

    private rename(parent: number, newParent: number, [from = "", to = ""]: readonly string[]): Buffer {
        this.mayFail("name");
        const [source, target] = [this.directoryOf(parent), this.directoryOf(newParent)];
        if (!source.entries.has(from)) throw new Failure(ENOENT);
        const there = target.entries.get(to);
        if (there instanceof FragileDirectory && there.entries.size > 0) throw new Failure(ENOTEMPTY);
        this.device.rename(source, from, target, to);
        return Buffer.alloc(0);
    }

    private mayFail(kind: keyof DiskTrouble): void {
        if (this.random.chance(this.trouble[kind])) throw new Failure(EIO);
    }

    private entry(node: FragileNode | undefined): Buffer {
        if (!node) throw new Failure(ENOENT);
        return fuse.entry(this.idOf(node), node);
    }

    private idOf(node: FragileNode): number {
        let id = this.ids.get(node);
        if (id === undefined) {
            id = ROOT_ID + this.ids.size;
            this.ids.set(node, id);
            this.nodes.set(id, node);
        }
        return id;
    }

    private node(id: number): FragileNode {
        const node = this.nodes.get(id);
        if (!node) throw new Failure(ENOENT);
        return node;
    }

    private directoryOf(id: number): FragileDirectory {
        const node = this.node(id);
        if (!(node instanceof FragileDirectory)) throw new Failure(ENOENT);
        return node;
    }

    private file(id: number): FragileFile {
        const node = this.node(id);
        if (!(node instanceof FragileFile)) throw new Failure(ENOENT);
        return node;
    }
}

function readOnce(fd: number, buffer: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
        fs.read(fd, buffer, 0, buffer.length, null, (error, count) => (error ? reject(error) : resolve(count)));
    });
}

function run(command: string, args: readonly string[], fd?: number): Promise<void> {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe", fd ?? "ignore"] });
    let words = "";
    child.stderr?.on("data", (chunk: Buffer) => {
        words += String(chunk);
    });
    return new Promise((resolve, reject) => {
        child.once("error", reject);
        child.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}: ${words}`))));
    });
}
