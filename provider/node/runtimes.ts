/** A program that the agent runs on, as the npm registry has it. */
export interface Runtime {
    /** As `uname -m` says it. */
    readonly arch: "x86_64" | "aarch64";
    /** npm package that holds it, as `bin/bun`. */
    readonly package: string;
    readonly version: string;
    /** Of the package's tarball, as npm writes it. */
    readonly integrity: string;
    /** Of the program itself. */
    readonly sha256: string;
    readonly bytes: number;
}

const VERSION = "1.4.5";

/**
 * The one build of Bun per architecture that this release was tested with. The one for x86_64 asks for SSE4.2 and finds AVX2 by itself:
 * `@oven/bun-linux-x64-baseline` holds the same bytes (seen: it runs under `qemu-x86_64 -cpu Nehalem`, and dies on `core2duo`).
 */
export const RUNTIMES: readonly Runtime[] = [
    {
        arch: "x86_64",
        package: "@oven/bun-linux-x64",
        version: VERSION,
        integrity: "sha512-IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==",
        sha256: "f05d28a3862f4b84395c7fa32480b835dd47482e80b7e7a49a115227f0c06083",
        bytes: 107_394_952,
    },
    {
        arch: "aarch64",
        package: "@oven/bun-linux-aarch64",
        version: VERSION,
        integrity: "sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==",
        sha256: "04778f1f42399a69d086853e9c7af4acf574b2f21a43d0dc673853d8b84a2923",
        bytes: 107_405_304,
    },
];

export const runtimeFor = (arch: string): Runtime | undefined => RUNTIMES.find((runtime) => runtime.arch === arch);
