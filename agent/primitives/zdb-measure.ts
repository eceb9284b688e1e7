import type { FamilyNamed } from "../../protocol/metrics.ts";
import type { Os } from "../os/os.ts";
import type { Measurement } from "./driver.ts";
import { namespaceOf, serverOf, type Zdb, type ZdbServer } from "./zdb-places.ts";
import { type Info, parseInfo } from "./zdb-properties.ts";

/** A server that takes longer is counted as down: whoever scrapes waits some seconds at most. */
const SILENCE_MS = 2_000;

const UP: FamilyNamed = { name: "zeroform_zdb_server_up", help: "Whether a Zero-DB server answers.", type: "gauge" };

/** By the key that INFO shows it under. */
const OF_SERVER: Readonly<Record<string, FamilyNamed>> = {
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
const OF_NAMESPACE: Readonly<Record<string, FamilyNamed>> = {
    entries: { name: "zeroform_zdb_entries", help: "Keys in a namespace.", type: "gauge" },
    data_size_bytes: { name: "zeroform_zdb_data_bytes", help: "Bytes of live data in a namespace.", type: "gauge" },
    data_limits_bytes: { name: "zeroform_zdb_limit_bytes", help: "Bytes of data that a namespace may have.", type: "gauge" },
    index_size_bytes: { name: "zeroform_zdb_index_bytes", help: "Bytes of memory reckoned for a namespace's index.", type: "gauge" },
    stats_data_io_errors: {
        name: "zeroform_zdb_io_errors_total",
        help: "Reads and writes of a namespace that failed since its server started.",
        type: "counter",
    },
};

/** Figures of all Zdbs and of the servers that they are on; one conversation with each server, all at once. */
export const measureZdbs = async (os: Os, resources: readonly Zdb[]): Promise<readonly Measurement[]> => {
    const servers = Map.groupBy(resources, (resource) => serverOf(resource).id);
    const measured = await Promise.all(
        [...servers.values()].flatMap((group) => (group[0] === undefined ? [] : [measureServer(os, serverOf(group[0]), group)])),
    );
    return measured.flat();
};

const measureServer = async (os: Os, server: ZdbServer, namespaces: readonly Zdb[]): Promise<readonly Measurement[]> => {
    const labels = { server: server.id, tenant: server.tenant };
    const questions = [["INFO"], ...namespaces.map((resource) => ["NSINFO", namespaceOf(resource)])];
    const replies = await os.redis.ask(server.adminSocket, questions, { silenceMs: SILENCE_MS }).catch(() => undefined);
    if (replies === undefined) return [{ family: UP, labels, value: 0 }];
    const [own, ...each] = replies.map((reply) => (typeof reply === "string" ? parseInfo(reply) : new Map<string, string>()));
    return [
        { family: UP, labels, value: 1 },
        ...figures(OF_SERVER, own).map((figure) => ({ ...figure, labels })),
        ...namespaces.flatMap((resource, index) => figures(OF_NAMESPACE, each[index]).map((figure) => ({ ...figure, resource }))),
    ];
};

const figures = (families: Readonly<Record<string, FamilyNamed>>, info: Info = new Map()): readonly Measurement[] =>
    Object.entries(families).flatMap(([key, family]) => {
        const value = Number(info.get(key) ?? Number.NaN);
        return Number.isNaN(value) ? [] : [{ family, value }];
    });
