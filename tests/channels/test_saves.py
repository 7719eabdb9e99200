"""Saves: asked for together, answered apart, and believed once the file was written."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.channels import saves as saving
from sharegate.channels.frames import RawJson, RawSave, SyncStep2
from sharegate.channels.room import Room
from sharegate.channels.saves import ANSWER_SECONDS, TRIES
from sharegate.errors import Reason
from tests.channels.rooms import Server, answers, edit, made, until
from tests.conftest import Clock


async def test_saves_are_asked_for_together_and_answered_apart(room: Room, server: Server) -> None:
    """One question to the server at a time; everybody gets the answer with the own number; viewers get `skipped`."""
    ann, bo = await edit(room, "ann"), await edit(room, "bo")
    for editor, number in ((ann, 7), (bo, 7), (bo, 8)):
        await editor.say(RawSave(number))
    await until(lambda: server.saves)
    assert len(server.saves) == 1
    await server.saved(server.saves[0])
    await until(lambda: len(server.saves) == 2)
    assert answers(ann) == [(7, "success")] and answers(bo) == []
    await server.saved(server.saves[1])
    await until(lambda: answers(bo) == [(7, "success"), (8, "success")])


async def test_a_success_without_a_file_is_asked_again(room: Room, server: Server) -> None:
    """The server gives a save up when somebody types, and says success all the same; the asker is told once the file
    was written."""
    ann = await edit(room)
    await ann.say(RawSave(3))
    for tried in (1, 2):
        await until(lambda tried=tried: len(server.saves) == tried)
        await server.saved(server.saves[-1], written=False)
        assert answers(ann) == []
    await until(lambda: len(server.saves) == 3)
    await server.saved(server.saves[-1])
    await until(lambda: answers(ann) == [(3, "success")])


async def test_a_file_that_is_never_written_is_not_saved(room: Room, server: Server) -> None:
    """A full disk: the server says success each time; the asker is told that it failed, and may ask again."""
    ann = await edit(room)
    await ann.say(RawSave(3))
    for tried in range(1, TRIES + 1):
        await until(lambda tried=tried: len(server.saves) == tried)
        await server.saved(server.saves[-1], written=False)
    await until(lambda: answers(ann) == [(3, "failed")])
    await ann.say(RawSave(4))
    await until(lambda: len(server.saves) == TRIES + 1)
    await server.saved(server.saves[-1])
    await until(lambda: answers(ann)[1:] == [(4, "success")])


@pytest.mark.parametrize("written", [False, True], ids=["instead", "before"])
async def test_a_file_that_was_read_again_is_not_saved(room: Room, server: Server, written: bool) -> None:
    """It was changed outside: what was to be saved is gone from the document, and saving what is there now is no
    success."""
    ann = await edit(room)
    await ann.say(RawSave(3))
    await until(lambda: server.saves)
    await server.put({"dirty": False})
    await server.saved(server.saves[-1], written=written)
    await until(lambda: answers(ann) == [(3, "failed")])
    assert len(server.saves) == 1


async def test_a_file_written_before_the_question_proves_nothing(room: Room, server: Server) -> None:
    """An autosave that the gate hears of only after it asked held less than what is to be saved."""
    ann = await edit(room)
    server.silent = True
    await ann.say(RawSave(3))
    await until(lambda: server.saves)
    await server.put({"dirty": False}, {"hash": "earlier"})
    await server.say(SyncStep2(server.doc.get_update()))
    await server.saved(server.saves[0], written=False)
    await server.say(SyncStep2(server.doc.get_update()))
    await until(lambda: len(server.saves) == 2)
    assert answers(ann) == []


async def test_the_gates_own_save_waits_for_the_connection(room: Room, server: Server) -> None:
    """Asked for while the connection is made again: over the new one, and later saves are answered too."""
    async with room.held():
        server.refuse = Reason.UPSTREAM_AWAY
        server.wire.vanish()
        await until(lambda: not room._link.connected)
        saving = asyncio.create_task(room.save())
        await server.wire.settle()
        server.refuse = None
        await until(lambda: server.saves)
        await server.saved(server.saves[-1])
        assert await saving


async def test_a_save_that_the_server_did_not_answer_has_failed(room: Room, server: Server) -> None:
    """The connection broke meanwhile."""
    ann = await edit(room)
    await ann.say(RawSave(1))
    server.wire.vanish()
    await until(lambda: RawJson({"type": "save", "responseTo": 1, "status": "failed"}) in ann.heard)


async def test_a_server_that_never_answers_a_save_does_not_block_the_next(server: Server, clock: Clock) -> None:
    """After a while it has failed, the next one is asked, and an answer that comes late is nobody's."""
    room = made(server, now=clock)
    ann, bo = await edit(room, "ann"), await edit(room, "bo")
    await ann.say(RawSave(1))
    await until(lambda: len(server.saves) == 1)
    await bo.say(RawSave(2))
    room.tick()
    assert answers(ann) == [] and len(server.saves) == 1
    clock.forward(ANSWER_SECONDS)
    room.tick()
    await until(lambda: answers(ann) == [(1, "failed")] and len(server.saves) == 2)
    first, second = server.saves
    await server.saved(first)
    await server.saved(second)
    await until(lambda: answers(bo) == [(2, "success")])
    assert answers(ann) == [(1, "failed")]
    for each in (ann, bo):
        each.leave()
    await room.closed()


async def test_attack_asking_for_saves_without_end(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one connection and of all together only so many wait; the others have failed at once, and who leaves takes
    its own along."""
    monkeypatch.setattr(saving, "ALL", saving.EACH + 4)
    eve, ann = await edit(room, "eve"), await edit(room, "ann")
    for number in range(100):
        await eve.say(RawSave(number))
    await until(lambda: len(answers(eve)) == 100 - saving.EACH)
    assert answers(eve) == [(number, "failed") for number in range(saving.EACH, 100)]
    for number in range(6):
        await ann.say(RawSave(number))
    await until(lambda: answers(ann) == [(4, "failed"), (5, "failed")])
    eve.leave()
    assert len(room._saves.open) == 4
    await ann.say(RawSave(6))
    assert len(room._saves.open) == 5


async def test_answers_to_saves_of_others_are_nobodys(room: Room, server: Server) -> None:
    """The owner's own page saves too."""
    ann = await edit(room)
    await server.say(RawJson({"type": "save", "responseTo": 1, "status": "success"}))
    await server.type("! ")
    await until(lambda: str(ann.source) == "! words\n")
    assert not any(isinstance(each, RawJson) for each in ann.heard)
