"""The read-only guard: what a viewer's page sends and hears."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Map, Text, create_sync_message, create_update_message, handle_sync_message

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.interfaces import Confirm, Verdict
from sharegate.channels.shown import MAX_STATES
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
    assert guard.from_visitor(step1) == Verdict(onward=(step1,))
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


def test_attack_hostile_frames_from_the_upstream_close_with_1011() -> None:
    """What another collaborator had the server repeat does not reach this visitor."""
    guard = ViewerGuard()
    for name, hostile in kinds_of_attack(random.Random(3), 20):
        for frame in hostile:
            verdict = guard.from_upstream(frame)
            assert verdict.onward == () and verdict.refused == "upstream_bad_answer", (name, frame.data[:40])
            assert verdict.close == Frame.close(1011, "upstream_bad_answer")


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


def test_what_the_server_sends_goes_on_unchanged() -> None:
    """Step 1, step 2 and updates are the server's own bytes."""
    guard = ViewerGuard()
    server = notebook(30)
    step2 = handle_sync_message(create_sync_message(Doc())[1:], server)
    assert step2 is not None
    for data in (create_sync_message(server), step2, create_update_message(server.get_update())):
        frame = Frame.binary(data)
        verdict = guard.from_upstream(frame)
        assert verdict.onward == (frame,) and not verdict.back and not verdict.refused and verdict.close is None


def test_news_of_a_document_wait_until_its_place_is_confirmed() -> None:
    """A document's path is one of its values: what writes a value waits for the newest path, what is typed for less."""
    guard = ViewerGuard()
    doc = notebook(1)
    before = doc.get_state()
    doc["cells"][0]["source"] += "typed"
    typed = doc.get_update(before)
    before = doc.get_state()
    doc["state"]["path"] = "elsewhere/nb.ipynb"
    moved = doc.get_update(before)
    assert [guard.from_upstream(update_frame(update)).confirm for update in (typed, moved)] == [
        Confirm.PLACE,
        Confirm.NEWEST,
    ]


def shown(*states: AwarenessState) -> list[AwarenessState]:
    (frame,) = ViewerGuard("up").from_upstream(frames.write(Awareness(states))).onward
    message = frames.read(frame)
    assert isinstance(message, Awareness)
    return list(message.states)


def test_awareness_is_rebuilt_through_an_allow_list() -> None:
    """Name, initials, colour, cursors and autosave; no account name, no picture, no paths, nothing unknown."""
    position = {"type": {"client": 5, "clock": 7, "x": 1}, "tname": None, "item": None, "assoc": 0, "more": "x"}
    state = {
        "user": {
            "username": "ann@berkeley.edu",
            "name": "Ann",
            "display_name": "Ann \u202eB",
            "initials": "AB",
            "color": "var(--jp-collaborator-color1)",
            "avatar_url": "https://tracker.example/ann.png",
            "token": "secret",
        },
        "cursors": [{"anchor": position, "head": position, "primary": True, "empty": False, "path": "/home/ann"}],
        "autosave": True,
        "current": "notebook:secret/private.ipynb",
        "documents": ["secret/private.ipynb"],
    }
    (one,) = shown(AwarenessState(2**53 - 1, 3, state))
    rebuilt = {"type": {"client": 5, "clock": 7}, "tname": None, "item": None, "assoc": 0}
    username = one.state["user"].pop("username")
    assert one == AwarenessState(
        2**53 - 1,
        3,
        {
            "user": {
                "name": "Ann",
                "display_name": "Ann B",
                "initials": "AB",
                "color": "var(--jp-collaborator-color1)",
            },
            "cursors": [{"anchor": rebuilt, "head": rebuilt, "primary": True, "empty": False}],
            "autosave": True,
        },
    )
    assert username and "ann" not in username


def test_account_names_become_one_opaque_word_per_server() -> None:
    """The same person is the same on one server, and cannot be followed to another."""

    def word(upstream: str, name: str) -> str:
        told = Awareness((AwarenessState(1, 1, {"user": {"username": name}}),))
        (frame,) = ViewerGuard(upstream).from_upstream(frames.write(told)).onward
        message = frames.read(frame)
        assert isinstance(message, Awareness)
        found = message.states[0].state["user"]["username"]
        assert isinstance(found, str)
        return found

    assert word("a", "ann") == word("a", "ann") != word("a", "bo")
    assert word("a", "ann") != word("b", "ann")


@pytest.mark.parametrize(
    "state",
    [
        {"user": "ann", "cursors": "x", "autosave": "yes"},
        {"user": {"name": 5, "color": "red;background:url(//evil)", "initials": []}, "cursors": [5, [], None]},
        {"user": {"name": "\u202e\u200b"}, "cursors": [{"anchor": {"type": {"client": "x"}, "item": [], "tname": 7}}]},
        {"cursors": [{"anchor": {"assoc": 1e300}, "head": {"assoc": True}, "primary": 1}] * 500},
    ],
)
def test_attack_states_of_the_wrong_shape_lose_what_is_wrong(state: dict[str, object]) -> None:
    """Types are checked field by field; what does not fit is left out, not passed."""
    (one,) = shown(AwarenessState(1, 1, state))
    user = one.state.get("user", {})
    assert "color" not in user and user.get("name", "") == "" and "initials" not in user
    assert len(one.state.get("cursors", [])) <= 32
    for cursor in one.state.get("cursors", []):
        for position in cursor.values():
            assert all(value in (None, {}) for value in position.values())


def test_a_client_that_left_is_told_and_what_is_no_state_is_not() -> None:
    """null passes; numbers, texts and lists as a state do not; there is an upper number of states."""
    wrong = [AwarenessState(number, 1, state) for number, state in enumerate((5, "x", [], True), 10)]
    assert shown(AwarenessState(1, 2, None), *wrong) == [AwarenessState(1, 2, None)]
    assert len(shown(*(AwarenessState(number, 1, {}) for number in range(1000)))) == MAX_STATES


def test_names_in_awareness_are_bounded() -> None:
    """Megabytes of name become 60 characters."""
    (one,) = shown(AwarenessState(1, 1, {"user": {"name": "n" * 1_000_000, "initials": "i" * 1000}}))
    assert len(one.state["user"]["name"]) == 60 and len(one.state["user"]["initials"]) == 4


def test_answers_to_other_peoples_saves_are_dropped_and_a_conflict_passes() -> None:
    """A conflict is told in our own words; any other raw message stays on the server's side."""
    guard = ViewerGuard()
    assert guard.from_upstream(frames.write(RawJson({"type": "save", "responseTo": 1, "status": "success"}))) == NOTHING
    assert guard.from_upstream(frames.write(RawJson({"type": "path", "path": "/home/ann"}))) == NOTHING
    (told,) = guard.from_upstream(frames.write(RawJson({"type": "conflict", "path": "/home/ann"}))).onward
    assert frames.read(told) == RawJson({"type": "conflict"})


def test_attack_raw_messages_from_a_visitor_close() -> None:
    """A page asks for saves and nothing else."""
    assert ViewerGuard().from_visitor(frames.write(RawJson({"type": "conflict"}))).refused == "bad_frame"


def test_two_viewers_share_nothing(clock: Clock) -> None:
    """What one guard used up or learnt says nothing of another."""
    one, other = ViewerGuard(now=clock), ViewerGuard(now=clock)
    while not one.from_visitor(frames.write(Update(b"\x00\x00"))).refused:
        pass
    assert other.from_visitor(frames.write(SyncStep1(b"\x00"))).onward
