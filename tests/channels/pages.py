"""Visitors' pages that connect anew and load themselves again, and the steward who may say no to them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from sharegate.channels import frames
from sharegate.channels.editor import EditorGuard
from sharegate.channels.frames import RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.guard import Judged
from sharegate.channels.member import Heard, Member
from sharegate.channels.place import Place
from sharegate.channels.room import Room
from sharegate.errors import Denied, Reason
from sharegate.messages import FrameKind
from sharegate.shares.model import Capability, Grant, Role
from tests.channels import editing, stewards
from tests.channels.grants import grant
from tests.channels.looks import Ids, Looks
from tests.channels.unsteady import read

if TYPE_CHECKING:
    from tests.channels.world import World

WORD = re.compile(r"<\d+>")  # what somebody wrote: never split, found wherever it went


class Steward(stewards.Steward):
    """Whoever changes something must be allowed to in that very moment."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[str] = set()

    async def allowed(self, one: Grant) -> Grant:
        await asyncio.sleep(0)
        if one.visit.id in self.gone:
            raise Denied(Reason.VISIT_ENDED)
        return self.roles.get(one.visit.id, one)

    async def changed(self, room: Room, member: Member, update: bytes, judged: Judged) -> None:
        visit = member.grant.visit.id
        assert member.here and visit not in self.gone
        assert self.roles.get(visit, member.grant).allows(Capability.ROOMS_WRITE)


class Page:
    """A visitor's page, which loads itself again when it is told to, and connects anew when it lost the connection."""

    def __init__(self, world: World, visit: str, role: Role) -> None:
        self.world, self.visit, self.role = world, visit, role
        self.over = False
        self.slow = False
        self.refused = False
        self.member: Member | None = None
        self.asked: dict[int, set[str]] = {}
        self._numbers = 0
        self._saying = asyncio.Lock()
        self._joining = False
        self._reading: asyncio.Task[None] | None = None
        self.load()

    def load(self) -> None:
        self.session = self.world.room.session
        self.doc = editing.open_page(b"\0\0", self.world.chance.randrange(1, 2**32), self.world.kind)
        self.refused = False

    async def join(self) -> None:
        if self.over or self.member is not None or self._joining:
            return
        self._joining = True
        try:
            await self._join()
        finally:
            self._joining = False

    async def _join(self) -> None:
        room = self.world.room
        if self.session != room.session or self.refused:
            self.load()
        role = self.world.steward.roles.get(self.visit, grant(visit=self.visit, role=self.role)).role
        place = room.place("s1", lambda: Place(Looks(), Ids()))
        try:
            member = await room.enter(grant(visit=self.visit, role=role), place)
        except Denied:
            return
        now = self.world.steward.roles.get(self.visit, grant(visit=self.visit, role=self.role)).role
        if self.over or self.refused or self.session != room.session or now is not role:
            member.abort()
            return
        self.member = member
        self.guard = EditorGuard()
        self.asked.clear()
        self._reading = asyncio.create_task(self._read(member))
        self._reading.add_done_callback(self._read_all)
        await self.say(SyncStep1(self.doc.get_state()), member)

    async def _read(self, member: Member) -> None:
        try:
            while True:
                while self.slow:
                    await asyncio.sleep(0.001)
                frame = await member.receive()
                if frame.kind is FrameKind.CLOSE:
                    break
                match frames.read(frame, limit=frames.UPSTREAM_FRAME):
                    case SyncStep1(state_vector=vector):
                        await self.say(SyncStep2(self.doc.get_update(vector)), member)
                    case SyncStep2(update=update) | Update(update=update):
                        self.doc.apply_update(update)
                    case RawJson(value={"type": "save", "responseTo": int(number), "status": status}):
                        words = self.asked.pop(number)
                        if status == "success":
                            self.world.reported(words)
        except Denied:
            pass
        if self.member is member:
            self.member = None

    def _read_all(self, reading: asyncio.Task[None]) -> None:
        if not reading.cancelled() and reading.exception() is not None:
            self.world.faults.append(reading.exception())

    async def say(self, message: Any, over: Member | None) -> None:
        """As a channel does: in order, through the guard; a refusal ends it. What is said over a connection that is
        gone is not said over the next."""
        async with self._saying:
            member = self.member
            if member is None or member is not over or self.refused:
                return
            try:
                for frame in self.guard.from_visitor(frames.write(message)).onward:
                    assert isinstance(frame, Heard)
                    if member.grant.allows(Capability.ROOMS_WRITE) or isinstance(message, SyncStep1 | RawSave):
                        await member.send(frame)
            except Denied as denied:
                self.refused |= denied.reason is Reason.UPDATE_REFUSED
                member.end(denied)
            except ConnectionError:
                pass

    def change(self, what: Any) -> asyncio.Task[None]:
        said: list[bytes] = []
        watch = self.doc.observe(lambda event: said.append(event.update))
        with self.doc.transaction():
            what(self.doc)
        self.doc.unobserve(watch)
        return self.world.run(self._send(said, self.member))

    async def _send(self, updates: list[bytes], member: Member | None) -> None:
        for update in updates:
            await self.say(Update(update), member)

    def save(self) -> asyncio.Task[None]:
        self._numbers += 1
        self.asked[self._numbers] = self.words
        return self.world.run(self.say(RawSave(self._numbers), self.member))

    @property
    def words(self) -> set[str]:
        return set(WORD.findall(str(read(self.doc, self.world.name))))

    def leave(self) -> None:
        if self.member is not None:
            self.member.abort()
            self.member = None
        if self._reading is not None and not self._reading.done():
            self._reading.cancel()
