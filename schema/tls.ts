import { createPrivateKey, X509Certificate } from "node:crypto";
import { z } from "zod";

/** Far more than a chain and its authorities take, and what a server takes as one property. */
const MOST_CHARACTERS = 65_536;
const CERTIFICATE = /^(?:-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----\n)+$/;
const ONE_CERTIFICATE = /-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n/g;

const WRITE = "write tls as { certificate, privateKey, clientCa } with PEM texts; clientCa may be left out";

/** PEM as it is compared and handed on: without what editors and other systems add. */
const pem = (error: string) =>
    z
        .string({ error })
        .max(MOST_CHARACTERS, { error: `${error}: this is longer than 64 KiB` })
        .transform((text) => `${text.replaceAll("\r\n", "\n").replace(/^\s+/, "").trimEnd()}\n`);

const certificates = (error: string) =>
    pem(error)
        // What openssl prints around each of them says nothing to a machine.
        .transform((text) => text.match(ONE_CERTIFICATE)?.join("") ?? text)
        .refine((text) => CERTIFICATE.test(text) && (text.match(ONE_CERTIFICATE) ?? []).every(isCertificate), { error });

const isCertificate = (text: string): boolean => {
    try {
        return new X509Certificate(text).raw.length > 0;
    } catch {
        return false;
    }
};

/** What a server shows to its clients over TLS, and asks of them. */
export const tls = z
    .strictObject(
        {
            /** The certificate, and those that lead from it to one that clients know. */
            certificate: certificates("write certificate as PEM (-----BEGIN CERTIFICATE-----), its own first"),
            /** Its key, without a passphrase. */
            privateKey: pem("write privateKey as PEM (-----BEGIN PRIVATE KEY-----)"),
            /** Whoever comes has to show a certificate that one of these has signed. */
            clientCa: certificates("write clientCa as PEM (-----BEGIN CERTIFICATE-----)").optional(),
        },
        { error: WRITE },
    )
    .superRefine(({ certificate, privateKey }, context) => {
        const wrong = wrongKey(certificate, privateKey);
        if (wrong !== undefined) context.addIssue({ code: "custom", path: ["privateKey"], message: wrong });
    })
    .optional();
export type Tls = NonNullable<z.output<typeof tls>>;

const wrongKey = (certificate: string, privateKey: string): string | undefined => {
    if (/ENCRYPTED/.test(privateKey)) return "write the key without a passphrase: `openssl pkey -in key.pem` takes it off";
    let isOwn: boolean;
    try {
        isOwn = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
    } catch {
        return "write privateKey as PEM (-----BEGIN PRIVATE KEY-----)";
    }
    return isOwn ? undefined : "this key is of another certificate: write the one that the first certificate was made with";
};

/** What is the same for a certificate and for the one that renews it: the names it is for, and whose signatures clients must show. */
export const tlsTerms = ({ certificate, clientCa }: Tls): string => {
    const { subject, subjectAltName } = new X509Certificate(certificate);
    return JSON.stringify([subject, subjectAltName ?? "", clientCa ?? ""]);
};

/** Whether clients that connect by this address find it in the certificate. */
export const isForAddress = ({ certificate }: Tls, address: string): boolean =>
    new X509Certificate(certificate).checkIP(address) !== undefined;

/** Unix seconds after which clients refuse it. */
export const endsAt = ({ certificate }: Tls): number => Date.parse(new X509Certificate(certificate).validTo) / 1_000;
