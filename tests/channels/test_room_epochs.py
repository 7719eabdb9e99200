"""When the history of a document goes on and when it ends, before servers that lose, rebuild and break it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from sharegate.channels.epoch import Epoch
from sharegate.channels.frames import RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.place import Place
from sharegate.channels.room import Room, stale_session
from sharegate.channels.scan import FROM_UPSTREAM, scan_update
from sharegate.errors import Denied, Reason
from tests.channels import crafted
from tests.channels.crafted import string
from tests.channels.grants import grant
from tests.channels.looks import Ids, Looks
from tests.channels.rooms import NAME, Server, Viewer, answers, document, edit, enter, until
from tests.channels.stewards import RULES


async def test_a_change_that_comes_before_the_document_spoils_nothing(room: Room, server: Server) -> None:
    """The end of a range that was collected comes first, and then all: the library alone would make two blocks of it
    that overlap, and write what it cannot read again."""
    before = server.doc.get_state()
    notes = server.doc.get("state", type=Map)
    notes["old"] = Map({"text": Text("0123456789")})
    del notes["old"]
    behind = server.doc.get_update(_further(before, 1, 8))
    assert scan_update(behind, FROM_UPSTREAM).clocks[0].start > 0
    server.silent = True
    entering = asyncio.create_task(enter(room))
    await until(lambda: any(isinstance(each, SyncStep1) for each in server.heard))
    await server.say(Update(behind), SyncStep2(server.doc.get_update()))
    viewer = await entering
    scan_update(room.epoch.whole, FROM_UPSTREAM)
    assert str(viewer.source) == "words\n"


async def test_changes_are_for_those_who_have_the_document(room: Room, server: Server) -> None:
    """Who has come and not asked for it yet hears none: they would lie behind a gap. What it asks for has them."""
    first = await enter(room)
    late = Viewer(await room.enter(grant("s1"), room.place("s1", lambda: Place(Looks(), Ids()))))
    await server.type("new ")
    await until(lambda: str(first.source) == "new words\n")
    await server.type("er ")
    await until(lambda: str(first.source).startswith("er "))
    assert not late.heard
    await late.ask()
    await until(lambda: str(late.source) == str(first.source))
    assert isinstance(late.heard[0], SyncStep2)


def _further(vector: bytes, client: int, clocks: int) -> bytes:
    """A state vector of one client that has so many clocks more."""
    assert vector[0] == 1 and vector[1] == client and vector[2] + clocks < 128
    return bytes((1, client, vector[2] + clocks))


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


async def test_what_was_only_deleted_while_the_server_was_away_is_told(room: Room, server: Server) -> None:
    """A deletion alone moves no clock."""
    viewer = await enter(room)
    server.wire.vanish()
    server.doc["source"].clear()
    await until(lambda: len(server.wires) == 2 and str(viewer.source) == "", 3)


# -- gaps -----------------------------------------------------------------------------------------------------


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
