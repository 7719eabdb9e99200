"""What a server says, read before anything else looks at it."""

from __future__ import annotations

import random

import pytest
from pycrdt import Doc, create_sync_message, create_update_message, handle_sync_message

from sharegate.channels import frames
from sharegate.channels.frames import RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.interfaces import Confirm
from sharegate.channels.news import hear, read_news
from sharegate.errors import Denied
from sharegate.messages import Frame
from tests.channels.documents import kinds_of_attack, notebook, update_frame


def test_attack_hostile_frames_of_a_server_are_refused() -> None:
    """What another collaborator had the server repeat reaches nobody; the fault is called the server's."""
    for name, hostile in kinds_of_attack(random.Random(3), 20):
        for frame in hostile:
            with pytest.raises(Denied, match="upstream_bad_answer"):
                print(name, read_news(frame))


def test_what_a_server_sends_is_read() -> None:
    """Steps 1 and 2 and updates, with what an update holds."""
    server = notebook(30)
    step2 = handle_sync_message(create_sync_message(Doc())[1:], server)
    assert step2 is not None
    found = [
        read_news(Frame.binary(data))
        for data in (create_sync_message(server), step2, create_update_message(server.get_update()))
    ]

    assert [type(each.message) for each in found] == [SyncStep1, SyncStep2, Update]
    assert found[0].summary is None and found[1].summary == found[2].summary
    assert found[1].summary is not None and found[1].summary.structs > 100


async def test_large_news_are_read_the_same() -> None:
    """In a thread, with the same result."""
    frame = update_frame(notebook(2000).get_update())
    assert len(frame.data) > 128 * 1024
    assert await hear(frame) == read_news(frame)


def test_news_of_a_document_wait_until_its_place_is_confirmed() -> None:
    """A document's path is one of its values: what writes a value waits for the newest path, what is typed for less."""
    doc = notebook(1)
    before = doc.get_state()
    doc["cells"][0]["source"] += "typed"
    typed = doc.get_update(before)
    before = doc.get_state()
    doc["state"]["path"] = "elsewhere/nb.ipynb"
    moved = doc.get_update(before)

    assert [read_news(update_frame(update)).confirm for update in (typed, moved)] == [Confirm.PLACE, Confirm.NEWEST]


def test_raw_messages_are_read_and_a_save_is_none() -> None:
    """A server answers saves; it never asks for one."""
    assert read_news(frames.write(RawJson({"type": "conflict"}))).message == RawJson({"type": "conflict"})
    with pytest.raises(Denied, match="upstream_bad_answer"):
        read_news(frames.write(RawSave(1)))
