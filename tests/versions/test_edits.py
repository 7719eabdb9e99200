"""The log: what is played from the store is what the live document took, within its bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Array, Doc, Text

from sharegate.errors import StoreUnavailable
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from sharegate.versions.document import read
from sharegate.versions.edits import FLUSH_BYTES, EditLog
from sharegate.versions.model import Edit, EditKind, Kind, Limits, Place
from sharegate.versions.undo import Undone, take_back
from tests.conftest import Clock
from tests.versions.notebooks import code, live, notebook

PLACE = Place("u1", "f1", "e1", "a.ipynb")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_sqlite(tmp_path / "store" / "sharegate.db", key=b"k" * 32)
    yield opened
    await opened.close()


class Typist:
    """Pages that type into the first cell, and the live document that takes it."""

    def __init__(self, store: Any, clock: Clock, *, undo_bytes: int = 1 << 20) -> None:
        self.doc = live(notebook([code("a", "")]), client=1)
        self.pages: dict[str, Doc[Any]] = {"v1": Doc(client_id=2), "v2": Doc(client_id=3), "": Doc(client_id=4)}
        self.log = EditLog(store, PLACE, Limits(undo_bytes=undo_bytes), self.doc.get_update, clock)

    def types(self, visit: str, text: str) -> bool:
        page = self.pages[visit]
        page.apply_update(self.doc.get_update())
        before = page.get_state()
        source: Text = page.get("cells", type=Array)[0]["source"]
        source += text
        update = page.get_update(before)
        self.doc.apply_update(update)
        return self.log.append(visit, update)

    @property
    def text(self) -> str:
        return str(read(self.doc, Kind.NOTEBOOK).cells[0]["source"])


async def taken_back(typist: Typist, store: SqliteStore, visit: str) -> Undone:
    await typist.log.flush()
    return take_back(await store.edits(PLACE), visit, Kind.NOTEBOOK)


async def test_changes_are_merged_and_played(store: SqliteStore, clock: Clock) -> None:
    """Those of one visit that follow each other are one entry; undoing is as exact as without."""
    typist = Typist(store, clock)
    await typist.log.begin()
    for visit, text in (("v1", "a"), ("v1", "b"), ("v2", "C"), ("v1", "d"), ("v1", "e"), ("", "O")):
        assert not typist.types(visit, text)
    undone = await taken_back(typist, store, "v1")
    assert [edit.origin for edit in await store.edits(PLACE)] == ["", "v1", "v2", "v1", ""]
    typist.doc.apply_update(undone.update)
    typist.log.undone("v1", undone.update)
    assert typist.text == "CO"
    again = await taken_back(typist, store, "v1")
    assert again.update == b"" and again.before.cells[0]["source"] == "CO"
    assert (await taken_back(typist, store, "v2")).after.cells[0]["source"] == "O"


async def test_the_log_is_bounded(store: SqliteStore, clock: Clock) -> None:
    """Old parts go, what is left can be played, and undoing says since when it reaches back."""
    typist = Typist(store, clock, undo_bytes=20_000)
    await typist.log.begin()
    for at in range(200):
        clock.forward(1)
        typist.types("v1" if at % 2 else "v2", f"{at:03}" + "x" * 500)
        await typist.log.flush()
    kept = await store.edits(PLACE)
    assert sum(len(edit.data) for edit in kept if edit.kind is EditKind.UPDATE) < 250_000
    undone = await taken_back(typist, store, "v1")
    assert undone.since > 1_800_000_010
    assert undone.before.cells[0]["source"] == typist.text
    assert "199x" not in undone.after.cells[0]["source"] and "198x" in undone.after.cells[0]["source"]
    assert "001x" in undone.after.cells[0]["source"], "before the log begins nothing is taken back"


async def test_a_flush_is_asked_for(store: SqliteStore, clock: Clock) -> None:
    """Before much waits in memory."""
    typist = Typist(store, clock)
    assert typist.types("v1", "x" * FLUSH_BYTES)


async def test_a_store_that_is_away(store: SqliteStore, clock: Clock) -> None:
    """What could not be stored is stored later, in order."""

    class Away:
        async def append_edits(self, place: Place, edits: Sequence[Edit], *, limit: int) -> None:
            raise StoreUnavailable("away")

    typist = Typist(Away(), clock)
    with pytest.raises(StoreUnavailable):
        await typist.log.begin()
    typist.types("v1", "one ")
    with pytest.raises(StoreUnavailable):
        await typist.log.flush()
    typist.types("v2", "two")
    typist.log._store = store
    await typist.log.flush()
    assert [edit.origin for edit in await store.edits(PLACE)] == ["", "v1", "v2"]


async def test_what_waits_is_stored_in_its_order(store: SqliteStore, clock: Clock) -> None:
    """Merging never moves a change past a whole document, nor past the note that a visit's work was taken back."""
    typist = Typist(store, clock)
    await typist.log.begin()
    typist.types("v1", "a")
    typist.types("v1", "b")
    typist.log.undone("v1", b"")
    typist.types("v1", "c")
    typist.types("", "d")
    typist.types("", "e")
    typist.log._put_state()
    typist.types("", "f")
    await typist.log.flush()
    assert [(edit.kind.value, edit.origin) for edit in await store.edits(PLACE)] == [
        ("state", ""),
        ("update", "v1"),
        ("undone", "v1"),
        ("update", "v1"),
        ("update", ""),
        ("state", ""),
        ("update", ""),
    ]
    undone = await taken_back(typist, store, "v1")
    assert undone.after.cells[0]["source"] == "abdef"
