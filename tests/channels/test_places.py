"""Where items lie by our own reading, and what two libraries would place apart."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from sharegate.channels.places import FILE_ROOTS, NOTEBOOK_ROOTS, Places
from sharegate.channels.scan import FROM_UPSTREAM, Clocks, UpdateSummary, scan_update
from sharegate.errors import Denied, Reason
from tests.channels.crafted import (
    CELL,
    CHARACTERS,
    DIRTY,
    END,
    EVIL,
    ID,
    OUTPUTS,
    OWNER,
    PATH,
    SNAKE,
    SOURCE,
    document,
    evil,
    read,
    shared,
    string,
    update,
    word,
)

# ab🐍c: the snake takes two clocks.
A, B, HIGH, LOW, C = range(CHARACTERS, CHARACTERS + 5)

choosers = st.integers(0, 2**64).map(random.Random)


def places() -> Places:
    made = Places(NOTEBOOK_ROOTS)
    made.learn(scan_update(document().get_update(), FROM_UPSTREAM, structs=True))
    return made


def refusal(data: bytes, made: Places | None = None) -> str:
    with pytest.raises(Denied) as caught:
        (made or places()).check(read(data))
    assert caught.value.reason is Reason.UPDATE_REFUSED
    return caught.value.detail


@pytest.mark.parametrize("left", [A, C, DIRTY, ID, CELL, SOURCE])
def test_attack_a_word_in_a_text_that_is_the_path_in_the_owners_page(left: int) -> None:
    """yrs places an item where its left neighbour lies, yjs 13.5 where its right one does: `state.path` is changed."""
    attack = evil(word("secret/private.ipynb", left=(OWNER, left), right=(OWNER, PATH)))
    assert refusal(attack) == "neighbours that lie apart"
    doc: Doc = Doc()
    doc.apply_update(document().get_update())
    doc.apply_update(attack)
    assert doc.get("state", type=Map)["path"] == "nb.ipynb"  # what the gate's copy would be judged by


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        # neighbours apart, also over detours: own items, items of the same update, something forgotten
        (evil(word("a", parent="cells"), word("b", left=(EVIL, 0), right=(OWNER, PATH))), "neighbours that lie apart"),
        (evil(b"\x00\x01", word("b", left=(EVIL, 0), right=(OWNER, PATH))), "neighbours that lie apart"),
        (evil(b"\x00\x01", word("b", left=(OWNER, PATH), right=(EVIL, 0))), "neighbours that lie apart"),
        (
            update({10: (0, [word("b", left=(EVIL, 0), right=(OWNER, PATH))]), EVIL: (0, [word("a")])}),
            "neighbours that lie apart",
        ),
        # what does not exist
        (evil(word("a"), start=1), "clocks with a gap"),
        (evil(word("a", left=(77, 0))), "a neighbour that does not exist"),
        (evil(word("a", left=(OWNER, END))), "a neighbour that does not exist"),
        (evil(word("a", left=(OWNER, CELL), right=(OWNER, END))), "a neighbour that does not exist"),
        (evil(word("a", right=(77, 0))), "a neighbour that does not exist"),
        (
            update({10: (0, [word("b", left=(EVIL, 7))]), EVIL: (0, [word("a")])}),
            "a neighbour that does not exist",
        ),
        (evil(word("a", parent=(77, 0), key="k")), "a parent that does not exist"),
        (evil(word("a", parent=(OWNER, PATH), key="k")), "a parent that does not exist"),
        (evil(word("a", parent=(OWNER, C), key="k")), "a parent that does not exist"),
        (evil(word("a", parent="other", key="k")), "an unknown root"),
        (evil(word("a", parent="", key="k")), "an unknown root"),
        (evil(word("a", parent="source")), "an unknown root"),
        # circles
        (
            update({10: (0, [word("a", left=(EVIL, 0))]), EVIL: (0, [word("a", left=(10, 0))])}),
            "items that lie in each other",
        ),
        # in the wrong order
        (evil(string("x", left=(OWNER, B), right=(OWNER, B))), "neighbours in the wrong order"),
        (evil(string("x", left=(OWNER, B), right=(OWNER, A))), "neighbours in the wrong order"),
        (evil(word("a", "b"), word("x", left=(EVIL, 1), right=(EVIL, 0))), "neighbours in the wrong order"),
        # characters in two
        (evil(string("x", left=(OWNER, HIGH))), "cuts a character in two"),
        (evil(string("x", right=(OWNER, LOW))), "cuts a character in two"),
        (evil(string(f"a{SNAKE}", left=(OWNER, A)), string("x", left=(EVIL, 1))), "cuts a character in two"),
        (update(deletes={OWNER: [(LOW, 1)]}), "deletes half a character"),
        (update(deletes={OWNER: [(A, HIGH - A + 1)]}), "deletes half a character"),
        (evil(string(SNAKE, left=(OWNER, A)), deletes={EVIL: [(0, 1)]}), "deletes half a character"),
        # what no page writes there
        (evil(word("a", parent="state")), "what no page writes there"),
        (evil(string("a", parent="state", key="k")), "what no page writes there"),
        (
            evil(
                word("a", parent="meta", key="k"),
                word("b", left=(EVIL, 0)),
                word("c", left=(EVIL, 0), right=(EVIL, 1)),
            ),
            "what no page writes there",
        ),
        (evil(word("a", parent="cells", key="k")), "what no page writes there"),
        (evil(word("a", "b", parent="meta", key="k")), "what no page writes there"),
        (evil(word("a", "b", parent="meta", key="k"), deletes={EVIL: [(0, 1)]}), "what no page writes there"),
        (evil(string("a", parent="cells")), "what no page writes there"),
        (evil(word("a", left=(OWNER, A))), "what no page writes there"),
        (evil(shared(1, left=(OWNER, A))), "what no page writes there"),
        (evil(string("a", parent=(OWNER, SOURCE), key="k")), "what no page writes there"),
        (evil(shared(3, parent="cells")), "what no page writes there"),
        (evil(shared(6, parent="cells")), "what no page writes there"),
        (evil(b"\x06\x00\x05\x03\x01b\x04true"), "what no page writes there"),
        (evil(b"\x05\x00\x05\x03\x02{}"), "what no page writes there"),
        (evil(b"\x03\x01\x05cells\x01\xff"), "what no page writes there"),
        (evil(b"\x02\x01\x05cells\x01\x011"), "what no page writes there"),
        (evil(b"\x0a\x03"), "what no page writes there"),
        (evil(b"\x09\x01\x05cells\x01g\x76\x00"), "what no page writes there"),
    ],
)
def test_attack_what_can_be_read_in_two_ways_or_lies_where_no_page_writes(data: bytes, detail: str) -> None:
    """Each by itself, beside an honest document."""
    assert refusal(data) == detail


@pytest.mark.parametrize(
    "data",
    [
        evil(word("a")),
        evil(word("a", left=(OWNER, CELL))),
        evil(word("a", "b", right=(OWNER, CELL))),
        evil(word("a", left=(OWNER, PATH))),
        evil(word("a", parent="meta", key="k"), word("b", left=(EVIL, 0))),
        evil(word("a", "b", parent="meta", key="k"), word("c", left=(EVIL, 1)), deletes={EVIL: [(0, 2)]}),
        evil(string("x", left=(OWNER, A), right=(OWNER, B))),
        evil(word("a"), word("b", right=(EVIL, 0)), word("c", left=(EVIL, 1), right=(EVIL, 0))),
        evil(string("x", left=(OWNER, B), right=(OWNER, HIGH))),
        evil(string("x", left=(OWNER, LOW), right=(OWNER, C))),
        evil(shared(1), shared(2, parent=(EVIL, 0), key="source"), string(SNAKE, parent=(EVIL, 1))),
        evil(shared(0, parent=(OWNER, CELL), key="outputs")),
        evil(shared(1, parent=(OWNER, OUTPUTS))),
        update({10: (0, [word("b", left=(EVIL, 0))]), EVIL: (0, [word("a")])}),
        update(deletes={OWNER: [(HIGH, 2), (CELL, 1)]}),
        evil(b"\x00\x03", word("a", left=(EVIL, 1), right=(EVIL, 2))),
        evil(b"\x01\x01\x05cells\x02", word("a", parent=(EVIL, 0), key="k")),
        evil(b"\x01\x00\x05\x03\x02", string("x", left=(EVIL, 0), right=(EVIL, 1))),
    ],
)
def test_what_pages_write_is_placed(data: bytes) -> None:
    """Values, keys, texts, types in types, what depends on a later client's section, what was deleted at once."""
    places().check(read(data))


def test_who_goes_back_and_types_in_front_of_own_words_is_taken() -> None:
    """Later clocks may lie to the left of earlier ones, also of those that are known already."""
    made = places()
    for data in (evil(word("a")), evil(word("b", right=(EVIL, 0)), start=1)):
        made.learn(read(data))
    made.check(read(evil(word("c", left=(EVIL, 1), right=(EVIL, 0)), start=2)))


def test_attack_own_words_typed_letter_by_letter_in_the_wrong_order() -> None:
    """Libraries make one item of what was typed behind itself: it is cut as a word that came in one piece, also where
    it came in overlapping pieces."""
    made = places()
    for clock in range(4):
        left = (OWNER, B) if clock == 0 else (EVIL, clock - 1)
        made.learn(read(evil(string("x", left=left), start=clock)))
    made.learn(read(evil(string("xyz", left=(EVIL, 2)), start=3)))
    for left, right in ((3, 1), (5, 3), (5, 0)):
        assert refusal(evil(string("y", left=(EVIL, left), right=(EVIL, right)), start=6), made) == (
            "neighbours in the wrong order"
        )
    made.check(read(evil(string("y", left=(EVIL, 1), right=(EVIL, 2)), start=6)))


@pytest.mark.parametrize("kind", [3, 4, 5, 6])
def test_attack_into_a_type_that_no_page_knows(kind: int) -> None:
    """What an extension of the owner's made of XML is not for editors."""
    made = places()
    made.learn(read(evil(shared(kind, parent="meta", key="comments"))))
    for data in (word("x", parent=(EVIL, 0), key="k"), word("x", parent=(EVIL, 0)), string("x", parent=(EVIL, 0))):
        assert refusal(update({10: (0, [data])}), made) == "what no page writes there"


def test_what_upstream_places_apart_or_nowhere_is_learned() -> None:
    """Only editors are asked to be read in one way."""
    for odd in (word("b", left=(OWNER, PATH), right=(OWNER, CELL)), word("a", parent=(OWNER, PATH), key="k")):
        made = places()
        made.learn(read(evil(odd)))
        assert made.repeats(read(evil(odd)))


def test_what_is_put_between_words_of_two_is_taken() -> None:
    """Whose clocks are the smaller says nothing."""
    made = places()
    made.learn(read(evil(string("xyz", left=(OWNER, C)))))
    made.learn(read(update({10: (0, [string("xyz", left=(EVIL, 2))])})))
    made.check(read(update({11: (0, [string("-", left=(EVIL, 2), right=(10, 0))])})))


def test_text_files_have_roots_of_their_own() -> None:
    """A text in the root: characters fit, values and cells do not."""
    made = Places(FILE_ROOTS)
    made.check(read(evil(string("x", parent="source"))))
    assert refusal(evil(word("x", parent="source")), made) == "what no page writes there"
    assert refusal(evil(word("x", parent="cells")), made) == "an unknown root"


def test_attack_nesting_is_counted_over_many_updates() -> None:
    """One map in the last, one update after another: the 65th is refused."""
    made = places()
    made.learn(read(evil(shared(1))))
    for clock in range(1, 64):
        summary = read(evil(shared(1, parent=(EVIL, clock - 1), key="k"), start=clock))
        made.check(summary)
        made.learn(summary)
    assert refusal(evil(shared(1, parent=(EVIL, 63), key="k"), start=64), made) == "shared types nested too deep"


def test_attack_a_struct_that_begins_with_what_is_known_and_goes_on_elsewhere() -> None:
    """Libraries take the rest only; it must lie where the beginning lies, be of its kind, and cut no character."""
    made = places()
    made.learn(read(evil(word("a"))))
    made.check(read(evil(word("a", "b"))))
    detail = "clocks that were something else"
    assert refusal(evil(word("a", "b", left=(OWNER, PATH))), made) == detail
    assert refusal(evil(string("ab", left=(OWNER, A))), made) == detail
    made.check(read(evil(b"\x00\x02")))
    deleted = places()
    deleted.learn(read(evil(b"\x01\x01\x05cells\x01")))
    assert refusal(evil(word("a", "b")), deleted) == detail
    made.check(read(evil(b"\x01\x01\x05cells\x02")))
    made = places()
    made.learn(read(evil(string("a", left=(OWNER, A)))))
    made.check(read(evil(string(f"a{SNAKE}", left=(OWNER, A)))))
    assert refusal(evil(string(SNAKE, left=(OWNER, A))), made) == detail


def test_attack_structs_that_repeat_others_clocks_with_other_neighbours() -> None:
    """yjs looks up the neighbours of what it knows already: it waits for ever, or cuts a character in two."""
    made = places()
    made.check(read(update({OWNER: (0, [word("nb.ipynb", parent="state", key="path")])})))
    assert refusal(update({OWNER: (0, [word("a", left=(77, 0))])})) == "repeats something else"
    assert refusal(update({OWNER: (0, [word("a", parent=(77, 0))])})) == "repeats something else"
    assert refusal(update({OWNER: (ID, [word("a", left=(OWNER, HIGH))])})) == "cuts a character in two"


def test_children_of_what_was_deleted_are_taken() -> None:
    """A page types into a cell that somebody else has just deleted, and that was deleted before the gate came."""
    doc = document()
    del doc.get("cells", type=Array)[0]
    made = Places(NOTEBOOK_ROOTS)
    made.learn(scan_update(doc.get_update(), FROM_UPSTREAM, structs=True))
    made.check(read(evil(shared(1, parent=(OWNER, CELL), key="k"), string("x", left=(OWNER, A), right=(OWNER, B)))))
    assert refusal(evil(string("x", left=(OWNER, A), right=(OWNER, PATH))), made) == "neighbours that lie apart"


def test_what_upstream_sends_is_learned_whatever_it_is() -> None:
    """Gaps, unknown roots, circles and unknown neighbours: nothing is refused, and nothing can be hung there."""
    made = places()
    odd = [
        evil(word("a"), start=3),
        update({11: (0, [word("a", parent="other", key="k")])}),
        update({12: (0, [word("a", left=(13, 0))]), 13: (0, [word("a", left=(12, 0))])}),
        update({14: (0, [word("a", left=(99, 0)), b"\x0a\x02", shared(3)])}),
    ]
    for data in odd:
        made.learn(scan_update(data, FROM_UPSTREAM, structs=True))
    for left in ((EVIL, 0), (11, 0), (12, 0), (13, 0), (14, 0), (14, 1)):
        assert refusal(update({20: (0, [word("x", left=left)])}), made) == "a neighbour that does not exist"
    assert refusal(update({20: (0, [word("x", parent=(14, 3))])}), made) == "what no page writes there"
    made.check(read(update({20: (0, [word("x", left=(EVIL, 3))])})))


def test_attack_long_chains_and_many_looks_at_one_text_stay_linear() -> None:
    """Items of 8,900 clients, each beside the next one's; 19,000 looks into one text of emoji: no recursion."""
    chain = {client: (0, [word("a", left=(client + 1, 0))]) for client in range(100, 9_000)}
    chain[9_000] = (0, [word("a")])
    places().check(read(update(chain)))
    text = string(SNAKE * 20_000, left=(OWNER, A))
    looks = [string("x", left=(EVIL, 2 * index + 1)) for index in range(19_000)]
    places().check(read(evil(text, *looks)))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6)), max_size=30), st.integers(0, 36), st.integers(1, 6))
@example([(0, 3), (3, 3)], 1, 4)
@example([(0, 6), (1, 2)], 1, 4)
def test_deleted_ranges_are_remembered(ranges: list[tuple[int, int]], start: int, size: int) -> None:
    """An update whose deletions are all known repeats; one clock more does not. Singly, and many at once."""
    made, many = Places(NOTEBOOK_ROOTS), Places(NOTEBOOK_ROOTS)
    gone: set[int] = set()
    for first, count in ranges:
        made.learn(read(update(deletes={OWNER: [(first, count)]})))
        gone.update(range(first, first + count))
    many.learn(read(update(deletes={OWNER: ranges[:3] or [(0, 0)]})))
    many.learn(read(update(deletes={OWNER: (ranges or [(0, 0)]) * 500})))
    known = set(range(start, start + size)) <= gone
    for each in (made, many):
        assert each.repeats(read(update(deletes={OWNER: [(start, size)]}))) == known


def test_repeating_is_told_from_adding() -> None:
    """What a page answers when it has nothing of its own; a new struct or deletion makes the difference."""
    doc = document()
    del doc.get("cells", type=Array)[0]["source"][0:1]
    made = Places(NOTEBOOK_ROOTS)
    made.learn(scan_update(doc.get_update(), FROM_UPSTREAM, structs=True))
    assert made.repeats(read(b"\x00\x00"))
    assert made.repeats(read(doc.get_update()))
    assert made.repeats(read(doc.get_update(doc.get_state())))
    doc.get("cells", type=Array)[0]["source"].insert(0, "x")
    assert not made.repeats(read(doc.get_update()))
    assert not made.repeats(read(update(deletes={OWNER: [(PATH, 1)]})))


@settings(max_examples=300, deadline=None)
@given(choosers)
def test_attack_random_structs_raise_nothing_but_denied(choose: random.Random) -> None:
    """Neighbours, parents, keys and contents at random, judged and learned; what passes settles in a real document."""
    made = places()
    doc: Doc = Doc()
    doc.apply_update(document().get_update())

    def some_id() -> tuple[int, int]:
        return choose.choice([(OWNER, choose.randrange(END + 1)), (EVIL, choose.randrange(6)), (10, 0)])

    for start in range(4):
        where: dict[str, object] = {"parent": choose.choice(["cells", "state", "meta", "x", some_id()])}
        where["left"] = choose.choice([None, some_id()])
        where["right"] = choose.choice([None, None, some_id()])
        where["key"] = choose.choice([None, "k", "path"])
        made_struct = choose.choice(
            [word("v", **where), string("s", **where), shared(choose.randrange(3), **where), b"\x00\x01"]
        )
        data = evil(made_struct, start=start)
        summary: UpdateSummary
        try:
            summary = read(data)
            made.check(summary)
        except Denied:
            with contextlib.suppress(Denied):
                places().learn(scan_update(data, FROM_UPSTREAM, structs=True))
            return
        doc.apply_update(data)
        made.learn(summary)
        assert scan_update(doc.get_update(), FROM_UPSTREAM).clocks[0] in (
            Clocks(EVIL, 0, start + 1),
            Clocks(OWNER, 0, END),
        )
        assert Clocks(EVIL, 0, start + 1) in scan_update(doc.get_update(), FROM_UPSTREAM).clocks


def test_the_root_of_a_file_is_a_text_for_pycrdt_too() -> None:
    """The kinds of roots are those of jupyter_ydoc's documents."""
    doc: Doc = Doc(client_id=OWNER)
    doc["source"] = Text("x")
    doc["state"] = Map({"path": "a.txt"})
    Places(FILE_ROOTS).check(read(doc.get_update()))
