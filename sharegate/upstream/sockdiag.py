"""TCP sockets of this computer as the Linux kernel tells them over netlink (sock_diag(7)): who listens, and who has
connected.

/proc/net/tcp tells the same, but among all connections of the machine: with ten thousand of those one reading takes
50 ms, and whoever opens connections makes it longer. Here the kernel is asked for listeners alone.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST, _DUMP_REQUEST = 0x1, 0x1 | 0x300  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3
_LISTEN, _ANY_STATE = 1 << 10, (1 << 32) - 1
_ESTABLISHED = 1
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ASK = struct.Struct("=BBBBI48x")  # inet_diag_req_v2 with an empty inet_diag_sockid
# inet_diag_sockid: ports and addresses of this end and the other in network order, any interface, no cookie.
_ID = struct.Struct("=2s2s16s16sIII")
# inet_diag_msg: family, state, timer, retransmits; sockid (source port first, in network order); five numbers.
_TOLD = struct.Struct("=BBBB2s2s16s16s12xIIIII")
_MOST = 1 << 16


@dataclass(frozen=True, slots=True)
class Row:
    """`address` is 4 or 16 bytes in network order."""

    address: bytes
    port: int
    uid: int
    inode: int


def listening_sockets() -> list[Row] | None:
    """All of this network namespace; None where the system cannot be asked (no Linux, or a sandbox)."""
    if not hasattr(socket, "AF_NETLINK"):
        return None
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            return [*_ask(kernel, socket.AF_INET), *_ask(kernel, socket.AF_INET6)]
    except (OSError, struct.error):  # fails closed: the caller reads /proc, and without that nothing is shown
        return None


def account_connected(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The user id of who holds the client's end (address, port) of an open TCP connection; None where no process of
    this network namespace has it open, or the kernel does not say so.

    What was closed meanwhile has nobody any more: the kernel would say that it is root's.
    """
    try:
        here, there = ipaddress.ip_address(client[0]), ipaddress.ip_address(server[0])
        if here.version != there.version:
            return None
        family = socket.AF_INET if here.version == 4 else socket.AF_INET6
        ends = (client[1].to_bytes(2, "big"), server[1].to_bytes(2, "big"))
        id = _ID.pack(*ends, here.packed, there.packed, 0, _ANY_STATE, _ANY_STATE)
        asked = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + id
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            kernel.send(_HEADER.pack(_HEADER.size + len(asked), _SOCK_DIAG_BY_FAMILY, _REQUEST, family, 0) + asked)
            data = kernel.recv(_MOST)
        _, kind, _, sequence, _ = _HEADER.unpack_from(data)
        if kind != _SOCK_DIAG_BY_FAMILY or sequence != family:
            return None
        state = _TOLD.unpack_from(data, _HEADER.size)[1]
        return _row(data, _HEADER.size).uid if state == _ESTABLISHED else None
    except (OSError, struct.error, ValueError, OverflowError):  # fails closed: nobody has it
        return None


def _ask(kernel: socket.socket, family: int) -> Iterator[Row]:
    asked = _ASK.pack(family, socket.IPPROTO_TCP, 0, 0, _LISTEN)
    kernel.send(_HEADER.pack(_HEADER.size + len(asked), _SOCK_DIAG_BY_FAMILY, _DUMP_REQUEST, family, 0) + asked)
    while True:
        data = kernel.recv(_MOST)
        at = 0
        while at + _HEADER.size <= len(data):
            length, kind, _, sequence, _ = _HEADER.unpack_from(data, at)
            if length < _HEADER.size:
                raise OSError(errno.EBADMSG, "a message without a length")
            if sequence == family:
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise _error(data, at)
                if kind == _SOCK_DIAG_BY_FAMILY:
                    yield _row(data, at + _HEADER.size)
            at += (length + 3) & ~3


def _error(data: bytes, at: int) -> OSError:
    (number,) = struct.unpack_from("=i", data, at + _HEADER.size)
    return OSError(-number, "the kernel does not tell")


def _row(data: bytes, at: int) -> Row:
    family, _, _, _, port, _, source, _, _, _, _, uid, inode = _TOLD.unpack_from(data, at)
    address = source[:4] if family == socket.AF_INET else source
    return Row(address, int.from_bytes(port, "big"), uid, inode)
