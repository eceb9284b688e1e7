import { exec, type HostInfo } from "../../dev/hosts/index.ts";

/** Runs a shell script in a host; fails with what it said. */
export const shell = async (host: HostInfo, script: string): Promise<string> => {
    const { code, stdout, stderr } = await exec(host, ["sh", "-ec", script]);
    if (code !== 0) throw new Error(`${script}\n${stderr}${stdout}`);
    return stdout;
};

/** Starts another real sshd in a host, which lets in whom the first one does; answers its host key, `ssh-ed25519 <base64>`. */
export const startSshd = async (host: HostInfo, listen: string, settings: readonly string[] = []): Promise<string> => {
    const name = listen.replaceAll(/\W/g, "-");
    const config = [
        ...settings,
        `ListenAddress ${listen}`,
        `HostKey /etc/ssh/other/${name}`,
        `PidFile /run/sshd/${name}.pid`,
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UsePAM yes",
    ].join("\n");
    const publicKey = await shell(
        host,
        `mkdir -p /run/sshd /etc/ssh/other; cd /etc/ssh/other; rm -f ${name}*; ssh-keygen -q -t ed25519 -N "" -f ${name}
        cat > ${name}.conf <<'END'\n${config}\nEND
        /usr/sbin/sshd -f /etc/ssh/other/${name}.conf; cat ${name}.pub`,
    );
    return publicKey.split(" ", 2).join(" ");
};
