"""The live channel of a visitor's page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest_asyncio
from msgspec import structs

from sharegate.errors import Reason
from sharegate.lab import live
from sharegate.messages import Frame, FrameKind
from sharegate.shares.model import Grant, Role
from sharegate.visits.hands import PER_VISIT, Hands, HandState
from sharegate.visits.live import WORDS, LivePages
from sharegate.visits.presence import Presence
from tests.conftest import Clock
from tests.house import ANN, House, house
from tests.visits.notebooks import Open, raised


class Page:
    """A page's end in memory: what it says, what it hears, how it was closed."""

    def __init__(self, *words: Frame) -> None:
        self.says: asyncio.Queue[Frame] = asyncio.Queue()
        for word in words:
            self.says.put_nowait(word)
        self.heard: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    async def receive(self) -> Frame:
        return await self.says.get()

    async def send(self, frame: Frame) -> None:
        self.heard.append(frame.data)

    async def close(self, code: int, reason: str = "") -> None:
        self.closed = (code, reason)

    def abort(self) -> None:
        self.closed = (1006, "")


class Over:
    """The string on which a visit hangs."""

    def __init__(self) -> None:
        self.reason: Reason | None = None
        self._cut = asyncio.Event()

    def cut(self, reason: Reason) -> None:
        self.reason = reason
        self._cut.set()

    async def wait(self) -> Reason:
        await self._cut.wait()
        assert self.reason is not None
        return self.reason


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


async def inside(home: House) -> Grant:
    _, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)
    return await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])


def live_pages(
    home: House,
    presence: Presence | None = None,
    *,
    hands: Hands | None = None,
    state: Callable[[], str] = lambda: "here",
    acted: Callable[[Grant], None] = lambda _: None,
    coowner: Callable[[Grant], bool] = lambda _: False,
) -> LivePages:
    return LivePages(
        home.authenticator,
        presence or Presence(home.clock),
        lambda _: state(),  # type: ignore[arg-type,return-value]
        home.clock,
        hands=hands or raised(home.clock),
        trail=home.notes,
        acted=acted,
        coowner=coowner,
    )


def here(path: str) -> Frame:
    return Frame.text(f'{{"type":"here","path":"{path}"}}')


async def test_a_page_is_greeted_and_told_how_it_ends(home: House, clock: Clock) -> None:
    """Hello first, the reason last, then the close code that goes with it."""
    grant, presence, over = await inside(home), Presence(clock), Over()
    pages = live_pages(home, presence)
    page = Page(here("sub/shared/nb.ipynb"))
    serving = asyncio.create_task(pages.serve(grant, page, over))
    while not (page.heard and presence.of(grant.visit.id) and presence.of(grant.visit.id).where):  # type: ignore[union-attr]
        await asyncio.sleep(0)
    over.cut(Reason.SHARE_REVOKED)
    await serving

    assert b'"hello"' in page.heard[0]
    assert b'"ended"' in page.heard[-1]
    assert page.closed == (live.close_code(Reason.SHARE_REVOKED), "share_revoked")
    seen = presence.of(grant.visit.id)
    assert seen is not None
    assert (seen.where, seen.pages) == ("sub/shared/nb.ipynb", 0)


async def test_a_place_outside_is_not_believed(home: House, clock: Clock) -> None:
    """The owner's screen shows where somebody can be, not what a page says."""
    grant, presence = await inside(home), Presence(clock)
    pages = live_pages(home, presence)
    page = Page(here("secret/private.ipynb"), here("sub/shared/.hidden"), here("a/../b"), Frame.close(1000))
    await pages.serve(grant, page, Over())

    seen = presence.of(grant.visit.id)
    assert seen is not None
    assert seen.where == ""


async def test_attack_a_flood_of_words_ends_the_channel(home: House, clock: Clock) -> None:
    """A page changes its document now and then; what talks without end is closed, and so is what makes no sense."""
    grant = await inside(home)
    pages = live_pages(home)
    flood = Page(*[here("sub/shared/a")] * int(WORDS.burst + 5))
    await pages.serve(grant, flood, Over())
    noise = Page(Frame(FrameKind.BINARY, b"x"))
    await pages.serve(grant, noise, Over())

    assert flood.closed is not None
    assert flood.says.qsize() == 4
    assert noise.closed is not None


async def test_every_page_is_spoken_to_after_a_sleep(home: House) -> None:
    """So that a connection which died meanwhile shows that it did."""
    grant, over = await inside(home), Over()
    pages = live_pages(home)
    page = Page()
    serving = asyncio.create_task(pages.serve(grant, page, over))
    while not page.heard:
        await asyncio.sleep(0)
    pages.beat()
    while len(page.heard) < 2:
        await asyncio.sleep(0)
    assert json.loads(page.heard[1]) == {"type": "beat"}
    over.cut(Reason.VISIT_ENDED)
    await serving


async def test_a_page_hears_that_the_server_went_and_that_the_end_moved(home: House, clock: Clock) -> None:
    """Woken, it looks anew: server state and expiry."""
    grant, over, states = await inside(home), Over(), ["here"]
    pages = live_pages(home, state=lambda: states[0])
    page = Page()
    serving = asyncio.create_task(pages.serve(grant, page, over))
    while not page.heard:
        await asyncio.sleep(0)
    states[0] = "restarting"
    await home.issuer.change_share(grant.share.id, {"expires": clock() + 99})
    pages.wake(share=grant.share.id)
    while len(page.heard) < 3:
        await asyncio.sleep(0)
    over.cut(Reason.SHARE_EXPIRED)
    await serving

    assert b'"restarting"' in page.heard[1]
    assert b'"expiring"' in page.heard[2]
    assert page.closed == (4408, "share_expired")


# -- raised hands -----------------------------------------------------------------------------------------------------


def ask(cell: str = "8f0c", source: str = "1+1", path: str = "sub/shared/nb.ipynb") -> Frame:
    return Frame.text(json.dumps({"type": "ask", "path": path, "cell": cell, "source": source}))


def heard(page: Page, kind: str = "asked") -> list[dict[str, Any]]:
    return [word for word in map(json.loads, page.heard) if word["type"] == kind]


async def editor(home: House) -> Grant:
    """As a grant is when the role is handed out; the authenticator of this version would say `view`."""
    return replace(await inside(home), role=Role.EDIT)


async def until(page: Page, count: int) -> None:
    while len(heard(page)) < count:
        await asyncio.sleep(0)


async def test_an_editor_asks_and_hears_what_became_of_it(home: House, clock: Clock) -> None:
    """An ask is recorded, waits with the exact source, and its page hears each step; the owner sees it."""
    grant, hands, over, page = await editor(home), raised(clock), Over(), Page(ask())
    serving = asyncio.create_task(live_pages(home, hands=hands).serve(grant, page, over))
    await until(page, 1)
    (hand,) = hands.waiting()
    hands.answer(hand.id, HandState.RAN)
    await until(page, 2)
    over.cut(Reason.VISIT_ENDED)
    await serving

    assert (hand.path, hand.cell, hand.source) == ("sub/shared/nb.ipynb", "8f0c", "1+1")
    assert [word["state"] for word in heard(page)] == ["waiting", "ran"]
    (event,) = [event for event in home.notes.events if event.action.value == "run.asked"]
    assert (event.path, event.visit) == ("sub/shared/nb.ipynb", grant.visit.id)
    assert hand.digest[:16] in event.detail
    assert "1+1" not in event.detail


async def test_a_page_that_comes_back_hears_what_still_waits(home: House, clock: Clock) -> None:
    """After a reload the page is told of the visit's own asks, and of no other visit's."""
    grant, hands = await editor(home), raised(clock)
    hands.ask(grant, "sub/shared/nb.ipynb", "mine", "1")
    other = replace(grant, visit=structs.replace(grant.visit, id="another"))
    hands.ask(other, "sub/shared/nb.ipynb", "theirs", "2")
    page, over = Page(), Over()
    serving = asyncio.create_task(live_pages(home, hands=hands).serve(grant, page, over))
    await until(page, 1)
    over.cut(Reason.DRAINING)
    await serving
    assert [word["cell"] for word in heard(page)] == ["mine"]
    assert len(hands.waiting()) == 2, "a gate that restarts lowers no hand by itself"


async def test_who_only_views_asks_for_nothing(home: House, clock: Clock) -> None:
    """An ask from a page whose visit may not edit, or for a place outside the share, is not heard."""
    grant, hands = await editor(home), raised(clock)
    viewer = replace(grant, role=Role.VIEW)
    await live_pages(home, hands=hands).serve(viewer, Page(ask(), Frame.close(1000)), Over())
    outside = Page(ask(path="secret/private.ipynb"), ask(path="sub/shared/../../x"), ask(path=""), Frame.close(1000))
    await live_pages(home, hands=hands).serve(grant, outside, Over())

    assert hands.waiting() == []
    assert "run.asked" not in home.notes.actions()


async def test_attack_a_page_that_asks_without_end(home: House, clock: Clock) -> None:
    """Past the limit of a visit an ask is answered `full`, the channel goes on, and nothing is recorded for it."""
    grant, hands, over = await editor(home), raised(clock), Over()
    page = Page(*(ask(f"c{at}") for at in range(PER_VISIT + 3)))
    serving = asyncio.create_task(live_pages(home, hands=hands).serve(grant, page, over))
    await until(page, PER_VISIT + 3)
    over.cut(Reason.SHARE_REVOKED)
    await serving

    assert [word["state"] for word in heard(page)].count("full") == 3
    assert home.notes.actions().count("run.asked") == PER_VISIT
    assert hands.waiting() == [], "the visit is over, and so is what it asked"


async def test_attack_an_ask_for_a_notebook_that_is_not_open(home: House, clock: Clock) -> None:
    """It is answered `closed`, nothing is recorded, and the channel goes on."""
    notebooks = Open()
    notebooks.closed = True
    grant, hands, page = await editor(home), raised(clock, notebooks), Page(ask(), ask(), Frame.close(1000))
    await live_pages(home, hands=hands).serve(grant, page, Over())

    assert hands.waiting() == []
    assert "run.asked" not in home.notes.actions()
    page = Page(ask())
    over = Over()
    serving = asyncio.create_task(live_pages(home, hands=hands).serve(grant, page, over))
    await until(page, 1)
    over.cut(Reason.VISIT_ENDED)
    await serving
    assert [word["state"] for word in heard(page)] == ["closed"]


async def test_an_ask_that_cannot_be_recorded_is_not_made(home: House, clock: Clock) -> None:
    """With a trail that cannot write the channel ends and no hand is up."""
    grant, hands, page = await editor(home), raised(clock), Page(ask())
    home.notes.broken = True
    await live_pages(home, hands=hands).serve(grant, page, Over())

    assert hands.waiting() == []
    assert page.closed is not None


async def test_a_person_who_acts_is_noticed(home: House, clock: Clock) -> None:
    """`active` tells that somebody is there, without changing where they are."""
    grant, presence, acted = await editor(home), Presence(clock), []
    words = Page(here("sub/shared/nb.ipynb"), Frame.text('{"type":"active"}'), Frame.close(1000))
    await live_pages(home, presence, acted=acted.append).serve(grant, words, Over())

    assert [each.visit.id for each in acted] == [grant.visit.id]
    seen = presence.of(grant.visit.id)
    assert seen is not None and seen.where == "sub/shared/nb.ipynb"


async def test_a_visit_hears_that_it_may_only_read(home: House, clock: Clock) -> None:
    """Only the visit's own pages are told that writing has ended for it."""
    grant, over, page = await editor(home), Over(), Page()
    pages = live_pages(home)
    serving = asyncio.create_task(pages.serve(grant, page, over))
    while not page.heard:
        await asyncio.sleep(0)
    pages.writing_ended("another")
    pages.writing_ended(grant.visit.id)
    while not heard(page, "writing_ended"):
        await asyncio.sleep(0)
    over.cut(Reason.VISIT_ENDED)
    await serving

    assert len(heard(page, "writing_ended")) == 1


async def test_a_page_shows_where_others_are_let_in(home: House, clock: Clock) -> None:
    """From the moment that its visitor is a co-owner, and no longer."""
    grant, told = await inside(home), [False]
    pages = live_pages(home, coowner=lambda _: told[0])
    page, over = Page(), Over()
    serving = asyncio.create_task(pages.serve(grant, page, over))

    async def heard(words: list[dict[str, Any]]) -> None:
        while [json.loads(data) for data in page.heard if b"coowner" in data and b"hello" not in data] != words:
            await asyncio.sleep(0)

    while not page.heard:
        await asyncio.sleep(0)
    for now in (True, False):
        told[0] = now
        pages.wake(share=grant.share.id)
        await heard([{"type": "coowner", "coowner": each} for each in ([True] if now else [True, False])])
    over.cut(Reason.VISIT_ENDED)
    await serving
    assert json.loads(page.heard[0])["coowner"] is False
