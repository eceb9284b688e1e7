/** What the constant text in every resource's state asks for: `require("zeroform/provider").load("<Kind>")`. */
export { load } from "./dynamic/provider.ts";
