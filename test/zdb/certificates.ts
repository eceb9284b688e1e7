import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

/** PEM files of one certificate, and their texts. */
export interface Certificate {
    readonly certFile: string;
    readonly keyFile: string;
    readonly cert: string;
    readonly key: string;
}

/** A certificate that signs itself, good for the loopback addresses, under `name` in the directory. */
export function makeCertificate(directory: string, name: string): Certificate {
    const [certFile, keyFile] = [path.join(directory, `${name}.crt`), path.join(directory, `${name}.key`)];
    execFileSync(
        "openssl",
        [
            ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
            ...["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"],
            ...["-keyout", keyFile, "-out", certFile],
        ],
        { stdio: "pipe" },
    );
    return { certFile, keyFile, cert: fs.readFileSync(certFile, "utf8"), key: fs.readFileSync(keyFile, "utf8") };
}
