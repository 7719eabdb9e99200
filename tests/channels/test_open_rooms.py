"""Rooms that nobody is in: how long they are kept, and how many."""

from __future__ import annotations

import asyncio
import weakref

import pytest
from pycrdt import Text

from sharegate.channels import open_rooms as rooms
from sharegate.channels.admission import RoomName
from sharegate.channels.guard import DocumentKind
from sharegate.channels.open_rooms import LINGER_SECONDS, OpenRooms
from sharegate.channels.room import Room
from sharegate.garbage import sweep
from sharegate.paths import CanonicalPath
from tests.channels.editing import Room as Guarded
from tests.channels.rooms import NAME, Server, edit, enter, made, until
from tests.channels.stewards import RULES, Steward
from tests.conftest import Clock


async def test_a_page_that_comes_back_finds_its_room(server: Server, clock: Clock) -> None:
    """With the session it had, for ten minutes; then the room is forgotten, and the page loads itself again."""
    open_rooms = OpenRooms(lambda upstream, name: made(server, now=clock), now=clock)
    room = open_rooms.of("up", NAME)
    viewer = await enter(room)
    viewer.leave()
    await open_rooms.closed()
    other = RoomName("text", "file", "5f0c7c3e-0000-4000-8000-000000000001")
    clock.forward(LINGER_SECONDS)
    open_rooms.of("up", other)
    assert open_rooms.of("up", NAME) is room
    clock.forward(LINGER_SECONDS + 1)
    open_rooms.of("up", other)
    assert open_rooms.of("up", NAME) is not room


async def test_nothing_is_left_of_a_room_that_is_forgotten(server: Server, clock: Clock) -> None:
    """Nor of what its changes were judged by: a gate that runs for months has held every document there is."""
    open_rooms = OpenRooms(lambda upstream, name: made(server, now=clock), now=clock)
    room = open_rooms.of("up", NAME)
    editor = await edit(room)
    await editor.type("new ")
    await until(lambda: str(server.doc.get("source", type=Text)).startswith("new "))
    epoch = room.epoch
    pen = epoch._pen
    assert pen is not None
    left = [weakref.ref(each) for each in (room, epoch, epoch.doc, pen._guard, pen._guard._trial)]
    editor.leave()
    await open_rooms.closed()
    assert not open_rooms.let_go()
    clock.forward(LINGER_SECONDS + 1)
    del room, editor, epoch, pen
    sweeping = asyncio.create_task(sweep(open_rooms.let_go, every=0.01))
    await until(lambda: [each() for each in left] == [None] * 5)
    sweeping.cancel()
    assert not open_rooms.let_go()


async def test_rooms_that_somebody_is_in_are_never_forgotten(
    server: Server, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many others come and go, of which only so many are kept."""
    monkeypatch.setattr(rooms, "EXPECTED", 20)
    open_rooms = OpenRooms(lambda upstream, name: made(server, now=clock), now=clock)
    room = open_rooms.of("up", NAME)
    viewer = await enter(room)
    clock.forward(10 * LINGER_SECONDS)
    for number in range(60):
        open_rooms.of("up", RoomName("text", "file", f"5f0c7c3e-0000-4000-8000-{number:012}"))
    assert open_rooms.of("up", NAME) is room
    assert len(open_rooms._rooms) == 20
    viewer.leave()
    await room.closed()


async def test_a_connection_that_nobody_waits_for_is_given_up(room: Room, server: Server) -> None:
    """Who leaves while it is being made leaves nothing behind, and who comes in the same moment gets another."""
    server.silent = True
    leaving = asyncio.create_task(enter(room))
    await until(lambda: len(server.wires) == 1)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    server.silent = False
    viewer = await enter(room)
    assert str(viewer.source) == "words\n" and viewer.end is None
    assert len(server.wires) == 2 and server.wires[0].aborted


async def test_of_documents_that_everybody_left_few_are_kept(
    server: Server, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those used last; a room that only a session was asked for does not count among them."""
    monkeypatch.setattr(rooms, "LINGERING", 2)
    open_rooms = OpenRooms(lambda upstream, name: made(server, now=clock), now=clock)
    names = [RoomName("text", "file", f"5f0c7c3e-0000-4000-8000-{number:012}") for number in range(9)]
    left = []
    for name in names[:4]:
        left.append(open_rooms.of("up", name))
        (await enter(left[-1])).leave()
        await left[-1].closed()
    for name in names[4:]:
        open_rooms.of("up", name)
    kept = list(open_rooms._rooms.values())
    assert [room in kept for room in left] == [False, False, True, True] and len(kept) == 7


async def test_attack_the_text_of_a_notebook_that_nobody_is_in(clock: Clock) -> None:
    """What a left room holds is nobody's cell: not before the server's document is here again, not under another name,
    and not while two rooms claim the name."""
    notebook = RoomName("json", "notebook", NAME.file_id)
    other = RoomName("json", "notebook", "5f0c7c3e-0000-4000-8000-000000000001")
    path = CanonicalPath.from_body("sub/nb.ipynb")
    server = Server(Guarded(kind=DocumentKind.NOTEBOOK).live)
    open_rooms = OpenRooms(
        lambda upstream, name: Room(upstream, name, server.connect, Steward(), RULES, now=clock), now=clock
    )
    room = open_rooms.of("up", notebook)
    room.path = path
    assert open_rooms.sources("up", str(notebook), str(path)) is None
    viewer = await enter(room)
    assert open_rooms.sources("up", str(notebook), str(path))
    assert open_rooms.sources("up", str(notebook), "sub/else.ipynb") is None
    assert open_rooms.sources("up", str(other), str(path)) is None
    assert open_rooms.room_of("v1", "up", str(path)) == str(notebook)
    assert open_rooms.room_of("v2", "up", str(path)) == open_rooms.room_of("v1", "else", str(path)) == ""
    second = open_rooms.of("up", other)
    second.path = path
    assert open_rooms.room_of("v1", "up", str(path)) == str(notebook), "nobody is in the other"
    beside = await enter(second)
    assert open_rooms.room_of("v1", "up", str(path)) == ""
    beside.leave()
    viewer.leave()
    await open_rooms.closed()
    assert room.known and open_rooms.sources("up", str(notebook), str(path)) is None
    assert open_rooms.room_of("v1", "up", str(path)) == ""
    server.silent = True
    coming = asyncio.create_task(enter(room))
    await until(lambda: len(server.wires) == 3)
    assert not room.empty and open_rooms.sources("up", str(notebook), str(path)) is None
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)
    server.stop()
