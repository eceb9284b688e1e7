// A node's connection is what `remote.Command` takes: host, port, user and pinned key, resolved from ~/.ssh/config once.
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { Node } from "zeroform";

const config = new pulumi.Config();
const alpha = new Node("alpha", { host: config.require("host") });

const uptime = new remote.Command("uptime", { connection: alpha.connection, create: "uptime --since" });

export const upSince = uptime.stdout;
