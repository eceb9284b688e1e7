import { basename } from "node:path";
import type { Os } from "../os/os.ts";
import type { ZdbServer } from "./zdb-places.ts";
import { command, settle } from "./zdb-server.ts";
import { ZDB_USER } from "./zdb-units.ts";

/*
 * A server reaches its own directories only, so that the trash is safe from it. What goes there or comes back lies in the passage in
 * between: the server moves it between its data and the passage, the agent between the passage and the trash.
 */

const inPassage = (server: ZdbServer, place: string): string => `${server.passage}/${basename(place)}`;

/** Takes a namespace off its server, its data to a place in the trash. */
export const detachTo = async (server: ZdbServer, os: Os, namespace: string, place: string): Promise<void> => {
    await command(server, os, "NSDETACH", namespace, inPassage(server, place));
    await os.files.move(inPassage(server, place), place);
};

/** Gives data of the trash to a server as a namespace. */
export const attachFrom = async (server: ZdbServer, os: Os, namespace: string, place: string): Promise<void> => {
    // What came there from a server of another release is root's.
    await os.files.giveTo(place, ZDB_USER);
    await os.files.move(place, inPassage(server, place));
    try {
        await command(server, os, "NSATTACH", namespace, inPassage(server, place));
    } catch (failure) {
        await settle(server, os);
        throw failure;
    }
};
