/** Options without a value, and those with one; the names of the original where it has the option. */
export const FLAGS = [
    "sync",
    "closed",
    "dualnet",
    "protect",
    "compact",
    "secure",
    "background",
    "verbose",
    "dump",
    "show-all",
    "allow-stop",
    "help",
    "version",
] as const;
export const VALUES = [
    "data",
    "index",
    "listen",
    "port",
    "socket",
    "admin-socket",
    "admin",
    "mode",
    "synctime",
    "datasize",
    "maxsize",
    "rotate",
    "scrub",
    "erase-after",
    "hook",
    "logfile",
    "tls-cert",
    "tls-key",
    "tls-ca",
    "seal-key-file",
] as const;
export type Flag = (typeof FLAGS)[number];
export type ValueName = (typeof VALUES)[number];
export const isFlag = (name: string): name is Flag => FLAGS.some((flag) => flag === name);
export const isValueName = (name: string): name is ValueName => VALUES.some((value) => value === name);

export const DEFAULT_PORT = 9900;

export const HELP = `usage: zeroform-agent zdb [options]
       zeroform-agent zdb check|repair|import|dump ...      (each tool has a --help of its own)

A Zero-DB server: an always-append key-value store that speaks the Redis protocol.

  --data <dir>            segments of all namespaces (default ./zdb-data)
  --index <dir>           files that can be rebuilt from the data (default ./zdb-index)
  --listen <address>      address to listen on, or address:port; repeat it or join several by commas
                          (default 127.0.0.1: other machines cannot connect; :: is every interface)
  --port <n>              port of addresses written without one (default ${DEFAULT_PORT})
  --socket <path>         unix socket; no TCP then, unless --dualnet is given
  --dualnet               unix socket and TCP together
  --tls-cert <file>       certificate chain (PEM): TCP speaks TLS only. Needs --tls-key; read again on SIGHUP
  --tls-key <file>        its private key (PEM)
  --tls-ca <file>         clients must show a certificate that one of these (PEM) has signed
  --admin <password>      only clients that gave it administer (default: every client may)
  --admin-socket <path>   unix socket for its owner only (0600), whose clients administer and enter every namespace;
                          clients of other listeners administer only with --admin then
  --protect               "default" takes the password of --admin, and is read-only without it
  --closed                no TCP listener and no use of the namespace "default": each namespace is reachable
                          through the addresses of its own "listen" property only
  --show-all              NSLIST and NSINFO tell everybody about private namespaces, as the original does
  --allow-stop            STOP of an administrator ends the server
  --mode user|seq         mode of all namespaces (default: each has its own); direct is another word for seq
  --sync                  a write is on disk before it is answered (durability "commit")
  --synctime <seconds>    a power loss takes at most that many seconds (default: durability "interval 1s")
  --secure                accepted: a segment is always on disk before the next one begins
  --datasize <size>       where a segment ends, 524288 to 4294967294 bytes; 1.5M, 64M, 1G are understood
                          (default: 16 to 64 MiB, a sixteenth of the namespace's maxsize)
  --maxsize <bytes>       limit of the namespace "default", for this run
  --rotate <seconds>      a namespace that was written to begins a new segment after that time
  --erase-after <hours>   what was overwritten or deleted is gone from the disk after that time, at the latest
                          (default 168; 0: when compaction comes to it)
  --scrub <size>          how much of the closed segments is read in a second in the background to find damage
                          (default 8M; 0: nothing)
  --hook <file>           program that is run at events; compaction is off then, so that closed segments stay as they are
  --compact               compaction all the same, with --hook
  --seal-key-file <file>  32 random bytes (0600) that seal passwords on disk
  --config <file>         JSON with these names as keys, so that no secret is in the process list;
                          what is on the command line wins
  --background            goes on in the background once it is ready
  --logfile <file>        where it writes its lines then
  --verbose               says which clients come and go, and what they were refused
  --dump                  opens everything, says what is there, and ends
  --version, --help
`;
