export { DispersedStore, type DispersedStoreArgs, type StorePlace } from "./components/dispersed-store.ts";
export { Node, type NodeArgs } from "./node.ts";
export { Zdb, type ZdbArgs } from "./zdb.ts";
export { ZMount, type ZMountArgs } from "./zmount.ts";
export { ZStor, type ZStorArgs, type ZStorBackend } from "./zstor.ts";
