"""The viewer's guard against what a real jupyter-collaboration sends and does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from pycrdt import Array, Doc, Map, Text

from sharegate.channels import frames
from sharegate.channels.admission import Admissions, RoomName
from sharegate.channels.frames import Awareness, AwarenessState, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.member import Member
from sharegate.channels.place import Place
from sharegate.channels.registry import Cut
from sharegate.channels.relay import Summary, relay
from sharegate.channels.room import Room
from sharegate.channels.viewer import ViewerGuard
from sharegate.errors import Reason
from sharegate.limits import Rate
from sharegate.messages import Frame
from sharegate.paths import CanonicalPath
from tests.channels.documents import kinds_of_attack
from tests.channels.grants import grant
from tests.channels.sockets import Wire
from tests.channels.stewards import RULES, Steward
from tests.real.jupyter import JupyterServer

pytestmark = pytest.mark.real
NOTEBOOK = "sub/shared/nb.ipynb"


class Real:
    """messages.Socket over the aiohttp client, for this test."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> Frame:
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            return Frame.binary(message.data)
        if message.type is aiohttp.WSMsgType.TEXT:
            return Frame.text(message.data)
        return Frame.close(self._socket.close_code or 1006)

    async def send(self, frame: Frame) -> None:
        await self._socket.send_bytes(frame.data)

    async def close(self, code: int, reason: str = "") -> None:
        await self._socket.close(code=code, message=reason.encode())

    def abort(self) -> None:
        pass


class Server:
    def __init__(self, jupyter: JupyterServer, http: aiohttp.ClientSession) -> None:
        self._jupyter = jupyter
        self._http = http

    async def session(self, path: str, format: str, type: str) -> dict[str, Any]:
        where = f"{self._jupyter.url}api/collaboration/session/{path.replace('/', '%2F')}"
        async with self._http.put(where, json={"format": format, "type": type}) as answer:
            assert answer.status in (200, 201)
            said: dict[str, Any] = await answer.json()
            return said

    async def room(self, said: dict[str, Any]) -> Real:
        name = f"{said['format']}:{said['type']}:{said['fileId']}"
        where = f"{self._jupyter.url}api/collaboration/room/{name}?sessionId={said['sessionId']}"
        return Real(await self._http.ws_connect(where, max_msg_size=0))

    def watched(self, said: dict[str, Any]) -> Room:
        """The gate's own end of the room that a session answer names."""
        name = RoomName(said["format"], said["type"], said["fileId"])
        return Room("up", name, lambda: self.room(said), Steward(), RULES)


@contextlib.asynccontextmanager
async def server_of(jupyter: JupyterServer) -> AsyncIterator[Server]:
    headers = {"Authorization": f"token {jupyter.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        yield Server(jupyter, http)


class Anywhere:
    """The file stays where it is."""

    async def path_of(self, upstream: str, file_id: str) -> str | None:
        return NOTEBOOK

    @property
    def newest(self) -> Anywhere:
        return self


async def allowed(file_ids: object) -> None:
    pass


class Visitor:
    """A viewer's page: what came through is applied with the real library."""

    def __init__(self, member: Member) -> None:
        self.wire = Wire()
        self.cut = Cut("room")
        self.doc: Doc = Doc()
        self.cells = self.doc.get("cells", type=Array)
        self.state = self.doc.get("state", type=Map)
        self.source = self.doc.get("source", type=Text)
        self._applied = 0
        guard = ViewerGuard(steps=Rate(1000, 1, 1000))  # these tests ask often whether the server still answers
        self.work = asyncio.create_task(relay(self.wire.socket, member, guard, self.cut))

    @classmethod
    async def enter(cls, room: Room) -> Visitor:
        return cls(await room.enter(grant(), room.place("k7f2", lambda: Place(allowed, Anywhere()))))

    async def open(self) -> None:
        await self.wire.say(frames.write(SyncStep1(self.doc.get_state())))
        mine = {"user": {"username": "eve", "name": "Eve"}, "autosave": True}
        await self.wire.say(frames.write(Awareness((AwarenessState(self.doc.client_id, 1, mine),))))
        await self.wire.say(frames.write(SyncStep2(b"\x00\x00")))

    def apply(self) -> None:
        for frame in self.wire.sent[self._applied :]:
            self._applied += 1
            message = frames.read(frame, limit=frames.UPSTREAM_FRAME)
            if isinstance(message, SyncStep2 | Update):
                self.doc.apply_update(message.update)

    async def until(self, true: Any) -> None:
        deadline = time.monotonic() + 30
        while True:
            self.apply()
            if true():
                return
            assert not self.work.done(), self.work.result()
            assert time.monotonic() < deadline, "the document did not follow"
            await asyncio.sleep(0.02)

    async def leave(self) -> Summary:
        await self.wire.say(Frame.close(1001))
        return await self.work


async def test_a_viewer_follows_a_real_notebook_and_changes_nothing(jupyter: JupyterServer) -> None:
    """All frames of the server pass the scan and yield its cells; an editor's typing follows; the viewer's updates,
    saves and awareness reach neither the document, the file, nor the editor."""
    async with server_of(jupyter) as server:
        said = await server.session(NOTEBOOK, "json", "notebook")
        rooms = Admissions()
        rooms.learn("up", CanonicalPath.from_body(NOTEBOOK), said["format"], said["type"], said["fileId"])
        assert str(RoomName.parse(f"json:notebook:{said['fileId']}")).endswith(said["fileId"])

        room = server.watched(said)
        visitor = await Visitor.enter(room)
        await visitor.open()
        await visitor.until(lambda: len(visitor.cells) == 3)
        assert [str(cell["source"]) for cell in visitor.cells] == ["# Shared notebook", "print(6*7)", "x = 'second'"]

        # An editor, straight on the server: without the relay there is nothing between.
        upstream = await server.room(said)
        editor: Doc = Doc()
        cells = editor.get("cells", type=Array)
        await upstream.send(frames.write(SyncStep1(editor.get_state())))
        deadline = time.monotonic() + 30
        while len(cells) != 3 and time.monotonic() < deadline:
            message = frames.read(await upstream.receive(), limit=frames.UPSTREAM_FRAME)
            if isinstance(message, SyncStep2 | Update):
                editor.apply_update(message.update)

        # The viewer types, marks the state, saves: all of it stays in the page.
        start = visitor.doc.get_state()
        visitor.cells[1]["source"].insert(0, "INJECTED ")
        visitor.state["document_id"] = f"json:notebook:{said['fileId']}"
        await visitor.wire.say(frames.write(Update(visitor.doc.get_update(start))))
        await visitor.wire.say(frames.write(SyncStep2(visitor.doc.get_update())))
        await visitor.wire.say(frames.write(RawSave(3)))

        was = editor.get_state()
        cells[0]["source"].insert(0, "typed by the owner \N{SNAKE} ")
        await upstream.send(frames.write(Update(editor.get_update(was))))
        await visitor.until(lambda: "typed by the owner \N{SNAKE} " in str(visitor.cells[0]["source"]))
        saved = [json.loads(frame.data[2:]) for frame in visitor.wire.sent if frame.data[:1] == b"\x02"]
        assert saved == [{"type": "save", "responseTo": 3, "status": "skipped"}]

        # A third reader sees what the server has: the owner's words and none of the viewer's.
        third = await Visitor.enter(server.watched(said))
        await third.open()
        await third.until(lambda: len(third.cells) == 3 and "owner" in str(third.cells[0]["source"]))
        assert "INJECTED" not in str(third.cells[1]["source"])
        assert "document_id" not in third.state

        assert not any(b"Eve" in frame.data or b"eve" in frame.data for frame in third.wire.sent)
        summaries = [await visitor.leave(), await third.leave()]
        assert [each.refused for each in summaries] == [0, 0] and summaries[0].ended == "visitor_closed"
        # Put the file back for the tests that share the server.
        was = editor.get_state()
        del cells[0]["source"][0 : len("typed by the owner \N{SNAKE} ".encode())]
        await upstream.send(frames.write(Update(editor.get_update(was))))
        await upstream.send(frames.write(RawSave(1)))
        while True:
            message = frames.read(await upstream.receive(), limit=frames.UPSTREAM_FRAME)
            if isinstance(message, frames.RawJson):
                break
        await upstream.close(1000)
    saved_cells = json.loads((jupyter.root / NOTEBOOK).read_bytes())["cells"]
    assert ["".join(cell["source"]) for cell in saved_cells] == ["# Shared notebook", "print(6*7)", "x = 'second'"]


async def test_a_cut_ends_a_real_room_and_the_server_runs_on(jupyter: JupyterServer) -> None:
    """After the cut an edit on the server reaches the page no more, and the editor notices nothing."""
    path = "sub/shared/notes.md"
    async with server_of(jupyter) as server:
        said = await server.session(path, "text", "file")
        room = server.watched(said)
        visitor, staying = await Visitor.enter(room), await Visitor.enter(room)
        for each in (visitor, staying):
            await each.open()
            await each.until(lambda each=each: str(each.source) == "shared notes\n")
        visitor.cut.cut(Reason.SHARE_REVOKED)
        count = len(visitor.wire.sent)
        upstream = await server.room(said)
        editor: Doc = Doc()
        source = editor.get("source", type=Text)
        await upstream.send(frames.write(SyncStep1(editor.get_state())))
        while not str(source):
            message = frames.read(await upstream.receive(), limit=frames.UPSTREAM_FRAME)
            if isinstance(message, SyncStep2):
                editor.apply_update(message.update)
        was = editor.get_state()
        source.insert(0, "after ")
        await upstream.send(frames.write(Update(editor.get_update(was))))
        await staying.until(lambda: str(staying.source).startswith("after "))
        summary = await visitor.work
        assert summary.ended == "share_revoked" and len(visitor.wire.sent) == count
        was = editor.get_state()
        del source[0:6]
        await upstream.send(frames.write(Update(editor.get_update(was))))
        await staying.until(lambda: str(staying.source) == "shared notes\n")
        await upstream.close(1000)
        await staying.leave()


async def test_attack_hostile_frames_do_not_stall_a_real_room(jupyter: JupyterServer) -> None:
    """A channel per kind of attack is closed by its first frame, while another visitor's room goes on answering."""
    async with server_of(jupyter) as server:
        said = await server.session(NOTEBOOK, "json", "notebook")
        room = server.watched(said)
        honest = await Visitor.enter(room)
        await honest.open()
        await honest.until(lambda: len(honest.cells) == 3)
        for name, hostile in kinds_of_attack(random.Random(9), 1):
            attacker = await Visitor.enter(room)
            await attacker.wire.say(*hostile)
            summary = await attacker.work
            assert summary.ended == "bad_frame" and summary.code == 1008, name
            answered = len(honest.wire.sent)
            await honest.wire.say(frames.write(SyncStep1(b"\x00")))
            await honest.until(lambda answered=answered: len(honest.wire.sent) > answered)
        assert (await honest.leave()).refused == 0
