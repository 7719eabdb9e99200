"""Who listens on a port of this machine.

Any local user may open a port that a server has left. Before the credential goes to a loopback port the listener's
user and process are compared with those of the server.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import sys
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sharegate.errors import Denied, Reason
from sharegate.upstream.address import address_of
from sharegate.upstream.model import Upstream
from sharegate.upstream.sockdiag import listening_sockets

_LISTEN = "0A"
_PROC = Path("/proc")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Listening(Enum):
    """`UNKNOWN` only where the system does not say (no /proc/net/tcp); what cannot be shown elsewhere is `OTHERS`."""

    OURS = "ours"
    OTHERS = "others"
    NOBODY = "nobody"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket, from the kernel itself, or a row of /proc/net/tcp or tcp6 in state LISTEN (Linux,
    Documentation/networking/proc_net_tcp)."""

    address: IPAddress
    port: int
    uid: int
    inode: int


def _address(text: str) -> IPAddress:
    # The kernel prints 32-bit words in the machine's order, each as hexadecimal.
    words = (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
    return _of_bytes(b"".join(word.to_bytes(4, sys.byteorder) for word in words))


def _of_bytes(raw: bytes) -> IPAddress:
    if len(raw) == 4:
        return ipaddress.IPv4Address(raw)
    address = ipaddress.IPv6Address(raw)
    return address.ipv4_mapped or address


def read_listeners(proc: Path = _PROC) -> list[Listener] | None:
    """All listening TCP sockets of this network namespace; None where the system does not tell. OSError where it would,
    but cannot be asked now (no descriptor left): that is no reason to believe anybody."""
    told = listening_sockets() if proc == _PROC else None
    if told is not None:
        return [Listener(_of_bytes(row.address), row.port, row.uid, row.inode) for row in told]
    rows: list[str] = []
    try:
        rows += (proc / "net" / "tcp").read_text("ascii").splitlines()[1:]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    try:
        rows += (proc / "net" / "tcp6").read_text("ascii").splitlines()[1:]
    except FileNotFoundError:
        # A kernel without IPv6 has no such listeners.
        pass
    except PermissionError:
        return None
    listeners = []
    for row in rows:
        columns = row.split()
        if len(columns) < 10 or columns[3] != _LISTEN:
            continue
        address, _, port = columns[1].partition(":")
        listeners.append(Listener(_address(address), int(port, 16), int(columns[7]), int(columns[9])))
    return listeners


def _holds(pid: int, inode: int, proc: Path) -> bool:
    wanted = f"socket:[{inode}]"
    try:
        with os.scandir(proc / str(pid) / "fd") as entries:
            for entry in entries:
                try:
                    if os.readlink(entry.path) == wanted:
                        return True
                except OSError:
                    # Closed in between, or not ours to look at: not shown.
                    continue
    except OSError:
        # Gone, or another user's process: fails closed, not shown to be the listener.
        return False
    return False


def _reached(target: IPAddress, listeners: list[Listener]) -> list[Listener]:
    """Who gets a connection to `target`: the kernel prefers an exact address, then IPv4's wildcard, then IPv6's."""
    exact = [one for one in listeners if one.address == target]
    if exact:
        return exact
    same = [one for one in listeners if one.address.is_unspecified and one.address.version == target.version]
    if same or target.version == 6:
        return same
    return [one for one in listeners if one.address.is_unspecified and one.address.version == 6]


def who_listens(host: str, port: int, *, pid: int, uids: frozenset[int], proc: Path = _PROC) -> Listening:
    """Whether the listener that a connection to `host:port` meets runs as one of `uids` and is `pid` (0: any).

    `localhost` may mean both loopback addresses; whatever listens on either must be ours, since the client may take
    either. For a host name that is not a literal address every listener of the port counts.
    """
    try:
        everybody = read_listeners(proc)
    except OSError:  # fails closed
        return Listening.OTHERS
    if everybody is None:
        return Listening.UNKNOWN
    listeners = [one for one in everybody if one.port == port]
    if host.lower() == "localhost":
        targets: list[IPAddress] = [ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1")]
        met = [one for target in targets for one in _reached(target, listeners)]
    else:
        try:
            met = _reached(ipaddress.ip_address(host), listeners)
        except ValueError:
            met = listeners
    if not met:
        return Listening.NOBODY
    for one in met:
        if one.uid not in uids:
            return Listening.OTHERS
        if pid and not _holds(pid, one.inode, proc):
            return Listening.OTHERS
    return Listening.OURS


def alive(pid: int) -> bool:
    """Whether a process of that number exists and is ours to signal."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError, OverflowError):
        # Another user's process is not the server we look for.
        return False
    return True


def judge(upstream: Upstream) -> Listening:
    """Who listens where a co-located upstream, or one reached over loopback, should be.

    Blocking: a few small files, and up to 70 ms where it looks like an impostor. OURS without a look for a server on
    another machine: there its certificate or the network answers for it. A loopback port whose owner was never noted
    (a tunnel) must be held by this user or by root.
    """
    address = address_of(upstream.url)
    if not address.loopback and not upstream.pid:
        return Listening.OURS
    uids = frozenset({upstream.uid} if upstream.uid != -1 else {os.getuid(), 0})
    for pause in (0.0, 0.02, 0.05):
        # An ending process lets go of its descriptors a moment before its sockets leave the table: that is no impostor.
        time.sleep(pause)
        verdict = who_listens(address.host, address.port, pid=upstream.pid, uids=uids)
        if verdict is not Listening.OTHERS:
            break
    if verdict is Listening.UNKNOWN and upstream.pid and not alive(upstream.pid):
        return Listening.NOBODY
    return verdict


async def vet_listener(upstream: Upstream) -> None:
    """Denied(`upstream_not_ours`, `upstream_away`) unless the listener is the server. Where the system does not
    tell, a server whose process lives is taken for itself: SECURITY.md says so."""
    verdict = await asyncio.to_thread(judge, upstream)
    if verdict is Listening.OTHERS:
        raise Denied(Reason.UPSTREAM_NOT_OURS, "another process listens on the server's port")
    if verdict is Listening.NOBODY:
        raise Denied(Reason.UPSTREAM_AWAY, "nothing listens on the server's port")
