/** What INFO counts since the start of the server. */
export interface Statistics {
    readonly startedMs: number;
    clients: number;
    executed: number;
    failed: number;
    unauthorized: number;
    dataReadBytes: number;
    dataWriteBytes: number;
    readFailures: number;
    writeFailures: number;
    receivedBytes: number;
    sentBytes: number;
}

export function newStatistics(): Statistics {
    return {
        startedMs: Date.now(),
        clients: 0,
        executed: 0,
        failed: 0,
        unauthorized: 0,
        dataReadBytes: 0,
        dataWriteBytes: 0,
        readFailures: 0,
        writeFailures: 0,
        receivedBytes: 0,
        sentBytes: 0,
    };
}
