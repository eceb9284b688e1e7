import * as pulumi from "@pulumi/pulumi";
import { Node, Zdb, ZMount } from "zeroform";

const config = new pulumi.Config();

// What is not set here comes from the SSH agent and ~/.ssh/config.
const node = new Node("node", {
    host: config.require("host"),
    user: config.get("user"),
    identityFile: config.get("identityFile"),
});
const disk = new ZMount("disk", { node, size: config.get("size") ?? "1GiB" });
const store = new Zdb("store", { mount: disk, size: "256MiB" });

export const path = disk.path;
export const url = store.url; // pulumi stack output url --show-secrets
