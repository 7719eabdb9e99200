"""Tests of upstream/sockdiag.py, against the running kernel and /proc."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest

from sharegate.upstream import sockdiag
from sharegate.upstream.listening import Listening, read_listeners, who_listens

# The same place by another name: read as text.
READ = Path("/proc/self/..")

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="no Linux")


def test_the_kernel_tells_what_proc_tells() -> None:
    """Address, port, user and inode of our own listeners, of both families, are the same by both ways."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("", 0)) as every,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
    ):
        mine = {each.getsockname()[1] for each in (one, every, six)}
        told = read_listeners()
        read = read_listeners(READ)
        assert told is not None
        assert read is not None
        ours = [each for each in told if each.port in mine]
        assert sorted(map(repr, ours)) == sorted(repr(each) for each in read if each.port in mine)
        assert {os.fstat(each.fileno()).st_ino for each in (one, every, six)} == {each.inode for each in ours}


def test_it_is_the_kernel_who_is_asked() -> None:
    """Where this test runs the kernel does tell, so that the test before compares two ways."""
    assert sockdiag.listening_sockets() is not None


def test_connections_are_not_listeners() -> None:
    """Neither end of an open connection is told, whatever its port."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as there,
        server.accept()[0] as here,
    ):
        told = sockdiag.listening_sockets()
        assert told is not None
        inodes = {row.inode for row in told}
        assert os.fstat(server.fileno()).st_ino in inodes
        assert not {os.fstat(each.fileno()).st_ino for each in (there, here)} & inodes


class _Kernel:
    """What stands for the kernel's socket; it says `said`."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def __enter__(self) -> _Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def settimeout(self, seconds: float) -> None:
        pass

    def send(self, data: bytes) -> int:
        return len(data)

    def recv(self, most: int) -> bytes:
        return self._said


@pytest.mark.parametrize(
    "said",
    [
        struct.pack("=IHHIIi", 20, 2, 0, socket.AF_INET, 0, -95),
        struct.pack("=IHHII", 16, 20, 0, socket.AF_INET, 0),
        struct.pack("=IHHII", 0, 20, 0, socket.AF_INET, 0),
    ],
    ids=["refused", "no row in a row", "no length"],
)
def test_a_kernel_that_does_not_tell_is_read_instead(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error, or an answer that is none, leads to /proc and not to a server that would be taken for ours unseen."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(sockdiag.socket, "socket", lambda *_: _Kernel(said))
        assert sockdiag.listening_sockets() is None
        monkeypatch.undo()
        monkeypatch.setattr("sharegate.upstream.listening.listening_sockets", lambda: None)
        port = server.getsockname()[1]
        assert who_listens("127.0.0.1", port, pid=os.getpid(), uids=frozenset({os.getuid()})) is Listening.OURS


def test_a_system_without_netlink_is_read_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has none."""
    monkeypatch.delattr(sockdiag.socket, "AF_NETLINK")
    assert sockdiag.listening_sockets() is None
