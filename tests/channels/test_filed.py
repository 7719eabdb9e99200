"""What a document's state tells of its file, written as jupyter-collaboration writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from sharegate.channels.filed import Filed
from sharegate.channels.scan import FROM_UPSTREAM, scan_update

SERVER, PAGE = 77, 5


class Known:
    """The gate's copy, and two who write: the server and a page of the owner's."""

    def __init__(self) -> None:
        self.doc: Doc[Any] = Doc()
        self.state: Map[Any] = self.doc.get("state", type=Map)
        self.filed = Filed(self.state)
        self.docs = {client: Doc(client_id=client) for client in (SERVER, PAGE)}

    def write(self, client: int, *changes: Callable[[Map[Any]], object]) -> None:
        """All changes in one update."""
        doc = self.docs[client]
        doc.apply_update(self.doc.get_update(doc.get_state()))
        before = doc.get_state()
        state = doc.get("state", type=Map)
        for change in changes:
            change(state)
        update = doc.get_update(before)
        self.follow(update)

    def follow(self, update: bytes) -> bool:
        summary = scan_update(update, FROM_UPSTREAM)
        clients = {part.client for part in summary.clocks}
        return self.filed.follow(summary, clients, lambda: self.doc.apply_update(update))

    @property
    def seen(self) -> tuple[int, int]:
        return self.filed.written, self.filed.reread


def clean(state: Map[Any]) -> None:
    state["dirty"] = False


def hashed(state: Map[Any]) -> None:
    state["hash"] = "always the same"


@pytest.fixture
def known() -> Known:
    return Known()


def test_a_file_that_was_written_is_seen_by_its_hash(known: Known) -> None:
    """Each time, though the hash be the same; in two updates or in one."""
    for times in (1, 2):
        known.write(SERVER, clean)
        known.write(SERVER, hashed)
        assert known.seen == (times, 0)
    known.write(SERVER, clean, hashed)
    assert known.seen == (3, 0)


def test_a_file_that_was_read_again_is_clean_without_a_hash(known: Known) -> None:
    """Also before the server was ever seen to write; and a later save does not make it undone."""
    known.write(SERVER, clean)
    assert known.seen == (0, 1)
    known.write(SERVER, clean)
    known.write(SERVER, hashed)
    assert known.seen == (1, 1)


def test_a_page_that_calls_its_document_clean_has_not_read_the_file(known: Known) -> None:
    """After a save of its own; it is told from the server by who writes the hash, until another server comes."""
    known.write(SERVER, clean)
    known.write(SERVER, hashed)
    known.write(PAGE, clean)
    known.write(PAGE, lambda state: state.update({"dirty": True}))
    assert known.seen == (1, 0)
    known.filed.server_changed()
    known.write(PAGE, clean)
    assert known.seen == (1, 1)


def test_text_tells_nothing(known: Known) -> None:
    """And a document whose state is changed otherwise."""
    doc = known.docs[PAGE]
    doc["source"] = Text("words")
    assert not known.follow(doc.get_update())
    known.write(SERVER, lambda state: state.update({"path": "notes.md"}))
    assert known.seen == (0, 0)
    assert str(known.doc.get("source", type=Text)) == "words"


def test_a_notebook_that_is_read_again_loses_its_hash(known: Known) -> None:
    """That is no file written, and it is not undone by the next one that is."""
    known.write(SERVER, clean)
    known.write(SERVER, hashed)
    known.write(SERVER, lambda state: state.pop("hash"))
    assert known.seen == (1, 1)
    known.write(SERVER, clean)
    known.write(SERVER, clean)
    known.write(SERVER, hashed)
    assert known.filed.written == 2 and known.filed.reread >= 2


def test_words_that_the_server_writes_are_those_of_the_file(known: Known) -> None:
    """Seen also when somebody else's `dirty` wins over the server's; a page's words are no such thing."""

    def typed(client: int) -> None:
        doc = known.docs[client]
        doc.apply_update(known.doc.get_update(doc.get_state()))
        before = doc.get_state()
        doc.get("source", type=Text).insert(0, "words")
        known.follow(doc.get_update(before))

    known.write(SERVER, clean)
    known.write(SERVER, hashed)
    typed(PAGE)
    assert known.seen == (1, 0)
    typed(SERVER)
    assert known.seen == (1, 1)
