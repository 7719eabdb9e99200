"""How much of what visitors send is held at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from sharegate.confine import holding
from sharegate.confine.holding import SMALL, Holding, Room, announced, weight
from sharegate.errors import Denied, Reason
from sharegate.messages import Headers
from tests.confine.rules import Bytes

LARGE = SMALL + 1


class Endless:
    """A body of which nothing comes."""

    async def read(self, limit: int) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def stream(self) -> AsyncIterator[bytes]:
        yield await self.read(1)


async def waiting(room: Room, who: str, size: int) -> asyncio.Task[Callable[[], None]]:
    """Somebody who has asked."""
    task = asyncio.create_task(room.take(who, size))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_who_finds_no_room_waits_in_turn() -> None:
    """The first who asked is the first who gets it, and nobody small passes a large one that waits for others."""
    room = Room(10, 10, 60)
    first = await room.take("a", 8)
    large, small = await waiting(room, "b", 5), await waiting(room, "c", 1)
    assert not large.done() and not small.done()
    first()
    await small
    assert large.done()


async def test_who_waits_for_their_own_keeps_nobody_else_waiting() -> None:
    """One link with all that one may have leaves the others their room."""
    room = Room(10, 6, 60)
    first = await room.take("a", 6)
    again, other = await waiting(room, "a", 1), await waiting(room, "b", 4)
    assert other.done() and not again.done()
    first()
    await again


async def test_what_is_larger_than_all_there_is_goes_alone() -> None:
    """It takes all of it, and is not refused for ever."""
    room = Room(10, 10, 60)
    back = await room.take("a", 1000)
    other = await waiting(room, "b", 1)
    assert not other.done()
    back()
    (await other)()


async def test_whoever_waits_too_long_is_told_to_come_again() -> None:
    """429, and what waited behind goes on."""
    room = Room(10, 10, 0)
    back = await room.take("a", 10)
    with pytest.raises(Denied) as refused:
        await room.take("b", 1)
    assert refused.value.reason is Reason.REQUEST_LIMIT
    back()
    await room.take("b", 10)


async def test_whoever_goes_away_leaves_the_room_to_the_others() -> None:
    """While waiting, and in the very moment in which the turn came."""
    room = Room(10, 10, 60)
    back = await room.take("a", 6)
    gone, behind = await waiting(room, "b", 10), await waiting(room, "c", 4)
    gone.cancel()
    (await behind)()
    late = await waiting(room, "d", 10)
    back()
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    last = await waiting(room, "e", 10)
    nobody, after = await waiting(room, "f", 10), await waiting(room, "g", 10)
    nobody.cancel()
    (await last)()
    (await after)()
    await room.take("h", 10)


async def test_a_large_body_is_held_until_it_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is small never waits; what is large waits for the large ones of its link, and for those of all."""
    monkeypatch.setattr(holding, "COMING", 2 * LARGE)
    monkeypatch.setattr(holding, "COMING_OF_ONE", LARGE)
    house = Holding(seconds=0)
    held, other, third = house.of("l"), house.of("m"), house.of("n")
    body = Bytes(b"x" * LARGE)
    assert await held.whole(body, LARGE, LARGE) == body.data
    assert await other.whole(body, LARGE, None) == body.data
    for who in (held, third):
        assert await who.whole(Bytes(b"x" * SMALL), LARGE, SMALL)
        with pytest.raises(Denied) as refused:
            await who.whole(body, LARGE, LARGE)
        assert refused.value.reason is Reason.REQUEST_LIMIT
    held.close()
    await third.whole(body, LARGE, LARGE)


async def test_what_is_heavy_to_parse_goes_apart() -> None:
    """One heavy body at a time, and it keeps no light one waiting."""
    house = Holding(seconds=0)
    held, other = house.of("l"), house.of("m")
    await held.parse(holding.HEAVY_VALUES)
    await other.parse(holding.LIGHT)
    with pytest.raises(Denied) as refused:
        await other.parse(holding.LIGHT + 1)
    assert refused.value.reason is Reason.REQUEST_LIMIT
    held.close()
    await other.parse(holding.HEAVY_VALUES)


async def test_attack_a_body_that_never_comes_holds_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, however slowly its bytes drip."""
    monkeypatch.setattr(holding, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(holding, "SLOWEST", 1 << 40)
    held = Holding().of("l")
    with pytest.raises(Denied) as refused:
        await held.whole(Endless(), LARGE, LARGE)
    assert refused.value.reason is Reason.BAD_BODY


async def test_a_body_is_no_longer_than_announced() -> None:
    """What was announced is what is counted."""
    held = Holding().of("l")
    with pytest.raises(Denied) as refused:
        await held.whole(Bytes(b"12345"), LARGE, 4)
    assert refused.value.reason is Reason.BODY_TOO_LARGE
    with pytest.raises(Denied) as refused:
        await held.whole(Endless(), SMALL, LARGE)
    assert refused.value.reason is Reason.BODY_TOO_LARGE


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ((), 0),
        ((("Content-Length", "12"),), 12),
        ((("Transfer-Encoding", "chunked"),), None),
        ((("Content-Length", "x"),), None),
    ],
)
def test_the_head_says_how_long_a_body_is(fields: tuple[tuple[str, str], ...], length: int | None) -> None:
    """Or that nobody knows yet."""
    assert announced(Headers(fields)) == length


def test_attack_a_body_weighs_what_python_makes_of_it() -> None:
    """One wide character makes a whole text four times as wide; brackets and commas are objects."""
    plain = b'{"a":"' + b"x" * 1000 + b'"}'
    assert weight(plain) < 2 * len(plain)
    for wide in ("😀", "\\ud83d\\ude00", "\U000f0000"):
        assert weight(plain.replace(b"x", wide.encode(), 1)) > 4 * len(plain)
    assert weight("ü".encode() + plain) > 2 * len(plain) and weight(b"\\u4e00" + plain) > 2 * len(plain)
    assert weight(b"[" + b"{}," * 1000 + b"{}]") > 200 * 1000


@pytest.mark.parametrize(
    ("headers", "finds"),
    [
        (Headers((("Content-Length", "1000"),)), True),
        (Headers((("Content-Length", str(SMALL + 1)),)), False),
        (Headers(()), False),
        (Headers((("Content-Length", "1e3"),)), False),
    ],
    ids=["small", "large", "of unknown length", "of no length"],
)
async def test_an_answer_whose_end_nobody_knows_takes_what_it_may_have(headers: Headers, finds: bool) -> None:
    """What is small waits for nobody."""
    rooms = Holding(seconds=0)
    full = holding.ANSWERS_OF_ONE
    for room in (rooms.light_answers, rooms.heavy_answers):
        await room.take("ann", full)
    asked = rooms.of("ann").answer(headers, 1 << 20)
    if finds:
        return await asked
    with pytest.raises(Denied) as refused:
        await asked
    assert refused.value.reason is Reason.REQUEST_LIMIT
    return None
