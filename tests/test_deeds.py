"""What was sent is done to its end; what was not sent is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sharegate.channels.registry import Cut
from sharegate.deeds import Beginning, Deed, Deeds
from sharegate.errors import Denied, Reason
from sharegate.sending import Flight


class Work:
    """Waits for `turn`, begins, waits for `answered`."""

    def __init__(self) -> None:
        self.deed = Deed(Cut("stream"))
        self.turn, self.answered = asyncio.Event(), asyncio.Event()
        self.done: list[str] = []

    async def run(self) -> str:
        await self.turn.wait()
        self.deed.begin()
        await self.answered.wait()
        self.done.append("done")
        return "answer"

    async def let_go(self, answer: str) -> None:
        self.done.append(f"let go of the {answer}")

    def left(self) -> None:
        self.done.append("left")

    def start(self, deeds: Deeds) -> asyncio.Task[str]:
        async def asking() -> str:
            with Flight(self.left) as held:
                return await deeds.do(self.deed, self.run(), held, self.let_go)

        return asyncio.create_task(asking())


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("how", ["hangs up", "is put out"])
@pytest.mark.parametrize("sent", [True, False])
async def test_what_was_sent_goes_on_without_who_asked(how: str, sent: bool) -> None:
    """What it holds is held until then; what was not sent never is."""
    deeds, work = Deeds(), Work()
    asking = work.start(deeds)
    await turns()
    if sent:
        work.turn.set()
        await turns()
    if how == "hangs up":
        asking.cancel()
    else:
        work.deed.cut.cut(Reason.VISIT_ENDED)
    with pytest.raises((asyncio.CancelledError, Denied)):
        await asking
    await turns()
    assert work.done == ([] if sent else ["left"])
    work.turn.set()
    work.answered.set()
    await turns()
    assert work.done == (["done", "let go of the answer", "left"] if sent else ["left"])
    assert work.deed.sent is sent


async def test_who_waits_gets_the_answer() -> None:
    """And nothing is let go of but what was held."""
    deeds, work = Deeds(), Work()
    work.turn.set()
    work.answered.set()
    assert await work.start(deeds) == "answer"
    assert work.done == ["done", "left"]


async def test_the_end_of_the_gate_ends_what_runs() -> None:
    """No server keeps a gate from stopping."""
    deeds, work = Deeds(), Work()
    work.turn.set()
    asking = work.start(deeds)
    await turns()
    asking.cancel()
    await turns()
    await deeds.finish()
    assert work.done == ["left"]


async def test_nothing_begins_for_a_visit_that_ended() -> None:
    """However late that is seen."""
    deed = Deed(Cut("stream"))
    deed.cut.cut(Reason.SHARE_REVOKED)
    with pytest.raises(Denied) as caught:
        deed.begin()
    assert (caught.value.reason, deed.sent) == (Reason.SHARE_REVOKED, False)


class Pieces:
    def __init__(self, *pieces: bytes, broken: bool = False) -> None:
        self._pieces = pieces
        self._broken = broken

    async def read(self, limit: int) -> bytes:
        return b"".join([piece async for piece in self.stream()])

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._broken:
            raise Denied(Reason.BAD_BODY, "broken off")


@pytest.mark.parametrize("pieces", [(), (b"a",), (b"a", b"b", b"c")])
async def test_a_body_that_is_passed_through_begins_with_its_last_piece(pieces: tuple[bytes, ...]) -> None:
    """Until then the server has only a part, which it drops when it is broken off."""
    deed = Deed(Cut("stream"))
    seen = [(piece, deed.sent) async for piece in Beginning(Pieces(*pieces), deed.begin).stream()]
    assert seen == [(piece, number == len(pieces)) for number, piece in enumerate(pieces, 1)]
    assert deed.sent


async def test_a_body_that_breaks_off_never_begins() -> None:
    """Half a body is none."""
    deed = Deed(Cut("stream"))
    with pytest.raises(Denied):
        async for _ in Beginning(Pieces(b"a", b"b", broken=True), deed.begin).stream():
            pass
    assert not deed.sent
