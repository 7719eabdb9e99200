"""The WebSocket of one co-owner's page: shows what is, does what is asked, and ends when the mark does."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from sharegate.errors import MEANINGS, Denied, NotFound, Reason, Refused, SharegateError, StoreUnavailable
from sharegate.limits import Buckets, Rate
from sharegate.messages import FrameKind, Socket
from sharegate.shares.interfaces import Change
from sharegate.visits.coowners import words
from sharegate.visits.coowners.desk import Desk, NoLonger
from sharegate.visits.coowners.standing import Coowner, Standing

# Of one visit, over all its pages: a class that comes in at once is let in one by one, as fast as somebody clicks.
ACTS = Rate(per=120, seconds=60, burst=60)
MOST_PAGES = 6
LOOK_SECONDS = 1.0
_KINDS = frozenset({"share", "link", "visit", "knock", "rules"})
OVER, RESTARTING = 4403, 1012


@dataclass(eq=False, slots=True)
class _Page:
    coowner: Coowner
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    answers: deque[words.Answer] = field(default_factory=deque)


class LiveDesks:
    """All pages of co-owners that are open now. `pace` is the clock of the limits."""

    def __init__(
        self, standing: Standing, desk: Desk, pace: Callable[[], float], *, look: float = LOOK_SECONDS
    ) -> None:
        self._standing = standing
        self._desk = desk
        self._acts = Buckets(ACTS, pace)
        self._look = look
        self._beat_after = max(1, round(words.BEAT_SECONDS / look))
        self._pages: list[_Page] = []
        self._stopped = False

    def room(self, visit: str) -> bool:
        """Whether one page more may be opened."""
        return not self._stopped and sum(page.coowner.visit.id == visit for page in self._pages) < MOST_PAGES

    def changed(self, change: Change) -> None:
        """Called by the store after each commit."""
        if change.kind in _KINDS:
            self._wake()

    def stop(self) -> None:
        """The gate is stopping: the pages are told to come back."""
        self._stopped = True
        self._wake()

    def _wake(self) -> None:
        for page in self._pages:
            page.woken.set()

    async def serve(self, coowner: Coowner, socket: Socket) -> None:
        """Until the page goes, the gate stops, or nobody is a co-owner here any more."""
        page = _Page(coowner)
        self._pages.append(page)
        hearing = asyncio.create_task(self._hear(page, socket))
        code = 1000
        try:
            code = await self._tell(page, socket, hearing)
        except (ConnectionError, StoreUnavailable):
            code = RESTARTING  # fails closed: what cannot be judged does not go on; the page tries again
        finally:
            hearing.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError, Denied, StoreUnavailable, NoLonger):
                await hearing
            self._pages.remove(page)
            if code == OVER:
                with contextlib.suppress(ConnectionError, TimeoutError):
                    async with asyncio.timeout(1):
                        await socket.send(words.to_page(words.Over()))
            await socket.close(code)

    async def _tell(self, page: _Page, socket: Socket, hearing: asyncio.Task[None]) -> int:
        """Say what is, each time that it is another; the code to close with."""
        said: words.State | None = None
        quiet = 0
        while True:
            page.woken.clear()
            while page.answers:
                await socket.send(words.to_page(page.answers.popleft()))
            found = await self._standing.again(page.coowner)
            if found is None:
                return OVER
            page.coowner = found
            state = await self._desk.state(found)
            if said is None or state != msgspec.structs.replace(said, now=state.now):
                said, quiet = state, 0
                await socket.send(words.to_page(state))
            elif quiet >= self._beat_after:
                quiet = 0
                await socket.send(words.to_page(words.Beat()))
            waking = asyncio.create_task(page.woken.wait())
            try:
                await asyncio.wait({hearing, waking}, timeout=self._look, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waking.cancel()
            quiet += not page.woken.is_set()
            if self._stopped:
                return RESTARTING
            if hearing.done() and not page.answers:
                return self._heard_last(hearing)

    @staticmethod
    def _heard_last(hearing: asyncio.Task[None]) -> int:
        error = hearing.exception()
        if isinstance(error, NoLonger):
            return OVER
        return 1008 if isinstance(error, Denied) else RESTARTING if error is not None else 1000

    async def _hear(self, page: _Page, socket: Socket) -> None:
        while True:
            frame = await socket.receive()
            if frame.kind is FrameKind.CLOSE:
                return
            asked = words.from_page(frame)
            page.answers.append(await self._done(page, asked))
            page.woken.set()

    async def _done(self, page: _Page, asked: words.Act) -> words.Answer:
        try:
            self._acts.take(page.coowner.visit.id, 1, Reason.REQUEST_LIMIT)
            await self._desk.act(page.coowner, asked)
        except NoLonger:  # the page ends by it
            raise
        except Denied as denied:
            meaning = MEANINGS[denied.reason]
            return _no(asked, meaning.public, meaning.sentence)
        except StoreUnavailable:  # fails closed: it was not done, or was taken back
            return _no(asked, "gate_fault", MEANINGS[Reason.STORE_UNAVAILABLE].sentence)
        except NotFound:
            return _no(asked, "not_found", "There is nobody like that here any more.")
        except Refused as refused:
            closed = refused.code.startswith(("link_", "share_")) or refused.code == Reason.ROOT_CHANGED.value
            return _no(asked, "closed" if closed else refused.code, refused.problem)
        except SharegateError as error:
            return _no(asked, "other", str(error))
        return words.Answer(n=asked.n)


def _no(asked: words.Act, code: str, problem: str) -> words.Answer:
    sentence = f"{problem[:1].upper()}{problem[1:].rstrip('.')}."
    return words.Answer(n=asked.n, code=code if code in words.CODES else "other", problem=sentence)
