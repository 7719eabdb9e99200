"""One room before a server in memory that keeps, loses, changes and breaks its document, and pages in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pycrdt import Doc, Map, Text

from sharegate.channels import frames
from sharegate.channels.admission import RoomName
from sharegate.channels.editor import EditorGuard
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.member import Heard, Member
from sharegate.channels.place import Place
from sharegate.channels.room import Room
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame, FrameKind
from sharegate.policy.documents import DocumentRules
from sharegate.shares.model import Role
from tests.channels.grants import grant
from tests.channels.looks import Ids, Looks
from tests.channels.sockets import Wire
from tests.channels.stewards import RULES, Steward

NAME = RoomName("text", "file", "5f0c7c3e-0000-4000-8000-000000000000")


def document(words: str = "words\n", client: int = 1) -> Doc[Any]:
    doc: Doc[Any] = Doc(client_id=client)
    doc["source"], doc["state"] = Text(words), Map({"path": "notes.md"})
    return doc


class Server:
    """A server of one document. Each connection is a wire; it answers step 1 and applies what it is sent."""

    def __init__(self, doc: Doc[Any] | None = None) -> None:
        self.doc = doc or document()
        self.wires: list[Wire] = []
        self.refuse: Reason | None = None
        self.silent = False
        self.heard: list[Any] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self) -> Any:
        if self.refuse is not None:
            raise Denied(self.refuse)
        wire = Wire()
        self.wires.append(wire)
        task = asyncio.create_task(self._serve(wire))
        self._tasks.add(task)
        return wire.socket

    async def _serve(self, wire: Wire) -> None:
        wire._inbox.put_nowait(frames.write(SyncStep1(self.doc.get_state())))
        read = 0
        over = False
        while not over:
            over = bool(wire.closed) or wire.aborted
            while read < len(wire.sent):
                message = frames.read(wire.sent[read], limit=frames.UPSTREAM_FRAME)
                read += 1
                self.heard.append(message)
                if isinstance(message, SyncStep1) and not self.silent:
                    wire._inbox.put_nowait(frames.write(SyncStep2(self.doc.get_update(message.state_vector))))
                elif isinstance(message, SyncStep2 | Update):
                    self.doc.apply_update(message.update)
            await asyncio.sleep(0.001)
        wire._inbox.put_nowait(Frame.close(1000))

    @property
    def wire(self) -> Wire:
        return self.wires[-1]

    async def say(self, *messages: Any) -> None:
        await self.wire.say(*(frames.write(each) for each in messages))

    async def type(self, words: str) -> None:
        before = self.doc.get_state()
        self.doc.get("source", type=Text).insert(0, words)
        await self.say(Update(self.doc.get_update(before)))

    async def saved(self, number: int, *, written: bool = True) -> None:
        """The answer to a save, which is "success" whatever became of it."""
        if written:
            await self.put({"dirty": False}, {"hash": "h"})
        await self.say(RawJson({"type": "save", "responseTo": number, "status": "success"}))

    async def put(self, *changes: dict[str, Any]) -> None:
        """Change the state, in one update each."""
        for change in changes:
            before = self.doc.get_state()
            self.doc.get("state", type=Map).update(change)
            await self.say(Update(self.doc.get_update(before)))

    @property
    def saves(self) -> list[int]:
        """The numbers of the saves it was asked for."""
        return [each.id for each in self.heard if isinstance(each, RawSave)]

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()


def made(server: Server, steward: Steward | None = None, rules: DocumentRules = RULES, **options: Any) -> Room:
    return Room("up", NAME, server.connect, steward or Steward(), rules, **options)


class Viewer:
    """Who follows: applies what the room says."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.doc: Doc[Any] = Doc()
        self.source = self.doc.get("source", type=Text)
        self.heard: list[Any] = []
        self.end: Frame | Denied | None = None
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            try:
                frame = await self.member.receive()
            except Denied as denied:
                self.end = denied
                return
            if frame.kind is FrameKind.CLOSE:
                self.end = frame
                return
            message = frames.read(frame, limit=frames.UPSTREAM_FRAME)
            self.heard.append(message)
            if isinstance(message, SyncStep2 | Update):
                self.doc.apply_update(message.update)

    async def ask(self) -> None:
        step = SyncStep1(self.doc.get_state())
        await self.member.send(Heard(FrameKind.BINARY, message=step))

    def leave(self) -> None:
        self.member.abort()
        self._reading.cancel()


class Editor(Viewer):
    """Who also types: a page with a document of its own, whose changes go through an editor's guard."""

    def __init__(self, member: Member, client: int | None = None) -> None:
        self.guard = EditorGuard()
        super().__init__(member)
        if client is not None:
            self.doc = Doc(client_id=client)
            self.source = self.doc.get("source", type=Text)

    async def say(self, message: Any) -> None:
        verdict = self.guard.from_visitor(frames.write(message))
        assert verdict.close is None, verdict
        for frame in verdict.onward:
            await self.member.send(frame)

    async def change(self, what: Callable[[], object]) -> None:
        before = self.doc.get_state()
        what()
        await self.say(Update(self.doc.get_update(before)))

    async def type(self, words: str, at: int = 0) -> None:
        await self.change(lambda: self.source.insert(at, words))


async def enter(room: Room, share: str = "s1", looks: Looks | None = None) -> Viewer:
    place = room.place(share, lambda: Place(looks or Looks(), Ids()))
    viewer = Viewer(await room.enter(grant(share), place))
    await viewer.ask()
    await until(lambda: viewer.end is not None or any(isinstance(each, SyncStep2) for each in viewer.heard))
    return viewer


async def edit(room: Room, visit: str = "ann", client: int | None = None) -> Editor:
    place = room.place("s1", lambda: Place(Looks(), Ids()))
    editor = Editor(await room.enter(grant(visit=visit, role=Role.EDIT), place), client)
    await editor.say(SyncStep1(editor.doc.get_state()))
    await until(lambda: editor.end is not None or any(isinstance(each, SyncStep1) for each in editor.heard))
    asked = next(each for each in editor.heard if isinstance(each, SyncStep1))
    await editor.say(SyncStep2(editor.doc.get_update(asked.state_vector)))
    return editor


async def until(true: Callable[[], object], seconds: float = 25.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.001)


def ended(viewer: Viewer) -> str:
    assert viewer.end is not None
    return str(viewer.end) if isinstance(viewer.end, Denied) else f"{viewer.end.code} {viewer.end.reason}"


def steward_of(room: Room) -> Steward:
    assert isinstance(room._steward, Steward)
    return room._steward


def answers(editor: Viewer) -> list[tuple[int, str]]:
    """Number and status of the answers to saves."""
    values = [each.value for each in editor.heard if isinstance(each, RawJson)]
    return [(value["responseTo"], value["status"]) for value in values if isinstance(value, dict)]


def cursor(client: int, name: str = "Olga", clock: int = 1) -> Awareness:
    return Awareness((AwarenessState(client, clock, {"user": {"name": name, "username": name}, "cursors": []}),))
