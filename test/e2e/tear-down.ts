import { down, list } from "../../dev/hosts/index.ts";
import { PREFIX } from "./hosts.ts";

let foundThem = false;

export const setup = async (): Promise<void> => {
    foundThem = process.platform === "linux" && (await list({ prefix: PREFIX })).length > 0;
};

/** After the last test the shared hosts go, whatever happened; hosts that were there before belong to somebody. */
export const teardown = async (): Promise<void> => {
    if (!foundThem && (await list({ prefix: PREFIX })).length > 0) await down({ prefix: PREFIX });
};
