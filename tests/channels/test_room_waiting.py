"""What ends, is cut or is lost while a change, a cursor, a save or a refusal waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from sharegate.channels import frames
from sharegate.channels import member as members
from sharegate.channels import outbox as outboxes
from sharegate.channels.editor import EditorGuard
from sharegate.channels.frames import RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.member import Heard, Member
from sharegate.channels.place import Place
from sharegate.channels.registry import Cut
from sharegate.channels.relay import relay
from sharegate.channels.room import Room
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame, FrameKind
from sharegate.shares.model import Role
from tests.channels.grants import grant
from tests.channels.looks import Ids, Looks
from tests.channels.rooms import Editor, Server, cursor, edit, enter, made, steward_of, until
from tests.channels.sockets import Wire
from tests.channels.stewards import Steward

# -- for a slow server or a slow page -------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["cursor", "save"])
async def test_who_speaks_waits_for_a_slow_server_as_who_writes(room: Room, server: Server, said: str) -> None:
    """Cursors and saves too, so that nobody can fill what waits for it."""
    ann = await edit(room, "ann")
    count = len(server.heard)
    room._link.outbox._drained.clear()
    waiting = asyncio.create_task(ann.say(cursor(ann.doc.client_id) if said == "cursor" else RawSave(1)))
    await server.wire.settle()
    assert not waiting.done() and len(server.heard) == count
    room._link.outbox._drained.set()
    await waiting
    await until(lambda: len(server.heard) > count)


async def test_attack_a_server_that_asks_and_never_reads(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question is answered with the document: it is dropped, and a new connection brings everything up to date."""
    monkeypatch.setattr(outboxes, "MOST_FRAMES", 10)
    ann, viewer = await edit(room, "ann"), await enter(room)
    await server.wire.settle()
    server.wire._room = 0
    for _ in range(12):
        await server.say(SyncStep1(b"\x00"))
    await ann.type("typed ")
    await until(lambda: len(server.wires) == 2 and str(server.doc["source"]) == "typed words\n")
    assert server.wires[0].aborted and viewer.end is None and ann.end is None


async def test_a_visitor_who_does_not_read_is_closed_whatever_is_told(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where others are counts as what they write does; the page comes back and is brought up to date."""
    monkeypatch.setattr(members, "WAITING_FRAMES", 5)
    ann, viewer = await edit(room, "ann"), await enter(room)
    deaf = await room.enter(grant("s1"), room.place("s1", lambda: Place(Looks(), Ids())))
    for clock in range(1, 9):
        await server.say(cursor(5, clock=clock))
    await until(lambda: deaf._end is not None)
    assert deaf._end == Frame.close(1012, "server_slow") and viewer.end is None and ann.end is None


# -- while a right ends ---------------------------------------------------------------------------------------


async def test_attack_a_role_taken_back_while_a_change_waits(room: Room, server: Server) -> None:
    """For a slow server: what waited is not made when the server reads on."""
    ann, viewer = await edit(room, "ann"), await enter(room)
    await ann.type("before ")
    await until(lambda: str(server.doc["source"]) == "before words\n")
    room._link.outbox._drained.clear()
    waiting = asyncio.create_task(ann.type("late "))
    await server.wire.settle()
    steward_of(room).roles["ann"] = grant(visit="ann")
    room._link.outbox._drained.set()
    await waiting
    await server.type("on ")
    await until(lambda: str(viewer.source) == "on before words\n")
    assert str(server.doc["source"]) == "on before words\n"


async def test_attack_a_change_that_waits_when_its_channel_is_cut(room: Room, server: Server) -> None:
    """It is never applied, whatever it waited for comes in the same moment as the cut."""
    member = await room.enter(grant(visit="ann", role=Role.EDIT), room.place("s1", lambda: Place(Looks(), Ids())))
    wire, cut = Wire(), Cut("room")
    channel = asyncio.create_task(relay(wire.socket, member, EditorGuard(), cut))
    page: Doc[Any] = Doc()
    source = page.get("source", type=Text)
    await wire.say(frames.write(SyncStep1(b"\x00")))
    page.apply_update(server.doc.get_update())
    await wire.say(frames.write(SyncStep2(b"\x00\x00")))
    room._link.outbox._drained.clear()
    before = page.get_state()
    source.insert(0, "late ")
    await wire.say(frames.write(Update(page.get_update(before))))
    room._link.outbox._drained.set()
    cut.cut(Reason.VISIT_ENDED)
    assert (await channel).ended == "visit_ended"
    await server.wire.settle()
    assert str(server.doc["source"]) == "words\n" and room.epoch.doc.get("source", type=Text).to_py() == "words\n"


async def test_attack_hanging_up_right_after_a_refused_change(room: Room) -> None:
    """The refusal is recorded and counted all the same."""
    eve = await edit(room, "eve")
    steward, begun, go, noted = steward_of(room), asyncio.Event(), asyncio.Event(), []

    async def slow(room: Room, member: Member, denied: Denied) -> Denied:
        begun.set()
        await go.wait()
        noted.append(denied.reason)
        return denied

    steward.refused = slow  # type: ignore[method-assign]
    attack = asyncio.create_task(eve.change(lambda: eve.doc.get("state", type=Map).update({"path": "x"})))
    await begun.wait()
    attack.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attack
    go.set()
    await until(lambda: noted == [Reason.UPDATE_REFUSED])


class Slow(Steward):
    """Keeps something before a first change until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.keeping, self.go = asyncio.Event(), asyncio.Event()

    async def first_write(self, room: Room, member: Member) -> None:
        self.keeping.set()
        await self.go.wait()
        await super().first_write(room, member)


@pytest.mark.parametrize("meanwhile", ["the role is taken back", "the page is gone", "the document is replaced"])
async def test_attack_a_change_that_waits_while_the_right_to_it_ends(server: Server, meanwhile: str) -> None:
    """What holds after all that takes long counts: the change reaches nobody."""
    steward = Slow()
    room = made(server, steward)
    ann = await edit(room)
    typing = asyncio.create_task(ann.type("zq "))
    await steward.keeping.wait()
    if meanwhile == "the role is taken back":
        steward.roles["ann"] = grant(visit="ann", role=Role.VIEW)
    elif meanwhile == "the page is gone":
        ann.leave()
    else:
        await server.say(RawJson({"type": "conflict"}))
        await until(lambda: ann.end is not None)
        await edit(room, "bo")
    steward.go.set()
    await typing
    assert "zq" not in str(room.epoch.doc["source"]) + str(server.doc["source"]) and steward.changes == []
    for member in list(room._members):
        member.abort()
    await room.closed()


# -- saves ----------------------------------------------------------------------------------------------------


async def test_a_save_that_meets_a_lost_connection_has_failed(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is answered, and later ones are asked."""
    ann = await edit(room)
    open_ = room._link.open

    async def lost_right_after() -> None:
        await open_()
        room._link.connected = False

    monkeypatch.setattr(room._link, "open", lost_right_after)
    heard = Heard(FrameKind.BINARY, message=RawSave(1))
    await ann.member.send(heard)
    monkeypatch.undo()
    room._link.connected = True
    await until(lambda: RawJson({"type": "save", "responseTo": 1, "status": "failed"}) in ann.heard)
    await ann.say(RawSave(2))
    await until(lambda: any(isinstance(each, RawSave) for each in server.heard))


async def test_a_save_waits_for_what_a_page_wrote_while_it_was_offline(room: Room, server: Server) -> None:
    """It connects, asks for a save at once, and only then says what it has: that is in what is reported saved."""
    place = room.place("s1", lambda: Place(Looks(), Ids()))
    ann = Editor(await room.enter(grant(visit="ann", role=Role.EDIT), place))
    await ann.say(SyncStep1(ann.doc.get_state()))
    await until(lambda: any(isinstance(each, SyncStep1) for each in ann.heard))
    ann.source.insert(0, "offline ")
    for number in range(40):
        await ann.say(RawSave(number))
    await until(lambda: RawJson({"type": "save", "responseTo": 39, "status": "failed"}) in ann.heard)
    await server.wire.settle()
    assert not any(isinstance(each, RawSave) for each in server.heard)
    await ann.say(SyncStep2(ann.doc.get_update(b"\x00")))
    await until(lambda: any(isinstance(each, RawSave) for each in server.heard))
    assert str(server.doc["source"]) == "offline words\n"
