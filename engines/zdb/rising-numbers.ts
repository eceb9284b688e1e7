/** Where a number is among the first `count` of an array of rising ones; undefined when it is not. */
export function placeOf(wanted: number, numbers: ArrayLike<number>, count = numbers.length): number | undefined {
    let low = 0;
    let high = count - 1;
    while (low < high) {
        const middle = (low + high) >>> 1;
        if ((numbers[middle] ?? 0) < wanted) low = middle + 1;
        else high = middle;
    }
    return count > 0 && numbers[low] === wanted ? low : undefined;
}
