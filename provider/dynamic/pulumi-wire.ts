import { createRequire } from "node:module";
import type * as Grpc from "@grpc/grpc-js";
import type * as EngineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type * as EngineMessages from "@pulumi/pulumi/proto/engine_pb.js";

const here = createRequire(import.meta.url);

/** The gRPC library of the Pulumi SDK in use: clients and credentials have to come from one copy. */
export const grpcOfPulumi = (): typeof Grpc => createRequire(here.resolve("@pulumi/pulumi/package.json"))("@grpc/grpc-js") as typeof Grpc;

/** Required, since generated CommonJS has no names that an import could see. */
export const engineMessages = (): typeof EngineMessages => here("@pulumi/pulumi/proto/engine_pb.js") as typeof EngineMessages;
export const engineService = (): typeof EngineService => here("@pulumi/pulumi/proto/engine_grpc_pb.js") as typeof EngineService;
