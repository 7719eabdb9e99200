"""A robot's page with a live notebook: it writes as JupyterLab does, and says where its cursor is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp
from pycrdt import (
    Array,
    Assoc,
    Awareness,
    Doc,
    Map,
    Text,
    TransactionEvent,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    handle_sync_message,
    read_message,
)

from sharegate.demo.visitor import RobotVisitor

_SYNC, _AWARENESS = 0, 1
_ANSWER = b"\x00\x01"
_LOOK_EVERY = 0.005


class LiveNotebook:
    """Use `opened`. `closed` is set when the gate has ended the connection."""

    def __init__(self, name: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.closed = asyncio.Event()
        self._company = asyncio.Event()
        self._name = name
        self._socket = socket
        self._doc: Doc[Any] = Doc()
        self._present = Awareness(self._doc)
        self._met: set[int] = {self._doc.client_id}
        self._loaded = asyncio.Event()
        self._waiting: list[bytes] = []
        self._listening = False
        self._doc.observe(self._changed)
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def opened(cls, robot: RobotVisitor, path: str) -> LiveNotebook | None:
        """None when the gate refuses it."""
        session = await robot.session(path)
        if not session:
            return None
        page = cls(robot.name, await robot.room(session))
        await page._send(create_sync_message(page._doc))
        await page._say([])
        await _first(page._loaded, page.closed)
        return page

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._socket.close()

    # -- looking --------------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """What the document says which file it is; the owner's JupyterLab follows it."""
        return str(self._doc.get("state", type=Map).get("path") or "")

    def source(self, id: str) -> str:
        """The text of a cell; "" when it is not there."""
        cell = self._cell(id)
        return str(cell["source"]) if cell is not None else ""

    def holds(self, words: str) -> bool:
        """Whether these words stand anywhere in the document, outputs included."""
        return words in str(self._cells.to_py())

    def trusted(self, id: str) -> bool:
        """Whether a cell says that its outputs may run script."""
        cell = self._cell(id)
        return bool(cell is not None and cell["metadata"].get("trusted"))

    async def becomes(self, true: Callable[[], bool], *, within: float) -> bool:
        """Whether it comes true in time, or before the gate ends the connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not true() and not self.closed.is_set():  # noqa: ASYNC110 -- changes of a document tell no event
                    await asyncio.sleep(_LOOK_EVERY)
        return true()

    async def meets(self) -> bool:
        """Wait until somebody else is there who was not before; False when the gate ends the connection instead."""
        await _first(self._company, self.closed)
        self._company.clear()
        return not self.closed.is_set()

    # -- writing --------------------------------------------------------------------------------------------------

    async def add_cell(self, id: str) -> None:
        """An empty code cell at the end."""
        cell = {"id": id, "cell_type": "code", "source": Text(""), "metadata": Map({}), "outputs": Array([])}
        await self._write(lambda: self._cells.append(Map({**cell, "execution_count": None})))

    async def type(self, id: str, words: str) -> None:
        """At the end of a cell, with the cursor behind it."""
        cell = self._cell(id)
        if cell is None:  # somebody deleted it
            return
        text: Text = cell["source"]
        await self._write(lambda: text.insert(len(str(text).encode()), words))
        where = {"type": None, "tname": None, **text.sticky_index(len(str(text).encode()), Assoc.BEFORE).to_json()}
        await self._say([{"anchor": where, "head": where, "primary": True, "empty": True}])

    async def plant(self, id: str, html: str) -> bool:
        """An output with script, in a cell that says that it is trusted: what an honest page never sends. False when
        somebody deleted the cell."""
        cell = self._cell(id)
        if cell is None:
            return False
        output = Map({"output_type": "display_data", "metadata": {}, "data": {"text/html": html}})

        def change() -> None:
            cell["outputs"].append(output)
            cell["metadata"]["trusted"] = True

        await self._write(change)
        return True

    async def lead_away(self, path: str) -> None:
        """Say that this document is another file: JupyterLab pages would follow."""
        await self._write(lambda: self._doc.get("state", type=Map).update({"path": path}))

    # -- parts ----------------------------------------------------------------------------------------------------

    @property
    def _cells(self) -> Array[Any]:
        found: Array[Any] = self._doc.get("cells", type=Array)
        return found

    def _cell(self, id: str) -> Map[Any] | None:
        return next((cell for cell in self._cells if isinstance(cell, Map) and cell.get("id") == id), None)

    async def _write(self, change: Callable[[], object]) -> None:
        """One change, sent as one update."""
        self._listening = True
        try:
            with self._doc.transaction():
                change()
        finally:
            self._listening = False
        while self._waiting:
            await self._send(create_update_message(self._waiting.pop(0)))

    def _changed(self, event: TransactionEvent) -> None:
        if self._listening:
            self._waiting.append(event.update)

    async def _say(self, cursors: list[dict[str, Any]]) -> None:
        """Who this is, in its own words; the gate puts the visit's name in their place."""
        self._present.set_local_state({"user": {"name": self._name}, "cursors": cursors})
        await self._send(create_awareness_message(self._present.encode_awareness_update([self._doc.client_id])))

    async def _send(self, frame: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # `closed` tells
            await self._socket.send_bytes(frame)

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.BINARY and message.data:
                    await self._heard(message.data)
        finally:
            self.closed.set()

    async def _heard(self, frame: bytes) -> None:
        if frame[0] == _SYNC:
            answer = handle_sync_message(frame[1:], self._doc)
            if answer is not None:
                await self._send(answer)
            if frame[:2] == _ANSWER:
                self._loaded.set()
        elif frame[0] == _AWARENESS:
            self._present.apply_awareness_update(read_message(frame[1:]), None)
            here = {client for client, state in self._present.states.items() if state.get("user")}
            if here - self._met:
                self._company.set()
            self._met |= here


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
