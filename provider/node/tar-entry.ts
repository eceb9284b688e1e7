const BLOCK_BYTES = 512;

/**
 * The content of one file in a tar stream, as it comes by. Reads what npm packs, whose names fit the header (ustar); the tarball's hash is
 * known to be right before it is read, so that its fields need no distrust. Throws when the file is not there or is cut off.
 */
export async function* tarEntry(tar: AsyncIterable<Buffer>, wanted: string): AsyncGenerator<Buffer> {
    let header = Buffer.alloc(0);
    let isWanted = false;
    let content = 0;
    let padding = 0;
    for await (let chunk of tar) {
        while (chunk.length > 0) {
            if (content > 0) {
                const part = chunk.subarray(0, content);
                if (isWanted) yield part;
                content -= part.length;
                chunk = chunk.subarray(part.length);
                if (content === 0 && isWanted) return;
            } else if (padding > 0) {
                const part = chunk.subarray(0, padding);
                padding -= part.length;
                chunk = chunk.subarray(part.length);
            } else {
                const part = chunk.subarray(0, BLOCK_BYTES - header.length);
                header = Buffer.concat([header, part]);
                chunk = chunk.subarray(part.length);
                if (header.length < BLOCK_BYTES) continue;
                content = sizeIn(header);
                padding = (BLOCK_BYTES - (content % BLOCK_BYTES)) % BLOCK_BYTES;
                isWanted = nameIn(header) === wanted;
                header = Buffer.alloc(0);
            }
        }
    }
    throw new Error(isWanted ? `the tarball ends within ${wanted}` : `the tarball has no ${wanted}`);
}

const nameIn = (header: Buffer): string => textAt(header, 0, 100);

/** Octal; the two blocks of zeros at the end count as empty files without a name. */
const sizeIn = (header: Buffer): number => Number.parseInt(textAt(header, 124, 12).trim() || "0", 8);

const textAt = (header: Buffer, from: number, length: number): string => {
    const field = header.subarray(from, from + length);
    const end = field.indexOf(0);
    return field.toString("latin1", 0, end === -1 ? length : end);
};
