import type { HostInfo } from "../../dev/hosts/index.ts";
import { sh } from "../e2e/hosts.ts";

const FILE = "/srv/spare.img";
const LINK = "/dev/disk/by-id/spare";

/** An empty disk that is there after every boot, before anything that needs it, as disks are. */
const PUT = `
set -e
losetup -nO NAME -j ${FILE} | xargs -r losetup -d
rm -f ${FILE}
truncate -s 64M ${FILE}
cat > /etc/systemd/system/spare-disk.service <<'UNIT'
[Unit]
DefaultDependencies=no
Before=local-fs.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'mkdir -p /dev/disk/by-id; ln -sfn $(losetup --find --show ${FILE}) ${LINK}'
[Install]
WantedBy=local-fs.target
UNIT
systemctl daemon-reload
systemctl -q enable spare-disk.service
systemctl restart spare-disk.service
`;

/** Gives a host an empty disk of its own; answers its path. It goes with the host. */
export const putSpareDisk = async (host: HostInfo): Promise<string> => {
    await sh(host, PUT);
    return LINK;
};
