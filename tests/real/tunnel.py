"""A real ssh tunnel from a laptop to a host: `ssh -R`, both ends on this computer. Nothing here is imported by the
product."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.real.jupyter import free_port
from tests.real.process import running_program

_HOST = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/visitor_key.pub
PidFile {folder}/sshd.pid
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
AllowTcpForwarding remote
GatewayPorts no
"""


def executables() -> tuple[str, str, str] | None:
    """ssh, sshd and ssh-keygen; None when one of them is not installed or cannot run here."""
    found = [shutil.which("ssh"), shutil.which("sshd") or shutil.which("/usr/sbin/sshd"), shutil.which("ssh-keygen")]
    ssh, sshd, keygen = found
    # As root it wants a folder that its package makes at boot, and that is not ours to make.
    usable = os.getuid() != 0 or Path("/run/sshd").is_dir()
    return (ssh, sshd, keygen) if ssh and sshd and keygen and usable else None


@contextlib.contextmanager
def running_tunnel(folder: Path, gate_port: int) -> Iterator[int]:
    """A port of the "host" that leads to `gate_port` of the "laptop", as docs/reach.md says it."""
    programs = executables()
    assert programs is not None, "sshd is not installed"
    ssh, sshd, keygen = programs
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("host_key", "visitor_key"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    port, leading = free_port(), free_port()
    settings = folder / "sshd_config"
    settings.write_text(_HOST.format(port=port, folder=folder))
    known = folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}")
    with running_program([sshd, "-D", "-e", "-f", str(settings)], folder / "sshd.log", [port]):
        client = [
            *(ssh, "-F", "none", "-N", "-i", str(folder / "visitor_key"), "-p", str(port)),
            *("-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"),
            *("-o", "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=15"),
            *("-R", f"127.0.0.1:{leading}:127.0.0.1:{gate_port}", f"{getpass.getuser()}@127.0.0.1"),
        ]
        with running_program(client, folder / "ssh.log", [leading]):
            yield leading
