import { KeyedLock } from "../keyed-lock.ts";

const lock = new KeyedLock();

/** Lets one after the other through for each key, of all that this process does on the machine. */
export const inTurn = <T>(key: string, act: () => Promise<T>): Promise<T> => lock.run(key, act);
