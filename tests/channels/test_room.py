"""The gate's own copy of a document: who follows it, when it is kept and rests, and what the gate does with it."""

from __future__ import annotations

import asyncio

import pytest
from pycrdt import Text

from sharegate.channels import link as links
from sharegate.channels.admission import RoomName
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.open_rooms import LINGER_SECONDS, OpenRooms
from sharegate.channels.room import Room
from tests.channels.rooms import NAME, Server, edit, enter, made, until
from tests.conftest import Clock

# -- following ------------------------------------------------------------------------------------------------


async def test_many_follow_over_one_connection(room: Room, server: Server) -> None:
    """Fifty viewers of several shares; the server has one peer, and all read what is typed."""
    viewers = await asyncio.gather(*(enter(room, f"s{number % 3}") for number in range(50)))
    await server.type("live ")
    await until(lambda: all(str(viewer.source) == "live words\n" for viewer in viewers))
    assert len(server.wires) == 1


async def test_what_the_gate_says_to_the_server_is_a_greeting(room: Room, server: Server) -> None:
    """An empty step 1 and a step 2 without anything new, whatever viewers ask."""
    viewer = await enter(room)
    await viewer.ask()
    assert server.heard == [SyncStep1(b"\x00"), SyncStep2(b"\x00\x00")]


async def test_who_comes_later_gets_the_document_from_the_copy(room: Room, server: Server) -> None:
    """With all that was typed, and with the states that were heard; the server is not asked again."""
    await enter(room)
    await server.type("before ")
    await server.say(Awareness((AwarenessState(5, 1, {"user": {"name": "Olga"}}),)))
    late = await enter(room)
    assert str(late.source) == "before words\n"
    await until(lambda: any(isinstance(each, Awareness) for each in late.heard))
    assert late.heard[-1].states[0].state["user"]["name"] == "Olga"
    assert len([each for each in server.heard if isinstance(each, SyncStep1)]) == 1


async def test_who_holds_a_part_gets_the_rest(room: Room, server: Server) -> None:
    """A page that lost its connection asks from where it was."""
    viewer = await enter(room)
    await server.type("x" * 1000)
    await until(lambda: len(str(viewer.source)) == 1006)
    await viewer.ask()
    await until(lambda: len([each for each in viewer.heard if isinstance(each, SyncStep2)]) == 2)
    second = [each for each in viewer.heard if isinstance(each, SyncStep2)][1]
    assert len(second.update) < 50


async def test_the_connection_goes_with_the_last_viewer_and_comes_with_the_next(room: Room, server: Server) -> None:
    """Closed properly; the copy stays, and the same history goes on in the same epoch."""
    one, other = await enter(room), await enter(room)
    session = room.session
    one.leave()
    await asyncio.sleep(0.01)
    assert server.wire.closed == []
    other.leave()
    await room.closed()
    assert server.wire.closed == [(1000, "")]
    server.doc["source"] += "while nobody looked\n"
    back = await enter(room)
    assert str(back.source) == "words\nwhile nobody looked\n" and room.session == session


async def test_a_viewer_who_comes_while_the_connection_is_closing_gets_a_new_one(room: Room, server: Server) -> None:
    """In the same moment the last one leaves."""
    one = await enter(room)
    one.leave()
    other = await enter(room)
    assert str(other.source) == "words\n" and other.end is None and len(server.wires) == 2


# -- keeping and resting --------------------------------------------------------------------------------------


async def test_a_room_is_kept_from_when_the_last_one_left(server: Server, clock: Clock) -> None:
    """Two documents were open for hours, and the server went: the page of one that comes back first takes nothing from
    the other, which holds what the server does not have yet."""
    open_rooms = OpenRooms(lambda upstream, name: made(server, now=clock), now=clock)
    other = RoomName("text", "file", "5f0c7c3e-0000-4000-8000-000000000001")
    room, beside = open_rooms.of("up", NAME), open_rooms.of("up", other)
    one, two = await enter(room), await enter(beside)
    clock.forward(10 * LINGER_SECONDS)
    one.leave()
    two.leave()
    await open_rooms.closed()
    assert open_rooms.of("up", NAME) is room and open_rooms.of("up", other) is beside


async def test_a_document_in_which_nobody_acts_rests(
    server: Server, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's connection goes, the visitors stay on the copy; the first act brings it back."""
    monkeypatch.setattr(links, "TICK_SECONDS", 0.005)
    room = made(server, idle_after=60.0, now=clock)
    viewer, editor = await enter(room), await edit(room)
    clock.forward(60)
    await until(lambda: server.wire.closed == [(1000, "")])
    assert room.resting and viewer.end is None
    server.doc["source"] += "meanwhile\n"
    await viewer.ask()
    await until(lambda: len([each for each in viewer.heard if isinstance(each, SyncStep2)]) == 2)
    assert len(server.wires) == 1, "what is asked is answered from the copy"
    await editor.type("awake ")
    await until(lambda: str(viewer.source) == str(server.doc["source"]) == "awake words\nmeanwhile\n")
    assert not room.resting and len(server.wires) == 2
    for each in (viewer, editor):
        each.leave()
    await room.closed()


# -- the gate itself ------------------------------------------------------------------------------------------


async def test_the_gate_writes_for_everybody(room: Room, server: Server) -> None:
    """Restoring a version is a change like any other."""
    viewer, ann = await enter(room), await edit(room)
    room.write(lambda doc: doc.get("source", type=Text).insert(0, "restored "))
    await until(lambda: str(viewer.source) == str(ann.source) == str(server.doc["source"]) == "restored words\n")


async def test_the_gate_changes_a_document_that_nobody_has_open(room: Room, server: Server) -> None:
    """It holds the connection meanwhile, and everybody who comes has the change; the log hears of it."""
    async with room.held() as epoch:
        assert not room.empty and room.wanted and room.is_of(epoch)
        room.write(lambda doc: doc["source"].insert(0, "gate "))
        viewer = await enter(room)
        await until(lambda: str(viewer.source) == "gate words\n")
        room.write(lambda doc: doc["source"].insert(0, "again "))
        await until(lambda: str(server.doc["source"]) == str(viewer.source) == "again gate words\n")
        viewer.leave()
        assert not room.empty and server.wire.closed == []
    assert room._steward.follows == 2  # type: ignore[attr-defined]
    await room.closed()
    assert room.empty and server.wire.closed == [(1000, "")]


async def test_who_is_here_stays_when_the_gate_is_done(room: Room, server: Server) -> None:
    """The connection is the visitors', too."""
    viewer = await enter(room)
    async with room.held():
        pass
    await server.type("later ")
    await until(lambda: str(viewer.source) == "later words\n")
    assert len(server.wires) == 1


@pytest.mark.parametrize(("status", "saved"), [("success", True), ("failed", False), ("skipped", False)])
async def test_the_gate_knows_whether_its_change_was_saved(
    room: Room, server: Server, status: str, saved: bool
) -> None:
    """By the server's answer to its own question."""
    async with room.held():
        saving = asyncio.create_task(room.save())
        await until(lambda: any(isinstance(each, RawSave) for each in server.heard))
        number = next(each.id for each in server.heard if isinstance(each, RawSave))
        if saved:  # the server says in the document that it wrote the file
            before = server.doc.get_state()
            with server.doc.transaction():
                server.doc["state"].update({"dirty": False, "hash": "written"})
            await server.say(Update(server.doc.get_update(before)))
        await server.say(RawJson({"type": "save", "responseTo": number, "status": status}))
        assert await saving is saved
