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

const REQUEST = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1";

/** A certificate that signs itself, good for the loopback addresses, under `name` in the directory. */
export function makeCertificate(directory: string, name: string): Certificate {
    const { certFile, keyFile } = filesOf(directory, name);
    openssl([...REQUEST, "-x509", "-days", "2", "-subj", `/CN=${name}`, "-addext", NAMES, "-keyout", keyFile, "-out", certFile]);
    return read(directory, name);
}

/** The same, valid from a year on: `-x509` only makes what is valid from now on, to the second. */
export function makeCertificateOf(year: number, directory: string, name: string): Certificate {
    const { certFile, keyFile } = filesOf(directory, name);
    const authority = fs.mkdtempSync(path.join(directory, "authority-"));
    const [config, request] = [path.join(authority, "config"), path.join(authority, "request")];
    fs.writeFileSync(path.join(authority, "index"), "");
    const own = ["database=$dir/index", "new_certs_dir=$dir", "rand_serial=yes", "default_md=sha256", "policy=any", "x509_extensions=ext"];
    fs.writeFileSync(
        config,
        [`[ca]\ndefault_ca=own\n[own]\ndir=${authority}`, ...own, `[any]\ncommonName=supplied\n[ext]\n${NAMES}\n`].join("\n"),
    );
    openssl([...REQUEST, "-new", "-subj", `/CN=${name}`, "-keyout", keyFile, "-out", request]);
    const dates = ["-startdate", `${year}0101000000Z`, "-enddate", `${year + 10}0101000000Z`];
    openssl(["ca", "-selfsign", "-batch", "-notext", "-config", config, "-keyfile", keyFile, "-in", request, "-out", certFile, ...dates]);
    return read(directory, name);
}

const filesOf = (directory: string, name: string): { certFile: string; keyFile: string } => ({
    certFile: path.join(directory, `${name}.crt`),
    keyFile: path.join(directory, `${name}.key`),
});

function read(directory: string, name: string): Certificate {
    const files = filesOf(directory, name);
    return { ...files, cert: fs.readFileSync(files.certFile, "utf8"), key: fs.readFileSync(files.keyFile, "utf8") };
}

function openssl(argv: readonly string[]): void {
    execFileSync("openssl", argv, { stdio: "pipe" });
}
