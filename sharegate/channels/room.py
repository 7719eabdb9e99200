"""One shared document as the gate holds it: a peer of the server's, and what visitors follow.

There is one connection to the server, however many visitors watch. It is there while somebody is here. Whenever it is
made the server's document is read into an empty one first, and only a document of the same history is merged with what
the gate held; any other begins a new epoch, and the pages load themselves again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from pycrdt import Doc

from sharegate.channels import frames
from sharegate.channels.admission import RoomName
from sharegate.channels.epoch import held, new_session, same_history
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, SyncStep1, SyncStep2, Update
from sharegate.channels.interfaces import Confirm
from sharegate.channels.member import Heard, Member
from sharegate.channels.news import hear
from sharegate.channels.outbox import Outbox
from sharegate.channels.place import Place
from sharegate.channels.viewer import ViewerGuard
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame, FrameKind, Socket
from sharegate.shares.model import Grant

log = logging.getLogger("sharegate.room")

SYNC_SECONDS = 30.0
RETRY_SECONDS = 3.0
RETRY_PAUSE = 0.2

# The server's own last words on a document, which trying again does not change.
_FINAL = frozenset({4400, 4404, 4500})
_EMPTY = b"\x00"

Connect = Callable[[], Awaitable[Socket]]


def stale_session() -> Frame:
    """How a page is told that it holds another history: the one close code that a document's provider obeys."""
    return Frame.close(1003, json.dumps({"reason": "unknown_session", "reloadable": True}, separators=(",", ":")))


class Room:
    """`connect` opens the server's end (Denied when it cannot). `session` names the epoch; pages hold it."""

    def __init__(
        self, upstream: str, name: RoomName, connect: Connect, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.session = new_session()
        self._connect = connect
        self._now = now
        self._doc: Doc[Any] = Doc()
        self._whole: bytes | None = None
        self._known = False
        self._saved: dict[int, int] = {}
        self._states: dict[int, AwarenessState] = {}
        self._viewer = ViewerGuard(upstream)
        self._members: dict[Member, None] = {}
        self._places: dict[str, Place] = {}
        self._outbox = Outbox()
        self._connected = False
        # Done while connected; pending while somebody waits for that; None when nobody asked yet.
        self._opened: asyncio.Future[None] | None = None
        self._link: asyncio.Task[None] | None = None
        self._links: set[asyncio.Task[None]] = set()  # with those that are ending

    def __repr__(self) -> str:
        return f"<Room {self.name}, {len(self._members)} here>"

    # -- who is here ----------------------------------------------------------------------------------------------

    @property
    def empty(self) -> bool:
        return not self._members

    @property
    def size(self) -> int:
        """Bytes of the document, about."""
        return len(self._everything())

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
            await self._open()
        except BaseException:
            member.abort()
            raise
        return member

    def _leave(self, member: Member) -> None:
        self._members.pop(member, None)
        if not any(each.place is member.place for each in self._members):
            self._places = {share: place for share, place in self._places.items() if place is not member.place}
        if self._members:
            return
        self._opened = None
        if self._connected:
            self._outbox.finish()
        elif self._link is not None:
            # Nobody waits for it any more.
            self._link.cancel()
            self._link = None

    async def closed(self) -> None:
        """Wait until the server's connection is gone: after the last visitor left."""
        if self._links:
            await asyncio.wait(self._links)

    # -- what visitors say ----------------------------------------------------------------------------------------

    async def _take(self, member: Member, heard: Heard) -> None:
        await self._open()
        match heard.message:
            case SyncStep1(state_vector=vector):
                # What is shown now may have been moved away since the last look.
                await member.place.confirm(Confirm.NEWEST)
                member.push(frames.write(SyncStep2(self._since(vector))))
                if self._states:
                    member.push(frames.write(Awareness(tuple(self._states.values()))))

    # -- the server's connection ----------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Return when the document is here and connected; Denied when it cannot be."""
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._opened.add_done_callback(lambda done: done.cancelled() or done.exception())
            if self._link is None or self._link.done():
                self._link = asyncio.create_task(self._hold())
                self._links.add(self._link)
                self._link.add_done_callback(self._links.discard)
        await asyncio.shield(self._opened)

    async def _hold(self) -> None:
        """Hold the connection while somebody is here; a short absence of the server is waited out."""
        lost = self._now()
        why: Frame | Denied = Frame.close(1012, "server_away")
        try:
            while self._members:
                try:
                    why = await self._hold_once()
                except Denied as denied:
                    why = denied
                if self._connected:
                    self._connected = False
                    lost = self._now()
                    if self._opened is not None and self._opened.done():
                        self._opened = None
                if isinstance(why, Frame) and why.code in _FINAL:
                    break
                if self._now() - lost >= RETRY_SECONDS or not self._known:
                    break
                await asyncio.sleep(RETRY_PAUSE)
        except Exception:  # fails closed: whoever is here is sent away, and comes back to a new connection
            log.exception("holding room %s", self.name)
            why = Frame.close(1011)
        finally:
            if self._link is asyncio.current_task():
                self._end(why)

    async def _hold_once(self) -> Frame | Denied:
        """One connection, from the first word to the last. Returns why it ended."""
        socket = await self._connect()
        writing: asyncio.Task[None] | None = None
        try:
            end = await self._greet(socket)
            if end is not None:
                return end
            self._outbox.begin()
            if not self._members:
                self._outbox.finish()
            writing = asyncio.create_task(self._outbox.carry(socket))
            self._arrived()
            return await self._listen(socket)
        except ConnectionError:
            return Frame.close(1012, "server_away")
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
            socket.abort()

    def _arrived(self) -> None:
        self._connected = True
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
        if not self._opened.done():
            self._opened.set_result(None)

    def _end(self, why: Frame | Denied) -> None:
        """No connection any more: send everybody away, and tell those who wait for it."""
        opened, self._opened = self._opened, None
        if opened is not None and not opened.done():
            denied = why if isinstance(why, Denied) else Denied(Reason.UPSTREAM_AWAY, f"closed with {why.code}")
            opened.set_exception(denied)
        for member in list(self._members):
            member.end(why)

    async def _greet(self, socket: Socket) -> Frame | None:
        """Read the server's document into an empty one, then decide what it is. A CLOSE frame when it does not come."""
        await socket.send(frames.write(SyncStep1(_EMPTY)))
        fresh: Doc[Any] = Doc()
        theirs = _EMPTY
        try:
            async with asyncio.timeout(SYNC_SECONDS):
                while True:
                    frame = await socket.receive()
                    if frame.kind is FrameKind.CLOSE:
                        return frame
                    news = await hear(frame)
                    match news.message:
                        case SyncStep1(state_vector=vector):
                            theirs = vector
                        case SyncStep2(update=update) | Update(update=update):
                            _apply(fresh, update)
                            if isinstance(news.message, SyncStep2):
                                break
                        case Awareness(states=states):
                            self._awareness(states)
        except TimeoutError:
            raise Denied(Reason.UPSTREAM_TIMEOUT, "the document did not come") from None
        await self._adopt(fresh)
        await socket.send(frames.write(SyncStep2(self._doc.get_update(theirs))))
        return None

    async def _adopt(self, fresh: Doc[Any]) -> None:
        update = fresh.get_update()
        if self._known and await asyncio.to_thread(
            same_history, self.name, self._doc.get_update(), update, dict(self._saved)
        ):
            before = self._doc.get_state()
            self._apply(update)
            if self._doc.get_state() != before:
                self._tell(Update(self._doc.get_update(before)))
            return
        if self._known:
            self._new_epoch()
        self._doc = fresh
        self._whole = None
        self._known = True
        self._saved = held(fresh)

    def _new_epoch(self) -> None:
        self.session = new_session()
        self._known = False
        self._states = {}
        for member in list(self._members):
            member.end(stale_session())

    async def _listen(self, socket: Socket) -> Frame:
        while True:
            frame = await socket.receive()
            if frame.kind is FrameKind.CLOSE:
                return frame
            news = await hear(frame)
            await self._confirm(news.confirm)
            match news.message:
                case SyncStep1(state_vector=vector):
                    self._outbox.put(frames.write(SyncStep2(self._since(vector))))
                case SyncStep2(update=update) | Update(update=update):
                    self._apply(update)
                    self._tell(Update(update))
                case Awareness(states=states):
                    self._awareness(states)
                case RawJson(value={"type": "conflict"}):
                    # It could not merge what it was sent: the two histories are not one.
                    self._new_epoch()
                    return Frame.close(1012, "server_away")

    async def _confirm(self, what: Confirm) -> None:
        """Before visitors hear of it; who may not, is out."""
        if what is Confirm.NOTHING:
            return
        places = {member.place: None for member in self._members}
        for place in places:
            try:
                await place.confirm(what)
            except Denied as denied:
                for member in [each for each in self._members if each.place is place]:
                    member.end(denied)

    # -- the document ---------------------------------------------------------------------------------------------

    def _apply(self, update: bytes) -> None:
        self._whole = None
        _apply(self._doc, update)

    def _everything(self) -> bytes:
        if self._whole is None:
            self._whole = self._doc.get_update()
        return self._whole

    def _since(self, vector: bytes) -> bytes:
        return self._everything() if vector == _EMPTY else self._doc.get_update(vector)

    def _tell(self, message: Update | Awareness, but: Member | None = None) -> None:
        frame = frames.write(message)
        for member in list(self._members):
            if member is not but:
                member.push(frame)

    def _awareness(self, states: Iterable[AwarenessState]) -> None:
        shown = self._viewer.shown(tuple(states))
        self._states.update({each.client: each for each in shown})
        self._tell(Awareness(shown))


def _apply(doc: Doc[Any], update: bytes) -> None:
    """Denied(`upstream_bad_answer`) when the library cannot: the server's document is unreadable."""
    try:
        doc.apply_update(update)
    except BaseException as error:  # a panic of the library is no Exception; fails closed
        if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
            raise
        raise Denied(Reason.UPSTREAM_BAD_ANSWER, "an update that cannot be applied") from None
