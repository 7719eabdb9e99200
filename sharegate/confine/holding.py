"""How much of what visitors send and are sent the gate holds at once. A body of JSON is read whole before it is judged,
and takes several times its size while it is; an answer that is written anew is held until the visitor has taken it.
What is large waits in turn, and whoever is late is told to come again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sharegate.errors import Denied, Reason
from sharegate.messages import Body, Headers

MIB = 1 << 20
# Bytes. A body up to this waits for nobody's: how many there are is bounded by the requests at once.
SMALL = 64 * 1024
# Bytes that are announced, over all bodies, and over those of one link: the largest that a rule takes, and some beside.
COMING = 192 * MIB
COMING_OF_ONE = 96 * MIB
# About the bytes of the values that are made of them, until they are answered. What is heavy has a room of its own, so
# that a server that is long about it keeps nobody's ordinary save waiting; the heaviest goes alone.
LIGHT = 16 * MIB
LIGHT_VALUES = 64 * MIB
LIGHT_OF_ONE = 32 * MIB
HEAVY_VALUES = 256 * MIB
# Twice the bytes of answers that are read whole and written anew, until they are taken. The settings that a page loads
# are light ones, and a class opens its pages at once.
LIGHT_ANSWER = 4 * MIB
ANSWERS = 512 * MIB
ANSWERS_OF_ONE = 256 * MIB
# How long one waits for its turn, and how long for a body that it may come in: so many seconds and no slower.
TURN_SECONDS = 30.0
PATIENCE_SECONDS = 30.0
SLOWEST = 16 * 1024
# Bytes of Python's objects: a dict, a list, a value beside others.
_DICT, _LIST, _ITEM = 240, 90, 64
# How UTF-8 begins a character that makes its whole text four bytes wide.
_WIDE = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4", b"\\ud", b"\\uD")


def weight(data: bytes) -> int:
    """About the bytes of what JSON becomes, and rather too many: marks within texts count as well."""
    plain = data.isascii() and b"\\u" not in data
    width = 1 if plain else 4 if any(mark in data for mark in _WIDE) else 2
    return len(data) * width + data.count(b"{") * _DICT + data.count(b"[") * _LIST + data.count(b",") * _ITEM


def announced(headers: Headers) -> int | None:
    """How long a body is; None when its end is known only once it has come (RFC 9112 section 6.3)."""
    if "Transfer-Encoding" in headers:
        return None
    length = headers.get("Content-Length", "0")
    return int(length) if length.isascii() and length.isdigit() else None


@dataclass(slots=True, eq=False)
class _Waiting:
    who: str
    size: int
    turn: asyncio.Future[None]


class Room:
    """Room for `most` bytes, of which one may have `each`. Who finds none waits in turn, `seconds` at most."""

    def __init__(self, most: int, each: int, seconds: float) -> None:
        self._most = most
        self._each = min(each, most)
        self._seconds = seconds
        self._taken = 0
        self._of: dict[str, int] = {}
        self._waiting: list[_Waiting] = []

    async def take(self, who: str, size: int) -> Callable[[], None]:
        """Returns how to give it back, once. What is larger than all there is takes all. Raises
        Denied(`request_limit`)."""
        asked = _Waiting(who, min(size, self._each), asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._admit()
        try:
            async with asyncio.timeout(self._seconds):
                await asked.turn
        except BaseException as error:
            if asked in self._waiting:
                self._waiting.remove(asked)
                self._admit()  # those behind may fit
            else:
                self._give_back(asked)
            if isinstance(error, TimeoutError):
                raise Denied(Reason.REQUEST_LIMIT, "too much is held already") from None
            raise
        return lambda: self._give_back(asked)

    def _admit(self) -> None:
        """From the first to the last: one that waits for its own keeps nobody waiting, one that waits for others keeps
        those behind it."""
        for asked in list(self._waiting):
            if asked.turn.done():  # has gone away in this very moment
                continue
            of = self._of.get(asked.who, 0)
            if of + asked.size > self._each:
                continue
            if self._taken + asked.size > self._most:
                return
            self._waiting.remove(asked)
            self._taken += asked.size
            self._of[asked.who] = of + asked.size
            asked.turn.set_result(None)

    def _give_back(self, asked: _Waiting) -> None:
        self._taken -= asked.size
        left = self._of[asked.who] - asked.size
        if left:
            self._of[asked.who] = left
        else:
            del self._of[asked.who]
        self._admit()


class Holding:
    """One per gate. `seconds`: how long one waits for a turn."""

    def __init__(self, seconds: float = TURN_SECONDS) -> None:
        self.coming = Room(COMING, COMING_OF_ONE, seconds)
        self.light = Room(LIGHT_VALUES, LIGHT_OF_ONE, seconds)
        self.heavy = Room(HEAVY_VALUES, HEAVY_VALUES, seconds)
        self.light_answers = Room(ANSWERS, ANSWERS_OF_ONE, seconds)
        self.heavy_answers = Room(ANSWERS, ANSWERS_OF_ONE, seconds)

    def of(self, link: str) -> Held:
        return Held(self, link)


class Held:
    """What one request holds of it, until it is closed."""

    def __init__(self, holding: Holding, link: str) -> None:
        self._holding = holding
        self._link = link
        self._leave: list[Callable[[], None]] = []

    async def whole(self, body: Body, limit: int, announced: int | None) -> bytes:
        """A whole body of at most `limit` bytes. Raises what `body.read` does, and Denied(`request_limit`)."""
        size = limit if announced is None else announced
        if size > limit:
            raise Denied(Reason.BODY_TOO_LARGE, f"{size} bytes announced")
        if size <= SMALL:
            return await body.read(size)
        self._leave.append(await self._holding.coming.take(self._link, size))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS + size / SLOWEST):
                return await body.read(size)
        except TimeoutError:  # fails closed: half a body is no body
            raise Denied(Reason.BAD_BODY, "it came too slowly") from None

    async def parse(self, weight: int) -> None:
        """Before values of about so many bytes are made of it."""
        if weight > SMALL:
            room = self._holding.light if weight <= LIGHT else self._holding.heavy
            self._leave.append(await room.take(self._link, weight))

    async def answer(self, headers: Headers, limit: int) -> None:
        """Before a server's answer of at most `limit` bytes is read whole. Raises Denied(`request_limit`)."""
        length = headers.get("Content-Length")
        size = int(length) if length.isascii() and length.isdigit() else limit
        if size > SMALL:
            weight = 2 * min(size, limit)
            rooms = self._holding
            room = rooms.light_answers if weight <= LIGHT_ANSWER else rooms.heavy_answers
            self._leave.append(await room.take(self._link, weight))

    def close(self) -> None:
        leave, self._leave = self._leave, []
        for each in reversed(leave):
            each()
