"""The owner's Jupyter server stops and comes back: elsewhere, twice, as somebody else's, as nobody's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.attacks.conftest import SETTINGS
from tests.attacks.pages import Page, Visitor, owning, until, visiting
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.gateprocess import GateProcess
from tests.real.certificates import Authority
from tests.real.jupyter import JupyterServer, plant, running_jupyter

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

NOBODY = 65534


@dataclass
class Desk:
    """The owner's folder, and the servers that run on it now."""

    home: Path
    servers: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    running: list[tuple[JupyterServer, contextlib.ExitStack]] = field(default_factory=list)

    async def start(self, home: Path | None = None, **more: Any) -> JupyterServer:
        one = contextlib.ExitStack()
        started = await asyncio.to_thread(one.enter_context, running_jupyter(home or self.home, lab=False, **more))
        self.running.append((started, one))
        return started

    async def stop(self, server: JupyterServer) -> None:
        one = next(each for each in self.running if each[0] is server)
        self.running.remove(one)
        await asyncio.to_thread(one[1].close)

    async def alone(self) -> JupyterServer:
        """One server, whatever the test before left."""
        while len(self.running) > 1:
            await self.stop(self.running[-1][0])
        return self.running[0][0] if self.running else await self.start()


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The gate looks for servers where these leave word of themselves."""
    home = tmp_path_factory.mktemp("owner")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        patch.setenv("HOME", str(home))
        yield home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(runtime: Path) -> AsyncIterator[Desk]:
    (runtime / "root").mkdir()
    plant(runtime / "root")
    made = Desk(runtime)
    yield made
    for server, _ in list(made.running):
        await made.stop(server)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory, desk: Desk) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path_factory.mktemp("gate"), await desk.start(), **SETTINGS) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def ann(gate: Gatehouse, desk: Desk) -> AsyncIterator[Visitor]:
    """An editor who came while the server ran."""
    await desk.alone()
    inside = await gate.visit(await gate.share(role="edit", **{"for": ["Ann"]}))
    await settled(inside, 200)
    async with visiting(inside) as visitor:
        yield visitor


async def ask(who: Inside) -> tuple[int, str]:
    reply = await who.ask("GET", "files/sub/shared/data.csv")
    return reply.status, reply.public


async def settled(who: Inside, status: int) -> str:
    """Ask until it is answered so, as a page does; the public code."""
    async with asyncio.timeout(25):
        while (answer := await ask(who))[0] != status:
            await asyncio.sleep(0.1)
    return answer[1]


async def opened_again(visitor: Visitor, path: str) -> Page:
    """As a page that loads itself again for as long as it is told that its document is another by now (1003)."""
    async with asyncio.timeout(25):
        while True:
            page = await visitor.open(path, greet=False)
            greeting = asyncio.create_task(page.greet())
            await until(lambda page=page, greeting=greeting: greeting.done() or page.closed is not None)
            if page.closed is None:
                return page
            greeting.cancel()
            assert page.closed[0] in (1003, 1012), page.closed


async def test_link_document_and_files_outlive_a_restart_elsewhere(ann: Visitor, gate: Gatehouse, desk: Desk) -> None:
    """Another port, another token: the same visit reads and writes on, in the same record of the server, and the new
    token reaches nobody."""
    first = await desk.alone()
    path = "sub/shared/returning.md"
    (desk.home / "root" / path).write_text("before\n")
    page = await ann.open(path)
    page.type("hers\n")
    await page.sent()
    await until(lambda: "hers" in (desk.home / "root" / path).read_text(), 30)
    recorded = (await gate.call("GET", "servers"))["servers"]

    await desk.stop(first)
    assert await settled(ann.inside, 503) == "server_away"
    await until(lambda: page.closed is not None)
    again = await desk.start()
    assert (again.port, again.token) != (first.port, first.token)
    await settled(ann.inside, 200)
    page = await opened_again(ann, path)
    page.type("after\n")
    await until(lambda: (desk.home / "root" / path).read_text() == "before\nhers\nafter\n", 30)
    async with owning(again) as owner:
        mine = await owner.open(path)
        await until(lambda: str(mine.source) == "before\nhers\nafter\n")
    now = (await gate.call("GET", "servers"))["servers"]
    assert [one["id"] for one in now] == [one["id"] for one in recorded]
    assert now[0]["url"] == again.url and now[0]["state"] == "here"
    for what in ("api/contents/sub/shared?content=1", "api/me", "api/status"):
        assert again.token.encode() not in (await ann.inside.ask("GET", what)).body
    assert again.token.encode() not in page.words
    assert {first.token, again.token} <= set(gate.running.secrets()), "the log would show it"


async def test_two_servers_on_one_folder_are_one(ann: Visitor, gate: Gatehouse, desk: Desk) -> None:
    """The gate stays with the one that it knows while that runs, then goes to the other, and has one record."""
    first = await desk.alone()
    second = await desk.start()
    urls = set()
    for _ in range(5):
        assert await ask(ann.inside) == (200, "")
        urls.add((await gate.call("GET", "servers"))["servers"][0]["url"])
    assert urls == {first.url}
    await desk.stop(first)
    await settled(ann.inside, 200)
    found = (await gate.call("GET", "servers"))["servers"]
    assert [one["url"] for one in found] == [second.url]


def heard(server: JupyterServer) -> list[str]:
    """What a server says that it was asked."""
    return re.findall(r"\] (\d{3} [A-Z]+ .*)", server.log.read_text())


async def test_attack_a_server_of_another_folder_on_the_old_port(
    ann: Visitor, gate: Gatehouse, desk: Desk, tmp_path: Path
) -> None:
    """The same account, the same port, another root: it is asked nothing. The true one is found again at the next."""
    first = await desk.alone()
    await desk.stop(first)
    (tmp_path / "root" / "sub" / "shared").mkdir(parents=True)
    (tmp_path / "root" / "sub" / "shared" / "data.csv").write_text("another folder's")
    # It leaves word of itself where the other did, as all servers of one account do.
    (tmp_path / "runtime").symlink_to(desk.home / "runtime")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "jupyter_server_config.json").write_text(json.dumps({"ServerApp": {"log_level": "DEBUG"}}))
    wrong = await desk.start(tmp_path, port=first.port)
    await until(lambda: heard(wrong))
    before = heard(wrong)
    assert await settled(ann.inside, 503) == "server_away"
    reply = await ann.inside.ask("GET", "files/sub/shared/data.csv")
    assert b"another" not in reply.body
    # It answered its own test when it started, and nothing since.
    assert heard(wrong) == before
    await until(lambda: gate_state(gate) == "not_ours", 20)
    states = {one["state"] for one in (await gate.call("GET", "servers"))["servers"]}
    assert states == {"not_ours"}
    await desk.start()
    await settled(ann.inside, 200)
    assert heard(wrong) == before
    await desk.stop(wrong)


def gate_state(gate: Gatehouse) -> str:
    upstream = next(iter(gate.running.servers._away.values()), None)  # the last look of the watch
    return "not_ours" if upstream is not None and upstream.value == "upstream_not_ours" else ""


SQUATTER = """
import os, socket, sys
port, uid = int(sys.argv[1]), int(sys.argv[2])
if uid: os.setgid(uid); os.setuid(uid)
listening = socket.socket()
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listening.bind(("127.0.0.1", port))
listening.listen(50)
print("listening", flush=True)
while True:
    one, _ = listening.accept()
    print("connected", flush=True)
    one.settimeout(1)
    try:
        print("heard", one.recv(65536), flush=True)
        one.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nsquat")
    except OSError:
        pass
    one.close()
"""


@contextlib.contextmanager
def squatter(port: int, uid: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", SQUATTER, str(port), str(uid)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize(
    "uid",
    [
        pytest.param(NOBODY, marks=pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")),
        0,
    ],
    ids=["another account", "another program of the owner's"],
)
async def test_attack_somebody_takes_the_port_that_the_server_left(
    ann: Visitor, gate: Gatehouse, desk: Desk, uid: int
) -> None:
    """Whoever it is hears not one byte of the gate, with or without the credential, while pages ask and the gate looks
    whether the server is back; and the server is found when it comes back elsewhere."""
    first = await desk.alone()
    path = "sub/shared/notes.md"
    page = await ann.open(path)
    await desk.stop(first)
    with squatter(first.port, uid) as process:
        await until(lambda: page.closed is not None)
        assert await settled(ann.inside, 503) == "server_away"
        assert await ann.inside.upgrade("api/collaboration/room/text:file:x?sessionId=y") in (404, 503)
        await until(lambda: gate_state(gate) == "not_ours", 20)
        assert await settled(ann.inside, 503) == "server_away"
        assert await gate.events(share=ann.inside.share["id"], reason="upstream_not_ours"), "the trail has the reason"
        await desk.start()
        await settled(ann.inside, 200)
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == b"", "it was connected to"
    page = await opened_again(ann, path)
    assert "shared notes" in str(page.source)


# -- https --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "not trusted"])
async def test_a_server_that_comes_back_with_https(desk: Desk, tmp_path: Path, trusted: bool) -> None:
    """With a certificate that Python's authorities vouch for it is the same server; with another it is asked nothing
    beyond the handshake, though it is the owner's own."""
    first = await desk.alone()
    pair = Authority(tmp_path / "authority").leaf()
    gate = GateProcess(tmp_path / "data")
    gate.environment = {"JUPYTER_RUNTIME_DIR": str(desk.home / "runtime")}
    if trusted:
        gate.environment["SSL_CERT_FILE"] = str(pair.ca)
    try:
        house = await gate.start()
        root = str((desk.home / "root").resolve())
        await house.call("POST", "servers", {"url": first.url, "token": first.token, "root_dir": root})
        inside = await house.visit(await house.call("POST", "shares", {"path": "sub/shared", "for": ["Ann"]}))
        await settled(inside, 200)
        await desk.stop(first)
        again = await desk.start(certificate=pair)
        assert again.url.startswith("https:")
        if trusted:
            await settled(inside, 200)
        else:
            before = heard(again)
            assert await settled(inside, 503) == "server_away"
            async with asyncio.timeout(25):
                while not await house.events(reason="upstream_not_ours"):
                    assert (await ask(inside))[0] == 503
            assert heard(again) == before
        await desk.stop(again)
    finally:
        if gate.process is not None:
            await gate.end(signal.SIGKILL)
