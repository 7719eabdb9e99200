"""Tests of upstream/sockdiag.py, against the running kernel and /proc."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sharegate.upstream import sockdiag
from sharegate.upstream.listening import Listening, read_listeners, who_listens
from sharegate.upstream.sockdiag import account_connected

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


# -- who has connected ------------------------------------------------------------------------------------------------

NOBODY = 65534
CALLER = """
import os, socket, sys
host, port, uid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if uid != os.getuid(): os.setgid(uid); os.setuid(uid)
there = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)  # nothing to import from now on
there.connect((host, port))
print("connected", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def called(server: socket.socket, host: str, uid: int) -> Iterator[socket.socket]:
    """The server's end of a connection from a process of that account."""
    command = [sys.executable, "-c", CALLER, host, str(server.getsockname()[1]), str(uid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as caller:
        server.settimeout(25)
        here, _ = server.accept()
        with here:
            yield here
        assert caller.stdin is not None
        caller.stdin.close()
        caller.wait()


def asked(here: socket.socket) -> int | None:
    return account_connected(here.getpeername()[:2], here.getsockname()[:2])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "uid",
    [
        os.getuid(),
        pytest.param(NOBODY, marks=pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")),
    ],
    ids=["own", "another"],
)
def test_whose_process_has_connected(host: str, uid: int) -> None:
    """The account of the other end, by every family, however much else listens on the same port."""
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    address = "::1" if host == "::1" else "127.0.0.1"
    with socket.create_server((address, 0), family=family) as server, called(server, host, uid) as here:
        assert asked(here) == uid


def test_attack_whoever_hung_up_is_nobody() -> None:
    """The kernel says of what was closed that it is root's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = socket.create_connection(server.getsockname())
        here, _ = server.accept()
        with here:
            assert asked(here) == os.getuid()
            there.close()
            assert asked(here) is None
        assert account_connected(("127.0.0.1", 1), server.getsockname()) is None


def test_ends_that_are_none() -> None:
    """Of two families, of no address, of no port."""
    for client, server in (
        (("127.0.0.1", 5), ("::1", 5)),
        (("localhost", 5), ("127.0.0.1", 5)),
        (("127.0.0.1", 70000), ("127.0.0.1", 5)),
    ):
        assert account_connected(client, server) is None


@pytest.mark.parametrize(
    "said", [b"", struct.pack("=IHHIIi", 20, 2, 0, socket.AF_INET, 0, -2)], ids=["nothing", "none"]
)
def test_a_kernel_that_does_not_tell_knows_nobody(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for whoever signed in."""
    monkeypatch.setattr(sockdiag.socket, "socket", lambda *_: _Kernel(said))
    assert account_connected(("127.0.0.1", 5), ("127.0.0.1", 6)) is None
