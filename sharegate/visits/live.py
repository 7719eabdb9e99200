"""`-/live`: the one WebSocket of a visitor's page. Says what happens to the visit, hears which document is in front,
and carries raised hands."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, NotFound, Reason, StoreUnavailable
from sharegate.lab import live
from sharegate.language.catalogue import ENGLISH, Language
from sharegate.limits import Buckets, Rate
from sharegate.messages import FrameKind, Socket
from sharegate.paths import CanonicalPath, Place
from sharegate.shares.authenticate import Authenticator
from sharegate.shares.model import Grant, Role
from sharegate.visits.hands import Hand, Hands
from sharegate.visits.presence import Presence

# What a page may say: one word per change of document, and some haste.
WORDS = Rate(per=5, seconds=1, burst=60)
# Words that wait for a page that does not read. More than a page can have waiting asks; the oldest are lost.
_WAITING_WORDS = 64


class Ending(Protocol):
    """How a live page learns that its visit is over (the registry's cut)."""

    @property
    def reason(self) -> Reason | None: ...

    async def wait(self) -> Reason: ...


@dataclass(eq=False, slots=True)
class _Page:
    """One open page: words that wait to be sent, and the event that has them sent."""

    grant: Grant
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    words: deque[live.ToPage] = field(default_factory=lambda: deque(maxlen=_WAITING_WORDS))

    def say(self, word: live.ToPage) -> None:
        self.words.append(word)
        self.woken.set()


# What a page takes for granted of asking for more time.
_USUAL_TIME = "may"


async def _no_time(_: Grant) -> str:
    return _USUAL_TIME


class LivePages:
    """All pages that are open now. `acted` is told whenever a person did something in one of them; `coowner` says
    whether a visit lets others in, `time` how asking for more time stands. `pace` is the clock of the limits, where
    that is another than the time of day."""

    def __init__(
        self,
        authenticator: Authenticator,
        presence: Presence,
        server_state: Callable[[str], live.ServerState],
        now: Callable[[], float],
        *,
        hands: Hands,
        trail: Recorder,
        acted: Callable[[Grant], None] = lambda _: None,
        coowner: Callable[[Grant], bool] = lambda _: False,
        time: Callable[[Grant], Awaitable[str]] = _no_time,
        beat: float = live.BEAT_SECONDS,
        pace: Callable[[], float] | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._presence = presence
        self._server_state = server_state
        self._now = now
        self._hands = hands
        self._trail = trail
        self._acted = acted
        self._coowner = coowner
        self._time = time
        self._beat = beat
        self._pace = pace or now
        self._pages: list[_Page] = []
        hands.subscribe(self._hand_moved)

    def wake(self, *, share: str = "", upstream: str = "") -> None:
        """Have the pages of a share or server look anew: the end moved, the role changed, the server went or came."""
        for page in self._pages:
            if share in ("", page.grant.share.id) and upstream in ("", page.grant.share.upstream):
                page.woken.set()

    def beat(self) -> None:
        """Say something to every page now: a connection that died while the computer slept shows that it did."""
        for page in self._pages:
            page.say(live.Beat())

    def writing_ended(self, visit: str) -> None:
        """Tell a visit's pages that it may only read from now on."""
        for page in self._pages:
            if page.grant.visit.id == visit:
                page.say(live.WritingEnded())

    def _hand_moved(self, hand: Hand) -> None:
        for page in self._pages:
            if page.grant.visit.id == hand.visit:
                page.say(_asked(hand))

    async def serve(self, grant: Grant, socket: Socket, ending: Ending, language: Language = ENGLISH) -> None:
        """Until the page goes or the visit ends. `language` is that of the last word."""
        page = _Page(grant)
        self._pages.append(page)
        page.words.extend(_asked(hand) for hand in self._hands.of_visit(grant.visit.id))
        self._presence.page_opened(grant.visit.id)
        hearing = asyncio.create_task(self._hear(page, socket))
        over = asyncio.create_task(ending.wait())
        try:
            await self._tell(page, socket, hearing, over)
        except (ConnectionError, Denied, StoreUnavailable):
            # The page is gone, said something unreadable, or asked for what cannot be recorded: the channel ends.
            pass
        finally:
            for task in (hearing, over):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError, Denied, StoreUnavailable):
                    await task
            self._pages.remove(page)
            self._presence.page_closed(grant.visit.id)
            if ending.reason is not None:
                if not live.passes(ending.reason):
                    self._hands.forget(grant.visit.id)
                await self._end(socket, ending.reason, language)
            else:
                await socket.close(1000)

    async def _tell(
        self,
        page: _Page,
        socket: Socket,
        hearing: asyncio.Task[None],
        over: asyncio.Task[Reason],
    ) -> None:
        grant = page.grant
        state = self._server_state(grant.share.upstream)
        role, expires, extensions = grant.role, grant.expires, grant.share.own_extensions
        coowner = self._coowner(grant)
        hello = live.Hello(role=role.value, expires=expires, now=self._now(), server=state, coowner=coowner)
        await socket.send(live.to_page(hello))
        time = await self._time(grant)
        if time != _USUAL_TIME:
            await socket.send(live.to_page(live.Time(time)))
        while True:
            while page.words:
                await socket.send(live.to_page(page.words.popleft()))
            waking = asyncio.create_task(page.woken.wait())
            try:
                done, _ = await asyncio.wait(
                    {hearing, over, waking}, timeout=self._beat, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                waking.cancel()
            if hearing in done or over in done:
                return
            if not done:
                await socket.send(live.to_page(live.Beat()))
            page.woken.clear()
            try:
                grant = page.grant = await self._authenticator.again(grant)
            except Denied:
                continue  # the cut that follows from the same change ends this channel
            now_state = self._server_state(grant.share.upstream)
            if now_state != state:
                state = now_state
                await socket.send(live.to_page(live.Server(state)))
            if grant.expires != expires:
                expires = grant.expires
                await socket.send(live.to_page(live.Expiring(expires=expires, now=self._now())))
            if self._coowner(grant) is not coowner:
                coowner = not coowner
                await socket.send(live.to_page(live.CoownerChanged(coowner)))
            if (now_time := await self._time(grant)) != time:
                time = now_time
                await socket.send(live.to_page(live.Time(time)))
            again = extensions and not grant.share.own_extensions
            extensions = grant.share.own_extensions
            if grant.role is not role or again:
                role = grant.role
                await socket.send(live.to_page(live.RoleChanged(role.value, again)))

    async def _hear(self, page: _Page, socket: Socket) -> None:
        pace = Buckets(WORDS, self._pace, remembered=1)
        while True:
            frame = await socket.receive()
            if frame.kind is FrameKind.CLOSE:
                return
            pace.take("", 1, Reason.REQUEST_LIMIT)
            await self._heard(page, live.from_page(frame))

    async def _heard(self, page: _Page, word: live.FromPage) -> None:
        grant = page.grant
        match word:
            case live.Here(path=path):
                self._presence.touch(grant.visit.id, self._place(grant, path))
            case live.Active():
                self._presence.touch(grant.visit.id)
                self._acted(grant)
            case live.Ask():
                await self._ask(page, word)
            case live.Withdraw(path=path, cell=cell):
                self._hands.withdraw(grant.visit.id, path, cell)

    async def _ask(self, page: _Page, word: live.Ask) -> None:
        """Raise a hand for who may edit and not run. A page whose role has just changed is not answered: it loads
        itself again in this moment."""
        grant, path = page.grant, self._place(page.grant, word.path)
        if grant.role is not Role.EDIT or not path:
            return
        try:
            hand = self._hands.ask(grant, path, word.cell, word.source)
        except Denied:  # too many: said in the page, and no reason to end the channel
            page.say(live.Asked(path=word.path, cell=word.cell, state="full"))
            return
        except NotFound:  # the visit does not have it open there, or it lies elsewhere by now
            page.say(live.Asked(path=word.path, cell=word.cell, state="closed"))
            return
        try:
            await self._trail.record(
                AuditEvent(
                    action=Action.RUN_ASKED,
                    actor="visitor",
                    share=grant.share.id,
                    link=grant.link.id,
                    visit=grant.visit.id,
                    path=path,
                    detail=f"cell {hand.cell}, source {hand.digest[:16]}",
                    name=grant.visit.name,
                )
            )
        except BaseException:  # fails closed: what is not recorded is not asked
            self._hands.withdraw(grant.visit.id, path, word.cell)
            raise

    @staticmethod
    def _place(grant: Grant, path: str) -> str:
        """Where the page says it is, if that is a place it can be."""
        try:
            read = CanonicalPath.from_body(path)
        except Denied:
            return ""
        return str(read) if read.place(grant.root) is Place.INSIDE and not read.hidden else ""

    @staticmethod
    async def _end(socket: Socket, reason: Reason, language: Language) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(1):
                await socket.send(live.to_page(live.ended(reason, language)))
        await socket.close(live.close_code(reason), reason.value)


def _asked(hand: Hand) -> live.Asked:
    return live.Asked(path=hand.path, cell=hand.cell, state=hand.state.value)
