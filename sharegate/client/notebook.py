"""A live notebook: its cells as they are now, and edits that reach everybody who has it open."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, overload

from pycrdt import Array, Map

from sharegate.client import cells
from sharegate.client.errors import NotAllowed, NotFound
from sharegate.client.room import Room

KINDS = ("code", "markdown", "raw")
SAVE_SECONDS = 45.0
CLOSE_SECONDS = 10.0


class Notebook:
    """Made by `Share.notebook`. What it shows is the document of this moment: others type in it too.

    Every method, and every use of a cell, raises what ended it (Ended, NotFound), and once EditRefused or EditsLost.
    """

    def __init__(self, room: Room, path: str, *, may_edit: bool) -> None:
        self._room = room
        self.path = path
        self.may_edit = may_edit

    def __repr__(self) -> str:
        return f"<Notebook {self.path}>"

    async def open(self) -> None:
        await self._room.open()

    async def close(self, *, within: float = CLOSE_SECONDS) -> None:
        """Returns when the gate has all that was written here; `save` says whether it is in the file. Raises NotSent,
        with the cells that it is about, when the gate does not say so within the time (seconds), and what happened to
        edits that was not told yet. It is closed then, too."""
        await self._room.close(within)

    @property
    def cells(self) -> Cells:
        self._room.check()
        return Cells(self)

    def insert(self, index: int, source: str = "", kind: str = "code") -> Cell:
        """A new cell before the one at `index`."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no kind of cell: {', '.join(KINDS)}")
        shared = self.array(write=True)
        at = range(len(shared))[index] if index < 0 else min(index, len(shared))
        id = secrets.token_hex(4)
        shared.insert(at, cells.new_cell(id, kind, source))
        self.wrote(id)
        return Cell(self, id)

    def append(self, source: str = "", kind: str = "code") -> Cell:
        """A new cell at the end."""
        return self.insert(len(self.array()), source, kind)

    async def save(self, *, within: float = SAVE_SECONDS) -> None:
        """Returns when the file on the owner's disk has all that was written here. Raises Unreachable when not."""
        self.check_edit()
        await self._room.save(within)

    async def changed(self, *, within: float | None = None) -> bool:
        """Wait until somebody else changed something; False when nothing came within the time (seconds)."""
        self._room.check()
        before = self._room.version
        try:
            async with asyncio.timeout(within), self._room.changes:
                await self._room.changes.wait_for(lambda: self._room.version != before)
        except TimeoutError:
            return False
        self._room.check()
        return True

    def check_edit(self) -> None:
        self._room.check()
        if not self.may_edit:
            raise NotAllowed("not_allowed", "This share is to view.")

    def wrote(self, cell: str) -> None:
        """Something was written in a cell."""
        self._room.wrote(cell)

    def array(self, *, write: bool = False) -> Array[Any]:
        """The cells as the document has them (jupyter_ydoc YNotebook)."""
        if write:
            self.check_edit()
        self._room.check(write=write)
        return cells.shared(self._room.doc)


class Cells(Sequence["Cell"]):
    """The cells of this moment, by place. A cell that was taken is known by its id, wherever it moves."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._ids = [str(cell.get("id", "")) for cell in notebook.array() if isinstance(cell, Map)]

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Cell]:
        return (Cell(self._notebook, id) for id in self._ids)

    @overload
    def __getitem__(self, index: int) -> Cell: ...
    @overload
    def __getitem__(self, index: slice) -> list[Cell]: ...
    def __getitem__(self, index: int | slice) -> Cell | list[Cell]:
        if isinstance(index, slice):
            return [Cell(self._notebook, id) for id in self._ids[index]]
        return Cell(self._notebook, self._ids[index])


class Cell:
    """One cell, by its id. Raises NotFound when somebody deleted it."""

    def __init__(self, notebook: Notebook, id: str) -> None:
        self._notebook = notebook
        self.id = id

    def __repr__(self) -> str:
        return f"<Cell {self.id}>"

    def _place(self, *, write: bool = False) -> tuple[Array[Any], int]:
        shared = self._notebook.array(write=write)
        for place, cell in enumerate(shared):
            if isinstance(cell, Map) and cell.get("id") == self.id:
                return shared, place
        raise NotFound("not_found", f"The cell {self.id} is not there any more.")

    def _map(self, *, write: bool = False) -> Map[Any]:
        shared, place = self._place(write=write)
        found: Map[Any] = shared[place]
        return found

    @property
    def kind(self) -> str:
        """`code`, `markdown` or `raw`."""
        return str(self._map().get("cell_type"))

    @property
    def source(self) -> str:
        return str(self._map().get("source"))

    @source.setter
    def source(self, text: str) -> None:
        """Only what differs is written, so that what others type elsewhere in the cell stays."""
        cells.write_source(self._map(write=True), text)
        self._notebook.wrote(self.id)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """As nbformat has them; empty for cells that are not code. Only the owner's side runs anything."""
        outputs = self._map().get("outputs")
        if not isinstance(outputs, Array):
            return []
        found: list[dict[str, Any]] = outputs.to_py() or []
        return found

    def delete(self) -> None:
        shared, place = self._place(write=True)
        del shared[place]
        self._notebook.wrote(self.id)
