import { sh } from "../../e2e/hosts.ts";
import type { Fault, Scene } from "../fault.ts";

/** What every ZMount needs. */
const PACKAGE = "e2fsprogs";

/** A package source of the host's own with the very package that is installed: the test needs no network. */
const PREPARE = `
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*; mkdir -p /srv/repo/away
root=$(mktemp -d /srv/package.XXXXXX); chmod 755 $root; mkdir $root/DEBIAN
printf 'Package: ${PACKAGE}\\nVersion: %s\\nArchitecture: %s\\nMaintainer: test\\nDescription: test\\n' \
    "$(dpkg-query -W -f '\${Version}' ${PACKAGE})" "$(dpkg --print-architecture)" > $root/DEBIAN/control
dpkg -L ${PACKAGE} | while read -r file; do if [ -e "$file" ] && [ ! -d "$file" ]; then cp -a --parents "$file" $root; fi; done
deb=/srv/repo/${PACKAGE}.deb; dpkg-deb --build $root $deb >/dev/null
{ cat $root/DEBIAN/control; echo "Filename: ./${PACKAGE}.deb"; echo "Size: $(stat -c %s $deb)"; echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"; } > /srv/repo/Packages
rm -r $root; echo "deb [trusted=yes] file:/srv/repo ./" > /etc/apt/sources.list.d/test.list; apt-get -q update
`;

/** Somebody has taken it off the machine, and left everything that needs it. */
const uninstall = ({ sh }: Scene) =>
    // An installation that the run before has begun may still be under way.
    sh(`for _ in $(seq 150); do if dpkg --remove --force-all ${PACKAGE} >/dev/null 2>&1; then exit; fi; sleep 0.2; done; exit 1`);

/** A lock of the kind that dpkg takes: struct flock of fcntl(2), with its padding. */
const holdLock = ({ sh }: Scene, seconds: number) => {
    const lock = "my $l = pack(q(s s x4 q q l x4), F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die";
    const holder = `use Fcntl; open(F, q(>), q(/var/lib/dpkg/lock-frontend)); ${lock}; open(G, q(>), q(/run/held)); sleep ${seconds}`;
    return sh(
        `rm -f /run/held; setsid perl -e '${holder}' >/dev/null 2>&1 </dev/null & until [ -e /run/held ]; do sleep 0.05; done; rm /run/held`,
    );
};

/** Another user has the package manager, for less or longer than a run waits. */
export const packagesLocked: Fault = {
    name: "the package manager is locked",
    operator: "small",
    prepare: (host) => sh(host, PREPARE),
    async strike(scene) {
        await uninstall(scene);
        await holdLock(scene, scene.random.whole(1, 4));
        await scene.operate(scene.random.chance(0.5) ? scene.wanted : { ...scene.wanted, patience: "2s" });
    },
};

/** No package can be had: the machine has no way out, or its lists are gone. */
export const packagesOffline: Fault = {
    name: "the package manager is offline",
    operator: "small",
    prepare: (host) => sh(host, PREPARE),
    async strike(scene) {
        const { sh, clear, operate } = scene;
        clear(() => goOnline(scene));
        await uninstall(scene);
        await sh("mv /srv/repo/Packages /srv/repo/*.deb /srv/repo/away/");
        if (scene.random.chance(0.5)) await sh("rm -rf /var/lib/apt/lists/*");
        await operate({ ...scene.wanted, patience: "4s" });
    },
    remedies: [{ said: /apt-get install e2fsprogs/, apply: (scene) => goOnline(scene) }],
};

/** The package is installed by hand afterwards, as it was said, also where this run has needed none. */
const goOnline = ({ sh }: Scene) =>
    sh(`
        [ -e /srv/repo/Packages ] || mv /srv/repo/away/* /srv/repo/
        apt-get -q update >/dev/null 2>&1
        DEBIAN_FRONTEND=noninteractive apt-get -q --yes --option DPkg::Lock::Timeout=60 install ${PACKAGE} >/dev/null 2>&1
    `);
