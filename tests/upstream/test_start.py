"""Tests of upstream/start.py and upstream/directory.py with servers that really start and stop."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sharegate.errors import Invalid, Reason, StoreUnavailable, Unreachable
from sharegate.upstream.directory import Directory, StateChange, UpstreamState
from sharegate.upstream.discover import FoundServer, as_upstream, running_servers
from sharegate.upstream.forward import AiohttpForwarder
from sharegate.upstream.interfaces import Outgoing
from sharegate.upstream.listening import Listening
from sharegate.upstream.model import Credential, Upstream
from sharegate.upstream.start import RunningLab, missing_packages, start_lab
from tests.conftest import Clock
from tests.real.jupyter import free_port
from tests.upstream.scripted import Recorder, ok, saying, scripted


class Records:
    """An UpstreamStore in memory."""

    def __init__(self, *upstreams: Upstream) -> None:
        self.kept = {one.id: one for one in upstreams}
        self.puts = 0
        self.broken = False

    async def upstreams(self) -> list[Upstream]:
        if self.broken:
            raise StoreUnavailable("locked")
        return list(self.kept.values())

    async def put_upstream(self, upstream: Upstream) -> None:
        self.puts += 1
        self.kept[upstream.id] = upstream

    async def remove_upstream(self, id: str) -> None:
        del self.kept[id]


def home(tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing of this machine's owner is seen."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")},
        "HOME": str(tmp_path),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.05)


async def reason_of(directory: Directory, id: str = "u1") -> Reason | None:
    from sharegate.errors import Denied

    try:
        await directory.find(id)
    except Denied as denied:
        return denied.reason
    return None


@pytest.mark.real
async def test_a_lab_is_started_found_lost_and_found_again(tmp_path: Path, patient: AiohttpForwarder) -> None:
    """Start, use, stop; an impostor on the old port gets nothing; a restart elsewhere is the same upstream."""
    root = tmp_path / "work"
    root.mkdir()
    told: list[str] = []
    lab = await start_lab(root, environment=home(tmp_path), progress=told.append)
    second: RunningLab | None = None
    impostor: subprocess.Popen[bytes] | None = None
    try:
        assert told[0] == "Starting JupyterLab" and told[-1] == "JupyterLab is running"
        assert lab.token.secret not in repr(lab)
        # argv is world-readable, the environment is not.
        assert lab.token.secret.encode() not in Path(f"/proc/{lab.pid}/cmdline").read_bytes()

        def servers() -> list[FoundServer]:
            return running_servers([tmp_path / "runtime"])

        (found,) = servers()
        assert (found.url, found.token.secret, found.pid) == (lab.found.url, lab.token.secret, lab.pid)
        store = Records(as_upstream(found, id="u1", name="Ann's", owner="ann"))
        directory = Directory(store, patient, servers=servers, fresh=0)
        changes: list[StateChange] = []
        watch = asyncio.create_task(directory.watch(changes.append, every=0.05))
        before = await directory.find("u1")
        answer = await patient.forward(before, Outgoing("GET", "api/status"))
        assert answer.status == 200
        await answer.close()
        assert await directory.health("u1") is None

        await lab.stop()
        await lab.stop()
        assert lab.process.returncode is not None
        await until(lambda: bool(changes))
        assert changes == [StateChange("u1", UpstreamState.AWAY, Reason.UPSTREAM_AWAY)]
        assert await reason_of(directory) is Reason.UPSTREAM_AWAY

        heard = tmp_path / "heard"
        impostor = subprocess.Popen([sys.executable, "-c", IMPOSTOR, str(lab.port), str(heard)], stdout=subprocess.PIPE)
        assert impostor.stdout is not None
        await asyncio.to_thread(impostor.stdout.readline)
        assert await reason_of(directory) is Reason.UPSTREAM_NOT_OURS
        assert await directory.health("u1") is Reason.UPSTREAM_NOT_OURS
        from sharegate.errors import Denied

        for attempt in (patient.forward, patient.connect):
            with pytest.raises(Denied) as denied:
                await attempt(before, Outgoing("GET", "api/status"))
            assert denied.value.reason is Reason.UPSTREAM_NOT_OURS
        assert heard.read_bytes() == b""

        second = await start_lab(root, environment=home(tmp_path))
        assert second.port != lab.port
        await until(lambda: changes[-1].state is UpstreamState.BACK)
        assert changes[-1] == StateChange("u1", UpstreamState.BACK)
        again = await directory.find("u1")
        assert (again.id, again.name, again.owner) == ("u1", "Ann's", "ann")
        assert (again.url, again.token.secret, again.pid) == (second.url, second.token.secret, second.pid)
        assert store.kept["u1"] == again
        answer = await patient.forward(again, Outgoing("GET", "api/status"))
        assert answer.status == 200
        await answer.close()
        watch.cancel()
    finally:
        if impostor is not None:
            impostor.kill()
            impostor.communicate()
        await lab.stop()
        if second is not None:
            await second.stop()


IMPOSTOR = """
import socket, sys
heard = open(sys.argv[2], "wb", buffering=0)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    heard.write(connection.recv(65536) or b"connected")
    connection.close()
"""


@pytest.mark.real
async def test_a_server_with_another_root_is_not_the_same(tmp_path: Path, patient: AiohttpForwarder) -> None:
    """Found beside the old one's port, but of another folder: the record stays and its credential goes nowhere."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    lab = await start_lab(tmp_path / "b", environment=home(tmp_path))
    try:
        old = Upstream(
            id="u1",
            name="n",
            owner="o",
            url=lab.url,
            root_dir=str(tmp_path / "a"),
            pid=2**22 + 3,
            uid=os.getuid(),
            token=Credential("old"),
        )
        store = Records(old)
        directory = Directory(store, patient, servers=lambda: running_servers([tmp_path / "runtime"]), fresh=0)
        assert await reason_of(directory) is Reason.UPSTREAM_NOT_OURS
        assert (store.puts, store.kept["u1"]) == (0, old)
    finally:
        await lab.stop()


@pytest.mark.real
async def test_a_given_port_is_used_and_a_taken_one_refused(tmp_path: Path) -> None:
    """The refusal names the port and starts nothing."""
    port = free_port()
    lab = await start_lab(tmp_path, port=port, environment=home(tmp_path))
    try:
        assert lab.url == f"http://127.0.0.1:{port}/"
        with pytest.raises(Invalid, match=f"{port} is in use"):
            await start_lab(tmp_path, port=port, environment=home(tmp_path))
    finally:
        await lab.stop()


async def test_a_python_without_jupyter_is_told_with_the_remedy(tmp_path: Path) -> None:
    """Both missing packages are named together, and how to install them."""
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    assert await missing_packages(str(bare)) == ["jupyterlab", "jupyter-collaboration"]
    with pytest.raises(Invalid, match=r"jupyterlab and jupyter-collaboration.*pip install 'sharegate\[lab\]'"):
        await start_lab(tmp_path, python=str(bare))
    with pytest.raises(Invalid, match="cannot be started"):
        await start_lab(tmp_path, python=str(tmp_path / "none"))
    with pytest.raises(Invalid, match="no folder"):
        await start_lab(tmp_path / "none")


@pytest.mark.parametrize("given", [True, False])
async def test_attack_a_kernel_reads_what_is_the_gates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    """The store's password and every other setting of the gate stay out of the server's environment, and so out of its
    kernels'; the rest is there."""
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\ncase "$*" in *jupyterlab*--no*) env; exit 3;; esac\n')
    fake.chmod(0o755)
    for name in ("SHAREGATE_STORE_PASSWORD", "SHAREGATE_TOKEN", "SHAREGATE_FUTURE", "sharegate_store_password"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("KEPT_FOR_KERNELS", "yes")
    with pytest.raises(Unreachable) as error:
        await start_lab(tmp_path, python=str(fake), environment=dict(os.environ) if given else None)
    assert "s3cret" not in str(error.value) and "KEPT_FOR_KERNELS=yes" in str(error.value)


async def test_a_lab_that_ends_at_once_tells_why_without_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last lines of its output are shown, the token in them is not."""
    monkeypatch.setattr(secrets, "token_hex", lambda _: "t0k3n" * 9)
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\ncase "$*" in *jupyterlab*--no*) echo "no luck $JUPYTER_TOKEN"; exit 3;; esac\n')
    fake.chmod(0o755)
    with pytest.raises(Unreachable, match=r"code 3:\nno luck …") as error:
        await start_lab(tmp_path, python=str(fake))
    assert "t0k3n" not in str(error.value)


async def test_a_lab_that_never_answers_is_stopped(tmp_path: Path) -> None:
    """Giving up leaves no process behind, not even one that the server had started."""
    fake = tmp_path / "python"
    pids = tmp_path / "pids"
    fake.write_text(
        f'#!/bin/sh\ncase "$*" in *--no-browser*) sleep 600 & echo $$ $! > {pids}; trap "" TERM; wait; wait;; esac\n'
    )
    fake.chmod(0o755)
    with pytest.raises(Unreachable, match="did not answer within"):
        await start_lab(tmp_path, python=str(fake), patience=3.0)

    def gone() -> bool:
        alive = [pid for pid in pids.read_text().split() if Path(f"/proc/{pid}").exists()]
        return all("Z" in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3] for pid in alive)

    await until(gone)


# the directory alone


def record(id: str = "u1", **changes: object) -> Upstream:
    facts: dict[str, object] = {"url": "http://127.0.0.1:9/", "root_dir": "/srv/a", "pid": 7, "uid": os.getuid()}
    return Upstream(id=id, name="n", owner="o", **{**facts, **changes})  # type: ignore[arg-type]


async def test_what_was_found_is_used_for_a_moment(forwarder: AiohttpForwarder, clock: Clock) -> None:
    """Concurrent and repeated askers within the time share one look; later it is looked again."""
    looks = 0

    def look(_: Upstream) -> Listening:
        nonlocal looks
        looks += 1
        return Listening.OURS

    directory = Directory(Records(record()), forwarder, servers=list, listening=look, fresh=1.0, clock=clock)
    await asyncio.gather(*(directory.find("u1") for _ in range(20)))
    clock.forward(0.9)
    await directory.find("u1")
    assert looks == 1
    clock.forward(0.2)
    await directory.find("u1")
    assert looks == 2
    directory.forget("u1")
    await directory.find("u1")
    assert looks == 3


async def test_an_unknown_server_is_away(forwarder: AiohttpForwarder) -> None:
    """A record that was removed behaves as a server that stopped."""
    assert await reason_of(Directory(Records(), forwarder)) is Reason.UPSTREAM_AWAY


async def test_a_store_that_fails_is_not_a_server_that_is_away(forwarder: AiohttpForwarder) -> None:
    """The gate answers 503 for its own reason."""
    store = Records(record())
    store.broken = True
    with pytest.raises(StoreUnavailable):
        await Directory(store, forwarder).find("u1")


async def test_attack_a_candidate_whose_port_is_not_its_own_is_passed_over(forwarder: AiohttpForwarder) -> None:
    """A file that names a foreign port does not move the record there."""
    fake = FoundServer("http://127.0.0.1:10/", Credential("x"), "/srv/a", 8, os.getuid())
    store = Records(record())
    directory = Directory(store, forwarder, servers=lambda: [fake], listening=lambda _: Listening.OTHERS)
    assert await reason_of(directory) is Reason.UPSTREAM_NOT_OURS
    assert store.puts == 0


async def test_watching_tells_each_change_once(forwarder: AiohttpForwarder) -> None:
    """A server that answers 500 is away with that reason; a listener's fault and a store's do not end the watch."""
    changes: list[StateChange] = []

    def tell(change: StateChange) -> None:
        changes.append(change)
        if len(changes) == 1:
            raise RuntimeError("the page is gone")

    async with (
        scripted(saying(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")) as bad,
        scripted(saying(ok())) as good,
    ):
        store = Records(bad.upstream)
        directory = Directory(store, forwarder, servers=list, fresh=0)
        watch = asyncio.create_task(directory.watch(tell, every=0.01))
        await until(lambda: len(bad.heads) > 3)
        assert changes == [StateChange("u1", UpstreamState.AWAY, Reason.UPSTREAM_BAD_ANSWER)]
        assert all(b"Authorization" not in head for head in bad.heads)
        store.broken = True
        await asyncio.sleep(0.05)
        store.broken = False
        store.kept["u1"] = good.upstream
        await until(lambda: len(good.heads) > 3)
        assert changes[1:] == [StateChange("u1", UpstreamState.BACK)]
        watch.cancel()


async def test_a_store_that_goes_while_a_server_is_asked_for_tells_nothing(forwarder: AiohttpForwarder) -> None:
    """Nothing is known of the server then, as when the store was away before: what was told last is kept."""
    changes: list[StateChange] = []
    store = Records()
    asked = asyncio.Event()

    class Going(Directory):
        async def health(self, id: str) -> Reason | None:
            asked.set()
            raise StoreUnavailable("gone")

    store.kept["u1"] = record()
    directory = Going(store, forwarder, servers=list, fresh=0)
    watch = asyncio.create_task(directory.watch(changes.append, every=0.01))
    for _ in range(5):
        asked.clear()
        await asyncio.wait_for(asked.wait(), 25)
    assert changes == []
    watch.cancel()


async def test_a_server_that_hangs_does_not_hold_up_the_news_of_others(forwarder: AiohttpForwarder) -> None:
    """Its own state becomes `upstream_timeout`, the other's change is told meanwhile."""

    async def hang(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    changes: list[StateChange] = []
    async with scripted(hang) as stuck, AiohttpForwarder() as calm:
        store = Records(stuck.upstream, record("u2"))
        directory = Directory(
            store,
            calm,
            servers=list,
            listening=lambda one: Listening.NOBODY if one.id == "u2" else Listening.OURS,
            fresh=0,
            patience=1.0,
        )
        watch = asyncio.create_task(directory.watch(changes.append, every=0.01))
        await until(lambda: len(changes) == 2)
        watch.cancel()
    assert changes == [
        StateChange("u2", UpstreamState.AWAY, Reason.UPSTREAM_AWAY),
        StateChange("u1", UpstreamState.AWAY, Reason.UPSTREAM_TIMEOUT),
    ]
