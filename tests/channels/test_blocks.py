"""How many blocks a document is in, and what a change would cut."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from sharegate.channels.blocks import Ranges, Work
from sharegate.channels.places import FILE_ROOTS, NOTEBOOK_ROOTS, Places
from sharegate.channels.scan import FROM_UPSTREAM, Clocks, UpdateSummary, scan_update
from tests.channels.crafted import EVIL, SNAKE, document, read, string, type_somewhere, update

TEN = update({EVIL: (0, [string("0123456789", parent="source")])})
MIDDLE = string("x", left=(EVIL, 4), right=(EVIL, 5))


def structs(data: bytes) -> UpdateSummary:
    return scan_update(data, FROM_UPSTREAM, structs=True)


def after(*updates: bytes) -> Places:
    made = Places(FILE_ROOTS)
    for each in updates:
        made.learn(read(each))
    return made


def deletes(*ranges: tuple[int, int], client: int = EVIL) -> bytes:
    return update(deletes={client: list(ranges)})


@pytest.mark.parametrize(
    ("before", "data", "cuts", "blocks"),
    [
        # a text that is deleted as a whole, at its end, in its middle, and once more
        ([TEN], deletes((0, 10)), 0, 0),
        ([TEN], deletes((8, 2)), 1, 1),
        ([TEN], deletes((4, 2)), 2, 2),
        ([TEN], deletes((4, 2), (6, 1)), 3, 3),
        ([TEN, deletes((4, 2))], deletes((4, 2)), 0, 0),
        ([TEN, deletes((4, 2))], deletes((4, 1), (5, 1)), 0, 0),
        ([TEN, deletes((4, 2))], deletes((0, 10)), 0, 0),
        ([TEN, deletes((4, 2))], deletes((3, 4)), 2, 2),
        ([TEN, deletes((4, 2))], deletes((5, 3)), 1, 1),
        # a letter that is put in, and what it keeps apart
        ([TEN], update({1: (0, [MIDDLE])}), 1, 2),
        ([TEN], update({1: (0, [string("x", left=(EVIL, 9))])}), 0, 1),
        ([TEN], update({1: (0, [string("x", right=(EVIL, 0))])}), 0, 1),
        ([TEN, update({1: (0, [MIDDLE])})], update({2: (0, [MIDDLE])}), 0, 1),
        ([TEN, update({1: (0, [MIDDLE])})], deletes((5, 5)), 0, 0),
        ([TEN, update({1: (0, [MIDDLE])})], update({1: (1, [string("y", left=(1, 0), right=(EVIL, 5))])}), 0, 0),
        # nothing comes between here: it is cut each time
        ([TEN, update({1: (0, [string("x", left=(EVIL, 4))])})], update({2: (0, [MIDDLE])}), 1, 2),
        # nor does anything where a letter that is elsewhere says once more that it lies
        (
            [TEN, update({1: (0, [string("x", left=(EVIL, 9))])}), update({1: (0, [MIDDLE])})],
            update({2: (0, [MIDDLE])}),
            1,
            2,
        ),
        # what was cut and deleted has grown together
        ([TEN, update({1: (0, [MIDDLE])}), deletes((0, 10))], update({2: (0, [MIDDLE])}), 1, 2),
        ([TEN, deletes((4, 2))], update({2: (0, [string("x", left=(EVIL, 3), right=(EVIL, 6))])}), 0, 1),
        # within one update
        ([], update({EVIL: (0, [string("0123456789", parent="source")])}, {EVIL: [(4, 2)]}), 2, 3),
        ([], update({EVIL: (0, [string("01", parent="source"), string("2", left=(EVIL, 1))])}), 0, 1),
        ([], update({EVIL: (0, [string("01", parent="source"), string("2", left=(EVIL, 1))])}, {EVIL: [(2, 1)]}), 0, 2),
        ([], update({EVIL: (0, [string("01", parent="source"), string("2", right=(EVIL, 0))])}), 0, 2),
    ],
)
def test_what_a_change_cuts(before: list[bytes], data: bytes, cuts: int, blocks: int) -> None:
    """Blocks that are cut in two, and how many more there are then."""
    made = after(*before)
    work = made.work(read(data))
    assert (work.cuts, work.blocks) == (cuts, blocks)
    had = made.blocks
    made.learn(read(data))
    assert made.blocks == had + blocks


def test_a_cut_moves_what_its_client_has() -> None:
    """Each moves all blocks of the client at most; structs and ranges that delete are charged as well."""
    made = after(TEN)
    assert made.work(read(deletes((1, 1), (3, 1), (9, 1)))) == Work(structs=0, cuts=5, moved=30, deletes=3, blocks=5)
    assert Work(structs=2, cuts=5, moved=80, deletes=3, blocks=5).cost == 2 * 320 + 5 * 512 + 10 + 3 * 128


def test_find_and_replace_cuts_twice_in_each_place_and_its_undo_nowhere() -> None:
    """As a page does it, in one transaction."""
    page: Doc = Doc(client_id=7)
    text = page.get("source", type=Text)
    text += "word, " * 700
    made = Places.of(FILE_ROOTS, structs(page.get_update()))
    vector = page.get_state()
    with page.transaction():
        for place in range(700):
            at = 6 * place
            del text[at : at + 4]
            text.insert(at, "term")
    replaced = read(page.get_update(vector))
    assert 1000 < made.work(replaced).cuts < 1500
    made.learn(replaced)
    vector = page.get_state()
    with page.transaction():
        for place in range(700):
            at = 6 * place
            del text[at : at + 4]
            text.insert(at, "word")
    assert made.work(read(page.get_update(vector))).cuts == 0


@given(st.integers(0, 2**64).map(random.Random))
@settings(max_examples=60, deadline=None)
def test_the_document_is_in_no_more_blocks_than_are_counted(choose: random.Random) -> None:
    """However pages write at the same time; and clearing it cuts nothing."""
    first = document().get_update()
    live: Doc = Doc(client_id=1)
    live.apply_update(first)
    made = Places.of(NOTEBOOK_ROOTS, structs(first))
    pages = []
    for client in (20, 30):
        page: Doc = Doc(client_id=client)
        page.apply_update(first)
        pages.append(page)
    for _ in range(choose.randrange(40)):
        page = choose.choice(pages)
        with page.transaction():
            type_somewhere(page, choose)
        if choose.randrange(3) == 0:
            data = page.get_update(live.get_state())
            made.learn(read(data))
            live.apply_update(data)
            page.apply_update(live.get_update())
        assert structs(live.get_update()).structs <= made.blocks
    whole = structs(live.get_update())
    assert Places.of(NOTEBOOK_ROOTS, whole).blocks <= whole.structs + 2
    vector = live.get_state()
    with live.transaction():
        live.get("cells", type=Array).clear()
        for root in ("state", "meta"):
            live.get(root, type=Map).clear()
    assert made.work(read(live.get_update(vector))).cuts == 0


def test_what_is_forgotten_is_read_anew() -> None:
    """Text that was put in and deleted again and again litters; a document that is as large as it was read does not."""
    made = Places(FILE_ROOTS)
    letters = 3_000
    for turn in range(20):
        assert not made.littered, turn
        start = 2 * letters * turn
        made.learn(read(update({EVIL: (start, [string(SNAKE * letters, parent="source")])})))
        made.learn(read(deletes((start, 2 * letters))))
        if made.littered:
            break
    assert made.littered
    made.read_anew()
    assert not made.littered


def test_ranges_hold_what_was_added() -> None:
    """Clock by clock."""
    ranges = Ranges()
    ranges.add_all([Clocks(1, 5, 7), Clocks(1, 2, 3), Clocks(1, 6, 9)])
    assert [clock for clock in range(12) if ranges.has(clock)] == [2, 5, 6, 7, 8]
