"""Channels that the gate answers alone."""

from __future__ import annotations

import random

from pycrdt import Doc, create_sync_message

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState, RawSave, SyncStep1, SyncStep2
from sharegate.channels.interfaces import Verdict
from sharegate.channels.private import GlobalAwareness, Silent, serve_locally
from sharegate.channels.registry import Cut
from sharegate.channels.viewer import Pace
from sharegate.errors import Reason
from sharegate.limits import Rate
from sharegate.messages import Frame
from tests.channels.documents import kinds_of_attack, real_update, update_frame
from tests.channels.sockets import Wire


def test_the_global_room_is_empty() -> None:
    """Step 1 gets an empty step 2 and our own empty step 1; what the page has is not kept."""
    guard = GlobalAwareness()
    verdict = guard.from_visitor(Frame.binary(create_sync_message(Doc())))
    assert verdict.onward == () and verdict.close is None
    assert [frames.read(each) for each in verdict.back] == [SyncStep2(b"\x00\x00"), SyncStep1(b"\x00")]
    assert guard.from_visitor(update_frame(real_update(random.Random(5)))) == Verdict()


def test_awareness_is_not_echoed() -> None:
    """Where a visitor is goes nowhere; an empty answer keeps the connection from being made anew."""
    told = Awareness((AwarenessState(1, 1, {"current": "notebook:a.ipynb", "documents": ["a.ipynb"]}),))
    assert GlobalAwareness().from_visitor(frames.write(told)) == Verdict(back=(frames.write(Awareness(())),))


def test_attack_hostile_frames_close_the_global_room() -> None:
    """The same strictness as in a real room; a save has no meaning here."""
    guard = GlobalAwareness(pace=Pace(Rate(1e9, 1, 1e9), Rate(1e12, 1, 1e12)))
    refused = Verdict(close=Frame.close(1008, "bad_frame"), refused="bad_frame")
    for name, hostile in kinds_of_attack(random.Random(4), 100):
        for frame in hostile:
            assert guard.from_visitor(frame) == refused, name
    assert guard.from_visitor(frames.write(RawSave(1))) == refused


def test_attack_the_global_room_has_a_pace() -> None:
    """A flood closes it."""
    guard = GlobalAwareness(now=lambda: 0.0)
    verdicts = [guard.from_visitor(frames.write(SyncStep1(b"\x00"))) for _ in range(600)]
    assert verdicts[0].back and verdicts[-1].refused == "request_limit"


def test_attack_nobody_speaks_on_the_event_stream() -> None:
    """Any frame closes it."""
    for frame in (Frame.text('{"schema_id":"x"}'), Frame.binary(b"\x00\x00\x01\x00"), Frame.text("")):
        assert Silent().from_visitor(frame) == Verdict(close=Frame.close(1008, "bad_frame"), refused="bad_frame")


async def test_the_event_stream_is_accepted_and_says_nothing_until_it_is_cut() -> None:
    """Served without an upstream; the cut closes it with the code for programs."""
    wire, cut = Wire(), Cut("local")
    serving = wire.start(serve_locally(wire.socket, Silent(), cut))
    await wire.settle()
    assert wire.sent == [] and not serving.done()
    cut.cut(Reason.SHARE_REVOKED)
    summary = await serving
    assert wire.closed == [(4403, "share_revoked")] and summary.ended == "share_revoked"


async def test_the_global_room_answers_over_a_socket() -> None:
    """A page's opening is answered by the gate alone."""
    wire, cut = Wire(), Cut("local")
    serving = wire.start(serve_locally(wire.socket, GlobalAwareness(), cut))
    await wire.say(frames.write(SyncStep1(b"\x00")))
    await wire.until(lambda: len(wire.sent) == 2)
    await wire.say(Frame.close(1001))
    summary = await serving
    assert summary.ended == "visitor_closed" and summary.code == 1001 and summary.frames_in == 1
