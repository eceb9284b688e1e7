import type { ErasureCodec } from "./erasure.ts";
import { galoisCodec } from "./galois-codec.ts";
import { isalCodec } from "./seam-isal.ts";
import { wasmCodec } from "./wasm-codec.ts";

/** The fastest one that works here; all give the same bytes. */
export const bestCodec = (): ErasureCodec => isalCodec() ?? wasmCodec() ?? galoisCodec;
