"""What editors write reaches the server and everybody; what may not be written reaches nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from pycrdt import Map

from sharegate.channels.admission import RoomName
from sharegate.channels.frames import RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.member import Heard
from sharegate.channels.place import Place
from sharegate.channels.room import Room
from sharegate.channels.scan import FROM_EDITOR, scan_update
from sharegate.errors import Denied, StoreUnavailable
from sharegate.messages import FrameKind
from sharegate.shares.model import Role
from tests.channels.grants import grant
from tests.channels.looks import Ids, Looks
from tests.channels.rooms import NAME, Editor, Server, edit, enter, made, steward_of, until
from tests.channels.stewards import RULES, Steward

# -- changes --------------------------------------------------------------------------------------------------


async def test_what_an_editor_types_reaches_the_server_and_everybody(room: Room, server: Server) -> None:
    """Viewers, other editors, the server; the first change is recorded before it is made, the others are not."""
    viewer, ann, bo = await enter(room), await edit(room, "ann"), await edit(room, "bo")
    await ann.type("Ann ")
    await until(lambda: str(bo.source) == "Ann words\n")
    await bo.type("and Bo ", 4)
    await until(lambda: all(str(each.source) == "Ann and Bo words\n" for each in (viewer, ann, bo)))
    await until(lambda: str(server.doc["source"]) == "Ann and Bo words\n")
    await ann.type("! ")
    assert steward_of(room).written == ["ann", "bo"] and len(server.wires) == 1


async def test_a_change_that_cannot_be_recorded_is_not_made(room: Room, server: Server) -> None:
    """Fails closed: neither the server nor anybody else hears of it."""
    steward_of(room).full = True
    editor, viewer = await edit(room), await enter(room)
    with pytest.raises(StoreUnavailable):
        await editor.type("lost ")
    await server.type("goes on ")
    await until(lambda: str(viewer.source) == "goes on words\n")
    assert str(server.doc["source"]) == "goes on words\n"


async def test_opening_a_document_is_no_change(room: Room, server: Server) -> None:
    """A page answers the gate's step 1 with all that was ever deleted, and nothing new."""
    ann = await edit(room, "ann")
    await ann.type("typed ")
    await ann.change(lambda: ann.source.clear())
    bo = await edit(room, "bo")
    count = len(server.heard)
    await bo.say(SyncStep2(bo.doc.get_update(b"\x00")))
    await bo.say(SyncStep2(bo.doc.get_update(bo.doc.get_state())))
    assert steward_of(room).written == ["ann"] and len(server.heard) == count


async def test_two_who_write_at_once_come_to_the_same(room: Room, server: Server) -> None:
    """And to what the server has, though neither waits for the other."""
    ann, bo = await edit(room, "ann"), await edit(room, "bo")
    for number in range(20):
        await asyncio.gather(ann.type(f"a{number} "), bo.type(f"b{number} "), server.type(f"o{number} "))
    await until(lambda: str(ann.source) == str(bo.source) == str(server.doc["source"]))
    assert len(str(ann.source)) == len("words\n") + sum(len(f"a{n} ") for n in range(20)) * 3


async def test_what_was_not_sent_when_the_server_went_is_sent_when_it_is_back(room: Room, server: Server) -> None:
    """Within one history nothing is lost, and nobody's page is closed."""
    ann, viewer = await edit(room), await enter(room)
    server.wire.vanish()
    await ann.type("meanwhile ")
    await until(lambda: str(viewer.source) == str(server.doc["source"]) == "meanwhile words\n")
    assert ann.end is None and len(server.wires) == 2


async def test_the_last_words_before_leaving_are_sent(room: Room, server: Server) -> None:
    """A tab that is closed right after the last key."""
    ann = await edit(room)
    await ann.type("last ")
    ann.leave()
    await room.closed()
    assert str(server.doc["source"]) == "last words\n"


# -- who may write --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("viewer_first", [True, False])
async def test_who_comes_first_does_not_decide_who_may_write(room: Room, server: Server, viewer_first: bool) -> None:
    """The permission is the connection's, in both orders of coming."""
    if viewer_first:
        viewer, editor = await enter(room), await edit(room)
    else:
        editor, viewer = await edit(room), await enter(room)
    before = viewer.doc.get_state()
    viewer.source.insert(0, "INJECTED ")
    update = viewer.doc.get_update(before)
    await viewer.member.send(Heard(FrameKind.BINARY, message=Update(update), summary=scan_update(update, FROM_EDITOR)))
    await editor.type("typed ")
    await until(lambda: str(server.doc["source"]) == "typed words\n")
    assert str(editor.source) == "typed words\n" and viewer.end is None


async def test_a_role_that_was_taken_back_writes_no_more(room: Room, server: Server) -> None:
    """On a connection that was opened with it: the next change is not heard."""
    editor, other = await edit(room, "ann"), await edit(room, "bo")
    await editor.type("before ")
    await until(lambda: str(other.source) == "before words\n")
    steward_of(room).roles["ann"] = grant(visit="ann")
    await editor.type("after ")
    await editor.say(RawSave(3))
    await other.type("! ")
    await until(lambda: str(server.doc["source"]) == "! before words\n")
    assert RawJson({"type": "save", "responseTo": 3, "status": "skipped"}) in editor.heard


async def test_attack_a_viewers_connection_never_writes(room: Room, server: Server) -> None:
    """Whatever its visit may do by now: the right is the connection's, whose page was opened to read. It is not asked
    for what it has either."""
    viewer = await enter(room)
    room._steward.roles["v1"] = grant(role=Role.EDIT)  # type: ignore[attr-defined]
    await edit(room)
    before = viewer.doc.get_state()
    viewer.source.insert(0, "zq ")
    update = viewer.doc.get_update(before)
    summary = scan_update(update, FROM_EDITOR, structs=True)
    for message in (SyncStep2(update), Update(update)):
        await viewer.member.send(Heard(FrameKind.BINARY, message=message, summary=summary))
    assert "zq" not in str(room.epoch.doc["source"])
    assert not any(isinstance(each, SyncStep1) for each in viewer.heard)
    assert room._steward.refusals == room._steward.written == []  # type: ignore[attr-defined]


async def test_a_document_of_another_kind_is_read_only(server: Server) -> None:
    """What the gate cannot judge nobody may change."""
    name = RoomName("base64", "file", NAME.file_id)
    room = Room("up", name, server.connect, Steward(), RULES)
    place = room.place("s1", lambda: Place(Looks(), Ids()))
    editor = Editor(await room.enter(grant(visit="ann", role=Role.EDIT), place))
    await editor.say(SyncStep1(editor.doc.get_state()))
    await until(lambda: str(editor.source) == "words\n")
    await editor.type("changed ")
    assert str(server.doc["source"]) == "words\n" and editor.end is None
    editor.leave()
    await room.closed()


async def test_a_document_that_the_gate_does_not_know_is_followed(server: Server) -> None:
    """An editor's page is not asked for what it has, and what it says of that is no offence."""
    steward = Steward()
    room = Room("up", RoomName("base64", "file", NAME.file_id), server.connect, steward, RULES)
    page = Editor(await room.enter(grant(visit="ann", role=Role.EDIT), room.place("s1", lambda: Place(Looks(), Ids()))))
    await page.say(SyncStep1(page.doc.get_state()))
    await until(lambda: str(page.source) == "words\n")
    await page.say(SyncStep2(page.doc.get_update()))
    await page.type("zq ")
    await page.say(RawSave(3))
    await until(lambda: RawJson({"type": "save", "responseTo": 3, "status": "skipped"}) in page.heard)
    assert "zq" not in str(room.epoch.doc["source"]) and steward.refusals == steward.written == []
    assert not any(isinstance(each, SyncStep1) for each in page.heard)
    page.leave()
    await room.closed()


# -- refusals and limits --------------------------------------------------------------------------------------


async def test_attack_writing_under_the_owners_client_id(room: Room, server: Server) -> None:
    """It would make the owner's next keystrokes vanish for good: refused, the id barred, nothing passed on."""
    viewer, thief = await enter(room), await edit(room, "eve", client=0)
    with pytest.raises(Denied, match="update_refused"):
        await thief.type("stolen ")
    await server.type("the owner goes on ")
    await until(lambda: str(viewer.source) == "the owner goes on words\n")
    assert str(server.doc["source"]) == "the owner goes on words\n"
    assert len(steward_of(room).refusals) == 1


async def test_a_refused_client_id_is_barred_for_the_epoch(room: Room, server: Server) -> None:
    """What the page had under it is refused as well, also on a new connection; a new id writes."""
    eve = await edit(room, "eve", client=77)
    with pytest.raises(Denied, match="update_refused"):
        await eve.change(lambda: eve.doc.get("state", type=Map).update({"path": "secret.txt"}))
    eve.leave()
    again = await edit(room, "eve", client=77)
    with pytest.raises(Denied, match="update_refused"):
        await again.type("x")
    fresh = await edit(room, "eve", client=78)
    await fresh.type("honest ")
    await until(lambda: str(server.doc["source"]) == "honest words\n")


async def test_a_change_that_is_only_too_large_bars_nobody(server: Server) -> None:
    """It reaches nobody; the page loads itself again, and what it wrote under the same client id before stays good."""
    room = made(server, rules=replace(RULES, max_update_bytes=1_000))
    eve = await edit(room, "eve", client=77)
    await eve.type("before ")
    with pytest.raises(Denied, match="update_too_large"):
        await eve.type("x" * 2_000)
    assert steward_of(room).refusals == ["update_too_large: larger than 1000 bytes"]
    eve.leave()
    again = await edit(room, "eve", client=77)
    await again.type("after ")
    await until(lambda: str(server.doc["source"]) == "after before words\n")
    again.leave()
    await room.closed()


async def test_a_change_beyond_what_a_visit_may_have_judged(room: Room, server: Server) -> None:
    """It is not judged, and no fault: nothing is recorded as refused, and nobody is barred."""
    eve = await edit(room, "eve")
    steward_of(room).most = 1_000
    with pytest.raises(Denied, match="bytes_limit"):
        await eve.type("x" * 2_000)
    assert steward_of(room).refusals == steward_of(room).written == []
    assert str(server.doc["source"]) == "words\n"


async def test_a_change_that_makes_the_gate_read_too_much(room: Room, server: Server) -> None:
    """It is left undone, and no fault either: nothing is recorded as refused, and nobody is barred."""

    def write_and_say() -> None:
        eve.source.insert(0, "once ")
        eve.doc.get("state", type=Map)["dirty"] = True

    eve = await edit(room, "eve", client=77)
    steward_of(room).most_read = -1
    with pytest.raises(Denied, match="bytes_limit"):
        await eve.change(write_and_say)
    assert steward_of(room).refusals == [] and str(server.doc["source"]) == "words\n"
    eve.leave()
    steward_of(room).most_read = 0
    again = await edit(room, "eve", client=77)
    await again.type("again ")
    await until(lambda: str(server.doc["source"]) == "again words\n")


async def test_attack_few_bytes_that_cut_a_text_into_many_pieces(room: Room, server: Server) -> None:
    """What they take is rationed, not only their size."""
    eve = await edit(room, "eve")
    await eve.type("x" * 400)
    steward_of(room).most = 10_000
    before = eve.doc.get_state()
    with eve.doc.transaction():
        for place in range(100):
            del eve.source[place : place + 1]
    cuts = eve.doc.get_update(before)
    assert len(cuts) < 1_000
    with pytest.raises(Denied, match="bytes_limit"):
        await eve.say(Update(cuts))
    eve.leave()
    await room.closed()
    assert str(server.doc["source"]) == "x" * 400 + "words\n"


async def test_attack_an_update_that_waits_for_what_nobody_has(room: Room) -> None:
    """It would stay pending in every library that it reaches."""
    eve = await edit(room, "eve")
    before = eve.doc.get_state()
    eve.source.insert(0, "never sent")
    skipped = eve.doc.get_state()
    eve.source.insert(5, "pending")
    assert before != skipped
    with pytest.raises(Denied, match="update_refused"):
        await eve.say(Update(eve.doc.get_update(skipped)))
