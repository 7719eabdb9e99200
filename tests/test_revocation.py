"""Whatever ends a visit ends everything that is open or on its way, at once, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from sharegate.errors import MEANINGS, Reason
from sharegate.messages import Headers, Request, Response
from sharegate.shares import asking
from tests.conftest import Clock
from tests.gatehouse import HANDSHAKE, Gatehouse, Inside, Reply, gatehouse
from tests.plainsocket import PlainSocket, SlowReader, connection, drop_all, head
from tests.real.jupyter import JupyterServer, plant, running_jupyter
from tests.test_matrix import CONDITIONS

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

BIG = 64 << 20
AWARENESS = b"\x01\x01\x00"  # nobody is anywhere: what a page says again and again
SYNC = b"\x00\x00\x01\x00"  # "what do I miss": an answer is due


@dataclass
class Line:
    """Between gate and server: holds back what it is told to hold, and keeps what the gate said."""

    port: int
    to: int
    hold: bytes = b""
    holding: int = 0
    dropped: int = 0
    said: bytearray = field(default_factory=bytearray)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        on = None
        with contextlib.suppress(ConnectionError, OSError):
            back, on = await asyncio.open_connection("127.0.0.1", self.to)
            returning = asyncio.create_task(self._carry_back(back, writer))
            while data := await reader.read(1 << 16):
                self.said += data
                if self.hold and self.hold in data.lower():
                    self.holding += 1
                    ended = asyncio.create_task(reader.read(1))
                    going = asyncio.create_task(self.go.wait())
                    await asyncio.wait({ended, going}, return_when=asyncio.FIRST_COMPLETED)
                    going.cancel()
                    if ended.done():
                        self.dropped += 1
                        break
                    ended.cancel()
                on.write(data)
                await on.drain()
            returning.cancel()
        for end in (on, writer):
            if end is not None:
                end.close()

    @staticmethod
    async def _carry_back(back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            while data := await back.read(1 << 16):
                writer.write(data)
                await writer.drain()
            writer.close()

    @contextlib.contextmanager
    def held(self, what: bytes) -> Iterator[None]:
        """While the block lasts, whatever has these bytes in it waits."""
        self.hold, self.holding, self.dropped = what, 0, 0
        self.go.clear()
        try:
            yield
        finally:
            self.hold = b""
            self.go.set()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server of these tests' own: they move and delete its folders."""
    home = tmp_path_factory.mktemp("revocation")
    (home / "root").mkdir()
    plant(home / "root")
    with running_jupyter(home) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(server: JupyterServer) -> AsyncIterator[Line]:
    made = Line(0, server.port)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


def through(server: JupyterServer, line: Line) -> JupyterServer:
    """The server as the gate knows it: at the line, which this process holds."""
    ours = cast("Any", SimpleNamespace(pid=os.getpid()))
    return replace(server, url=f"http://127.0.0.1:{line.port}/", port=line.port, process=ours)


@pytest.fixture(scope="module")
def moving() -> Clock:
    return Clock(time.time())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(
    tmp_path_factory: pytest.TempPathFactory, server: JupyterServer, line: Line, moving: Clock
) -> AsyncIterator[Gatehouse]:
    settings: dict[str, Any] = {
        "requests_per_minute": 1_000_000,
        "strangers_per_minute": 1_000_000,
        "megabytes_per_minute": 1_000_000,
    }
    settings |= {"oidc_issuer": "https://login.example.org", "oidc_client_id": "gate"}
    folder = tmp_path_factory.mktemp("gate")
    async with gatehouse(folder, through(server, line), now=moving, **settings) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def tidy() -> AsyncIterator[None]:
    yield
    await drop_all()


numbers = itertools.count()


@dataclass
class Scene:
    """A share of a folder of its own with one visitor in it, who has everything open that a page has."""

    gate: Gatehouse
    clock: Clock
    folder: Path
    made: dict[str, Any]
    ann: Inside
    path: str

    @property
    def share(self) -> str:
        return str(self.made["share"]["id"])

    @property
    def visit(self) -> str:
        return self.ann.base.split("~")[1].strip("/")

    async def session(self, who: Inside | None = None) -> str:
        """The room's address, as the page learns it."""
        who = who or self.ann
        body = json.dumps({"format": "json", "type": "notebook"}).encode()
        path = f"api/collaboration/session/{self.path}/nb.ipynb"
        reply = await who.ask("PUT", path, headers={"Content-Type": "application/json"}, body=body)
        assert reply.status in (200, 201), reply.body
        said = reply.json
        return f"api/collaboration/room/{said['format']}:{said['type']}:{said['fileId']}?sessionId={said['sessionId']}"

    async def open(self, name: str) -> PlainSocket:
        path = {
            "live": "-/live",
            "events": "api/events/subscribe",
            "awareness": "api/collaboration/room/JupyterLab:globalAwareness",
        }.get(name) or await self.session()
        socket = await PlainSocket.open(self.ann, path)
        assert socket.status == 101, (name, socket.status)
        return socket

    async def download(self) -> SlowReader:
        reading = await SlowReader.open(self.ann, f"files/{self.path}/big.bin")
        assert (reading.status, reading.length) == (200, BIG)
        return reading

    async def verb(self, path: str) -> dict[str, Any]:
        return await self.gate.call("POST", path)


async def stage(gate: Gatehouse, moving: Clock, **more: Any) -> Scene:
    path = f"sub/ended{next(numbers)}"
    folder = gate.jupyter.root / path
    shutil.copytree(gate.jupyter.root / "sub" / "shared", folder, symlinks=True)
    with (folder / "big.bin").open("wb") as big:
        big.truncate(BIG)
    (folder / "hold-me.txt").write_text("SLOW CONTENT\n")
    made = await gate.share(path, **{"for": ["Ann"], **more})
    return Scene(gate, moving, folder, made, await gate.visit(made), path)


# How a visit ends: what the owner or the world does, the reason in the trail, the close codes of live and room.
End = Callable[[Scene], Awaitable[object]]


async def by_moved_expiry(scene: Scene) -> None:
    await scene.gate.call("PATCH", f"shares/{scene.share}", {"expires": scene.clock() + 5})
    scene.clock.forward(6)


async def by_moved_expiry_of_the_link(scene: Scene) -> None:
    await by_asking(expires=scene.clock() + 5)(scene)
    scene.clock.forward(6)


async def by_time(scene: Scene) -> None:
    scene.clock.forward(8 * 86400)


async def by_leaving(scene: Scene) -> None:
    reply = await scene.ann.ask("POST", "-/leave")
    assert reply.status == 204


async def by_renaming(scene: Scene) -> None:
    scene.folder.rename(scene.folder.with_name(scene.folder.name + "-moved"))


async def by_replacing(scene: Scene) -> None:
    await by_renaming(scene)
    scene.folder.mkdir()
    (scene.folder / "nb.ipynb").write_text("{}")


async def by_linking(scene: Scene) -> None:
    await by_renaming(scene)
    scene.folder.symlink_to(scene.gate.jupyter.root / "secret")


async def by_deleting(scene: Scene) -> None:
    shutil.rmtree(scene.folder)


def by_asking(**asked: object) -> End:
    """The owner changes what the link asks for, while somebody is in who does not have it."""

    async def change(scene: Scene) -> None:
        await scene.gate.call("PATCH", f"links/{scene.ann.link['id']}", asked)

    return change


async def by_moving_the_beginning(scene: Scene) -> None:
    await by_asking(not_before=scene.clock() + 60)(scene)


# What is over because the link asks for more than it did.
TIGHTENED: dict[str, tuple[End, str, int]] = {
    "passphrase set": (by_asking(passphrase="green bicycle 7"), "passphrase_needed", 4403),
    "asking switched on": (by_asking(ask=True), "approval_needed", 4403),
    "recipient set": (by_asking(recipient="ann@example.org"), "recipient_needed", 4403),
    "domain set": (by_asking(domain="example.org"), "recipient_needed", 4403),
    "account set": (by_asking(account="ann@uni.example"), "account_needed", 4403),
    "networks narrowed": (by_asking(networks=["192.0.2.0/24", "::1"]), "outside_networks", 4403),
    "beginning moved": (by_moving_the_beginning, "not_yet", 4403),
}
ENDS: dict[str, tuple[End, str, int]] = {
    "share revoked": (lambda s: s.verb(f"shares/{s.share}/revoke"), "share_revoked", 4403),
    "link revoked": (lambda s: s.verb(f"links/{s.ann.link['id']}/revoke"), "link_revoked", 4403),
    "share paused": (lambda s: s.verb(f"shares/{s.share}/pause"), "share_paused", 4403),
    "link paused": (lambda s: s.verb(f"links/{s.ann.link['id']}/pause"), "link_paused", 4403),
    "visit ended": (lambda s: s.verb(f"visits/{s.visit}/end"), "visit_ended", 4410),
    "visitor left": (by_leaving, "visit_ended", 4410),
    "expiry moved": (by_moved_expiry, "share_expired", 4408),
    "expired": (by_time, "share_expired", 4408),
    "link expiry moved": (by_moved_expiry_of_the_link, "link_expired", 4408),
    "root renamed": (by_renaming, "root_changed", 4403),
    "root replaced": (by_replacing, "root_changed", 4403),
    "root became a link": (by_linking, "root_changed", 4403),
    "root deleted": (by_deleting, "root_changed", 4403),
    **TIGHTENED,
}


# Other ways to the same file: its head, a piece of it, and as it is read on a phone.
BESIDE: list[tuple[str, str, dict[str, str]]] = [
    ("HEAD", "files/{folder}/nb.ipynb", {}),
    ("GET", "files/{folder}/big.bin", {"Range": "bytes=0-0"}),
    ("GET", "-/read/{folder}/nb.ipynb", {}),
]


async def owners_room(server: JupyterServer, scene: Scene, http: aiohttp.ClientSession) -> Any:
    where = f"{server.url}api/collaboration/session/{scene.path}/nb.ipynb"
    async with http.put(where, json={"format": "json", "type": "notebook"}) as answer:
        said = await answer.json()
    name = f"{said['format']}:{said['type']}:{said['fileId']}"
    return await http.ws_connect(f"{server.url}api/collaboration/room/{name}?sessionId={said['sessionId']}")


@pytest.mark.parametrize("role", ["view", "edit"])
@pytest.mark.parametrize("way", ENDS)
async def test_every_end_closes_everything_and_touches_nobody_else(
    gate: Gatehouse, server: JupyterServer, moving: Clock, way: str, role: str
) -> None:
    """Room, live page, events, awareness and a download under way are over; requests, tabs and copies of the cookie are
    refused; the owner's own connection and another visitor's go on."""
    end, reason, live_code = ENDS[way]
    scene = await stage(gate, moving, role=role)
    far = moving() + 300 * 86400
    other = await gate.visit(await gate.share("sub/shared", expires=far, **{"for": ["Bo"]}))
    others_live = await PlainSocket.open(other, "-/live")
    room, live, events, awareness = [await scene.open(name) for name in ("room", "live", "events", "awareness")]
    address = await scene.session()
    reading = await scene.download()
    headers = {"Authorization": f"token {server.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        owner = await owners_room(server, scene, http)
        await end(scene)

        code, words = await room.closed()
        assert code == 1003 and json.loads(words)["reason"] == "unknown_session"
        codes = [(await socket.closed())[0] for socket in (live, events, awareness)]
        assert codes == [live_code] * 3
        size, whole = await reading.rest()
        assert size < BIG and not whole, "a download that was broken off must not look finished"
        for copied in (scene.ann, replace(scene.ann, browser="")):
            for path in ("api/contents/" + scene.path, "lab", "api/me", f"files/{scene.path}/nb.ipynb", "-/live"):
                reply = await copied.ask("GET", path)
                assert reply.status == 403 and b"cells" not in reply.body, (path, reply.status, reply.body)
            for method, path, piece in BESIDE:
                reply = await copied.ask(method, path.format(folder=scene.path), headers=piece)
                assert reply.status == 403, (method, path)
            reply = await copied.ask("DELETE", f"api/contents/{scene.path}/hold-me.txt")
            assert reply.status == 403
            assert await copied.upgrade(address) == 403
            assert await copied.upgrade("-/live") == 403
            assert await copied.upgrade("api/events/subscribe") == 403

        while True:  # the owner's room answers as before, after what it had to say
            await owner.send_bytes(SYNC)
            said = await owner.receive(timeout=25)
            assert said.type is aiohttp.WSMsgType.BINARY, said
            if said.data[:2] == b"\x00\x01":
                break
        await owner.close()
    assert (await other.ask("GET", "api/contents/sub/shared")).status == 200
    others_live.send(b'{"type":"here","path":"sub/shared/nb.ipynb"}', 1)
    assert (await PlainSocket.open(other, "-/live")).status == 101
    assert server.process.poll() is None
    recorded = [event for event in await gate.events(share=scene.share) if event["outcome"] == "denied"]
    assert reason in {event["reason"] for event in recorded if event["action"].startswith("channel.")}


async def test_a_change_cuts_what_is_open_without_waiting_for_the_next_look(gate: Gatehouse, moving: Clock) -> None:
    """A few turns of the loop after the commit everything is cut: not a second later, and before it is recorded."""
    scene = await stage(gate, moving)
    sockets = [await scene.open(name) for name in ("live", "events", "room")]
    channels, store = gate.running.api._cutter, gate.running.gate._store
    assert scene.share in {grant.share.id for grant in channels.grants()}
    await store.change_share(scene.share, revoked=moving())
    for _ in range(5):
        await asyncio.sleep(0)
    assert scene.share not in {grant.share.id for grant in channels.grants()}
    assert [code for code, _ in [await socket.closed() for socket in sockets]] == [4403, 4403, 1003]


@pytest.mark.parametrize("way", ["share revoked", "link paused", "visit ended"])
async def test_the_answer_tells_truthfully_what_it_closed(gate: Gatehouse, moving: Clock, way: str) -> None:
    """One person with two pages and four more connections: counted before, and gone when the answer comes."""
    scene = await stage(gate, moving)
    sockets = [await scene.open(name) for name in ("live", "live", "room", "events", "awareness", "room")]
    reading = [asyncio.create_task(socket.closed()) for socket in sockets]
    ended = (await ENDS[way][0](scene))["ended"]  # type: ignore[index]
    assert (ended["visits"], ended["pages"], ended["channels"]) == (1, 2, 6)
    assert 0 < ended["took_ms"] < 5000
    assert gate.running.api._cutter.count(share=scene.share) == 0
    async with asyncio.timeout(25):
        assert {code for code, _ in await asyncio.gather(*reading)} == {1003, ENDS[way][2]}
    again = await scene.verb(f"shares/{scene.share}/revoke")
    assert (again["ended"]["pages"], again["ended"]["channels"]) == (0, 0)


async def test_the_answer_counts_a_persons_devices(gate: Gatehouse, moving: Clock) -> None:
    """Ending a visit ends the devices that came from it, and says so."""
    scene = await stage(gate, moving)
    code = (await scene.ann.ask("POST", "-/device")).json["code"]
    reply = await gate.post("/join/device", {"code": code})
    assert reply.status == 200
    cookies = dict(v.partition(";")[0].split("=", 1) for k, v in reply.headers if k.lower() == "set-cookie")
    base = "/".join(reply.json["location"].split("/")[:4]) + "/"
    device = Inside(gate, scene.made["share"], scene.ann.link, base, cookies["sharegate-visit"])
    sockets = [await scene.open("live"), await PlainSocket.open(device, "-/live")]
    reading = [asyncio.create_task(socket.closed()) for socket in sockets]
    ended = (await scene.verb(f"visits/{scene.visit}/end"))["ended"]
    assert (ended["visits"], ended["pages"], ended["channels"]) == (2, 2, 2)
    assert [code for code, _ in await asyncio.gather(*reading)] == [4410, 4410]
    assert (await device.ask("GET", "api/me")).status == 403


async def test_after_the_close_no_frame_passes_in_either_direction(gate: Gatehouse, moving: Clock, line: Line) -> None:
    """A page that goes on talking over its dead connection reaches nobody, hears nothing, and is dropped."""
    scene = await stage(gate, moving)
    room = await scene.open("room")
    room.send(SYNC)
    while (await room.receive())[1][:2] != b"\x00\x01":
        pass
    await scene.verb(f"shares/{scene.share}/revoke")
    before = len(line.said)
    heard: list[int] = []

    async def listen() -> None:
        while (opcode := (await room.receive())[0]) != -1:
            heard.append(opcode)

    listening = asyncio.create_task(listen())
    deadline = time.monotonic() + 30
    while not listening.done():
        assert time.monotonic() < deadline, "a peer that does not answer the close must be dropped"
        room.send(SYNC)
        room.send(AWARENESS)
        await asyncio.sleep(0.01)
    after = heard[heard.index(8) + 1 :] if 8 in heard else []
    assert after == []
    # The watch over the server asks one small question a second; it is the only one who still speaks.
    assert b"\x82" not in line.said[before:] and b"session" not in line.said[before:]


@pytest.mark.parametrize("name", ["room", "live", "events", "awareness"])
async def test_a_page_that_does_not_answer_the_close_is_dropped(gate: Gatehouse, moving: Clock, name: str) -> None:
    """Nothing of it is left when the owner's answer comes, though the page neither reads nor answers."""
    scene = await stage(gate, moving)
    socket = await scene.open(name)
    ended = (await scene.verb(f"shares/{scene.share}/revoke"))["ended"]
    assert ended["channels"] == 1 and ended["took_ms"] < 4500
    assert gate.running.api._cutter.count(share=scene.share) == 0
    await socket.gone()


async def test_a_request_that_waits_at_the_server_is_not_answered(gate: Gatehouse, moving: Clock, line: Line) -> None:
    """It is refused at once, and the server is not waited for any more; what is queued behind it gets nothing."""
    scene = await stage(gate, moving)
    with line.held(b"hold-me"):
        reader, writer = await connection(scene.ann)
        fields = {**scene.ann.manners("GET"), "Host": gate.origin.partition("://")[2]}
        for name in ("hold-me.txt", "notes.md"):
            writer.write(head(f"GET {scene.ann.base}files/{scene.path}/{name} HTTP/1.1", fields))
        await until(lambda: line.holding == 1)
        await scene.verb(f"shares/{scene.share}/revoke")
        text = b""
        async with asyncio.timeout(25):
            while text.count(b"share_revoked") < 2:
                text += await reader.read(1 << 16)
        await until(lambda: line.dropped == 1)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            text += await reader.read(1 << 16)
    assert text.count(b"HTTP/1.1 403") == 2 and b"HTTP/1.1 200" not in text
    assert b"SLOW CONTENT" not in text and b"shared notes" not in text
    assert "share_revoked" in await gate.denials(scene.share)


async def test_an_upgrade_whose_server_is_not_reached_yet_never_opens(
    gate: Gatehouse, moving: Clock, line: Line
) -> None:
    """The visitor gets a refusal instead of 101, and the server's half is dropped."""
    scene = await stage(gate, moving)
    room = await scene.session()
    with line.held(b"upgrade: websocket"):
        asking = asyncio.create_task(scene.ann.upgrade(room))
        await until(lambda: line.holding == 1)
        await scene.verb(f"shares/{scene.share}/revoke")
        async with asyncio.timeout(25):
            assert await asking == 403
        await until(lambda: line.dropped == 1)
    assert gate.running.api._cutter.count(share=scene.share) == 0


async def test_a_large_answer_that_the_gate_made_is_broken_off_too(gate: Gatehouse, moving: Clock) -> None:
    """Also a filtered model, which the gate holds as a whole, stops under a slow reader."""
    scene = await stage(gate, moving)
    (scene.folder / "wide.txt").write_text("0123456789abcdef\n" * 600_000)
    reading = await SlowReader.open(scene.ann, f"api/contents/{scene.path}/wide.txt?content=1&type=file&format=text")
    assert reading.status == 200
    await scene.verb(f"shares/{scene.share}/revoke")
    size, whole = await reading.rest()
    assert not whole and size < 10_000_000


async def test_attack_a_short_answer_that_is_not_read_does_not_outlive_the_visit(
    gate: Gatehouse, moving: Clock
) -> None:
    """Until the visitor's connection has taken it, the end of the visit is the end of it too."""
    scene = await stage(gate, moving)
    fields = {**scene.ann.manners("GET"), "Host": gate.origin.partition("://")[2]}
    asked = Request("GET", f"{scene.ann.base}api/contents/{scene.path}", Headers(fields.items()), "127.0.0.1")
    answer = await gate.running.gate.handle(asked)
    assert isinstance(answer, Response) and isinstance(answer.body, bytes) and answer.status == 200
    assert answer.cut is not None and answer.left is not None
    waiting = asyncio.ensure_future(answer.cut())
    await asyncio.sleep(0)
    assert not waiting.done()
    await scene.verb(f"shares/{scene.share}/revoke")
    async with asyncio.timeout(25):
        await waiting
    answer.left()


async def test_pause_and_resume_keep_visit_and_cookie(gate: Gatehouse, moving: Clock) -> None:
    """Everybody is out while it is paused, and the same cookie works again afterwards."""
    scene = await stage(gate, moving)
    live = await scene.open("live")
    await scene.verb(f"shares/{scene.share}/pause")
    assert (await live.closed())[0] == 4403
    assert (await scene.ann.ask("GET", f"files/{scene.path}/notes.md")).status == 403
    await scene.verb(f"shares/{scene.share}/resume")
    assert (await scene.ann.ask("GET", f"files/{scene.path}/notes.md")).body == b"shared notes\n"
    await scene.open("live")


async def test_a_confirmed_root_lets_the_same_visit_back(gate: Gatehouse, moving: Clock) -> None:
    """After the folder was replaced nobody is in until its owner says that this is what they share."""
    scene = await stage(gate, moving)
    await by_replacing(scene)
    (scene.folder / "notes.md").write_text("another folder\n")
    assert (await scene.ann.ask("GET", f"files/{scene.path}/notes.md")).public == "share_suspended"
    assert (await scene.ann.ask("GET", "api/me")).public == "share_suspended"
    await scene.verb(f"shares/{scene.share}/confirm")
    assert (await scene.ann.ask("GET", f"files/{scene.path}/notes.md")).body == b"another folder\n"


async def test_a_moved_end_is_told_to_open_pages(gate: Gatehouse, moving: Clock) -> None:
    """A page that stays learns of the new end at once."""
    scene = await stage(gate, moving)
    live = await scene.open("live")
    assert json.loads((await live.receive())[1])["type"] == "hello"
    soon = moving() + 500
    await gate.call("PATCH", f"shares/{scene.share}", {"expires": soon})
    async with asyncio.timeout(25):
        said = json.loads((await live.receive())[1])
    assert (said["type"], said["expires"]) == ("expiring", soon)
    live.drop()


async def test_the_page_is_told_why_before_it_is_closed(gate: Gatehouse, moving: Clock) -> None:
    """The last word of the live channel names what happened."""
    scene = await stage(gate, moving)
    live = await scene.open("live")
    revoking = asyncio.create_task(scene.verb(f"links/{scene.ann.link['id']}/revoke"))
    said = []
    async with asyncio.timeout(25):
        while (frame := await live.receive())[0] == 1:
            said.append(json.loads(frame[1]))
    assert said[-1]["type"] == "ended" and said[-1]["reason"] == "link_revoked"
    assert said[-1]["sentence"] == "This link was ended by its owner."
    live.drop()
    await revoking


async def test_after_a_restart_a_revoked_visit_is_still_dead(tmp_path: Path, server: JupyterServer) -> None:
    """A gate that is started again on the same records forgets no revocation and no living visit."""
    async with gatehouse(tmp_path, server) as first:
        port = first.running.config.gate_port
        dead, living = await first.visit(), await first.visit()
        await first.call("POST", f"links/{dead.link['id']}/revoke")
    async with gatehouse(tmp_path, server, gate_port=port) as second:
        for who, status in ((dead, 403), (living, 200)):
            reply = await replace(who, gate=second).ask("GET", "files/sub/shared/notes.md")
            assert reply.status == status, reply.body


# -- what a link asks for ------------------------------------------------------------------------------------------


async def coming_back(scene: Scene, **shown: str) -> Reply:
    """The same browser opens its link again."""
    token = urlsplit(scene.ann.link["url"]).fragment
    headers = {"Cookie": f"sharegate-browser={scene.ann.browser}"}
    return await scene.gate.post("/join", {"token": token, "name": "Ann", **shown}, headers)


async def test_who_shows_what_is_asked_comes_back_into_the_same_visit(gate: Gatehouse, moving: Clock) -> None:
    """A passphrase is set and changed while somebody works: each time they are out, and back where they were."""
    scene = await stage(gate, moving, role="edit")
    for words in ("green bicycle 7", "blue bicycle 8"):
        live = await scene.open("live")
        await by_asking(passphrase=words)(scene)
        assert (await live.closed())[0] == 4403
        assert (await coming_back(scene)).public == "passphrase_needed"
        assert (await coming_back(scene, passphrase="guess" + words)).public == "passphrase_wrong"
        reply = await coming_back(scene, passphrase=words)
        again = gate.inside(reply, scene.made["share"], scene.ann.link)
        assert again.base == scene.ann.base
        assert (await scene.ann.ask("GET", "api/me")).public == "no_access"  # the former cookie
        scene.ann = again
        assert (await scene.ann.ask("GET", f"files/{scene.path}/notes.md")).body == b"shared notes\n"
    room = await scene.open("room")
    room.send(SYNC)
    while (await room.receive())[1][:2] != b"\x00\x01":
        pass
    trail = await gate.events(share=scene.share)
    assert "bicycle" not in json.dumps(trail)
    changed = [event["detail"] for event in trail if event["action"] == "link.changed"]
    assert changed == ["with a passphrase"] * 2


async def test_attack_guessing_a_passphrase_is_told_when_to_try_again(gate: Gatehouse, moving: Clock) -> None:
    """429 with Retry-After, also for the right one; the history has the guesses, and nothing on the disk the words."""
    words = "green bicycle of the guessed"
    scene = await stage(gate, moving)
    await by_asking(passphrase=words)(scene)
    for _ in range(10):
        assert (await coming_back(scene, passphrase="blue bicycle of the guesser")).public == "passphrase_wrong"
    reply = await coming_back(scene, passphrase=words)
    assert (reply.status, reply.public) == (429, "too_many") and 0 < int(reply.header("Retry-After")) <= 60
    moving.forward(int(reply.header("Retry-After")))
    assert (await coming_back(scene, passphrase=words)).status == 200
    refused = [event for event in await gate.events(share=scene.share) if event["action"] == "link.refused"]
    assert {(event["reason"], event["link"]) for event in refused} == {("passphrase_wrong", scene.ann.link["id"])}
    assert len(refused) < 10
    for file in gate.data_dir.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert words.encode() not in data and b"of the guesser" not in data, file


async def test_each_network_of_one_visit_is_judged_by_itself(gate: Gatehouse, moving: Clock) -> None:
    """One cookie in two networks: what is open from the one that the link is no longer for is cut, the rest goes on;
    and the other way round when it is the other one's turn."""
    scene = await stage(gate, moving)
    here, there = "127.0.0.1", "127.0.0.2"
    sockets = {
        place: [await PlainSocket.open(scene.ann, path, place) for path in ("-/live", "api/events/subscribe")]
        for place in (here, there)
    }
    rooms = {place: await PlainSocket.open(scene.ann, await scene.session(), place) for place in (here, there)}
    reading = {place: await SlowReader.open(scene.ann, f"files/{scene.path}/big.bin", place) for place in (here, there)}
    await by_asking(networks=["127.0.0.2"])(scene)
    assert [(await socket.closed())[0] for socket in (*sockets[here], rooms[here])] == [4403, 4403, 1003]
    assert not (await reading[here].rest())[1]
    assert (await scene.ann.ask("GET", f"files/{scene.path}/notes.md")).public == "outside_networks"
    rooms[there].send(SYNC)
    async with asyncio.timeout(25):
        while (await rooms[there].receive())[1][:2] != b"\x00\x01":
            pass
    async with asyncio.timeout(25):
        await reading[there].reader.readexactly(BIG)
    assert (await SlowReader.open(scene.ann, f"files/{scene.path}/notes.md", there)).status == 200
    assert (await SlowReader.open(scene.ann, f"files/{scene.path}/notes.md", here)).status == 403
    assert (await PlainSocket.open(scene.ann, "-/live", here)).status == 403
    await by_asking(networks=["127.0.0.1"])(scene)
    assert [(await socket.closed())[0] for socket in (*sockets[there], rooms[there])] == [4403, 4403, 1003]
    assert (await scene.ann.ask("GET", f"files/{scene.path}/notes.md")).status == 200
    assert (await SlowReader.open(scene.ann, f"files/{scene.path}/notes.md", there)).status == 403


async def test_a_visit_goes_on_when_its_moment_comes(gate: Gatehouse, moving: Clock) -> None:
    """Whoever was in before keeps visit and cookie, and is in again from that second on."""
    scene = await stage(gate, moving)
    await by_moving_the_beginning(scene)
    assert (await coming_back(scene)).public == (await scene.ann.ask("GET", "api/me")).public == "not_yet"
    moving.forward(60)
    assert (await scene.ann.ask("GET", f"files/{scene.path}/notes.md")).body == b"shared notes\n"
    await scene.open("live")


async def test_whom_the_owner_let_in_is_asked_for_nothing_but_where_and_when(gate: Gatehouse, moving: Clock) -> None:
    """Passphrase, address and approval do not touch an admitted visit that is live; networks do."""
    scene = await stage(gate, moving)
    token = urlsplit(scene.ann.link["url"]).fragment
    knocked = await gate.post("/join/knock", {"token": token, "name": "Eve", "same_person": False})
    cookie = next(v for k, v in knocked.headers if k.lower() == "set-cookie").partition(";")[0]
    await gate.call("POST", f"knocks/{knocked.json['knock']}/admit")
    arrived = await gate.post("/join/knock/state", {"knock": knocked.json["knock"]}, {"Cookie": cookie})
    values = dict(v.partition(";")[0].split("=", 1) for k, v in arrived.headers if k.lower() == "set-cookie")
    base = "/".join(arrived.json["location"].split("/")[:4]) + "/"
    eve = Inside(gate, scene.made["share"], scene.ann.link, base, values["sharegate-visit"])
    live = await PlainSocket.open(eve, "-/live")
    await by_asking(passphrase="green bicycle 7", recipient="ann@example.org", ask=True)(scene)
    assert (await scene.ann.ask("GET", "api/me")).public == "passphrase_needed"
    assert (await eve.ask("GET", f"files/{scene.path}/notes.md")).status == 200
    await by_asking(networks=["192.0.2.0/24"])(scene)
    assert (await live.closed())[0] == 4403
    assert (await eve.ask("GET", "api/me")).public == "outside_networks"


async def test_a_program_is_out_when_its_link_asks_for_what_no_program_has(gate: Gatehouse, moving: Clock) -> None:
    """Its open connection is closed, its token refused, and no further visit is made for it."""
    scene = await stage(gate, moving, clients=True)
    for asked, reason in (
        ({"ask": True}, "approval_needed"),
        ({"passphrase": "green bicycle 7"}, "passphrase_needed"),
        ({"networks": ["192.0.2.0/24"]}, "outside_networks"),
    ):
        program = await gate.program(scene.made)
        events = await program_socket(program, "api/events/subscribe")
        await by_asking(**asked)(scene)
        assert (await events.closed())[0] == 4403
        before = len(await gate.running.gate._store.visits(scene.share))
        for method, path in (("GET", "-/share"), ("GET", f"api/contents/{scene.path}"), ("HEAD", "api/me")):
            reply = await program.ask(method, path)
            assert reply.status == 403 and (method == "HEAD" or reply.public == reason)
        piece = await program.ask("GET", f"files/{scene.path}/notes.md", headers={"Range": "bytes=0-3"})
        assert piece.public == reason
        assert await program.upgrade("api/events/subscribe") == 403
        assert len(await gate.running.gate._store.visits(scene.share)) == before
        await by_asking(ask=False, passphrase=None, networks=None)(scene)
        assert (await program.ask("GET", "-/share")).status == 200


async def test_each_condition_is_tightened_while_somebody_is_in() -> None:
    """A condition that these tests do not know would not be tried while a visit is live, nor on every route."""
    known = {"not_before", "networks", "ask", "passphrase", "recipient", "domain", "account"}
    assert set(asking.FIELDS) == known and len(TIGHTENED) == len(known) == len(CONDITIONS)
    assert {field for condition in CONDITIONS.values() for field in condition} - {"issuer"} == known


# Ends of a link, not of one visit: the program would make another.
OF_PROGRAMS = [way for way in ENDS if not way.startswith(("visit", "root"))]


@pytest.mark.parametrize("way", OF_PROGRAMS)
async def test_every_end_holds_for_programs(gate: Gatehouse, moving: Clock, way: str) -> None:
    """With the token of a link for `clients`: what is open is over, a download too, and by no method is anything
    answered any more; no further visit is made for it."""
    end, reason, code = ENDS[way]
    scene = await stage(gate, moving, clients=True, role="edit")
    program = await gate.program(scene.made)
    address = await scene.session(program)
    sockets = [await program_socket(program, path) for path in (address, "api/events/subscribe")]
    reading = await SlowReader.open(program, f"files/{scene.path}/big.bin")
    assert (reading.status, reading.length) == (200, BIG)
    for method, path, piece in BESIDE[:2]:
        assert (await program.ask(method, path.format(folder=scene.path), headers=piece)).status in (200, 206), path
    await end(scene)
    assert [(await socket.closed())[0] for socket in sockets] == [code, code]
    size, whole = await reading.rest()
    assert size < BIG and not whole
    before = len(await gate.running.gate._store.visits(scene.share))
    public = MEANINGS[Reason(reason)].public
    more = [("GET", "-/share"), ("GET", "api/contents/{folder}"), ("DELETE", "api/contents/{folder}/nb.ipynb")]
    for method, path, piece in (*BESIDE, *((*one, {}) for one in more)):
        reply = await program.ask(method, path.format(folder=scene.path), headers=piece)
        assert reply.status == 403 and (method == "HEAD" or reply.public == public), (method, path, reply)
    for path in (address, "api/events/subscribe"):
        assert await program.upgrade(path) == 403
    assert len(await gate.running.gate._store.visits(scene.share)) == before


async def program_socket(program: Inside, path: str) -> PlainSocket:
    reader, writer = await connection(program)
    writer.write(head(f"GET {program.base}{path} HTTP/1.1", {**program.manners("GET"), **HANDSHAKE}))
    status = int((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
    assert status == 101
    return PlainSocket(reader, writer, status)


async def test_the_page_is_told_what_its_link_asks_for(gate: Gatehouse, moving: Clock) -> None:
    """In the last word of the live channel and on the page of a visit that is over: without the networks, and without
    the folder's name from outside of them."""
    scene = await stage(gate, moving, name="Week three")
    live = await scene.open("live")
    await by_asking(networks=["192.0.2.0/24"])(scene)
    said = []
    async with asyncio.timeout(25):
        while (frame := await live.receive())[0] == 1:
            said.append(json.loads(frame[1]))
    live.drop()
    assert (said[-1]["type"], said[-1]["reason"]) == ("ended", "outside_networks")
    navigating = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    page = (await scene.ann.ask("GET", "lab", headers=navigating)).body.decode()
    assert "This link does not open from here." in page and "Week three" not in page and "192.0.2" not in page
    await by_asking(networks=None, passphrase="green bicycle 7")(scene)
    page = (await scene.ann.ask("GET", "lab", headers=navigating)).body.decode()
    assert "type the passphrase that <bdi>Olga</bdi> gave you" in page and "Week three" in page


async def test_a_request_that_waits_is_not_answered_to_who_lacks_what_is_asked(
    gate: Gatehouse, moving: Clock, line: Line
) -> None:
    """What the server says afterwards goes nowhere."""
    scene = await stage(gate, moving)
    with line.held(b"hold-me"):
        asking = asyncio.create_task(scene.ann.ask("GET", f"files/{scene.path}/hold-me.txt"))
        await until(lambda: line.holding == 1)
        await by_asking(passphrase="green bicycle 7")(scene)
        reply = await asking
    assert reply.public == "passphrase_needed" and b"SLOW" not in reply.body


async def test_attack_joining_while_the_owner_sets_a_passphrase(gate: Gatehouse, moving: Clock) -> None:
    """In whatever order they come: afterwards nobody is inside who did not show it."""
    for turns in ROUNDS:
        moving.forward(60)  # the door's limits are not what is tried here
        made = await gate.share("sub/shared", anyone=True)
        link = made["links"][0]
        token = urlsplit(link["url"]).fragment
        joins = [gate.post("/join", {"token": token, "name": f"N{number}"}) for number in range(3)]
        store = gate.running.gate._store
        *replies, _ = await at_the_same_time(*joins, store.change_link(link["id"], passphrase="$hash"), turns=turns)
        assert {reply.status for reply in replies} <= {200, 403}
        assert [await inside(gate, reply) for reply in replies] == [False] * 3


# -- races ----------------------------------------------------------------------------------------------------------


async def inside(gate: Gatehouse, reply: Reply) -> bool:
    """Whether whoever got this answer at the door can read anything now."""
    cookies = dict(v.partition(";")[0].split("=", 1) for k, v in reply.headers if k.lower() == "set-cookie")
    if "sharegate-visit" not in cookies:
        return False
    base = "/".join(reply.json["location"].split("/")[:4]) + "/"
    who = Inside(gate, {"id": base.split("/")[2]}, {}, base, cookies["sharegate-visit"])
    return (await who.ask("GET", "api/me")).status == 200


async def at_the_same_time(*work: Awaitable[Any], turns: int) -> list[Any]:
    """Start them, the last one `turns` turns of the loop later than the others."""
    tasks = [asyncio.ensure_future(each) for each in work[:-1]]
    for _ in range(turns):
        await asyncio.sleep(0)
    tasks.append(asyncio.ensure_future(work[-1]))
    return await asyncio.gather(*tasks)


ROUNDS = range(0, 60, 3)


@pytest.mark.parametrize("verb", ["shares/{share}/revoke", "links/{link}/revoke"])
async def test_attack_joining_while_the_owner_revokes(gate: Gatehouse, moving: Clock, verb: str) -> None:
    """In whatever order they come: afterwards nobody is inside."""
    for turns in ROUNDS:
        moving.forward(60)  # the door's limits are not what is tried here
        made = await gate.share("sub/shared", anyone=True)
        link = made["links"][0]
        token = urlsplit(link["url"]).fragment
        path = verb.format(share=made["share"]["id"], link=link["id"])
        joins = [gate.post("/join", {"token": token, "name": f"N{number}"}) for number in range(3)]
        *replies, _ = await at_the_same_time(*joins, gate.call("POST", path), turns=turns)
        assert {reply.status for reply in replies} <= {200, 403}
        assert [await inside(gate, reply) for reply in replies] == [False] * 3
        assert gate.running.api._cutter.count(share=made["share"]["id"]) == 0


async def test_attack_being_admitted_while_the_owner_revokes(gate: Gatehouse, moving: Clock) -> None:
    """A knock that is admitted in the same moment lets nobody in."""
    for turns in ROUNDS:
        moving.forward(60)  # the door's limits are not what is tried here
        made = await gate.share("sub/shared", **{"for": ["Ann"]})
        await gate.visit(made)
        token = urlsplit(made["links"][0]["url"]).fragment
        knocked = await gate.post("/join/knock", {"token": token, "name": "Eve", "same_person": False})
        cookie = next(v for k, v in knocked.headers if k.lower() == "set-cookie").partition(";")[0]
        knock = knocked.json["knock"]
        admit = gate.running.api.call("POST", f"/api/v1/knocks/{knock}/admit", {}, {})
        await at_the_same_time(admit, gate.call("POST", f"shares/{made['share']['id']}/revoke"), turns=turns)
        reply = await gate.post("/join/knock/state", {"knock": knock}, headers={"Cookie": cookie})
        assert not await inside(gate, reply) if reply.status == 200 else reply.status == 403


async def test_attack_spending_a_device_code_while_the_visit_is_ended(gate: Gatehouse, moving: Clock) -> None:
    """The device of a visit that ends in the same moment is out too."""
    for turns in ROUNDS:
        moving.forward(60)  # the door's limits are not what is tried here
        ann = await gate.visit()
        code = (await ann.ask("POST", "-/device")).json["code"]
        visit = ann.base.split("~")[1].strip("/")
        reply, _ = await at_the_same_time(
            gate.post("/join/device", {"code": code}), gate.call("POST", f"visits/{visit}/end"), turns=turns
        )
        assert reply.status in (200, 403)
        assert not await inside(gate, reply)


async def test_attack_opening_channels_while_the_owner_revokes(gate: Gatehouse, moving: Clock) -> None:
    """A connection that is opened in the same moment is refused or closed; none is left."""
    for turns in range(0, 30, 3):
        made = await gate.share("sub/shared", **{"for": ["Ann"]})
        ann = await gate.visit(made)
        opening = [PlainSocket.open(ann, path) for path in ("-/live", "api/events/subscribe")]
        revoke = gate.call("POST", f"shares/{made['share']['id']}/revoke")
        *sockets, _ = await at_the_same_time(*opening, revoke, turns=turns * 4)
        for socket in sockets:
            assert socket.status in (101, 403)
            if socket.status == 101:
                assert (await socket.closed())[0] in (4403, 1006)
            socket.drop()
        await until(lambda made=made: gate.running.api._cutter.count(share=made["share"]["id"]) == 0)  # type: ignore[misc]


async def until(true: Callable[[], bool], seconds: float = 25.0) -> None:
    """Poll; fails with TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
