"""The gate's own copy of a document, with servers in memory that keep, lose, change and break it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from sharegate.channels import frames
from sharegate.channels import link as links
from sharegate.channels import member as members
from sharegate.channels import outbox as outboxes
from sharegate.channels import room as live
from sharegate.channels.admission import RoomName
from sharegate.channels.editor import EditorGuard
from sharegate.channels.epoch import Epoch
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.member import Heard, Member
from sharegate.channels.open_rooms import LINGER_SECONDS, OpenRooms
from sharegate.channels.place import Place
from sharegate.channels.registry import Cut
from sharegate.channels.relay import relay
from sharegate.channels.room import Room, stale_session
from sharegate.channels.scan import FROM_EDITOR, FROM_UPSTREAM, scan_update
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.messages import Frame, FrameKind
from sharegate.shares.model import Grant, Role
from tests.channels import crafted
from tests.channels.crafted import string
from tests.channels.grants import grant
from tests.channels.looks import Ids, Looks
from tests.channels.rooms import (
    NAME,
    Editor,
    Server,
    Viewer,
    answers,
    cursor,
    document,
    edit,
    ended,
    enter,
    made,
    steward_of,
    until,
)
from tests.channels.sockets import Wire
from tests.channels.stewards import RULES, Steward
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


# -- epochs ---------------------------------------------------------------------------------------------------


async def test_a_document_rebuilt_from_a_changed_file_is_a_new_epoch(room: Room, server: Server) -> None:
    """Nothing is merged: pages are told to load again, and whoever comes then reads the new document."""
    viewer, session = await enter(room), room.session
    server.doc = document("rebuilt\n")
    server.wire.vanish()
    await until(lambda: viewer.end is not None)
    assert viewer.end == stale_session() and room.session != session
    assert json.loads(viewer.end.reason) == {"reason": "unknown_session", "reloadable": True}
    new = await enter(room)
    assert str(new.source) == "rebuilt\n"
    assert not any(isinstance(each, SyncStep2 | Update) and len(each.update) > 2 for each in server.heard)


async def test_what_the_server_lost_of_one_history_is_given_back(room: Room, server: Server) -> None:
    """A server that comes back with an older state of the same history, of which nothing was saved since."""
    viewer = await enter(room)
    older = document("words\n")
    await server.type("typed ")
    await until(lambda: str(viewer.source) == "typed words\n")
    server.doc = older
    server.wire.vanish()
    await until(lambda: len(server.wires) == 2 and str(server.doc["source"]) == "typed words\n")
    assert viewer.end is None


async def test_a_conflict_is_a_new_epoch(room: Room, server: Server) -> None:
    """The server could not merge what it was sent."""
    viewer, session = await enter(room), room.session
    await server.say(RawJson({"type": "conflict"}))
    await until(lambda: viewer.end is not None)
    assert viewer.end == stale_session() and room.session != session


def test_attack_news_that_refer_to_what_was_not_sent() -> None:
    """Nothing of them is kept: it would come into the document behind everybody's back when the rest is there."""
    doc, sent = document(), document()
    epoch = Epoch(NAME, doc, RULES)
    steps = []
    for words in ("one ", "two "):
        before = sent.get_state()
        sent["source"].insert(0, words)
        steps.append(sent.get_update(before))
    with pytest.raises(Denied, match="upstream_bad_answer"):
        epoch.follow(steps[1], scan_update(steps[1], FROM_UPSTREAM))
    assert not epoch.damaged
    epoch.follow(steps[0], scan_update(steps[0], FROM_UPSTREAM))
    assert str(doc["source"]) == "one words\n"


async def test_news_with_a_gap_bring_a_new_connection_and_everything(room: Room, server: Server) -> None:
    """In the same epoch: pages stay."""
    viewer, session = await enter(room), room.session
    server.doc["source"].insert(0, "never sent ")
    await server.type("and sent ")
    await until(lambda: str(viewer.source) == "and sent never sent words\n")
    assert len(server.wires) == 2 and room.session == session and viewer.end is None


async def test_attack_news_of_items_that_wait_for_each_other(room: Room, server: Server) -> None:
    """They wait in the document for ever though all of it was sent: that document ends."""
    viewer, session = await enter(room), room.session
    ring = {5: (0, [string("x", left=(6, 0))]), 6: (0, [string("y", left=(5, 0))])}
    await server.say(Update(crafted.update(ring)))
    await until(lambda: viewer.end is not None)
    assert viewer.end == stale_session() and room.session != session
    assert str((await enter(room)).source) == "words\n"


# -- where the file lies --------------------------------------------------------------------------------------


async def test_attack_news_of_a_file_that_was_moved_away_do_not_pass(room: Room, server: Server) -> None:
    """Only the share that lost sight of it is out; the others read on."""
    looks = Looks()
    outside, inside = await enter(room, "s1", looks), await enter(room, "s2")
    looks.refuse = Reason.ROOM_LEFT_ROOT
    await server.type("not for s1 ")
    await until(lambda: str(inside.source) == "not for s1 words\n")
    await until(lambda: outside.end is not None)
    assert ended(outside) == "room_left_root" and str(outside.source) == "words\n"


async def test_attack_a_document_that_was_moved_away_is_not_given_to_who_asks_again(room: Room) -> None:
    """A step 1 is answered after a look that begins with it."""
    looks = Looks()
    viewer = await enter(room, "s1", looks)
    looks.refuse = Reason.LINK_OUT
    with pytest.raises(Denied, match="link_out"):
        await viewer.ask()
    assert looks.made[-1] == "newest"


# -- writing --------------------------------------------------------------------------------------------------


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


async def test_what_was_saved_and_is_gone_ends_the_epoch(room: Room, server: Server) -> None:
    """The server said that it saved, and comes back without it: nothing is merged, pages load again."""
    ann = await edit(room)
    older = document("words\n")
    await ann.type("saved ")
    await ann.say(RawSave(1))
    await until(lambda: server.saves)
    await server.saved(1)
    await until(lambda: answers(ann) == [(1, "success")])
    server.doc = older
    server.wire.vanish()
    await until(lambda: ann.end is not None)
    assert ann.end == stale_session()


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


async def test_the_gate_writes_for_everybody(room: Room, server: Server) -> None:
    """Restoring a version is a change like any other."""
    viewer, ann = await enter(room), await edit(room)
    room.write(lambda doc: doc.get("source", type=Text).insert(0, "restored "))
    await until(lambda: str(viewer.source) == str(ann.source) == str(server.doc["source"]) == "restored words\n")


# -- who is where ---------------------------------------------------------------------------------------------


async def test_attack_an_id_whose_page_says_too_much_at_once(room: Room, server: Server) -> None:
    """It is the visit's before anybody learns of it: nobody else can make it their own meanwhile."""
    ann = await edit(room, "ann")
    for clock in range(1, 60):  # what is too much is shown later
        await ann.say(cursor(ann.doc.client_id, clock=clock))
    again = await edit(room, "ann", client=222)
    await again.say(cursor(222))
    eve = await edit(room, "eve", client=222)
    with pytest.raises(Denied, match="update_refused"):
        await eve.type("stolen ")
    await again.type("hers ")
    await until(lambda: str(server.doc["source"]) == "hers words\n")


async def test_a_visit_that_loads_its_page_again_and_again_goes_on_writing(room: Room, server: Server) -> None:
    """A day's work with one document is one epoch, and each page has an id of its own."""
    for number in range(100):
        ann = await edit(room, client=10_000 + number)
        await ann.say(cursor(10_000 + number))
        ann.leave()
    ann = await edit(room)
    await ann.type("still ")
    await until(lambda: str(server.doc["source"]) == "still words\n")


async def test_what_visitors_wrote_themselves_is_not_looked_up(room: Room, server: Server) -> None:
    """The server passes everything on; for what everybody has already it is not asked where the file lies."""
    looks = Looks()
    await enter(room, "s2", looks)
    ann = await edit(room, "ann")
    await ann.change(lambda: ann.doc.get("state", type=Map).update({"dirty": True}))
    await until(lambda: server.doc["state"].get("dirty") is True)
    count = len(looks.made)
    await server.say(Update(server.doc.get_update()))
    await server.type("later ")
    await until(lambda: str(ann.source) == "later words\n")
    assert looks.made[count:] == ["a moment ago"]


async def test_names_are_the_gates_and_go_with_their_owner(room: Room, server: Server) -> None:
    """Whatever a page says of itself; withdrawn when its connection ends, told to who comes late."""
    ann, viewer = await edit(room, "ann"), await enter(room)
    await ann.say(cursor(ann.doc.client_id, "Olga the owner"))

    def names(heard: list[Any]) -> list[Any]:
        told = [state for each in heard if isinstance(each, Awareness) for state in each.states]
        return [state.state and state.state["user"]["name"] for state in told if state.client == ann.doc.client_id]

    await until(lambda: names(viewer.heard) == ["ann"] == names(server.heard))
    late = await enter(room)
    await until(lambda: names(late.heard) == ["ann"])
    assert names(ann.heard) == []
    ann.leave()
    await until(lambda: names(viewer.heard)[-1] is None and names(server.heard)[-1] is None)


async def test_attack_a_cursor_in_somebody_elses_name(room: Room, server: Server) -> None:
    """The owner's client id is not to be had."""
    eve = await edit(room, "eve")
    await server.say(cursor(5))
    await eve.say(cursor(eve.doc.client_id))
    await eve.say(cursor(5, "not Olga", 9))
    with pytest.raises(Denied, match="update_refused"):
        await eve.say(cursor(6, "second", 9))
    await server.wire.settle()
    await until(lambda: any(isinstance(each, Awareness) for each in server.heard))
    told = [state for each in server.heard if isinstance(each, Awareness) for state in each.states]
    assert {state.client for state in told} == {eve.doc.client_id}


# -- resting --------------------------------------------------------------------------------------------------


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


# -- what happens meanwhile -----------------------------------------------------------------------------------


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
    steward, go, noted = steward_of(room), asyncio.Event(), []

    async def slow(room: Room, member: Member, denied: Denied) -> Denied:
        await go.wait()
        noted.append(denied.reason)
        return denied

    steward.refused = slow  # type: ignore[method-assign]
    attack = asyncio.create_task(eve.change(lambda: eve.doc.get("state", type=Map).update({"path": "x"})))
    await asyncio.sleep(0.01)
    attack.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attack
    go.set()
    await until(lambda: noted == [Reason.UPDATE_REFUSED])


async def test_a_cursor_that_comes_after_its_owner_left(room: Room, server: Server) -> None:
    """Is nobody's: it would stay for ever."""
    ann, viewer = await edit(room, "ann"), await enter(room)
    steward, go = steward_of(room), asyncio.Event()

    async def slow(each: Grant) -> Grant:
        await go.wait()
        return each

    steward.allowed = slow  # type: ignore[method-assign, assignment]
    late = asyncio.create_task(ann.say(cursor(ann.doc.client_id)))
    await server.wire.settle()
    ann.leave()
    go.set()
    await late
    assert not room._names.of_members()
    assert not any(isinstance(each, Awareness) for each in viewer.heard)


async def test_attack_a_file_moved_away_while_the_server_was(room: Room, server: Server) -> None:
    """What the server says when it is back is told only where the file lies still inside."""
    looks = Looks()
    outside, inside = await enter(room, "s1", looks), await enter(room, "s2")
    looks.refuse = Reason.ROOM_LEFT_ROOT
    server.doc["source"] += "not for s1\n"
    server.wire.vanish()
    await until(lambda: str(inside.source) == "words\nnot for s1\n")
    await until(lambda: outside.end is not None)
    assert ended(outside) == "room_left_root" and str(outside.source) == "words\n"


async def test_a_place_that_is_slow_to_look_at_holds_up_no_other_look(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shares' places are looked at together, so many at a time; the news are told when all have been."""
    monkeypatch.setattr(live, "LOOKS", 3)
    every = [Looks() for _ in range(5)]
    viewers = [await enter(room, f"s{number}", looks) for number, looks in enumerate(every)]
    for looks in every:
        looks.made.clear()
        looks.go.clear()
    await server.type("news ")
    await until(lambda: [len(looks.made) for looks in every] == [1, 1, 1, 0, 0])
    await server.wire.settle()
    assert [len(looks.made) for looks in every] == [1, 1, 1, 0, 0]
    for looks in every[1:]:
        looks.go.set()
    await until(lambda: all(looks.made for looks in every))
    await server.wire.settle()
    assert all(str(viewer.source) == "words\n" for viewer in viewers)
    every[0].go.set()
    await until(lambda: all(str(viewer.source) == "news words\n" for viewer in viewers))


async def test_attack_coming_in_while_the_places_of_others_are_looked_at(room: Room, server: Server) -> None:
    """The newcomer's place is looked at as well before the news are told."""
    slow, moved = Looks(), Looks()
    viewer = await enter(room, "s1", slow)
    slow.go.clear()
    await server.type("not for s2 ")
    await until(lambda: "a moment ago" in slow.made)
    moved.refuse = Reason.ROOM_LEFT_ROOT
    newcomer = Viewer(await room.enter(grant("s2"), room.place("s2", lambda: Place(moved, Ids()))))
    slow.go.set()
    await until(lambda: str(viewer.source) == "not for s2 words\n")
    await until(lambda: newcomer.end is not None)
    assert ended(newcomer) == "room_left_root" and newcomer.heard == []


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


async def test_a_save_waits_for_what_a_page_wrote_while_it_was_offline(room: Room, server: Server) -> None:
    """It connects, asks for a save at once, and only then says what it has: that is in what is reported saved."""
    place = room.place("s1", lambda: Place(Looks(), Ids()))
    ann = Editor(await room.enter(grant(visit="ann", role=Role.EDIT), place))
    await ann.say(SyncStep1(ann.doc.get_state()))
    await until(lambda: any(isinstance(each, SyncStep1) for each in ann.heard))
    ann.source.insert(0, "offline ")
    for number in range(40):
        await ann.say(RawSave(number))
    await server.wire.settle()
    await asyncio.sleep(0.01)
    assert not any(isinstance(each, RawSave) for each in server.heard)
    assert RawJson({"type": "save", "responseTo": 39, "status": "failed"}) in ann.heard
    await ann.say(SyncStep2(ann.doc.get_update(b"\x00")))
    await until(lambda: any(isinstance(each, RawSave) for each in server.heard))
    assert str(server.doc["source"]) == "offline words\n"


def with_a_gap() -> tuple[Doc[Any], Doc[Any]]:
    """A document as jupyter-collaboration reads it from its own records: what it wrote into the state before it kept
    records is missing. And the whole document."""
    whole, kept = document(client=1), []
    server: Doc[Any] = Doc(client_id=99)
    server.apply_update(whole.get_update())
    state = server.get("state", type=Map)
    state["path"] = "notes.md"
    server.observe(lambda event: kept.append(event.update))
    for number in range(3):
        state["dirty"], state["hash"] = False, f"h{number}"
    read = document(client=1)
    for update in kept:
        read.apply_update(update)
    assert read["state"]["hash"] == "h2"
    assert scan_update(read.get_update(), FROM_UPSTREAM).unusual == {99: 1}, "no gap"
    return read, server


@pytest.mark.parametrize("meanwhile", [False, True])
async def test_a_document_with_a_gap_is_come_back_to(room: Room, server: Server, meanwhile: bool) -> None:
    """A server that was started again twice has one; everybody can leave, come again and write, also with the page
    that they had, which says what it holds."""
    server.doc = document(client=1) if meanwhile else with_a_gap()[0]
    ann = await edit(room, client=7)
    session = room.session
    await ann.type("one ")
    ann.leave()
    await room.closed()
    if meanwhile:
        before, server.doc = server.doc.get_update(), with_a_gap()[0]
        server.doc.apply_update(before)
    again = await edit(room)
    again.doc, again.source = ann.doc, ann.source
    await again.say(SyncStep2(ann.doc.get_update()))
    await again.type("two ")
    await until(lambda: str(server.doc["source"]) == "two one words\n")
    assert again.end is None and room.session == session


async def test_attack_words_for_the_gap_of_a_document(room: Room, server: Server) -> None:
    """Who has what is missing there would never see it again."""
    server.doc, _ = with_a_gap()
    ann = await edit(room, client=7)
    forged: Doc[Any] = Doc(client_id=99)
    forged.apply_update(document(client=1).get_update())
    forged.get("state", type=Map)["dirty"] = True
    page: Doc[Any] = Doc(client_id=7)
    page.apply_update(forged.get_update())
    page.get("source", type=Text).insert(0, "and words ")
    with pytest.raises(Denied) as denied:
        await ann.say(Update(page.get_update(document(client=1).get_state())))
    assert denied.value.reason is Reason.UPDATE_REFUSED and "gap" in denied.value.detail
    assert str(server.doc["source"]) == "words\n"


async def test_what_was_only_deleted_while_the_server_was_away_is_told(room: Room, server: Server) -> None:
    """A deletion alone moves no clock."""
    viewer = await enter(room)
    server.wire.vanish()
    server.doc["source"].clear()
    await until(lambda: len(server.wires) == 2 and str(viewer.source) == "", 3)


# -- what a connection may do ---------------------------------------------------------------------------------


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


async def test_attack_writing_under_the_id_at_somebody_elses_cursor(room: Room) -> None:
    """Who is shown has the id, before a letter was typed."""
    ann, bo = await edit(room), await edit(room, "bo", client=555)
    await ann.say(Awareness((AwarenessState(555, 1, {"cursors": []}),)))
    with pytest.raises(Denied, match="somebody else"):
        await bo.type("zq ")


async def test_who_may_write_no_more_is_shown_to_nobody(room: Room) -> None:
    """The connection stays, and its cursor is withdrawn."""
    ann, bo = await edit(room), await edit(room, "bo")
    await ann.say(Awareness((AwarenessState(555, 1, {"cursors": []}),)))

    def shown() -> list[Any]:
        told = [each for each in bo.heard if isinstance(each, Awareness)]
        return [state.state for each in told for state in each.states if state.client == 555]

    await until(shown)
    room._steward.roles["ann"] = grant(visit="ann", role=Role.VIEW)  # type: ignore[attr-defined]
    await ann.say(Awareness((AwarenessState(555, 2, {"cursors": []}),)))
    await until(lambda: shown()[-1] is None)
    await ann.say(Awareness((AwarenessState(555, 3, {"cursors": []}),)))
    await bo.type("goes on ")
    await until(lambda: "goes on" in str(ann.source))
    assert shown()[-1] is None and len(shown()) == 2


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


# -- the gate itself ------------------------------------------------------------------------------------------


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
