"""The live channel of a visitor's page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from sharegate.errors import Reason
from sharegate.lab import live
from sharegate.messages import Frame, FrameKind
from sharegate.shares.model import Grant
from sharegate.visits.live import WORDS, LivePages
from sharegate.visits.presence import Presence
from tests.conftest import Clock
from tests.house import ANN, House, house


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


def here(path: str) -> Frame:
    return Frame.text(f'{{"type":"here","path":"{path}"}}')


async def test_a_page_is_greeted_and_told_how_it_ends(home: House, clock: Clock) -> None:
    """Hello first, the reason last, then the close code that goes with it."""
    grant, presence, over = await inside(home), Presence(clock), Over()
    pages = LivePages(home.authenticator, presence, lambda _: "here", clock)
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
    pages = LivePages(home.authenticator, presence, lambda _: "here", clock)
    page = Page(here("secret/private.ipynb"), here("sub/shared/.hidden"), here("a/../b"), Frame.close(1000))
    await pages.serve(grant, page, Over())

    seen = presence.of(grant.visit.id)
    assert seen is not None
    assert seen.where == ""


async def test_attack_a_flood_of_words_ends_the_channel(home: House, clock: Clock) -> None:
    """A page changes its document now and then; what talks without end is closed, and so is what makes no sense."""
    grant = await inside(home)
    pages = LivePages(home.authenticator, Presence(clock), lambda _: "here", clock)
    flood = Page(*[here("sub/shared/a")] * int(WORDS.burst + 5))
    await pages.serve(grant, flood, Over())
    noise = Page(Frame(FrameKind.BINARY, b"x"))
    await pages.serve(grant, noise, Over())

    assert flood.closed is not None
    assert flood.says.qsize() == 4
    assert noise.closed is not None


async def test_a_page_hears_that_the_server_went_and_that_the_end_moved(home: House, clock: Clock) -> None:
    """Woken, it looks anew: server state and expiry."""
    grant, over, states = await inside(home), Over(), ["here"]
    pages = LivePages(home.authenticator, Presence(clock), lambda _: states[0], clock)  # type: ignore[arg-type,return-value]
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
