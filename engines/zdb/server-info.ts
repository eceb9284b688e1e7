import type { CommandContext } from "./command.ts";
import { mebibytes } from "./namespace-info.ts";
import { FORMAT_VERSION } from "./segment-header.ts";

/** The text of INFO: the original's sections and keys. Clients read `sequential_key_size` before anything else. */
export function serverInfo({ statistics, version, instanceId }: CommandContext): string {
    const uptimeS = Math.floor((Date.now() - statistics.startedMs) / 1000);
    return [
        "# server",
        "server_name: 0-db (zdb)",
        `server_revision: zeroform ${version}`,
        `engine_revision: zeroform ${version}`,
        `instance_id: ${instanceId}`,
        `boot_time: ${Math.floor(statistics.startedMs / 1000)}`,
        `uptime: ${uptimeS}`,
        "",
        "# clients",
        `clients_lifetime: ${statistics.clients}`,
        "",
        "# internals",
        "sequential_key_size: 8",
        `data_version: ${FORMAT_VERSION}`,
        `index_version: ${FORMAT_VERSION}`,
        "",
        "# stats",
        `commands_executed: ${statistics.executed}`,
        `commands_failed: ${statistics.failed}`,
        `commands_unauthorized: ${statistics.unauthorized}`,
        "index_disk_read_failed: 0",
        "index_disk_write_failed: 0",
        `data_disk_read_failed: ${statistics.readFailures}`,
        `data_disk_write_failed: ${statistics.writeFailures}`,
        ...bytesAndMebibytes("index_disk_read", 0),
        ...bytesAndMebibytes("index_disk_write", 0),
        ...bytesAndMebibytes("data_disk_read", statistics.dataReadBytes),
        ...bytesAndMebibytes("data_disk_write", statistics.dataWriteBytes),
        ...bytesAndMebibytes("network_rx", statistics.receivedBytes),
        ...bytesAndMebibytes("network_tx", statistics.sentBytes),
        "",
    ].join("\n");
}

const bytesAndMebibytes = (name: string, bytes: number): string[] => [`${name}_bytes: ${bytes}`, `${name}_mb: ${mebibytes(bytes)}`];
