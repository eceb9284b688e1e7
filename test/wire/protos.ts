import { createRequire } from "node:module";
import type * as ProviderService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as Provider from "@pulumi/pulumi/proto/provider_pb.js";
import type * as StatusMessages from "@pulumi/pulumi/proto/status_pb.js";
import type * as EmptyMessages from "google-protobuf/google/protobuf/empty_pb.js";
import type * as StructMessages from "google-protobuf/google/protobuf/struct_pb.js";

const here = createRequire(import.meta.url);
/** The copies that the Pulumi SDK itself uses: messages of another copy are no messages to it. */
const sdk = createRequire(here.resolve("@pulumi/pulumi/package.json"));

export const provider = here("@pulumi/pulumi/proto/provider_pb.js") as typeof Provider;
export const { ResourceProviderClient } = here("@pulumi/pulumi/proto/provider_grpc_pb.js") as typeof ProviderService;
export const { Status } = here("@pulumi/pulumi/proto/status_pb.js") as typeof StatusMessages;
export const { Empty } = sdk("google-protobuf/google/protobuf/empty_pb.js") as typeof EmptyMessages;
export const { Struct } = sdk("google-protobuf/google/protobuf/struct_pb.js") as typeof StructMessages;
