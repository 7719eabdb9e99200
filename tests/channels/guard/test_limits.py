"""How many cells, how long a cell, how many bytes: what grows past a limit is refused, what shrinks is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pycrdt import Doc

from sharegate.channels.guard import DocumentGuard, DocumentKind
from sharegate.errors import Denied
from tests.channels.editing import GATE, NAME, RULES, Room, change, move, open_page, put, tag
from tests.channels.guard.changes import HONEST, PICTURE, assert_refused


def small(**limits: int) -> Room:
    return Room(replace(RULES, **limits))  # type: ignore[arg-type]


def test_too_many_cells_are_refused_and_may_be_deleted() -> None:
    """At the limit cells can be moved, typed in and taken out."""
    room = small(max_cells=5)
    assert_refused(room, change(room.page(), HONEST["insert"]), "more than 5 cells")
    room = small(max_cells=5)
    room.edit(move(0, 3))
    room.edit(lambda doc: doc["cells"].pop(0))
    room.edit(HONEST["insert"])


def test_a_long_cell_takes_what_makes_it_shorter() -> None:
    """A source above its limit may shrink, and letters may be exchanged."""
    room = small(max_source_bytes=12)
    room.from_upstream(lambda doc: doc["cells"][0]["source"].insert(0, "x" * 50))
    assert_refused(room, change(room.page(), HONEST["type"]), "larger than 12")
    page = open_page(room.live.get_update(), 101)

    def exchange(doc: Doc) -> None:
        source = doc["cells"][0]["source"]
        source.insert(0, "y")
        del source[1:2]

    room.guard.judge(change(page, exchange))
    room.guard.judge(change(page, lambda doc: doc["cells"][0]["source"].clear()))


def test_attachments_have_a_limit_per_cell() -> None:
    """For a cell that is there and for a new one."""
    room = small(max_attachments_bytes=20)
    assert_refused(room, change(room.page(), put(3, "attachments", PICTURE)), "too large")
    other = open_page(room.live.get_update(), 101)
    assert_refused(room, change(other, HONEST["insert with a picture"]), "too large")


def test_a_large_document_takes_deletions_and_what_is_written_beside_them() -> None:
    """Above the limit nothing grows; after deletions it is measured anew, once a second at most."""
    room = small(max_document_bytes=3_000)
    room.from_upstream(lambda doc: doc["cells"][3]["source"].insert(0, "x" * 4_000))
    page = room.page()
    saved = open_page(room.live.get_update(), 101)
    with pytest.raises(Denied, match="larger than 3000"):
        room.guard.judge(change(saved, HONEST["type"]))
    with pytest.raises(Denied, match="larger than 3000"):
        room.guard.judge(change(open_page(room.live.get_update(), 102), tag(0, "x", "y" * 2_000)))
    room.edit(lambda doc: doc["cells"][3]["source"].clear())
    room.edit(HONEST["dirty"])
    with pytest.raises(Denied, match="larger than 3000"):
        room.guard.judge(change(open_page(room.live.get_update(), 103), HONEST["type"]))
    room.clock.now += 1
    room.send(change(page, HONEST["type"]))


def test_a_document_that_became_small_is_written_in_at_once() -> None:
    """It is measured before it is refused."""
    room = small(max_document_bytes=3_000)
    room.from_upstream(lambda doc: doc["cells"][3]["source"].insert(0, "x" * 4_000))
    room.edit(lambda doc: doc["cells"][3]["source"].clear())
    room.clock.now += 1
    room.edit(HONEST["type"])


def test_a_document_that_is_large_already_does_not_grow() -> None:
    """It came so from the server, or the gate put back a large version of it."""
    room = small(max_document_bytes=3_000)
    large = open_page(room.live.get_update(), 50)
    large["cells"][3]["source"].insert(0, "x" * 4_000)
    guard = DocumentGuard(
        DocumentKind.NOTEBOOK, NAME, room.guard._rules, client_id=GATE, live=large.get_update, clock=room.clock
    )
    with pytest.raises(Denied, match="larger than 3000"):
        guard.judge(change(open_page(large.get_update(), 100), HONEST["type"]))

    room.live.apply_update(room.guard.write(lambda doc: doc["cells"][3]["source"].insert(0, "x" * 4_000)))
    with pytest.raises(Denied, match="larger than 3000"):
        room.guard.judge(change(open_page(room.live.get_update(), 100), HONEST["type"]))


def test_many_small_updates_reach_the_limit_of_the_document() -> None:
    """What grows bit by bit is counted."""
    room = small(max_document_bytes=4_000)

    def type_on() -> None:
        for _ in range(300):
            room.clock.now += 1
            room.edit(HONEST["type"])

    with pytest.raises(Denied, match="larger than 4000"):
        type_on()
