"""Frames both ways, one at a time, until somebody closes or the channel is cut."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sharegate.channels import frames
from sharegate.channels.frames import SyncStep1, Update
from sharegate.channels.interfaces import Verdict
from sharegate.channels.registry import Cut, close_frame
from sharegate.channels.relay import Summary, relay
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.messages import Frame
from tests.channels.sockets import Wire
from tests.conftest import Clock

HELLO = frames.write(SyncStep1(b"\x00"))
NEWS = frames.write(Update(b"\x00\x00"))


class Open:
    """A guard that passes everything and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[Frame] = []

    def from_visitor(self, frame: Frame) -> Verdict:
        self.seen.append(frame)
        return Verdict(onward=(frame,))

    from_upstream = from_visitor


class House:
    """A relay between two peers in memory."""

    def __init__(self, guard: Any = None, **options: Any) -> None:
        self.visitor = Wire(room=options.pop("visitor_room", None), deaf=options.pop("deaf", False))
        self.upstream = Wire(room=options.pop("upstream_room", None))
        self.guard = guard or Open()
        self.cut = Cut("room")
        self.work = asyncio.create_task(
            relay(self.visitor.socket, self.upstream.socket, self.guard, self.cut, **options)
        )

    async def __aenter__(self) -> House:
        await self.visitor.settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.work.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self.work


async def test_frames_go_both_ways_in_order_and_are_counted() -> None:
    """Frames and bytes of each direction are in the summary."""
    async with House() as house:
        sent = [Frame.binary(bytes([number])) for number in range(20)]
        await house.visitor.say(*sent[:7])
        await house.upstream.say(*sent[7:], Frame.text("{}"))
        await house.visitor.say(Frame.close(1001))
        summary = await house.work
        assert house.upstream.sent == sent[:7] and house.visitor.sent == [*sent[7:], Frame.text("{}")]
        assert summary == Summary(7, 7, 14, 15, 0, "visitor_closed", 1001)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (Frame.close(1000), (1012, "server_away")),
        (Frame.close(1006), (1012, "server_away")),
        (Frame.close(4404, "Error initializing: secret/x.ipynb."), (4404, "")),
        (Frame.close(4500, "Error"), (4500, "")),
        (Frame.close(4999, "/home/ann"), (1012, "server_away")),
        (
            Frame.close(1003, '{"reason":"version_mismatch","sessionId":"s","reloadable":true}'),
            (1003, '{"reason":"version_mismatch","reloadable":true}'),
        ),
        (
            Frame.close(1003, '{"reason":"initialization_error","reloadable":false,"errorReason":"/home/ann/x"}'),
            (1003, '{"reason":"initialization_error","reloadable":false}'),
        ),
        (Frame.close(1003, "/home/ann"), (1003, '{"reason":"unknown_session","reloadable":true}')),
        (Frame.close(1003, "[" * 100), (1003, '{"reason":"unknown_session","reloadable":true}')),
    ],
)
async def test_a_close_of_the_upstream_reaches_the_visitor_without_its_words(
    said: Frame, told: tuple[int, str]
) -> None:
    """jupyter-collaboration puts file names into close reasons: the code passes, the text does not."""
    async with House() as house:
        await house.upstream.say(said)
        summary = await house.work
        assert house.visitor.closed == [told]
        assert summary.ended == "upstream_closed" and summary.code == told[0]


async def test_a_visitor_who_closes_closes_the_upstream() -> None:
    """Both ends are closed when the relay returns."""
    async with House() as house:
        await house.visitor.say(Frame.close(1006))
        await house.work
        assert house.upstream.closed == [(1000, "")] and house.visitor.closed == [(1000, "")]


async def test_after_a_cut_nothing_is_judged_or_sent() -> None:
    """Frames that lie ready in both directions are not even looked at."""
    async with House() as house:
        await house.visitor.say(HELLO)
        assert len(house.guard.seen) == 1
        for wire in (house.visitor, house.upstream):
            wire._inbox.put_nowait(NEWS)
            wire._inbox.put_nowait(NEWS)
        house.cut.cut(Reason.SHARE_REVOKED)
        summary = await house.work
        assert len(house.guard.seen) == 1
        assert house.upstream.sent == [HELLO] and house.visitor.sent == []
        told = close_frame("room", Reason.SHARE_REVOKED)
        assert house.visitor.closed == [(told.code, told.reason)]
        assert house.upstream.closed == [(1000, "")]
        assert summary.ended == "share_revoked" and summary.code == 1003
        assert (summary.frames_in, summary.frames_out) == (1, 0)


async def test_a_channel_that_was_cut_before_it_began_carries_nothing() -> None:
    """Revoked while the upstream was still being connected."""
    visitor, upstream, guard, cut = Wire(), Wire(), Open(), Cut("room")
    cut.cut(Reason.LINK_REVOKED)
    visitor._inbox.put_nowait(HELLO)
    upstream._inbox.put_nowait(NEWS)
    summary = await relay(visitor.socket, upstream.socket, guard, cut)
    assert guard.seen == [] and visitor.sent == upstream.sent == [] and summary.ended == "link_revoked"


async def test_a_frame_that_waits_on_a_slow_visitor_is_not_sent_after_the_cut() -> None:
    """The visitor reads again a moment too late."""
    async with House(visitor_room=1) as house:
        await house.upstream.say(NEWS, NEWS, NEWS)
        assert len(house.visitor.sent) == 1 and house.visitor.waiting == 1
        house.cut.cut(Reason.LINK_REVOKED)
        await house.visitor.read(10)
        await house.work
        assert len(house.visitor.sent) == 1
        assert house.visitor.closed[0][0] == 1003


async def test_a_visitor_who_does_not_take_the_close_is_dropped() -> None:
    """The closing handshake has a second; then the connection goes, whatever waits in it."""
    async with House(deaf=True) as house:
        house.cut.cut(Reason.SHARE_REVOKED)
        await house.work
        assert house.visitor.aborted and house.upstream.closed == [(1000, "")] and not house.upstream.aborted


async def test_a_slow_visitor_holds_back_the_upstream() -> None:
    """One frame is in flight; a thousand others stay where they are."""
    async with House(visitor_room=5) as house:
        await house.upstream.say(*[NEWS] * 1000)
        assert len(house.visitor.sent) == 5 and house.visitor.waiting == 1
        assert house.upstream.unread == 1000 - 6
        await house.visitor.say(HELLO)
        assert house.upstream.sent == [HELLO], "the other direction is not held back"
        await house.visitor.read(10)
        await house.visitor.settle()
        assert len(house.visitor.sent) == 15 and house.upstream.unread == 1000 - 16


async def test_a_visitor_who_never_reads_is_given_up() -> None:
    """What waits for it would pile up in the owner's server."""
    async with House(visitor_room=0, stalled=0.01) as house:
        await house.upstream.say(NEWS)
        summary = await house.work
        assert summary.ended == "visitor_stalled" and house.upstream.closed == [(1000, "")]


async def test_an_upstream_that_never_reads_is_given_up() -> None:
    """The visitor is told that the server is slow."""
    async with House(upstream_room=0, stalled=0.01) as house:
        await house.visitor.say(HELLO)
        summary = await house.work
        assert summary.ended == "upstream_stalled" and house.visitor.closed == [(1012, "server_slow")]


async def test_the_guard_decides_what_goes_where() -> None:
    """Onward, back to the sender, dropped, or closed on; refusals are counted."""

    class Strict:
        def from_visitor(self, frame: Frame) -> Verdict:
            if frame.data == b"ask":
                return Verdict(back=(Frame.binary(b"answer"),))
            if frame.data == b"drop":
                return Verdict(refused="bad_frame")
            return Verdict(back=(Frame.binary(b"last"),), close=Frame.close(1008, "bad_frame"), refused="bad_frame")

        def from_upstream(self, frame: Frame) -> Verdict:
            return Verdict(onward=(frame, frame))

    async with House(Strict()) as house:
        await house.upstream.say(Frame.binary(b"x"))
        await house.visitor.say(Frame.binary(b"ask"), Frame.binary(b"drop"), Frame.binary(b"end"), Frame.binary(b"ask"))
        summary = await house.work
        assert [frame.data for frame in house.visitor.sent] == [b"x", b"x", b"answer", b"last"]
        assert house.upstream.sent == []
        assert house.visitor.closed == [(1008, "bad_frame")]
        assert summary.refused == 2 and summary.ended == "bad_frame" and summary.code == 1008
        assert summary.frames_in == 3, "what came after the close was not looked at"


async def test_attack_a_guard_that_breaks_lets_nothing_pass() -> None:
    """An error in our own code drops both ends."""

    class Broken(Open):
        def from_visitor(self, frame: Frame) -> Verdict:
            raise ZeroDivisionError

    async with House(Broken()) as house:
        await house.visitor.say(HELLO)
        with pytest.raises(ZeroDivisionError):
            await house.work
        assert house.visitor.aborted and house.upstream.aborted and house.upstream.sent == []


async def test_cancelling_drops_both_ends() -> None:
    """A gate that is stopped hard leaves no connection, and what was carried is told all the same: a page that is
    closed breaks its connection without a word."""
    told: list[Summary] = []
    async with House(over=told.append) as house:
        await house.visitor.say(HELLO)
        house.work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await house.work
        assert house.visitor.aborted and house.upstream.aborted
        assert told == [Summary(1, len(HELLO.data), 0, 0, 0, "connection_lost", 1006)]


def failing(reason: Reason, after: int = 0) -> tuple[Callable[[], Awaitable[None]], list[int]]:
    calls: list[int] = []

    async def recheck() -> None:
        calls.append(1)
        if len(calls) > after:
            raise Denied(reason)

    return recheck, calls


async def test_attack_a_file_that_left_the_root_ends_the_channel_without_a_frame() -> None:
    """The check runs while the channel is open, also when nothing is said."""
    recheck, calls = failing(Reason.ROOM_LEFT_ROOT, after=2)
    async with House(recheck=recheck, every=0.01) as house:
        summary = await house.work
        assert summary.ended == "room_left_root" and len(calls) == 3
        told = close_frame("room", Reason.ROOM_LEFT_ROOT)
        assert house.visitor.closed == [(told.code, told.reason)] and told.code == 1003


@pytest.mark.parametrize("direction", ["visitor", "upstream"])
async def test_attack_the_first_frame_after_a_silence_waits_for_the_check(direction: str, clock: Clock) -> None:
    """The file was moved in the silence: not one frame passes, in neither direction."""
    recheck, calls = failing(Reason.ROOM_LEFT_ROOT)
    async with House(recheck=recheck, every=1.0, now=clock) as house:
        wire = house.visitor if direction == "visitor" else house.upstream
        await wire.say(HELLO)
        assert len(house.guard.seen) == 1 and calls == []
        clock.forward(1.0)
        await wire.say(NEWS)
        summary = await house.work
        assert len(calls) == 1 and len(house.guard.seen) == 1 and summary.ended == "room_left_root"


async def test_attack_nothing_slips_by_while_the_check_runs(clock: Clock) -> None:
    """A frame of the other direction that comes during the check waits too."""
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def recheck() -> None:
        await answer

    async with House(recheck=recheck, every=1.0, now=clock) as house:
        clock.forward(1.0)
        await house.upstream.say(NEWS)
        await house.visitor.say(HELLO)
        assert house.guard.seen == []
        answer.set_result(None)
        await house.visitor.until(lambda: len(house.guard.seen) == 2)
        clock.forward(0.5)
        await house.upstream.say(NEWS)
        assert len(house.guard.seen) == 3


async def test_a_cut_during_the_check_wins() -> None:
    """The check never answers; the cut does not wait for it."""

    async def recheck() -> None:
        await asyncio.Event().wait()

    async with House(recheck=recheck, every=0.0) as house:
        await house.visitor.say(HELLO)
        house.cut.cut(Reason.SHARE_PAUSED)
        assert (await house.work).ended == "share_paused" and house.guard.seen == []


async def test_a_check_that_cannot_be_made_ends_the_channel_for_now() -> None:
    """The server is away: the page is closed with a code after which it comes back."""
    recheck, _ = failing(Reason.UPSTREAM_AWAY)
    async with House(recheck=recheck, every=0.01) as house:
        assert (await house.work).ended == "upstream_away"
        assert house.visitor.closed == [(1012, "server_away")]


async def test_what_happened_is_told_from_time_to_time() -> None:
    """Each report holds what is new since the last; nothing new is not told."""
    told: list[Summary] = []

    async def report(summary: Summary) -> None:
        told.append(summary)

    def so_far() -> Summary:
        columns = zip(*((one.frames_in, one.bytes_in, one.frames_out, one.bytes_out) for one in told), strict=True)
        return Summary(*map(sum, columns))

    async with House(summary=report, summary_every=0.005) as house:
        await house.visitor.say(Frame.binary(b"123"), Frame.binary(b"4"))
        # In one report, or in two when the moment of one fell between them.
        await house.visitor.until(lambda: so_far() == Summary(2, 4, 0, 0, 0))
        await house.upstream.say(Frame.binary(b"12345"))
        await house.visitor.until(lambda: so_far() == Summary(2, 4, 1, 5, 0))
        await asyncio.sleep(0.03)
        assert so_far() == Summary(2, 4, 1, 5, 0)
        assert told[-1] == Summary(0, 0, 1, 5, 0) and Summary() not in told


async def test_a_trail_that_cannot_be_written_ends_the_channel() -> None:
    """Fails closed."""

    async def report(summary: Summary) -> None:
        raise StoreUnavailable

    async with House(summary=report, summary_every=0.005) as house:
        await house.visitor.say(HELLO)
        assert (await house.work).ended == "store_unavailable"


async def test_what_a_visitor_had_sent_is_carried_though_the_connection_broke_while_sending() -> None:
    """A page that is closed while the gate tells it something, with changes of its own on the way."""
    said = [Frame.binary(bytes([number])) for number in range(5)]
    async with House(upstream_room=1) as house:
        await house.visitor.say(*said)
        house.visitor.vanish()
        await house.upstream.say(NEWS, NEWS)
        await house.upstream.read(4)
        assert (await house.work).ended == "visitor_closed"
        assert house.upstream.sent == said and house.visitor.sent == []


async def test_a_broken_connection_that_does_not_end_ends_the_channel() -> None:
    """Nobody is waited for without end."""
    async with House(last_words=0.01) as house:
        house.visitor._gone = True
        await house.upstream.say(NEWS)
        assert (await house.work).ended == "connection_lost" and house.upstream.closed == [(1000, "")]


async def test_a_cut_does_not_wait_for_what_a_visitor_had_sent() -> None:
    """Also of a connection that is broken."""
    async with House(upstream_room=1) as house:
        await house.visitor.say(HELLO, HELLO, HELLO)
        house.visitor._gone = True
        await house.upstream.say(NEWS)
        house.cut.cut(Reason.SHARE_REVOKED)
        assert (await house.work).ended == "share_revoked" and house.upstream.sent == [HELLO]


async def test_large_frames_are_judged_beside_the_loop_and_a_cut_does_not_wait_for_them() -> None:
    """Reading megabytes stalls no other channel; what the reading finds after the cut is thrown away."""
    go = threading.Event()

    class Slow(Open):
        def from_upstream(self, frame: Frame) -> Verdict:
            go.wait(10)
            return Verdict(onward=(frame,))

    async with House(Slow()) as house:
        await house.upstream.say(Frame.binary(bytes(1_000_000)))
        await house.visitor.say(HELLO)
        assert house.upstream.sent == [HELLO], "the loop runs on"
        house.cut.cut(Reason.SHARE_REVOKED)
        summary = await house.work
        go.set()
        await house.visitor.settle()
        assert summary.ended == "share_revoked" and house.visitor.sent == []
