import type { FamilyNamed } from "../../protocol/metrics.ts";

export const UP: FamilyNamed = { name: "zeroform_zdb_server_up", help: "Whether a Zero-DB server answers.", type: "gauge" };

/** By the key that INFO shows it under. */
export const OF_SERVER: Readonly<Record<string, FamilyNamed>> = {
    commands_executed: {
        name: "zeroform_zdb_server_commands_total",
        help: "Commands that a server has run since it started.",
        type: "counter",
    },
    commands_failed: { name: "zeroform_zdb_server_command_errors_total", help: "Commands that failed.", type: "counter" },
    commands_unauthorized: {
        name: "zeroform_zdb_server_commands_unauthorized_total",
        help: "Commands that were refused for want of a password.",
        type: "counter",
    },
    clients_lifetime: {
        name: "zeroform_zdb_server_clients_total",
        help: "Clients that have connected since the server started.",
        type: "counter",
    },
    boot_time: { name: "zeroform_zdb_server_start_time_seconds", help: "Unix time at which a server started.", type: "gauge" },
    data_disk_read_bytes: { name: "zeroform_zdb_server_read_bytes_total", help: "Bytes of data read from the disk.", type: "counter" },
    data_disk_write_bytes: {
        name: "zeroform_zdb_server_written_bytes_total",
        help: "Bytes of data written to the disk.",
        type: "counter",
    },
    data_disk_write_failed: {
        name: "zeroform_zdb_server_write_errors_total",
        help: "Writes that the disk refused.",
        type: "counter",
    },
    network_rx_bytes: { name: "zeroform_zdb_server_received_bytes_total", help: "Bytes received from clients.", type: "counter" },
    network_tx_bytes: { name: "zeroform_zdb_server_sent_bytes_total", help: "Bytes sent to clients.", type: "counter" },
};

/** By the key that NSINFO shows it under. */
export const OF_NAMESPACE: Readonly<Record<string, FamilyNamed>> = {
    entries: { name: "zeroform_zdb_entries", help: "Keys in a namespace.", type: "gauge" },
    data_size_bytes: { name: "zeroform_zdb_data_bytes", help: "Bytes of live data in a namespace.", type: "gauge" },
    data_limits_bytes: { name: "zeroform_zdb_limit_bytes", help: "Bytes of data that a namespace may have.", type: "gauge" },
    index_size_bytes: { name: "zeroform_zdb_index_bytes", help: "Bytes of memory reckoned for a namespace's index.", type: "gauge" },
    log_bytes: { name: "zeroform_zdb_log_bytes", help: "Bytes of a namespace's log on the disk.", type: "gauge" },
    log_live_bytes: {
        name: "zeroform_zdb_log_live_bytes",
        help: "Bytes of the log that are current: values with their heads and keys.",
        type: "gauge",
    },
    log_kept_bytes: {
        name: "zeroform_zdb_log_kept_bytes",
        help: "Bytes of the log that have to stay beside what is current.",
        type: "gauge",
    },
    log_dead_bytes: { name: "zeroform_zdb_log_dead_bytes", help: "Bytes of the log that nobody needs.", type: "gauge" },
    compaction_debt_bytes: {
        name: "zeroform_zdb_compaction_debt_bytes",
        help: "Bytes of the log above the size that compaction leaves alone.",
        type: "gauge",
    },
    compactions: { name: "zeroform_zdb_compactions_total", help: "Rewritings of segments of the log.", type: "counter" },
    compacted_bytes: { name: "zeroform_zdb_compaction_freed_bytes_total", help: "Bytes of log that rewriting has freed.", type: "counter" },
    delayed_writes: {
        name: "zeroform_zdb_delayed_writes_total",
        help: "Writes that waited for the room that compaction makes.",
        type: "counter",
    },
    stats_data_io_errors: {
        name: "zeroform_zdb_io_errors_total",
        help: "Reads and writes of a namespace that failed since its server started.",
        type: "counter",
    },
};

/** What clients do, by the key that NSINFO shows it under; counted since the namespace was opened. */
export const OPERATIONS: FamilyNamed = {
    name: "zeroform_zdb_operations_total",
    help: "Commands on the data of a namespace, refused ones too.",
    type: "counter",
};
export const OPERATION_OF: Readonly<Record<string, string>> = {
    ops_read: "read",
    ops_write: "write",
    ops_delete: "delete",
    ops_scan: "scan",
};

const OPERATION_TIME: FamilyNamed = {
    name: "zeroform_zdb_operation_duration_seconds",
    help: "From the turn in which a command is carried out until its answer may go, waits for the disk included; deletions are writes.",
    type: "histogram",
};
const FSYNC_TIME: FamilyNamed = {
    name: "zeroform_zdb_fsync_duration_seconds",
    help: "How long the log took to reach the disk.",
    type: "histogram",
};

/** By the key of its steps; that of the sum has `_sum` behind it. */
export const HISTOGRAMS: readonly {
    readonly key: string;
    readonly family: FamilyNamed;
    readonly labels: Readonly<Record<string, string>>;
}[] = [
    { key: "read_us", family: OPERATION_TIME, labels: { operation: "read" } },
    { key: "write_us", family: OPERATION_TIME, labels: { operation: "write" } },
    { key: "fsync_us", family: FSYNC_TIME, labels: {} },
];

export const CERTIFICATE_END: FamilyNamed = {
    name: "zeroform_zdb_tls_certificate_end_timestamp_seconds",
    help: "Unix time at which the certificate of a Zdb is no longer valid.",
    type: "gauge",
};
