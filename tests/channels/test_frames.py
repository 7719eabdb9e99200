"""Reading and writing the messages of a room."""

from __future__ import annotations

import contextlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Awareness as RealAwareness
from pycrdt import (
    Doc,
    Encoder,
    Text,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    handle_sync_message,
)

from sharegate.channels import frames
from sharegate.channels.frames import (
    Awareness,
    AwarenessState,
    Message,
    RawJson,
    RawSave,
    SyncStep1,
    SyncStep2,
    Update,
)
from sharegate.channels.lib0 import MAX_SAFE, sized, uint
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame
from tests.channels.documents import kinds_of_attack, update_frame

numbers = st.integers(0, MAX_SAFE)
# Brackets and braces in words would be JSON texts of their own; here the depth is what matters.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(SyncStep1, st.binary(max_size=300)),
    st.builds(SyncStep2, st.binary(max_size=300)),
    st.builds(Update, st.binary(max_size=300)),
    st.builds(RawSave, numbers),
    st.builds(RawJson, json_values.filter(lambda value: value != "save")),
    st.builds(Awareness, st.lists(st.builds(AwarenessState, numbers, numbers, json_values), max_size=4).map(tuple)),
)


# Attacks whose fault lies in what a sync carries.
INSIDE = ("update", "vector", "nesting", "inside", "of clients", "of structs", "of values", "of text", "ranges")


def refused(frame: Frame, limit: int = frames.VISITOR_FRAME) -> str:
    with pytest.raises(Denied) as caught:
        frames.read(frame, limit=limit)
    assert caught.value.reason is Reason.BAD_FRAME
    return caught.value.detail


@given(messages)
def test_what_is_written_is_read_back(message: Message) -> None:
    """Writing and reading are inverse for every message."""
    assert frames.read(frames.write(message)) == message


@given(messages, st.binary(min_size=1, max_size=9))
def test_lengths_are_exact(message: Message, more: bytes) -> None:
    """One byte less, or anything behind, is refused."""
    data = frames.write(message).data
    refused(Frame.binary(data[:-1]))
    refused(Frame.binary(data + more))


@given(st.binary(max_size=200))
def test_attack_noise_raises_nothing_but_denied(data: bytes) -> None:
    """Random bytes are read as the one message that they write, or refused."""
    try:
        message = frames.read(Frame.binary(data))
    except Denied:
        return
    if not isinstance(message, RawJson | Awareness):
        assert frames.write(message).data == data


def test_messages_of_pycrdt_are_read() -> None:
    """What the real library of the server writes."""
    doc: Doc = Doc()
    doc["t"] = Text("a")
    step1 = create_sync_message(doc)
    assert frames.read(Frame.binary(step1)) == SyncStep1(doc.get_state())
    step2 = handle_sync_message(step1[1:], doc)
    assert step2 is not None and isinstance(frames.read(Frame.binary(step2)), SyncStep2)
    update = doc.get_update()
    assert frames.read(Frame.binary(create_update_message(update))) == Update(update)
    awareness = RealAwareness(doc)
    awareness.set_local_state({"user": {"name": "Ann"}})
    told = frames.read(Frame.binary(create_awareness_message(awareness.encode_awareness_update([doc.client_id]))))
    assert isinstance(told, Awareness)
    assert told.states[0].client == doc.client_id and told.states[0].state == {"user": {"name": "Ann"}}
    encoder = Encoder()
    encoder.write_var_uint(2)
    encoder.write_var_string(json.dumps({"type": "conflict"}))
    assert frames.read(Frame.binary(encoder.to_bytes())) == RawJson({"type": "conflict"})


def test_our_answer_to_a_save_is_what_the_server_writes() -> None:
    """Byte for byte as jupyter_server_ydoc encodes it."""
    encoder = Encoder()
    encoder.write_var_uint(2)
    encoder.write_var_string(json.dumps({"type": "save", "responseTo": 7, "status": "skipped"}))
    ours = frames.write(RawJson({"type": "save", "responseTo": 7, "status": "skipped"}))
    assert ours.data == encoder.to_bytes()
    assert frames.read(Frame.binary(b"\x02\x04save\x07")) == RawSave(7)


@pytest.mark.parametrize(
    ("frame", "detail"),
    [
        (Frame.text("save"), "not a binary frame"),
        (Frame.close(1000), "not a binary frame"),
        (Frame.binary(b""), "empty frame"),
        (Frame.binary(b"\x82\x00\x04save\x07"), "unknown type of message"),
        (Frame.binary(b"\x80\x00\x00\x01\x00"), "unknown type of message"),
        (Frame.binary(b"\x7d\x00"), "unknown type of message"),
        (Frame.binary(b"\x03"), "unknown type of message"),
        (Frame.binary(b"\x00\x03\x00"), "unknown step of a sync"),
        (Frame.binary(b"\x00"), "ends too early"),
        (Frame.binary(b"\x02\x04save"), "ends too early"),
        (Frame.binary(b"\x02\x04save\x07\x00"), "trailing bytes"),
        (Frame.binary(b"\x02\x84\x00save\x07"), "number not in its shortest form"),
        (Frame.binary(b"\x02\x04" + b"\xff" * 4), "text is not UTF-8"),
        (Frame.binary(b"\x02\x05saved"), "not JSON"),
        (Frame.binary(b"\x01\x01\x01"), "count larger than the data"),
        (Frame.binary(b"\x00\x00\x80\x00"), "number not in its shortest form"),
    ],
)
def test_attack_frames_with_two_readings_are_refused(frame: Frame, detail: str) -> None:
    """Each way to write the same message differently, and each message that is none."""
    assert refused(frame) == detail


def test_client_ids_have_53_bits_and_no_more() -> None:
    """Eight bytes are read, a ninth is not."""
    told = Awareness((AwarenessState(MAX_SAFE, 1, None),))
    assert frames.read(frames.write(told)) == told
    body = b"\x01" + uint(2**53) + b"\x01" + sized(b"null")
    assert refused(Frame.binary(b"\x01" + sized(body))) == "number above 53 bits"
    body = b"\x01" + b"\xff" * 8 + b"\x01\x01" + sized(b"null")
    assert refused(Frame.binary(b"\x01" + sized(body))) == "number longer than 8 bytes"


def test_frames_have_a_size_limit() -> None:
    """64 kB from a visitor, more where more is allowed."""
    fits = update_frame(bytes(frames.VISITOR_FRAME - 5))
    assert len(fits.data) == frames.VISITOR_FRAME
    assert isinstance(frames.read(fits), Update)
    larger = update_frame(bytes(frames.VISITOR_FRAME - 4))
    assert "larger" in refused(larger)
    assert isinstance(frames.read(larger, limit=frames.UPSTREAM_FRAME), Update)


def test_attack_deep_json_is_refused_without_recursion() -> None:
    """A state of 30,000 open brackets, and one that hides them behind a quote."""
    for text in (b"[" * 30_000, b'{"a":' * 10_000, b'"\\\\"' + b"[" * 30_000, b'["' + b"\\" * 30_001):
        refused(Frame.binary(b"\x02" + sized(text)))


def test_attack_frames_of_every_kind_are_refused_at_the_head_or_by_the_scan() -> None:
    """A thousand of each kind; only those whose fault lies inside the update pass the head."""
    for name, hostile in kinds_of_attack(random.Random(1), 1000):
        for frame in hostile:
            with contextlib.suppress(Denied):
                message = frames.read(frame, limit=frames.UPSTREAM_FRAME)
                within = isinstance(message, SyncStep1 | Update)
                assert within and any(word in name for word in INSIDE), (name, frame.data[:40])
