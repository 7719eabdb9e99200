"""Tests of upstream/listening.py, on this machine's own sockets."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sharegate.errors import Denied, Reason
from sharegate.upstream.listening import Listening, judge, read_listeners, vet_listener, who_listens
from sharegate.upstream.model import Upstream

UIDS = frozenset({os.getuid()})


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def stranger() -> Iterator[tuple[int, int]]:
    """Another process that listens: its port and pid."""
    program = (
        "import socket, sys\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "print(server.getsockname()[1], flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)


def port_of(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port


def record(port: int, *, pid: int = 0, uid: int = -1, host: str = "127.0.0.1") -> Upstream:
    return Upstream(id="u1", name="n", owner="o", url=f"http://{host}:{port}/", pid=pid, uid=uid)


def test_our_own_listener_is_ours(listening: socket.socket) -> None:
    """The socket of the named process and user."""
    assert who_listens("127.0.0.1", port_of(listening), pid=os.getpid(), uids=UIDS) is Listening.OURS


def test_a_port_without_listener_has_nobody(listening: socket.socket) -> None:
    """As after a server stopped."""
    port = port_of(listening)
    listening.close()
    assert who_listens("127.0.0.1", port, pid=os.getpid(), uids=UIDS) is Listening.NOBODY


def test_attack_another_process_on_the_port_is_not_ours(stranger: tuple[int, int]) -> None:
    """Same user, other process."""
    port, pid = stranger
    assert who_listens("127.0.0.1", port, pid=os.getpid(), uids=UIDS) is Listening.OTHERS
    assert who_listens("127.0.0.1", port, pid=pid, uids=UIDS) is Listening.OURS


def test_attack_another_user_on_the_port_is_not_ours(listening: socket.socket) -> None:
    """The process is right, the socket's user is not."""
    others = frozenset({os.getuid() + 1})
    assert who_listens("127.0.0.1", port_of(listening), pid=os.getpid(), uids=others) is Listening.OTHERS


def test_attack_a_dead_process_holds_nothing(listening: socket.socket) -> None:
    """What cannot be shown is not ours."""
    assert who_listens("127.0.0.1", port_of(listening), pid=2**22 + 5, uids=UIDS) is Listening.OTHERS


def test_attack_localhost_on_the_other_address_family_is_noticed(stranger: tuple[int, int]) -> None:
    """`localhost` may be ::1 as well: a foreign listener there would get the credential."""
    port, pid = stranger
    try:
        six = socket.create_server(("::1", port), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with six:
        assert who_listens("localhost", port, pid=pid, uids=UIDS) is Listening.OTHERS
        assert who_listens("127.0.0.1", port, pid=pid, uids=UIDS) is Listening.OURS
        assert who_listens("::1", port, pid=os.getpid(), uids=UIDS) is Listening.OURS


def test_a_listener_on_all_addresses_is_found() -> None:
    """The wildcard gets what no exact address takes."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert who_listens("127.0.0.1", port_of(server), pid=os.getpid(), uids=UIDS) is Listening.OURS


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def table(tmp_path: Path, tcp: str, tcp6: str | None = None) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(HEAD + tcp)
    if tcp6 is not None:
        (tmp_path / "net" / "tcp6").write_text(HEAD + tcp6)
    return tmp_path


def row(address: str, state: str = "0A", uid: int = 1000, inode: int = 77) -> str:
    zeros = "00000000:00000000 00:00000000 00000000"
    return f"   0: {address} 00000000:0000 {state} {zeros}  {uid}        0 {inode} 1 0 100\n"


@pytest.mark.skipif(sys.byteorder != "little", reason="the rows were written on a little-endian machine")
def test_the_kernels_tables_are_read(tmp_path: Path) -> None:
    """Addresses of both families, mapped ones as IPv4; connections that do not listen are left out."""
    proc = table(
        tmp_path,
        row("0100007F:22B8") + row("0100007F:22B8", state="01"),
        row("00000000000000000000000001000000:22B9") + row("0000000000000000FFFF00000100007F:22BA", uid=0),
    )
    found = read_listeners(proc)
    assert found is not None
    assert [(str(one.address), one.port, one.uid, one.inode) for one in found] == [
        ("127.0.0.1", 8888, 1000, 77),
        ("::1", 8889, 1000, 77),
        ("127.0.0.1", 8890, 0, 77),
    ]
    assert found[0].address == ipaddress.IPv4Address("127.0.0.1")


@pytest.mark.skipif(sys.byteorder != "little", reason="the rows were written on a little-endian machine")
def test_an_exact_address_is_preferred_to_a_wildcard(tmp_path: Path) -> None:
    """As the kernel does: somebody's wildcard listener beside ours is not met."""
    proc = table(tmp_path, row("0100007F:22B8", uid=1000) + row("00000000:22B8", uid=5))
    assert who_listens("127.0.0.1", 8888, pid=0, uids=frozenset({1000}), proc=proc) is Listening.OURS
    assert who_listens("127.0.0.2", 8888, pid=0, uids=frozenset({1000}), proc=proc) is Listening.OTHERS
    assert who_listens("some-name", 8888, pid=0, uids=frozenset({1000}), proc=proc) is Listening.OTHERS


def test_a_system_without_tables_says_unknown(tmp_path: Path) -> None:
    """Elsewhere than on Linux nothing is claimed."""
    assert who_listens("127.0.0.1", 1, pid=1, uids=UIDS, proc=tmp_path) is Listening.UNKNOWN


async def test_vetting_tells_away_from_not_ours(listening: socket.socket, stranger: tuple[int, int]) -> None:
    """An empty port and a foreign listener have different reasons."""
    await vet_listener(record(port_of(listening), pid=os.getpid(), uid=os.getuid()))
    with pytest.raises(Denied) as denied:
        await vet_listener(record(stranger[0], pid=os.getpid(), uid=os.getuid()))
    assert denied.value.reason is Reason.UPSTREAM_NOT_OURS
    port = port_of(listening)
    listening.close()
    with pytest.raises(Denied) as denied:
        await vet_listener(record(port, pid=os.getpid(), uid=os.getuid()))
    assert denied.value.reason is Reason.UPSTREAM_AWAY


def test_a_loopback_port_whose_owner_was_not_noted_must_be_this_users(listening: socket.socket) -> None:
    """A tunnel counts when this user or root holds it; servers elsewhere are not looked at."""
    assert judge(record(port_of(listening))) is Listening.OURS
    assert judge(record(port_of(listening), uid=os.getuid() + 1)) is Listening.OTHERS
    assert judge(record(9, host="192.0.2.1")) is Listening.OURS


WITHOUT_DESCRIPTORS = """
import os, resource, sys
from sharegate.upstream.listening import who_listens
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
port, pid, uids = int(sys.argv[1]), int(sys.argv[2]), frozenset({os.getuid()})
asked = lambda: print(who_listens("127.0.0.1", port, pid=pid, uids=uids).value)
asked()
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
asked()
"""


def test_attack_nobody_is_believed_while_no_descriptor_is_left(stranger: tuple[int, int]) -> None:
    """Who uses up the gate's descriptors must not switch off the look at who listens: what cannot be asked now is not
    what the system does not tell."""
    port, pid = stranger
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS, str(port), str(pid)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["ours", "others"]
