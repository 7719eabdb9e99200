"""The owner's side of raised hands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from sharegate.dashboard.asking import asking
from sharegate.dashboard.asks import Asks
from sharegate.dashboard.login import Session, Viewer
from sharegate.dashboard.views import Views
from sharegate.errors import NotFound, Refused, StoreUnavailable
from sharegate.shares.model import Grant
from sharegate.visits.hands import Hand, Hands, HandState
from sharegate.visits.presence import Presence
from tests.conftest import Clock
from tests.dashboard.conftest import Office
from tests.house import ANN, House, house
from tests.visits.notebooks import Open, raised

NOTEBOOK = "sub/shared/nb.ipynb"


@dataclass
class Desk:
    home: House
    hands: Hands
    asks: Asks
    grant: Grant
    notebooks: Open

    def raise_hand(self, source: str) -> Hand:
        """For a cell that is so."""
        self.notebooks.cells = {NOTEBOOK: {"8f0c": source}}
        return self.hands.ask(self.grant, NOTEBOOK, "8f0c", source)

    async def answer(self, id: str, verb: str, digest: str = "") -> dict[str, object]:
        told = await self.asks.answered({"id": id, "verb": verb}, {}, {"digest": digest} if digest else {})
        ask: dict[str, object] = told["ask"]
        return ask


@pytest_asyncio.fixture
async def desk(tmp_path: Path, clock: Clock) -> AsyncIterator[Desk]:
    async with house(tmp_path, clock) as home:
        _, (link,) = await home.share()
        entry = await home.door.open(home.token(link), "", ANN)
        grant = await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])
        notebooks = Open()
        hands = raised(clock, notebooks)
        views = Views(home.store, Presence(clock), lambda _: 0, lambda role: role.value, clock)
        yield Desk(home, hands, Asks(hands, home.store, views, home.notes), grant, notebooks)


async def test_an_ask_is_listed_with_who_and_what(desk: Desk) -> None:
    """The owner sees the person, the cell and its exact source."""
    desk.raise_hand("print(6*7)")
    (ask,) = (await desk.asks.listed({}, {}, {}))["asks"]

    assert (ask["name"], ask["path"], ask["cell"], ask["source"]) == ("Ann", NOTEBOOK, "8f0c", "print(6*7)")
    assert ask["visit_label"].endswith(".a1")
    assert ask["id"].startswith(ask["label"])
    assert (await desk.asks.listed({}, {"share": "another"}, {}))["asks"] == []


async def test_attack_another_owner_looks_at_what_is_asked(desk: Desk) -> None:
    """A cell's source is told to the owner of its share and to admins; whoever owns nothing, or something else, reads
    an empty list."""
    hand = desk.raise_hand("print('secret')")
    for viewer, seen in (
        (Viewer("Otto", owner="Otto"), []),
        (Viewer("Nemo"), []),
        (Viewer("Olga", owner="Olga"), [hand.id]),
        (Viewer("Ada", admin=True), [hand.id]),
    ):
        with asking(Session("s", viewer, "csrf", used=desk.home.clock()).asker):
            told = await desk.asks.listed({}, {}, {})
            assert [one["id"] for one in told["asks"]] == seen, viewer


@pytest.mark.parametrize(("verb", "state"), [("ran", HandState.RAN), ("decline", HandState.DECLINED)])
async def test_an_answer_is_recorded_and_told(desk: Desk, verb: str, state: HandState) -> None:
    """The owner's word reaches the visitor's page and the trail, once."""
    seen: list[HandState] = []
    hand = desk.raise_hand("print(6*7)")
    desk.hands.subscribe(lambda moved: seen.append(moved.state))
    answered = await desk.answer(hand.id, verb, hand.digest)

    assert answered["state"] == state.value
    assert seen == [state]
    event = desk.home.notes.events[-1]
    assert (event.action.value, event.actor, event.visit, event.path) == (
        *("run.answered", "owner", desk.grant.visit.id, NOTEBOOK),
    )
    assert event.detail.startswith("ran" if verb == "ran" else "declined")
    with pytest.raises(NotFound):
        await desk.answer(hand.id, verb)


async def test_attack_a_cell_that_is_exchanged_after_the_look(desk: Desk) -> None:
    """An answer to what was looked at is none to what stands there now, and nothing is recorded."""
    looked = desk.raise_hand("print(1)")
    desk.raise_hand("steal()")
    with pytest.raises(NotFound):
        await desk.answer(looked.id, "ran", looked.digest)
    (now,) = desk.hands.waiting()
    with pytest.raises(Refused):
        await desk.answer(now.id, "ran", looked.digest)

    assert desk.hands.waiting() == [now]
    assert "run.answered" not in desk.home.notes.actions()


async def test_attack_a_cell_that_says_something_else(desk: Desk) -> None:
    """An ask whose cell is another one in this moment is not shown, and not answered as run; nothing is recorded."""
    hand = desk.raise_hand("print('hello')")
    desk.notebooks.cells = {NOTEBOOK: {"8f0c": "steal()"}}
    assert (await desk.asks.listed({}, {}, {}))["asks"] == []
    with pytest.raises(Refused):
        await desk.answer(hand.id, "ran", hand.digest)
    assert desk.hands.waiting() == []
    assert "run.answered" not in desk.home.notes.actions()


async def test_an_answer_that_cannot_be_recorded_is_not_given(desk: Desk) -> None:
    """The hand stays up when the trail cannot write."""
    hand = desk.raise_hand("1")
    desk.home.notes.broken = True
    with pytest.raises(StoreUnavailable):
        await desk.answer(hand.id, "ran")
    assert desk.hands.waiting() == [hand]


async def test_who_is_gone_asks_for_nothing(desk: Desk) -> None:
    """The asks of a visit that ended are not shown."""
    desk.raise_hand("1")
    await desk.home.issuer.end_visit(desk.grant.visit.id, "ended by the owner")
    assert (await desk.asks.listed({}, {}, {}))["asks"] == []


async def test_the_routes_are_there(office: Office) -> None:
    """The API lists asks, answers them, and takes no field that it does not know."""
    assert (await office.call("GET", "asks"))["asks"] == []
    assert (await office.ask("POST", "asks/w4xk/ran", {}))[0] == 404
    assert (await office.ask("POST", "asks/w4xk/run", {}))[0] == 404
    assert (await office.ask("POST", "asks/w4xk/decline", {"force": True}))[0] == 400
