/**
 * How a host's first process comes to be, as three shells that replace each other. All values arrive by environment, nothing is spliced in.
 *
 * 1. `launcher` joins the host's launcher cgroup and makes the PID and network namespace. It stays outside as the parent of PID 1, in a
 *    cgroup beside the host's own: a process in the root of the host's tree would forbid systemd to hand controllers down.
 * 2. `first` is PID 1: it joins the host's cgroup **before** it makes the cgroup namespace, so that the host sees its own tree only.
 * 3. `second` waits until the cable is in (one line on standard input, end of file when the starter died), mounts the root and becomes systemd.
 */
export const SECOND = `
set -eu
read -r go
exec </dev/null

ip link set lo up
ip addr add "$ADDRESS/24" dev eth0
ip link set eth0 up
ip route add default via "$GATEWAY"

mount -t overlay overlay -o "lowerdir=/,upperdir=$UPPER,workdir=$WORK" "$ROOT"
mount -t tmpfs -o mode=755,nosuid,size=4m dev "$ROOT/dev"
cp -a "$DEVICES/." "$ROOT/dev/"
mkdir -p "$ROOT/dev/pts" "$ROOT/dev/shm" "$ROOT/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$ROOT/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev shm "$ROOT/dev/shm"
mount -t mqueue mqueue "$ROOT/dev/mqueue"
mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$ROOT/sys"
mkdir -p "$ROOT/sys/fs/cgroup" 2>/dev/null || true
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$ROOT/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid,nodev run "$ROOT/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$ROOT/tmp"
mkdir -p "$ROOT/var/lib/zeroform"
mount -o loop "$IMAGE" "$ROOT/var/lib/zeroform"
mount -t tmpfs -o ro,size=4k hidden "$ROOT$BASE"

# The machine's own mounts go: kept, they would pin its loop devices and other hosts' file systems.
cd "$ROOT"
mkdir -p .machine
pivot_root . .machine
umount -l .machine
rmdir .machine
# As systemd does on a machine: what is unmounted goes from the services' own views too. In a container it leaves that to whoever made it.
mount --make-rshared /
exec env -i container=zeroform PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \\
    chroot . /lib/systemd/systemd --system --log-target=journal --show-status=no
`;

export const FIRST = `
set -eu
echo 0 >"$CGROUP/host/cgroup.procs"
exec unshare --cgroup --mount --uts --ipc --propagation private sh -c "$SECOND"
`;

export const LAUNCHER = `
set -eu
echo $$ >"$CGROUP/launcher/cgroup.procs"
exec unshare --pid --net --fork --kill-child sh -c "$FIRST"
`;
