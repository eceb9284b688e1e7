import type { Life } from "../../protocol/ids.ts";
import { SERVICES, ZSTOR_RUN, ZSTORS } from "../../protocol/layout.ts";
import type { zstor } from "../../schema/zstor.ts";
import type { Files } from "../os/files.ts";
import type { Resource } from "./driver.ts";

export type ZStor = Resource<typeof zstor>;

/** The process that serves one store on this node. */
export interface FrontEnd {
    readonly unit: string;
    /** Has the secret and the credentials of all backends. */
    readonly config: string;
    /** Its own directory, of which the store needs nothing. */
    readonly home: string;
    readonly view: string;
    /** Made when another front end has taken the store over: this one does not start again until somebody asks for it. */
    readonly superseded: string;
    readonly socket: string;
}

export const frontEndOf = ({ life }: Pick<ZStor, "life">): FrontEnd => ({
    unit: `zeroform-zstor@${life}.service`,
    config: `${SERVICES}/zstor-${life}.json`,
    home: homeOf(life),
    view: `${homeOf(life)}/view`,
    superseded: `${homeOf(life)}/superseded`,
    socket: `${ZSTOR_RUN}/${life}/api.sock`,
});

/** A front end that nobody has a record of goes on writing, and has the secret. */
export const traceFrontEnd = async (life: Life, files: Pick<Files, "stat">): Promise<string | undefined> =>
    (await files.stat(homeOf(life))) === undefined ? undefined : homeOf(life);

const homeOf = (life: Life): string => `${ZSTORS}/${life}`;
