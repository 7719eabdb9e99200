"""One shared document as the gate holds it: a peer of the server's, and what visitors follow and change.

There is one connection to the server, however many visitors are here. Whenever it is made the server's document is read
into an empty one first, and only a document of the same history is merged with what the gate held; any other begins a
new epoch, and the pages load themselves again. What a visitor may do is asked for each change, of that visitor's
connection alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

from pycrdt import Doc

from sharegate.channels import frames
from sharegate.channels.admission import RoomName
from sharegate.channels.epoch import Epoch
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.history import same_history
from sharegate.channels.interfaces import Confirm
from sharegate.channels.link import AWAY, Connect, Link
from sharegate.channels.member import Heard, Member
from sharegate.channels.names import Awarenesses
from sharegate.channels.news import News
from sharegate.channels.place import Place
from sharegate.channels.saves import Answer, Saves, save_answer
from sharegate.channels.scan import UpdateSummary
from sharegate.channels.steward import Steward
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame
from sharegate.paths import CanonicalPath
from sharegate.policy.documents import DocumentRules
from sharegate.shares.model import Capability, Grant

SAVE_SECONDS = 10.0
EARLY_SAVES = 16  # that may wait for what a page that was offline has
LOOKS = 16  # places that are looked at together


def stale_session() -> Frame:
    """How a page is told that it holds another history: the one close code that a document's provider obeys."""
    return Frame.close(1003, json.dumps({"reason": "unknown_session", "reloadable": True}, separators=(",", ":")))


class Room:
    """`session` names the epoch: pages hold it in the place of the server's own `sessionId`. `path` is where the file
    lay when somebody last looked. Implements link.Peer."""

    def __init__(
        self,
        upstream: str,
        name: RoomName,
        connect: Connect,
        steward: Steward,
        rules: DocumentRules,
        *,
        idle_after: float = float("inf"),
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.upstream = upstream
        self.name = name
        self.session = _new_session()
        self.path: CanonicalPath | None = None
        self._steward = steward
        self._rules = rules
        self._idle_after = idle_after
        self._now = now
        self._clock = clock
        self._epoch: Epoch | None = None
        self._names = self._new_names()
        self._members: dict[Member, None] = {}
        self._places: dict[str, Place] = {}
        self._saves = Saves(self._put_save, self._ask, lambda: self._epoch, now)
        self._noting: set[asyncio.Future[Denied]] = set()
        self._holds = 0
        self._acted = now()
        self.resting = False
        # When it was asked for, or left by the last visitor; by the clock of all rooms.
        self.used = now()
        self._link = Link(connect, self, now=now)

    def __repr__(self) -> str:
        return f"<Room {self.name}, {len(self._members)} here>"

    # -- who is here ----------------------------------------------------------------------------------------------

    @property
    def empty(self) -> bool:
        return not self._members and not self._holds

    @property
    def followed(self) -> bool:
        """Whether a visitor is inside: what the gate holds is then what the server had when it was last heard."""
        return self.known and any(member.inside for member in self._members)

    @property
    def size(self) -> int:
        """Bytes of the document, about."""
        return len(self._epoch.whole) if self._epoch is not None else 0

    @property
    def unsaved(self) -> bool:
        """Whether somebody waits for a save, or the server was not sent everything yet. One that is away is waited for
        as long as its visitors are."""
        if self._saves.open:
            return True
        return self.known and (not self._link.outbox.empty if self._link.connected else bool(self._members))

    @property
    def visits(self) -> set[str]:
        return {member.grant.visit.id for member in self._members}

    def place(self, share: str, make: Callable[[], Place]) -> Place:
        """The share's look at this room, one for all of its visitors."""
        if share not in self._places:
            self._places[share] = make()
        return self._places[share]

    async def enter(self, grant: Grant, place: Place) -> Member:
        """Come in, after the server's document is here. Raises Denied when it cannot be had."""
        member = Member(grant, place, self._take, self._leave)
        self._members[member] = None
        try:
            self.acted()
            await self._link.open()
            if grant.allows(Capability.ROOMS_WRITE):
                await self._here().prepare()
        except BaseException:
            member.abort()
            raise
        member.inside = True
        return member

    def _leave(self, member: Member) -> None:
        self._members.pop(member, None)
        self._saves.forget(member)
        self._withdraw(self._names.left(member.id))
        if not any(each.place is member.place for each in self._members):
            self._places = {share: place for share, place in self._places.items() if place is not member.place}
        if not self._members:
            self.used = self._now()
        if not self.wanted:
            self._link.finish()

    async def closed(self) -> None:
        """Wait until the server's connection is gone: after the last visitor left."""
        await self._link.closed()

    def acted(self) -> None:
        """A visitor did something: the connection is kept, or made again."""
        self._acted = self._now()
        self.resting = False

    # -- what visitors say ----------------------------------------------------------------------------------------

    async def _take(self, member: Member, heard: Heard) -> None:
        if not self.resting:
            await self._link.open()
        match heard.message:
            case SyncStep1(state_vector=vector):
                await self._synchronise(member, vector)
            case SyncStep2(update=update):
                member.caught_up = True
                await self._change(member, update, heard.summary)
                while member.early_saves:
                    await self._save(member, member.early_saves.pop(0))
            case Update(update=update) if member.caught_up:
                await self._change(member, update, heard.summary)
            case Awareness():
                await self._say_where(member, heard.message)
            case RawSave(id=number):
                await self._save(member, number)

    async def _synchronise(self, member: Member, vector: bytes) -> None:
        # What is shown now may have been moved away since the last look.
        await member.place.confirm(Confirm.NEWEST)
        epoch = self._here()
        member.push(frames.write(SyncStep2(epoch.since(vector))))
        member.shown = True
        if member.grant.allows(Capability.ROOMS_WRITE) and not epoch.read_only:
            member.push(frames.write(SyncStep1(epoch.vector)))
        states = self._names.everything(member.id, self._steward.identity(member.grant))
        if states:
            member.push(frames.write(Awareness(states)))

    async def _change(self, member: Member, update: bytes, summary: UpdateSummary | None) -> None:
        assert summary is not None, "the channel's guard scans updates"
        epoch = self._here()
        # A viewer's page, too, says what it has.
        if epoch.read_only or not member.grant.allows(Capability.ROOMS_WRITE):
            return
        await epoch.prepare()
        if epoch.repeats(summary):
            return
        self.acted()
        self._steward.ration(member.grant, epoch.cost(summary))
        await self._link.outbox.room()
        await self._link.open()
        # Asked after all that may take long: the role may have been taken back meanwhile.
        if not await self._may_write(member):
            return
        if not member.wrote:
            await self._steward.first_write(self, member)
            member.wrote = True
            if not await self._may_write(member):
                return
        # Nothing waits from here on: the change is judged, applied and passed on in one piece.
        if not member.here or self._epoch is not epoch:
            return
        try:
            judged = epoch.take(
                member.grant.visit.id, update, summary, lambda cost: self._steward.charge(member.grant, cost)
            )
        except Denied as denied:
            if denied.reason is Reason.BYTES_LIMIT:
                raise  # as before it was judged: too much, and nothing wrong with it
            raise await self._refused(member, denied) from None
        self._link.outbox.put(frames.write(Update(judged.update)))
        self._tell(Update(judged.update), but=member)
        if judged.correction:
            member.push(frames.write(Update(judged.correction)))
        await self._steward.changed(self, member, update, judged)

    async def _refused(self, member: Member, denied: Denied) -> Denied:
        """Recorded and counted also when the visitor hangs up in the same moment."""
        noting = asyncio.ensure_future(self._steward.refused(self, member, denied))
        self._noting.add(noting)
        noting.add_done_callback(self._noted)
        return await asyncio.shield(noting)

    def _noted(self, noting: asyncio.Future[Denied]) -> None:
        self._noting.discard(noting)
        if not noting.cancelled():
            noting.exception()  # marked as seen, for the case that who waited went away

    async def _may_write(self, member: Member) -> bool:
        """Asked for each change: a role may be taken back at any moment."""
        return (await self._steward.allowed(member.grant)).allows(Capability.ROOMS_WRITE)

    async def _say_where(self, member: Member, said: Awareness) -> None:
        identity = self._steward.identity(member.grant)
        await self._link.outbox.room()
        may_write = await self._may_write(member)
        if not member.here:
            return  # withdrawn with the connection, and nobody would withdraw what is said after that
        if may_write:
            told = self._names.from_visitor(member.id, identity, said)
            # Before anybody learns the id, which may be only later when a page says too much at once.
            client = self._names.client_of(member.id)
            if client is not None and self._epoch is not None:
                self._epoch.claim(member.grant.visit.id, client)
        else:
            told = self._names.from_viewer(member.id, identity, said)
        self._withdraw(told)

    async def _save(self, member: Member, number: int) -> None:
        if self._here().read_only or not await self._may_write(member):
            member.push(save_answer(number, "skipped"))
            return
        if not member.caught_up and len(member.early_saves) < EARLY_SAVES:
            # What the page has may not be here yet: it must not be told that it is saved.
            member.early_saves.append(number)
            return
        await self._link.outbox.room()
        await self._link.open()
        if not (self._link.connected and member.here and member.caught_up):
            member.push(save_answer(number, "failed"))
            return
        self._saves.ask(member, number)

    def _here(self) -> Epoch:
        if self._epoch is None:
            raise Denied(Reason.UPSTREAM_AWAY, "the document is not here")
        return self._epoch

    # -- the gate itself ------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[Epoch]:
        """The document, connected and ready to be changed by the gate, also while nobody is here."""
        self._holds += 1
        try:
            await self._link.open()
            epoch = self._here()
            await epoch.prepare()
            yield epoch
        finally:
            self._holds -= 1
            if not self.wanted:
                self._link.finish()

    @property
    def epoch(self) -> Epoch:
        """Denied(`upstream_away`) while the document is not here."""
        return self._here()

    def is_of(self, epoch: Epoch) -> bool:
        """Whether this is the room's history still."""
        return self._epoch is epoch

    def write(self, change: Callable[[Doc[Any]], object], *, client: int | None = None) -> bytes:
        """The gate changes the document, for everybody at once; returns the update. Denied(`update_refused`). `client`
        is the CRDT client id under which the change was made elsewhere."""
        update = self._here().write(change, client=client)
        self._steward.followed(self, update)
        self._link.outbox.put(frames.write(Update(update)))
        self._tell(Update(update))
        return update

    async def save(self) -> bool:
        """Have the server write the file, and wait until it said so. Called while the document is held."""
        with contextlib.suppress(TimeoutError):  # the caller is told that the file may lag behind
            async with asyncio.timeout(SAVE_SECONDS):
                await self._link.open()
                if self._link.connected:
                    heard = Answer()
                    self._saves.ask(heard, 0)
                    try:
                        return await heard.frame == save_answer(0, "success")
                    finally:
                        self._saves.forget(heard)
        return False

    # -- the server's side (link.Peer) ----------------------------------------------------------------------------

    @property
    def wanted(self) -> bool:
        return self._holds > 0 or (bool(self._members) and not self.resting)

    @property
    def known(self) -> bool:
        return self._epoch is not None

    async def adopt(self, fresh: Doc[Any], reach: Mapping[int, int]) -> None:
        epoch = self._epoch
        if epoch is not None:
            update = fresh.get_update()
            if await asyncio.to_thread(same_history, self.name, epoch.whole, update, epoch.saved):
                # The file may have been moved while nobody was connected.
                await self._confirm(Confirm.NEWEST)
                before, whole = epoch.vector, epoch.whole
                with self._unless_damaged(epoch):
                    epoch.rejoin(update)
                # Not the vectors: a deletion alone moves no clock.
                if epoch.whole != whole:
                    self._steward.followed(self, epoch.since(before))
                    self._tell(Update(epoch.since(before)))
                return
            self._new_epoch()
        self._epoch = Epoch(self.name, fresh, self._rules, reach)

    @contextlib.contextmanager
    def _unless_damaged(self, epoch: Epoch) -> Iterator[None]:
        """What was refused is read anew with a new connection; a document that it harmed is not gone on with."""
        try:
            yield
        except Denied:
            if epoch.damaged:
                self._new_epoch()
            raise

    def opening(self, theirs: bytes) -> Iterable[Frame]:
        yield frames.write(SyncStep2(self._here().since(theirs)))
        states = self._names.of_members()
        if states:
            yield frames.write(Awareness(states))

    async def news(self, news: News) -> Frame | None:
        # What visitors have already (their own changes, as the server passes them on) shows them nothing.
        known = news.summary is not None and self._here().repeats(news.summary)
        if not known:
            await self._confirm(news.confirm)
        match news.message:
            case SyncStep1(state_vector=vector):
                self._link.outbox.put(frames.write(SyncStep2(self._here().since(vector))))
            case SyncStep2(update=update) | Update(update=update):
                assert news.summary is not None, "news are scanned"
                self._follow(update, news.summary, known=known)
                if isinstance(news.message, SyncStep2):
                    self._saves.looked()
            case Awareness():
                told = self._names.from_upstream(news.message)
                self._here().heard_of(state.client for state in told.members)
                self._tell_where(told.members)
                self._send_where(told.upstream)
            case RawJson(value={"type": "save", "responseTo": int(number), "status": str(status)}):
                self._saves.answered(number, status)
            case RawJson(value={"type": "conflict"}):
                # It could not merge what it was sent: the two histories are not one.
                self._new_epoch()
                return AWAY
        return None

    def _follow(self, update: bytes, summary: UpdateSummary, *, known: bool) -> None:
        epoch = self._here()
        with self._unless_damaged(epoch):
            epoch.follow(update, summary)
        if not known:
            self._steward.followed(self, update)
            self._tell(Update(update))

    def tick(self) -> None:
        told = self._names.settle()
        self._tell_where(told.members)
        self._send_where(told.upstream)
        self._saves.settle()
        if self._now() - self._acted >= self._idle_after:
            self.resting = True
            self._link.finish()

    def lost(self) -> None:
        self._tell_where(self._names.upstream_gone())
        self._saves.fail()

    def over(self, why: Frame | Denied) -> None:
        for member in list(self._members):
            member.end(why)

    async def _confirm(self, what: Confirm) -> None:
        """Before visitors hear of it; who may not, is out. That holds for who comes while others' places are looked
        at."""
        if what is Confirm.NOTHING:
            return
        few = asyncio.Semaphore(LOOKS)
        looked: set[Place] = set()
        while places := {member.place: None for member in self._members if member.place not in looked}:
            looked.update(places)
            async with asyncio.TaskGroup() as looking:
                for place in places:
                    looking.create_task(self._look(place, what, few))

    async def _look(self, place: Place, what: Confirm, few: asyncio.Semaphore) -> None:
        try:
            async with few:
                await place.confirm(what)
        except Denied as denied:
            for member in [each for each in self._members if each.place is place]:
                member.end(denied)

    def _new_epoch(self) -> None:
        self.session = _new_session()
        self._epoch = None
        self._names = self._new_names()
        for member in list(self._members):
            member.end(stale_session())

    def _new_names(self) -> Awarenesses:
        return Awarenesses(
            self.upstream,
            self._clock,
            taken=lambda visit, client: self._epoch is not None and self._epoch.others(visit, client),
            heard=lambda username, name: self._steward.heard(self.upstream, username, name),
        )

    # -- telling --------------------------------------------------------------------------------------------------

    def _tell(self, message: Update, but: Member | None = None) -> None:
        frame = frames.write(message)
        for member in list(self._members):
            if member.shown and member is not but:
                member.push(frame)

    def _tell_where(self, states: tuple[AwarenessState, ...]) -> None:
        if not states:
            return
        frame = frames.write(Awareness(states))
        for member in list(self._members):
            mine = self._names.but(member.id, states)
            if mine is states:
                member.push(frame)
            elif mine:
                member.push(frames.write(Awareness(mine)))

    def _send_where(self, states: tuple[AwarenessState, ...]) -> None:
        if states and self._link.connected:
            self._link.outbox.put(frames.write(Awareness(states)))

    def _put_save(self, number: int) -> None:
        self._link.outbox.put(frames.write(RawSave(number)))

    def _ask(self) -> None:
        """Ask the server for what its document holds by then."""
        self._link.outbox.put(frames.write(SyncStep1(self._here().vector)))

    def _withdraw(self, states: tuple[AwarenessState, ...]) -> None:
        self._tell_where(states)
        self._send_where(states)


def _new_session() -> str:
    return secrets.token_hex(16)
