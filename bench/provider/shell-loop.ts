import { exec, type HostInfo } from "../../dev/hosts/index.ts";

/** Where the loop keeps what it makes: on the same file system as the agent's own pool. */
const PLACE = "/var/lib/zeroform/by-hand";

/**
 * What somebody who is careful would write in shell to get what a ZMount is: reserved space with an ext4 in it that is complete before it has
 * its name, a mount point nobody can write into while it is bare, a mount unit that systemd brings up at boot behind a check, everything
 * flushed before the next step relies on it. No row in a store, no report, no healing afterwards.
 */
const LOOP = `set -eu
count=$1 bytes=$2 place=${PLACE}
units=/etc/systemd/system
mkdir -p "$place/images" "$place/mounts" "$units/multi-user.target.wants"
cat > "$units/by-hand-fsck@.service.new" <<'UNIT'
[Unit]
RequiresMountsFor=/var/lib/zeroform
StartLimitIntervalSec=0
[Service]
Type=oneshot
EnvironmentFile=${PLACE}/%i.env
ExecCondition=/bin/sh -c 'test -z "$(losetup --associated "$IMAGE")"'
ExecStart=/sbin/e2fsck -p $IMAGE
SuccessExitStatus=1
TimeoutStartSec=infinity
UNIT
sync "$units/by-hand-fsck@.service.new"
mv "$units/by-hand-fsck@.service.new" "$units/by-hand-fsck@.service"
sync "$units"
number=0
while [ "$number" -lt "$count" ]; do
    number=$((number + 1))
    image=$place/images/$number.img point=$place/mounts/$number
    unit=$(systemd-escape --path --suffix=mount "$point")
    fallocate --length "$bytes" "$image.new"
    mke2fs -q -F -m 0 -b 4096 -E nodiscard -t ext4 "$image.new"
    fallocate --length "$bytes" "$image.new"
    sync "$image.new"
    mv "$image.new" "$image"
    sync "$place/images"
    mkdir "$point"
    chattr +i "$point"
    echo "IMAGE=$image" > "$place/$number.env.new"
    sync "$place/$number.env.new"
    mv "$place/$number.env.new" "$place/$number.env"
    sync "$place"
    cat > "$units/$unit.new" <<UNIT
[Unit]
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target
Requires=by-hand-fsck@$number.service
After=local-fs.target by-hand-fsck@$number.service
RequiresMountsFor=$place/images
StartLimitIntervalSec=0
[Mount]
What=$image
Where=$point
Type=ext4
Options=loop,nodev,nosuid
UNIT
    sync "$units/$unit.new"
    mv "$units/$unit.new" "$units/$unit"
    sync "$units"
    ln -s "$units/$unit" "$units/multi-user.target.wants/$unit"
    sync "$units/multi-user.target.wants"
    systemctl start "$unit"
    device=$(findmnt --noheadings --output MAJ:MIN "$point" | tr -d ' ')
    echo 0 > "/sys/dev/block/$device/queue/discard_max_bytes"
done
`;

const TAKE_AWAY = `set -eu
place=${PLACE}
for point in "$place"/mounts/*; do
    unit=$(systemd-escape --path --suffix=mount "$point")
    systemctl stop "$unit"
    rm -f "/etc/systemd/system/$unit" "/etc/systemd/system/multi-user.target.wants/$unit"
    chattr -i "$point"
done
rm -f /etc/systemd/system/by-hand-fsck@.service
systemctl daemon-reload
rm -rf "$place"
`;

/** Makes mounts by hand on a host; answers how many seconds that took. What was made is taken away. */
export const mountsByHand = async (host: HostInfo, count: number, bytes: number): Promise<number> => {
    const started = performance.now();
    await must(host, LOOP, String(count), String(bytes));
    const seconds = (performance.now() - started) / 1000;
    await must(host, TAKE_AWAY);
    return seconds;
};

const must = async ({ name }: HostInfo, script: string, ...args: readonly string[]): Promise<void> => {
    const { code, stderr, stdout } = await exec(name, ["sh", "-c", script, "by-hand", ...args]);
    if (code !== 0) throw new Error(`by hand on ${name}: ${stderr || stdout}`);
};
