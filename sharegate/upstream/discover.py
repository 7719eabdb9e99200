"""Finding the owner's running servers the way `jupyter server list` does.

A running server leaves `jpserver-<pid>.json` in its runtime directory (jupyter_server ServerApp.server_info). The gate
may live in an environment without Jupyter, so directories and files are read here, and more strictly: the file
holds a credential and names a process, and both are believed only from a file that nobody else can write.
"""

from __future__ import annotations

import os
import platform
import re
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sharegate.errors import Invalid
from sharegate.upstream.address import parse_address
from sharegate.upstream.listening import alive
from sharegate.upstream.model import Credential, Upstream

_NAME = re.compile(r"jpserver-([1-9][0-9]{0,9})\.json\Z")
_MAX_FILE = 64 * 1024
_MAX_FILES = 500
# What a server listens on when it listens everywhere; the gate goes by loopback.
_EVERYWHERE = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 -- not bound


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that runs now, as its own file describes it. `root_dir` is a real path; `url` ends in a slash."""

    url: str
    token: Credential
    root_dir: str
    pid: int
    uid: int
    version: str = ""


class _Info(msgspec.Struct):
    """The fields of the file that are used; others are ignored, since Jupyter may add some."""

    hostname: str
    port: int
    base_url: str
    root_dir: str
    pid: int
    token: str
    secure: bool = False
    sock: str = ""
    version: str = ""


def runtime_directories(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> list[Path]:
    """Where servers of this user note that they run, in Jupyter's order (jupyter_core.paths.jupyter_runtime_dir).

    The defaults are looked at too when a variable points elsewhere: a server may have been started without it.
    """
    found: list[Path] = []

    def add(*parts: str) -> None:
        path = Path(*parts)
        if path.is_absolute() and path not in found:
            found.append(path)

    if directory := environment.get("JUPYTER_RUNTIME_DIR"):
        add(directory)
    if directory := environment.get("JUPYTER_DATA_DIR"):
        add(directory, "runtime")
    home = environment.get("HOME") or os.path.expanduser("~")
    if platform == "darwin":
        add(home, "Library", "Jupyter", "runtime")
        # With JUPYTER_PLATFORM_DIRS.
        add(home, "Library", "Application Support", "jupyter", "runtime")
    else:
        add(environment.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share"), "jupyter", "runtime")
    return found


def _own(facts: os.stat_result) -> bool:
    return facts.st_uid == os.getuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _read(path: Path) -> bytes | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or not _own(facts) or facts.st_size > _MAX_FILE:
            return None
        return os.read(handle, _MAX_FILE)
    except OSError:
        return None
    finally:
        os.close(handle)


def parse_server_file(name: str, data: bytes) -> FoundServer | None:
    """Read one file strictly; None when it describes nothing that the gate could use."""
    named = _NAME.match(name)
    try:
        info = msgspec.json.decode(data, type=_Info)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        # Half-written or foreign: not a server. It is looked at again in the next round.
        return None
    if named is None or int(named[1]) != info.pid or not 0 < info.port < 65536 or not os.path.isabs(info.root_dir):
        return None
    if info.sock:
        # It listens on a Unix socket only, which the gate does not speak.
        return None
    host = _EVERYWHERE.get(info.hostname, info.hostname)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    base = info.base_url if info.base_url.startswith("/") else "/" + info.base_url
    try:
        address = parse_address(f"{'https' if info.secure else 'http'}://{host}:{info.port}{base}")
    except Invalid:
        return None
    if address.host != host.strip("[]").lower() or address.port != info.port:
        # The host name held a separator and moved the border to the port or the path.
        return None
    return FoundServer(
        url=address.url,
        token=Credential(info.token),
        root_dir=os.path.realpath(info.root_dir),
        pid=info.pid,
        uid=os.getuid(),
        version=info.version[:64],
    )


def running_servers(directories: Iterable[Path] | None = None) -> list[FoundServer]:
    """This user's running servers, newest file first. Blocking (reads a few small files).

    Skipped without a word: files and directories that another user owns or may write, dead processes, other
    users' processes, what does not parse. That the port is really the process's is checked by listening.judge.
    """
    found: list[tuple[float, FoundServer]] = []
    for directory in runtime_directories() if directories is None else directories:
        try:
            if not _own(directory.stat()):
                continue
            names = sorted(name for name in os.listdir(directory) if _NAME.match(name))[:_MAX_FILES]
        except OSError:
            # No such directory: nothing runs there.
            continue
        for name in names:
            data = _read(directory / name)
            server = parse_server_file(name, data) if data is not None else None
            if server is None or not alive(server.pid):
                continue
            try:
                written = (directory / name).stat().st_mtime
            except OSError:
                # Gone in between: the server has just stopped.
                continue
            if all(other.pid != server.pid for _, other in found):
                found.append((written, server))
    return [server for _, server in sorted(found, key=lambda entry: entry[0], reverse=True)]


def holding(path: Path, servers: Iterable[FoundServer]) -> FoundServer | None:
    """The server whose root holds `path` (compared as real paths); of several the one with the deepest root."""
    real = os.path.realpath(path)
    holders = [one for one in servers if os.path.commonpath((real, one.root_dir)) == one.root_dir]
    return max(holders, key=lambda one: len(Path(one.root_dir).parts), default=None)


def same_server(record: Upstream, candidate: FoundServer) -> bool:
    """Whether a running server is the recorded one come back: same real root and same OS user.

    Address, token and process differ after a restart. A record without a root (another machine's) is never matched.
    """
    uid = record.uid if record.uid != -1 else os.getuid()
    return bool(record.root_dir) and record.root_dir == candidate.root_dir and uid == candidate.uid


def as_upstream(server: FoundServer, *, id: str, name: str, owner: str) -> Upstream:
    """A record for a server that was found. Its root is a real path whoever found it: a look at the disk goes by it."""
    return Upstream(
        id=id,
        name=name,
        owner=owner,
        url=server.url,
        root_dir=os.path.realpath(server.root_dir),
        pid=server.pid,
        uid=server.uid,
        machine=platform.node(),
        token=server.token,
    )
