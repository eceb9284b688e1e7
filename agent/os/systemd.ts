/** A unit of ours: constant texts and names of our own making only, never a user's words or a secret. */
export interface Unit {
    /** `zeroform-zdb@0123.service`, `var-lib-...mount` */
    readonly name: string;
    /** Its own unit file; left out for an instance of a template. */
    readonly text?: string;
    /** What this instance has beside its template. */
    readonly dropIn?: string;
    /** Whether `zeroform.target` starts it at boot. */
    readonly enabled: boolean;
}

export interface UnitState {
    readonly name: string;
    /** `active`, `activating`, `inactive`, `failed` ... */
    readonly active: string;
    /** `running`, `mounted`, `auto-restart` ... */
    readonly sub: string;
}

/** The supervisor. */
export interface Systemd {
    /** Writes what differs of these units and of the constant ones; systemd is told once for all that asked meanwhile. */
    install(units: readonly Unit[]): Promise<void>;
    /** Whether these are on the disk as they should be. */
    installed(unit: Unit): Promise<boolean>;
    /** Takes units off the disk; they must be stopped. Absent is fine. */
    uninstall(units: readonly Unit[]): Promise<void>;
    /** States of all units of ours that systemd knows, by name; one cheap question. */
    states(): Promise<ReadonlyMap<string, UnitState>>;
    /** Throws FAILED with systemd's own words and the journal's last lines. */
    start(unit: string, signal?: AbortSignal): Promise<void>;
    restart(unit: string, signal?: AbortSignal): Promise<void>;
    /** Stopped already, or unknown, is fine. */
    stop(unit: string, signal?: AbortSignal): Promise<void>;
    /** The last lines that a unit, or systemd about it, wrote in the journal; at most 10, one string. */
    lastWords(unit: string): Promise<string>;
    /** Calls back soon after a mount of this machine or a service of ours has gone or come. Answers how to stop watching. */
    watch(onChange: () => void): () => void;
}
