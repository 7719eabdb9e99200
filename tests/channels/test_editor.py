"""What an editor's page says: read and scanned, and handed to the room."""

from __future__ import annotations

import random
from importlib import resources

import pytest
from pycrdt import Doc, create_sync_message, create_update_message

from sharegate.channels import frames
from sharegate.channels.editor import EDITOR_PACE, EditorGuard
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.interfaces import Verdict
from sharegate.channels.lib0 import sized, uint
from sharegate.channels.member import Heard
from sharegate.channels.registry import close_frame
from sharegate.channels.scan import FROM_EDITOR
from sharegate.channels.viewer import Pace
from sharegate.errors import Reason
from sharegate.limits import Rate
from sharegate.messages import Frame
from tests.channels.documents import kinds_of_attack, notebook, update_frame
from tests.conftest import Clock


def heard(frame: Frame) -> Heard:
    """The one thing that goes on to the room."""
    (onward,) = EditorGuard().from_visitor(frame).onward
    assert isinstance(onward, Heard)
    return onward


def test_the_opening_of_an_honest_page_goes_on() -> None:
    """Step 1, awareness, an empty step 2, a change, a save: each as it was read, updates with their scan."""
    page = notebook(1)
    assert heard(Frame.binary(create_sync_message(page))).message == SyncStep1(page.get_state())
    assert heard(frames.write(SyncStep2(b"\x00\x00"))).message == SyncStep2(b"\x00\x00")
    before = page.get_state()
    page["cells"][0]["source"].insert(0, "typed")
    update = page.get_update(before)
    change = heard(Frame.binary(create_update_message(update)))
    assert change.message == Update(update)
    assert change.summary is not None and change.summary.structs == 1 and change.summary.sections
    assert heard(frames.write(RawSave(7))).message == RawSave(7)


def test_an_update_without_anything_is_dropped() -> None:
    """Unlike an empty step 2, which says that the page has caught up."""
    assert EditorGuard().from_visitor(frames.write(Update(b"\x00\x00"))) == Verdict()


def test_awareness_goes_on_and_is_answered_with_an_empty_one() -> None:
    """The room rebuilds it; a y-websocket that hears nothing for 30 s connects anew."""
    said = Awareness((AwarenessState(5, 1, {"user": {"name": "Ann"}}),))
    verdict = EditorGuard().from_visitor(frames.write(said))
    assert [frame.message for frame in verdict.onward if isinstance(frame, Heard)] == [said]
    assert verdict.back == (frames.write(Awareness(())),)


def test_attack_hostile_frames_close_the_channel() -> None:
    """None goes on, none is answered."""
    guard = EditorGuard(pace=Pace(Rate(1e9, 1, 1e9), Rate(1e12, 1, 1e12)))
    refused = Verdict(close=Frame.close(1008, "bad_frame"), refused="bad_frame")
    for name, hostile in kinds_of_attack(random.Random(2), 100):
        for frame in hostile:
            assert guard.from_visitor(frame) == refused, (name, frame.data[:40])


def test_attack_speaking_as_the_server_closes() -> None:
    """A page asks for saves and says nothing else outside the document."""
    assert EditorGuard().from_visitor(frames.write(RawJson({"type": "conflict"}))).refused == "bad_frame"


def test_attack_more_than_an_update_may_have_closes() -> None:
    """By size, before anything is read, or by the number of its parts. An honest page may have sent it: it is told to
    load itself again, since it would send the same with every new connection."""
    many = b"\x01" + uint(FROM_EDITOR.structs + 1) + b"\x05\x00" + b"\x00\x01" * (FROM_EDITOR.structs + 1) + b"\x00"
    for update in (bytes(FROM_EDITOR.bytes + 1), many):
        verdict = EditorGuard().from_visitor(update_frame(update))
        assert verdict.refused == "update_too_large" and verdict.onward == ()
        assert verdict.close == close_frame("room", Reason.UPDATE_TOO_LARGE)


def outputs(value: bytes) -> Frame:
    """An update with one plain value, as an output has it."""
    return update_frame(b"\x01\x01\x05\x00\x08\x01\x01r\x01" + value + b"\x00")


@pytest.mark.parametrize(
    ("member", "most"),
    [(b"\x7e", 1_000_000 - 6), (b"\x75\x00", 200_000 - 1), (b"\x7b" + bytes(8), 900_000)],
    ids=["null", "empty list", "number"],
)
def test_attack_more_values_than_an_update_may_have_closes(member: bytes, most: int) -> None:
    """However few bytes they take: a list of a million nulls is as long in judgement as a plot of a million numbers,
    which an honest page may send."""

    def listed(count: int) -> Frame:
        return outputs(b"\x75" + uint(count) + member * count)

    assert EditorGuard().from_visitor(listed(most)).onward
    for count in (most * 2, most * 4):
        if len(member) * count < FROM_EDITOR.bytes:
            assert EditorGuard().from_visitor(listed(count)).refused == "update_too_large"


def test_attack_very_many_keys_close() -> None:
    """They are sorted."""

    def keyed(count: int) -> Frame:
        members = b"".join(sized(f"k{number}".encode()) + b"\x7e" for number in range(count))
        return outputs(b"\x76" + uint(count) + members)

    assert EditorGuard().from_visitor(keyed(90_000)).onward
    assert EditorGuard().from_visitor(keyed(110_000)).refused == "update_too_large"


def test_attack_many_values_again_and_again(clock: Clock) -> None:
    """They count among the bytes as what they cost: after some the channel is closed, though few bytes were sent."""
    guard = EditorGuard(now=clock)
    frame = outputs(b"\x75" + uint(150_000) + b"\x75\x00" * 150_000)
    verdicts = [guard.from_visitor(frame) for _ in range(7)]
    assert all(verdict.onward for verdict in verdicts[:5]) and verdicts[-1].refused == "bytes_limit"


def test_pages_know_the_size() -> None:
    """An honest page does not send what would break its connection."""
    script = resources.files("sharegate.lab").joinpath("assets/sockets.js").read_text()
    assert f"const LARGEST = {FROM_EDITOR.bytes // 1024**2} * 1024 * 1024;" in script


def test_attack_what_is_no_update_is_never_only_too_large() -> None:
    """Only what is headed as an update is."""
    verdict = EditorGuard().from_visitor(Frame.binary(b"\x01" + bytes(FROM_EDITOR.bytes + 1)))
    assert verdict.refused == "bad_frame"


def test_attack_keys_without_end_close_the_channel(clock: Clock) -> None:
    """More frames than the fastest typist sends, and more whole documents than reconnecting needs."""
    guard = EditorGuard(now=clock)
    change = Frame.binary(create_update_message(notebook(1).get_update()))
    verdicts = [guard.from_visitor(change) for _ in range(int(EDITOR_PACE.frames.burst) + 1)]
    assert verdicts[-2].onward and verdicts[-1].refused == "request_limit"
    guard = EditorGuard(now=clock)
    steps = [guard.from_visitor(Frame.binary(create_sync_message(Doc()))) for _ in range(20)]
    assert steps[0].onward and steps[-1].refused == "request_limit"


def test_what_the_room_says_goes_on_unchanged() -> None:
    """It was judged there."""
    frame = frames.write(RawSave(1))
    assert EditorGuard().from_upstream(frame) == Verdict(onward=(frame,))
