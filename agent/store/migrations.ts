import type { DatabaseSync } from "node:sqlite";

/** What brings a store from each schema version to the next. A released one is never changed: what comes later is added at the end. */
export const migrations: readonly string[] = [
    `
    create table meta (
        key text primary key,
        value text not null
    ) strict;
    create table sessions (
        epoch integer primary key autoincrement,
        id text not null unique,
        ended integer not null default 0
    ) strict;
    create table tenants (
        id text primary key,
        urn text not null,
        name text not null,
        install_packages integer not null,
        confirmed integer not null,
        deleted integer not null,
        session text not null,
        operation text not null,
        answered integer not null,
        epoch integer not null,
        created_at integer not null
    ) strict;
    create table lives (
        life text primary key,
        tenant text not null,
        kind text not null,
        urn text not null,
        name text not null,
        spec text not null,
        secrets blob,
        generated text not null,
        uses text not null,
        desired text not null,
        removal text,
        restore text,
        confirmed integer not null,
        session text not null,
        operation text not null,
        answered integer not null,
        epoch integer not null,
        created_at integer not null,
        named_at integer,
        made integer not null,
        work text not null,
        state text not null,
        since integer not null,
        reasons text not null
    ) strict;
    create unique index lives_by_operation on lives (tenant, operation);
    create table trash (
        life text primary key,
        tenant text not null,
        kind text not null,
        urn text not null,
        name text not null,
        spec text not null,
        secrets blob,
        uses text not null,
        place text not null,
        removed_at integer not null,
        purge_at integer not null
    ) strict;
    create table events (
        id integer primary key autoincrement,
        at integer not null,
        life text,
        name text,
        what text not null,
        detail text not null
    ) strict;
    `,
    "alter table tenants add column seen_at integer",
    ["meta", "sessions", "tenants", "lives", "trash", "events"].map((table) => `alter table ${table} add column checksum blob;`).join("\n"),
    // By the clock on the wall nobody knows how long it has lain there, so its time begins anew.
    `
    alter table trash add column keep_ms integer not null default 0;
    alter table trash add column came_at integer not null default 0;
    update trash set keep_ms = purge_at - removed_at;
    alter table trash drop column purge_at;
    `,
    "create table former_tenants (number integer primary key autoincrement, id text not null unique, checksum blob) strict",
];

/** The first version whose rows have checksums. */
export const CHECKSUMS_SINCE = 3;
export const SCHEMA_VERSION = migrations.length;

/** What makes its tables and indexes. Spaces are nobody's matter. */
export const schemaOf = (db: DatabaseSync): string => {
    const found = db.prepare("select sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by name").all();
    return found.map(({ sql }) => String(sql).replace(/\s+/g, " ")).join("\n");
};
