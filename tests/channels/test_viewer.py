"""The read-only guard: what a viewer's page sends and hears."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Map, Text, create_sync_message, create_update_message

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.interfaces import Verdict
from sharegate.channels.member import Heard
from sharegate.channels.viewer import VIEWER_PACE, Pace, ViewerGuard
from sharegate.limits import Rate
from sharegate.messages import Frame
from tests.channels.documents import deep_any, kinds_of_attack, notebook, real_update, update_frame
from tests.conftest import Clock

NOTHING = Verdict()


def test_the_opening_of_an_honest_page_is_not_refused() -> None:
    """Step 1 passes; its awareness, its empty step 2 and its mark in the state are dropped without a word."""
    guard = ViewerGuard()
    server, page = notebook(), Doc()
    step1 = Frame.binary(create_sync_message(page))
    (onward,) = guard.from_visitor(step1).onward
    assert onward == Heard(step1.kind, step1.data, message=SyncStep1(page.get_state()))
    mine = Awareness((AwarenessState(page.client_id, 1, {"user": {"name": "Bo"}, "autosave": True}),))
    heard = guard.from_visitor(frames.write(mine))
    assert heard.onward == () and not heard.refused and heard.close is None
    assert guard.from_visitor(frames.write(SyncStep2(b"\x00\x00"))) == NOTHING
    page.apply_update(server.get_update())
    before = page.get_state()
    page.get("state", type=Map)["document_id"] = "json:notebook:0"
    assert guard.from_visitor(Frame.binary(create_update_message(page.get_update(before)))) == NOTHING


def test_awareness_is_answered_with_an_empty_one() -> None:
    """y-websocket connects anew when it hears nothing for 30 s; nothing of the page goes on."""
    verdict = ViewerGuard().from_visitor(frames.write(Awareness((AwarenessState(1, 1, {"autosave": False}),))))
    assert verdict == Verdict(back=(Frame.binary(b"\x01\x01\x00"),))


def test_a_save_is_answered_skipped() -> None:
    """With the number it was asked with, in the server's own form."""
    verdict = ViewerGuard().from_visitor(frames.write(RawSave(12)))
    assert verdict.onward == () and verdict.close is None and not verdict.refused
    assert [frames.read(each) for each in verdict.back] == [
        RawJson({"type": "save", "responseTo": 12, "status": "skipped"})
    ]


def test_a_long_document_offered_to_a_server_that_lost_it_is_dropped() -> None:
    """More than 64 kB in a well-formed step 2 is honest; the same size in anything that would pass is not."""
    doc: Doc = Doc()
    doc["t"] = Text("x" * 300_000)
    guard = ViewerGuard()
    assert guard.from_visitor(update_frame(doc.get_update(), step=1)) == NOTHING
    assert guard.from_visitor(frames.write(SyncStep1(b"\x00" * 70_000))).refused == "bad_frame"
    assert guard.from_visitor(update_frame(deep_any(100_000))).refused == "bad_frame"
    assert guard.from_visitor(update_frame(b"\xff" * 100_000)).refused == "bad_frame"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x00\x00", b"\x00\x01", b"\x00\x02", b"\x01", b"\x02"]))
def test_attack_nothing_but_a_state_vector_ever_goes_on(data: bytes, head: bytes) -> None:
    """Whatever a viewer sends, only a canonical step 1 reaches the upstream."""
    verdict = ViewerGuard().from_visitor(Frame.binary(head + data))
    for frame in verdict.onward:
        assert isinstance(frames.read(frame), SyncStep1)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_attack_real_updates_never_go_on(seed: int) -> None:
    """Well-formed updates and step 2 are dropped, not refused, and not passed on."""
    update = real_update(random.Random(seed))
    guard = ViewerGuard()
    assert guard.from_visitor(update_frame(update, 1)) == NOTHING
    assert guard.from_visitor(update_frame(update, 2)) == NOTHING


def test_attack_a_thousand_hostile_frames_of_each_kind_close_the_channel() -> None:
    """None goes on, none is answered, each closes with 1008. (A quadratic reader would not finish within the hour.)"""
    guard = ViewerGuard(pace=Pace(Rate(1e9, 1, 1e9), Rate(1e12, 1, 1e12)))
    refused = Verdict(close=Frame.close(1008, "bad_frame"), refused="bad_frame")
    for name, hostile in kinds_of_attack(random.Random(2), 1000):
        for frame in hostile:
            assert guard.from_visitor(frame) == refused, (name, frame.data[:40])


def test_attack_a_page_that_asks_too_often_is_closed(clock: Clock) -> None:
    """More frames than the pace allows close the channel; after a pause there is room again."""
    guard = ViewerGuard(now=clock)
    save = frames.write(RawSave(1))
    burst = int(VIEWER_PACE.frames.burst)
    assert all(guard.from_visitor(save).back for _ in range(burst))
    assert guard.from_visitor(save) == Verdict(close=Frame.close(1008, "request_limit"), refused="request_limit")
    clock.forward(1)
    assert all(guard.from_visitor(save).back for _ in range(int(VIEWER_PACE.frames.per)))
    assert guard.from_visitor(save).refused == "request_limit"


def test_attack_a_page_that_sends_too_much_is_closed(clock: Clock) -> None:
    """Bytes have a pace of their own, also for what is dropped."""
    guard = ViewerGuard(now=clock)
    doc: Doc = Doc()
    doc["t"] = Text("x" * 900_000)
    frame = update_frame(doc.get_update())
    verdicts = [guard.from_visitor(frame) for _ in range(6)]
    assert verdicts[0] == NOTHING and verdicts[-1].close == Frame.close(1008, "bytes_limit")


def test_attack_raw_messages_from_a_visitor_close() -> None:
    """A page asks for saves and nothing else."""
    assert ViewerGuard().from_visitor(frames.write(RawJson({"type": "conflict"}))).refused == "bad_frame"


def test_two_viewers_share_nothing(clock: Clock) -> None:
    """What one guard used up or learnt says nothing of another."""
    one, other = ViewerGuard(now=clock), ViewerGuard(now=clock)
    while not one.from_visitor(frames.write(Update(b"\x00\x00"))).refused:
        pass
    assert other.from_visitor(frames.write(SyncStep1(b"\x00"))).onward
