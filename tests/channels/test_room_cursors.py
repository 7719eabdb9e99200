"""Who is where: cursors in the gate's words, and CRDT client ids that nobody else can have."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sharegate.channels.frames import Awareness, AwarenessState
from sharegate.channels.room import Room
from sharegate.errors import Denied
from sharegate.shares.model import Grant, Role
from tests.channels.grants import grant
from tests.channels.rooms import Server, cursor, edit, enter, steward_of, until


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
