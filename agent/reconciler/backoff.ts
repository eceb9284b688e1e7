const FIRST_MS = 500;
const LONGEST_MS = 60_000;
/** Part of each wait that chance decides: what broke together is not tried again together. */
const JITTER = 0.5;

/** How long to wait after so many failures in a row (1 or more); `random` is from 0 up to 1. */
export const backoffMs = (failures: number, random: () => number): number => {
    const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
    return Math.round(full * (1 - JITTER * random()));
};
