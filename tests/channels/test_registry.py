"""What is open, its limits, and how it is cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest

from sharegate.channels.registry import MAX_CLOSE_REASON, Channels, Cut, Kind, close_frame, unless_cut
from sharegate.errors import MEANINGS, Denied, Reason
from sharegate.shares.model import VisitKind
from tests.channels.grants import grant


@contextlib.asynccontextmanager
async def opened(channels: Channels, *whats: tuple[str, str, str]) -> AsyncIterator[list[Cut]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(channels.open(grant(*what))) for what in whats]


async def test_cutting_reaches_exactly_what_was_named() -> None:
    """By share, by link, by visit; synchronously; how many is told."""
    channels = Channels()
    whats = [("s1", "l1", "v1"), ("s1", "l1", "v2"), ("s1", "l2", "v3"), ("s2", "l3", "v4")]
    async with opened(channels, *whats) as (one, two, three, four):
        assert channels.cut(visit="v1", reason=Reason.VISIT_ENDED) == 1
        assert [each.reason for each in (one, two, three, four)] == [Reason.VISIT_ENDED, None, None, None]
        assert channels.cut(link="l1", reason=Reason.LINK_REVOKED) == 1
        assert channels.cut(share="s1", reason=Reason.SHARE_REVOKED) == 1
        assert (one.reason, two.reason, three.reason) == (
            Reason.VISIT_ENDED,
            Reason.LINK_REVOKED,
            Reason.SHARE_REVOKED,
        )
        assert four.reason is None
        assert channels.cut(reason=Reason.DRAINING) == 1 and four.reason is Reason.DRAINING
        assert channels.cut(reason=Reason.DRAINING) == 0


async def test_a_cut_names_both_a_share_and_a_visit_only_where_both_fit() -> None:
    """Several names narrow."""
    channels = Channels()
    async with opened(channels, ("s1", "l1", "v1"), ("s1", "l1", "v2")) as (one, two):
        assert channels.cut(share="s1", visit="v2", reason=Reason.VISIT_ENDED) == 1
        assert one.reason is None and two.reason is Reason.VISIT_ENDED
        assert channels.cut(share="s2", visit="v1", reason=Reason.VISIT_ENDED) == 0


async def test_waiters_hear_the_first_reason() -> None:
    """Who waits on a cut gets why; later cuts change nothing."""
    cut = Cut("room")
    waiting = asyncio.create_task(cut.wait())
    await asyncio.sleep(0)
    assert cut.cut(Reason.LINK_REVOKED) and not cut.cut(Reason.LINK_EXPIRED)
    assert await waiting is Reason.LINK_REVOKED is await cut.wait()


async def test_counting_leaves_streams_out_and_cutting_does_not() -> None:
    """An HTTP answer in flight is cut like a channel, but is none."""
    channels = Channels()
    async with channels.open(grant()) as room, channels.open(grant(), kind="stream") as stream:
        assert channels.count() == channels.count(share="s1") == channels.count(visit="v1") == 1
        assert channels.cut(share="s1", reason=Reason.SHARE_PAUSED) == 2
        assert room.reason is stream.reason is Reason.SHARE_PAUSED


async def test_what_is_closed_is_forgotten() -> None:
    """Also when the body raises; nothing is left in the index."""
    channels = Channels()
    with pytest.raises(RuntimeError):
        async with channels.open(grant()):
            raise RuntimeError
    assert channels.count() == 0 and channels.grants() == [] and channels._index == {}
    assert channels.cut(share="s1", reason=Reason.SHARE_REVOKED) == 0


async def test_grants_are_one_per_visit_and_without_what_was_cut() -> None:
    """Who watches over standing asks once for each visit."""
    channels = Channels()
    async with opened(channels, ("s1", "l1", "v1"), ("s1", "l1", "v1"), ("s1", "l1", "v2")):
        assert sorted(each.visit.id for each in channels.grants()) == ["v1", "v2"]
        channels.cut(visit="v1", reason=Reason.VISIT_ENDED)
        assert [each.visit.id for each in channels.grants()] == ["v2"]


async def test_each_address_of_a_visit_is_watched_and_can_be_cut_by_itself() -> None:
    """One visit from two networks: a grant for each, and what is open from the other one goes on."""
    channels = Channels()
    home, away = grant(peer="10.0.0.1"), grant(peer="192.0.2.1")
    async with channels.open(home) as one, channels.open(home) as two, channels.open(away, kind="stream") as three:
        assert sorted(each.peer for each in channels.grants()) == ["10.0.0.1", "192.0.2.1"]
        assert channels.visits() == 1
        assert channels.cut(visit="v1", peer="192.0.2.1", reason=Reason.OUTSIDE_NETWORKS) == 1
        assert (one.reason, two.reason, three.reason) == (None, None, Reason.OUTSIDE_NETWORKS)
        assert [each.peer for each in channels.grants()] == ["10.0.0.1"]
        assert channels.cut(visit="v1", reason=Reason.VISIT_ENDED) == 2 and channels.visits() == 0


async def test_drained_waits_until_the_named_are_gone() -> None:
    """And only for these."""
    channels = Channels()
    async with channels.open(grant(visit="stays")):
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(channels.open(grant(visit="goes")))
            draining = asyncio.create_task(channels.drained(visit="goes"))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not draining.done()
        for _ in range(5):
            await asyncio.sleep(0)
        assert draining.done()
        await channels.drained(visit="unknown")
        assert channels.count() == 1
        await channels.drained(visit="stays", within=0.01)


@pytest.mark.parametrize(
    ("limit", "second"),
    [("per_visit", ("s1", "l1", "v1")), ("per_link", ("s1", "l1", "v2")), ("per_share", ("s1", "l2", "v2"))],
)
async def test_attack_too_many_channels_are_refused(limit: str, second: tuple[str, str, str]) -> None:
    """Per visit, per link, per share; others have room, and closing makes room."""
    channels = Channels(**{limit: 1})
    async with channels.open(grant()):
        with pytest.raises(Denied) as caught:
            async with channels.open(grant(*second)):
                pass
        assert caught.value.reason is Reason.CHANNEL_LIMIT
        async with channels.open(grant("s2", "l9", "v9")), channels.open(grant(), kind="stream"):
            pass
    async with channels.open(grant(*second)):
        pass


async def test_attack_too_many_rooms_are_refused() -> None:
    """Different rooms of one visit count; the same room in a second tab does not."""
    channels = Channels(rooms_per_visit=2)
    async with channels.open(grant(), room="a"), channels.open(grant(), room="b"), channels.open(grant(), room="b"):
        with pytest.raises(Denied) as caught:
            async with channels.open(grant(), room="c"):
                pass
        assert caught.value.reason is Reason.ROOM_LIMIT
        async with channels.open(grant(visit="v2"), room="c"):
            pass


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("kind", ["room", "local", "live", "stream", "program"])
def test_every_close_fits_on_the_wire(kind: Kind, reason: Reason) -> None:
    """A sendable code, a reason of at most 123 bytes, and no word that a visitor is not told."""
    frame = close_frame(kind, reason)
    assert frame.code in (1003, 1012, 4403, 4408, 4410) or (kind == "program" and frame.code == 1013)
    assert len(frame.reason.encode()) <= MAX_CLOSE_REASON
    if frame.code == 1003:
        said = json.loads(frame.reason)
        taken_back = reason in (Reason.UPDATE_REFUSED, Reason.UPDATE_TOO_LARGE, Reason.WRITING_ENDED)
        assert kind == "room" or (kind == "program" and taken_back)
        why = {"code": reason.value} if taken_back else {"errorReason": MEANINGS[reason].sentence}
        assert said == {"reason": "unknown_session", "reloadable": True, **why}
    else:
        assert frame.reason == MEANINGS[reason].public


def test_close_codes_say_what_happened() -> None:
    """Rooms stop by 1003; others hear revoked, expired or ended; a passing trouble lets the page come back."""
    assert close_frame("room", Reason.SHARE_REVOKED).code == 1003
    assert close_frame("room", Reason.ROOM_LEFT_ROOT).code == 1003
    assert close_frame("local", Reason.LINK_REVOKED).code == 4403
    assert close_frame("local", Reason.LINK_EXPIRED).code == close_frame("live", Reason.SHARE_EXPIRED).code == 4408
    assert close_frame("local", Reason.VISIT_ENDED).code == 4410
    assert close_frame("room", Reason.DRAINING).code == close_frame("local", Reason.UPSTREAM_AWAY).code == 1012


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.SHARE_REVOKED, 4403),
        (Reason.LINK_PAUSED, 4403),
        (Reason.CLIENTS_OFF, 4403),
        (Reason.LINK_REPLACED, 4403),
        (Reason.LINK_EXPIRED, 4408),
        (Reason.SHARE_EXPIRED, 4408),
        (Reason.VISIT_ENDED, 4410),
        (Reason.BYTES_LIMIT, 1013),
        (Reason.DRAINING, 1012),
    ],
)
async def test_a_programs_channels_are_closed_with_a_code_that_says_why(reason: Reason, code: int) -> None:
    """Its document too: no page is there that would need to be told in another way."""
    channels = Channels()
    browser, program = grant(), grant(visit="v2")
    program = replace(program, visit=msgspec.structs.replace(program.visit, kind=VisitKind.CLIENT))
    async with channels.open(browser, room="r") as page, channels.open(program, room="r") as cut:
        assert channels.cut(link="l1", reason=reason) == 2
        assert (cut.frame.code, cut.frame.reason) == (code, MEANINGS[reason].public)
        assert page.frame.code in (1003, 1012)


async def test_a_cut_interrupts_what_waits_within() -> None:
    """At what it waits for, and with the cut's reason; afterwards the task is as if nobody had cancelled it."""
    cut = Cut("stream")
    asyncio.get_running_loop().call_soon(cut.cut, Reason.LINK_REVOKED)
    with pytest.raises(Denied) as denied, cut.interrupting():
        await asyncio.Event().wait()
    assert denied.value.reason is Reason.LINK_REVOKED
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_what_was_cut_before_does_not_begin() -> None:
    """Nothing within the block runs."""
    cut = Cut("stream")
    cut.cut(Reason.VISIT_ENDED)
    with pytest.raises(Denied), cut.interrupting():
        pytest.fail("it began")


async def test_somebody_elses_cancellation_is_not_the_cuts() -> None:
    """A visitor who hangs up cancels, and is not told of a revocation; both at once are a cancellation, too."""

    async def waiting(cut: Cut) -> None:
        with cut.interrupting():
            await asyncio.Event().wait()

    for both in (False, True):
        cut = Cut("stream")
        task = asyncio.create_task(waiting(cut))
        await asyncio.sleep(0)
        task.cancel()
        if both:
            cut.cut(Reason.LINK_REVOKED)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_after_the_block_a_cut_interrupts_nobody() -> None:
    """What follows is not its business."""
    cut = Cut("stream")
    with cut.interrupting():
        await asyncio.sleep(0)
    cut.cut(Reason.LINK_REVOKED)
    await asyncio.sleep(0)


async def test_work_that_is_cut_ends_and_what_came_too_late_is_let_go_of() -> None:
    """Denied at once; the work has cleaned up by then. What it returned all the same is let go of, once."""
    cleaned, let_go = [], []

    async def work(*, stubborn: bool) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cleaned.append(stubborn)
            if not stubborn:
                raise
        return "late"

    async def go(late: str) -> None:
        let_go.append(late)

    for stubborn in (False, True):
        cut = Cut("stream")
        asyncio.get_running_loop().call_soon(cut.cut, Reason.LINK_REVOKED)
        with pytest.raises(Denied):
            await unless_cut(cut, work(stubborn=stubborn), go)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert cleaned == [False, True]
    assert let_go == ["late"]
