"""Raised hands: bound to one source, bounded in number, answered once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from sharegate.errors import Denied, NotFound, Reason, Refused
from sharegate.shares.model import Grant
from sharegate.visits.hands import ASKS, PER_SHARE, PER_VISIT, Hand, Hands, HandState, digest_of
from tests.conftest import Clock
from tests.house import ANN, house
from tests.visits.notebooks import Open, raised

NOTEBOOK = "sub/shared/nb.ipynb"


@pytest_asyncio.fixture
async def grant(tmp_path: Path, clock: Clock) -> AsyncIterator[Grant]:
    async with house(tmp_path, clock) as home:
        _, (link,) = await home.share()
        entry = await home.door.open(home.token(link), "", ANN)
        yield await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])


def visiting(grant: Grant, visit: str) -> Grant:
    return replace(grant, visit=structs.replace(grant.visit, id=visit))


def watched(hands: Hands) -> list[tuple[str, HandState]]:
    seen: list[tuple[str, HandState]] = []
    hands.subscribe(lambda hand: seen.append((hand.cell, hand.state)))
    return seen


def test_an_answer_to_one_text_is_none_to_another(grant: Grant, clock: Clock) -> None:
    """What the owner looked at is what the answer is for: with another digest nothing is answered."""
    hands = raised(clock)
    hand = hands.ask(grant, NOTEBOOK, "c", "rm(-rf)")
    with pytest.raises(Refused, match="another one"):
        hands.answer(hand.id, HandState.RAN, digest_of("print(1)"))
    assert hands.waiting() == [hand]
    assert hands.answer(hand.id, HandState.RAN, hand.digest).state is HandState.RAN
    with pytest.raises(NotFound):
        hands.answer(hand.id, HandState.RAN)


def test_attack_an_ask_for_what_nobody_has_open(grant: Grant, clock: Clock) -> None:
    """A cell that the gate cannot look at is not asked for: the text would be the visitor's word alone."""
    closed = Open()
    closed.closed = True
    for hands in (raised(clock, closed), Hands(clock)):
        with pytest.raises(NotFound):
            hands.ask(grant, NOTEBOOK, "c", "print('hello')")
        assert hands.waiting() == []


def test_attack_another_file_at_the_path_of_an_ask(grant: Grant, clock: Clock) -> None:
    """A hand is bound to the file: the same path and text in another one are another ask."""
    there = Open()
    there.cells = {NOTEBOOK: {"c": "1+1"}}
    hands = raised(clock, there)
    first = hands.ask(grant, NOTEBOOK, "c", "1+1")
    assert hands.standing() == [first]
    there.number = 2
    assert hands.waiting() == [first] and hands.standing() == []
    second = hands.ask(grant, NOTEBOOK, "c", "1+1")
    assert hands.waiting() == [second] and second.room != first.room


async def test_attack_a_cell_that_is_exchanged_before_the_answer(grant: Grant, clock: Clock) -> None:
    """Before the word that it was run the gate looks once more, at the cell and at where the file lies."""
    there = Open()
    there.cells = {NOTEBOOK: {"c": "1+1"}}
    hands = raised(clock, there)
    seen = watched(hands)
    await hands.confirm(hands.ask(grant, NOTEBOOK, "c", "1+1"))
    there.cells = {NOTEBOOK: {"c": "steal()"}}
    with pytest.raises(Refused):
        await hands.confirm(hands.waiting()[0])
    there.cells = {NOTEBOOK: {"c": "1+1"}}
    again = hands.ask(grant, NOTEBOOK, "c", "1+1")
    there.silent = True
    with pytest.raises(Refused):
        await hands.confirm(again)
    there.silent, there.closed = False, True
    with pytest.raises(Refused):
        await hands.confirm(again)
    assert hands.waiting() == [again], "the notebook may be opened again, and the server may answer again"
    there.closed, there.elsewhere = False, True
    with pytest.raises(Refused):
        await hands.confirm(again)
    assert seen == [("c", HandState(state)) for state in ("waiting", "changed", "waiting", "moved")]


def test_a_document_that_is_renamed_lowers_the_hands(grant: Grant, clock: Clock) -> None:
    """Those of that document on that server, whatever the cell."""
    hands = raised(clock)
    seen = watched(hands)
    upstream = grant.share.upstream
    for path, cell in ((NOTEBOOK, "c"), (NOTEBOOK, "d"), ("sub/shared/other.ipynb", "c")):
        hands.ask(grant, path, cell, "1+1")
    hands.moved("another", NOTEBOOK)
    assert len(hands.waiting()) == 3
    hands.moved(upstream, NOTEBOOK)
    assert [hand.path for hand in hands.waiting()] == ["sub/shared/other.ipynb"]
    assert seen[3:] == [("c", HandState.MOVED), ("d", HandState.MOVED)]


def test_asking_again_is_one_hand(grant: Grant, clock: Clock) -> None:
    """The same source asked twice is one ask; another source is a new one with an id of its own."""
    hands = raised(clock)
    first = hands.ask(grant, NOTEBOOK, "c", "1")
    assert hands.ask(grant, NOTEBOOK, "c", "1") is first
    second = hands.ask(grant, NOTEBOOK, "c", "2")
    assert second.id != first.id
    assert hands.waiting() == [second]


def test_attack_hands_without_end(grant: Grant, clock: Clock) -> None:
    """A visit and a share have room for so many, and asking and taking back in turn has a pace."""
    hands = raised(clock)
    for at in range(PER_VISIT):
        hands.ask(grant, NOTEBOOK, f"c{at}", "1")
    with pytest.raises(Denied) as caught:
        hands.ask(grant, NOTEBOOK, "more", "1")
    assert caught.value.reason is Reason.REQUEST_LIMIT
    for at in range(PER_VISIT, PER_SHARE):
        hands.ask(visiting(grant, f"v{at // PER_VISIT}"), NOTEBOOK, f"c{at}", "1")
    assert len(hands.waiting(grant.share.id)) == PER_SHARE
    with pytest.raises(Denied):
        hands.ask(visiting(grant, "late"), NOTEBOOK, "x", "1")
    hands = raised(clock)
    for _ in range(int(ASKS.burst)):
        hands.ask(grant, NOTEBOOK, "c", "1")
        hands.withdraw(grant.visit.id, NOTEBOOK, "c")
    with pytest.raises(Denied):
        hands.ask(grant, NOTEBOOK, "c", "1")
    clock.now += ASKS.seconds
    hands.ask(grant, NOTEBOOK, "c", "1")


def test_nobody_lowers_the_hand_of_another(grant: Grant, clock: Clock) -> None:
    """A visit takes back its own asks, and its end ends them alone."""
    hands = raised(clock)
    hand = hands.ask(grant, NOTEBOOK, "c", "1")
    hands.ask(visiting(grant, "other"), NOTEBOOK, "c", "1")
    assert hands.withdraw("nobody", NOTEBOOK, "c") is None
    hands.forget("other")
    assert hands.waiting() == [hand]
    assert hands.of_visit("other") == []


def test_the_owner_is_shown_what_was_answered_before(grant: Grant, clock: Clock) -> None:
    """After it was run the next ask for the cell carries the source that was run, for every visit."""
    hands = raised(clock)
    assert hands.ask(grant, NOTEBOOK, "c", "1").before is None
    hands.answer(hands.waiting()[0].id, HandState.RAN)
    assert hands.ask(visiting(grant, "other"), NOTEBOOK, "c", "2").before == "1"
    assert hands.ask(grant, "sub/shared/other.ipynb", "c", "2").before is None


def test_attack_a_declined_text_that_is_asked_for_again(grant: Grant, clock: Clock) -> None:
    """What the owner did not run is nothing that another text is compared with."""
    hands = raised(clock)
    hands.answer(hands.ask(grant, NOTEBOOK, "c", "steal()\n1").id, HandState.DECLINED)
    assert hands.ask(grant, NOTEBOOK, "c", "steal()\n2").before is None


def test_what_was_answered_is_remembered_within_bounds(grant: Grant, clock: Clock) -> None:
    """However much is asked and answered, what is kept of it stays small."""
    hands = raised(clock)
    for at in range(300):
        hand = hands.ask(visiting(grant, f"v{at}"), NOTEBOOK, f"c{at}", "x" * 65536)
        hands.answer(hand.id, HandState.RAN)
    assert hands._answered_bytes == sum(map(len, hands._answered.values())) <= 8 << 20


@given(st.text(), st.text())
def test_two_texts_have_two_digests(one: str, other: str) -> None:
    """Whatever the text, also with half characters in it, its digest is its own."""
    assert (digest_of(one) == digest_of(other)) == (one == other)


def test_a_hand_does_not_print_what_it_asks(grant: Grant, clock: Clock) -> None:
    """The source is somebody's text: it stays out of logs."""
    hand: Hand = raised(clock).ask(grant, NOTEBOOK, "c", "password = 1")
    assert "password" not in repr(hand)
