/** Names a set of test hosts. Who runs tests beside others' on one machine sets ZEROFORM_TEST_PREFIX to letters of his own: 2 to 5. */
export const prefixOf = (set: string): string => `${process.env.ZEROFORM_TEST_PREFIX ?? "zf"}${set}`;
