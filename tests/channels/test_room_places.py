"""What a server says is told only where the file still lies inside the share."""

from __future__ import annotations

import pytest
from pycrdt import Map

from sharegate.channels import room as live
from sharegate.channels.frames import Update
from sharegate.channels.place import Place
from sharegate.channels.room import Room
from sharegate.errors import Denied, Reason
from tests.channels.grants import grant
from tests.channels.looks import Ids, Looks
from tests.channels.rooms import Server, Viewer, edit, ended, enter, until


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
