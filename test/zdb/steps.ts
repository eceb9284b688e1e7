import { Slices } from "../../engines/zdb/slices.ts";

/** Long work between whose steps something happens. */
export class WorkWithSteps extends Slices {
    private readonly between: () => void;

    constructor(between: () => void) {
        super();
        this.between = between;
    }

    override next(): Promise<void> | undefined {
        this.between();
        return undefined;
    }
}
