"""A text file is edited freely, and nothing but text can be put into it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pycrdt import Array, Map

from sharegate.channels.guard import DocumentKind
from sharegate.errors import Denied
from tests.channels.editing import RULES, Change, Room, change, code, insert, item, open_page
from tests.channels.guard.changes import HONEST, assert_refused


@pytest.fixture
def file() -> Room:
    return Room(replace(RULES, max_text_bytes=1_000), DocumentKind.TEXT)


def test_a_text_file_is_edited_freely(file: Room) -> None:
    """Insert and delete; no cell is named."""
    judged = file.edit(lambda doc: doc["source"].insert(5, " wörld"), HONEST["dirty"], HONEST["document_id"])
    assert (judged.corrected, judged.cells, judged.structure) == ((), (), False)
    file.edit(lambda doc: doc["source"].__delitem__(slice(0, 6)))
    assert file.guard.content() == str(file.live["source"]) == "wörld\n"


@pytest.mark.parametrize(
    "attack",
    [
        lambda doc: doc["state"].__setitem__("path", "secret/x.txt"),
        lambda doc: doc["source"].format(0, 2, {"bold": True}),
        lambda doc: doc["source"].insert_embed(0, {"image": "x"}),
        lambda doc: doc["source"].insert(0, "x" * 1_000),
        lambda doc: doc.get("cells", type=Array).append("x"),
        lambda doc: doc.get("meta", type=Map).__setitem__("metadata", {}),
    ],
)
def test_attack_on_a_text_file(file: Room, attack: Change) -> None:
    """State, marks, embeds, size and other roots are refused."""
    with pytest.raises(Denied):
        file.guard.judge(change(file.page(), attack))
    assert file.guard.content() == "hello\n"


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (item(9, "source", b"\x01\x7f", 8), "shows nothing"),
        (item(9, "source", b"\x01", 7), "something else"),
        (item(9, "source", b"\x01\x7f", 8, "k"), "shows nothing"),
    ],
)
def test_attack_by_bytes_on_a_text_file(file: Room, update: bytes, said: str) -> None:
    """Values, shared types and keys in a text are refused."""
    with pytest.raises(Denied, match=said):
        file.guard.judge(update)
    assert file.guard.content() == "hello\n"


def test_attack_values_that_hide_in_a_text(file: Room, room: Room) -> None:
    """A value in a text is seen by nobody and moves every later letter: refused, with a deletion to hide behind, in a
    file, in a cell and in a new cell."""
    delete = change(file.page(), lambda doc: doc["source"].__delitem__(slice(0, 1)))
    with pytest.raises(Denied, match="something else"):
        file.guard.judge(item(9, "source", b"\x02\x7f\x7f", 8)[:-1] + delete[1:])
    assert file.guard.content() == "hello\n"

    made = change(room.page(), insert(0, lambda: code("new", "a")))
    letter = b"\x04\x00d\x01\x01a"
    assert made.count(letter) == 1
    assert_refused(room, made.replace(letter, b"\x08\x00d\x01\x01\x7f"), "something else")
    assert_refused(room, made.replace(letter, b"\x07\x00d\x01\x01"), "something else")

    typed = change(open_page(room.live.get_update(), 120), lambda doc: doc["cells"][0]["source"].insert(0, "a"))
    letter = b"D\x01\x0b\x01a"
    assert typed.count(letter) == 1
    delete = change(open_page(room.live.get_update(), 121), lambda doc: doc["cells"].pop(4))
    hidden = typed.replace(letter, b"H\x01\x0b\x01\x7f")[:-1] + delete[1:]
    assert_refused(room, hidden, "something else")
