"""The files of the test hosts: what sshd reads, who the users are, and what the controller is told of them.

Nothing here refers to the machine's own /etc/ssh or to anybody's ~/.ssh.
"""

import re
import subprocess
import sys
from pathlib import Path

from tests.ssh.keys import Keys
from tests.ssh.plan import CONTROL, PORTS, Plan

_SWITCH = Path(__file__).with_name("switch.py")

_SSHD_CONFIG = """\
Port {port}
ListenAddress 0.0.0.0
ListenAddress ::
HostKey /run/host/host_key
AuthorizedKeysFile /run/host/authorized_keys
PidFile none
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PermitUserEnvironment no
MaxStartups 100
MaxSessions 100
LogLevel VERBOSE
"""
_PASSWD = """\
root:x:0:0:root:/run/home/root:/run/host/shell
alice:x:1000:1000:alice:/run/home/alice:/run/host/shell
sshd:x:103:65534:sshd:/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = """\
root:x:0:
tty:x:5:
alice:x:1000:
nogroup:x:65534:
"""
# A `*` is no password, and no lock either: sshd lets nobody in whose account is locked (a `!`).
_SHADOW = "".join(f"{line.split(':')[0]}:*:20000::::::\n" for line in _PASSWD.splitlines())
# init makes `raise` set-user-ID root.
_BECOME = '#!/bin/sh\nexec /run/host/bin/raise --reuid 0 --regid 0 --clear-groups "$@"\n'
_REFUSE = '#!/bin/sh\necho "sudo: a password is required" >&2\nexit 1\n'
_SHELL = '#!/bin/sh\n{prelude}\nexec /bin/sh "$@"\n'


def write_host(plan: Plan, keys: Keys, name: str) -> Path:
    """Write a host's files to a folder, which its init copies to its /run/host. Return the folder."""
    folder = Path(plan.folder) / name
    (folder / "bin").mkdir(parents=True)
    prelude = plan.prelude if plan.python else f"{plan.prelude}\nPATH=/run/host/bin; export PATH"
    texts: dict[str, str] = {
        "sshd_config": _SSHD_CONFIG.format(port=PORTS[name]) + _of_this_version(),
        "authorized_keys": keys.public("user") + "\n",
        "passwd": _PASSWD,
        "group": _GROUP,
        "shadow": _SHADOW,
        "shell": _SHELL.format(prelude=prelude),
        "bin/become": _BECOME,
        "bin/refuse": _REFUSE,
        "host_key": keys.private(name).read_text(),
    }
    for file, text in texts.items():
        (folder / file).write_text(text)
        (folder / file).chmod(0o600 if file in ("host_key", "shadow") else 0o755)
    return folder


def write_controller(plan: Plan, keys: Keys) -> None:
    """Write ssh_config, known_hosts and hosts.toml to the plan's folder."""
    folder = Path(plan.folder)
    known, config, hosts = [], [], ['ssh_config = "ssh_config"\n']
    for name in plan.names:
        address, port = CONTROL[name], PORTS[name]
        known.append(f"{address if port == 22 else f'[{address}]:{port}'} {keys.public(name)}\n")
        config.append(f"Host {name}\n  HostName {address}\n  Port {port}\n  User {plan.user}\n")
        hosts.append(_table(plan, name))
    config.append(
        f"Host *\n  IdentityFile {keys.private('user')}\n  IdentitiesOnly yes\n  PasswordAuthentication no\n"
        f"  UserKnownHostsFile {folder}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
    )
    (folder / "known_hosts").write_text("".join(known))
    (folder / "ssh_config").write_text("".join(config))
    (folder / "hosts.toml").write_text("\n".join(hosts))


def _table(plan: Plan, name: str) -> str:
    values = {"host": f'"{name}"'}
    if name != "router":
        values["address"] = "[" + ", ".join(f'"{address}"' for address in plan.data(name).values()) + "]"
        power = f"{sys.executable} -I -S {_SWITCH} {name}"
        off = f"kill -9 $(cat {plan.folder}/{name}.pid)" if plan.kind == "guest" else f"{power} off"
        values |= {"power_off": f'"{off}"', "power_on": f'"{power} on"'}
    if plan.become:
        values["become"] = f'"{plan.become}"'
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


def _of_this_version() -> str:
    """What only this version's sshd has to be told. Since 9.8 it shuts out for a while who failed to log in."""
    said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stderr
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", said)
    return "PerSourcePenalties no\n" if found and (int(found[1]), int(found[2])) >= (9, 8) else ""
