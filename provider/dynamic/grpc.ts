import { createRequire } from "node:module";
import type * as Grpc from "@grpc/grpc-js";

/** The gRPC library of the Pulumi SDK in use: clients and credentials have to come from one copy. */
export const grpcOfPulumi = (): typeof Grpc => {
    const here = createRequire(import.meta.url);
    const sdk = createRequire(here.resolve("@pulumi/pulumi/package.json"));
    return sdk("@grpc/grpc-js") as typeof Grpc;
};
