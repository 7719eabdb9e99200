"""A server of one document, which comes and goes, is slow, lies, and builds its document anew from its file."""

from __future__ import annotations

import asyncio
from typing import Any

from pycrdt import Array, Doc, Map, Text

from sharegate.channels import frames
from sharegate.channels.admission import RoomName
from sharegate.channels.frames import RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame
from tests.channels import editing
from tests.channels.sockets import Wire

ID = "5f0c7c3e-0000-4000-8000-000000000000"
TEXT, NOTEBOOK = RoomName("text", "file", ID), RoomName("json", "notebook", ID)


def built(name: RoomName, disk: Any, client: int) -> Doc[Any]:
    """As a server builds a document from its file: under the CRDT client id 0, to go on under an id of its own
    (jupyter_server_ydoc rooms.py)."""
    kind = editing.DocumentKind.TEXT if name is TEXT else editing.DocumentKind.NOTEBOOK
    doc = editing.open_page(b"\0\0", 0, kind)
    with doc.transaction():
        doc["state"]["path"], doc["state"]["hash"], doc["state"]["dirty"] = "sub/file", "h0", False
        put_all(doc, name, disk)
        if name is NOTEBOOK:
            doc["meta"]["nbformat"], doc["meta"]["nbformat_minor"] = 4.0, 5.0
            doc["meta"]["metadata"] = Map({"kernelspec": {"name": "python3"}})
    return editing.open_page(doc.get_update(), 2**32 + client, kind)


def put_all(doc: Doc[Any], name: RoomName, disk: Any) -> None:
    if name is TEXT:
        doc["source"].clear()
        doc["source"].insert(0, disk)
    else:
        doc["cells"].clear()
        for cell in disk:
            doc["cells"].append(editing.fresh(cell))


def read(doc: Doc[Any], name: RoomName) -> Any:
    return doc.get("source", type=Text).to_py() if name is TEXT else doc.get("cells", type=Array).to_py()


class Server:
    """One document, its file, and connections that may be slow or break."""

    def __init__(self, name: RoomName, disk: Any) -> None:
        self.name, self.disk = name, disk
        self.restarts = 0
        self.doc = built(name, disk, 0)
        self.up, self.slow = True, False
        self.lies = 0  # so many saves are not carried out, and answered with success
        self.wire: Wire | None = None
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._saves = 0

    async def connect(self) -> Any:
        if not self.up:
            raise Denied(Reason.UPSTREAM_AWAY)
        assert self.wire is None or self.wire._gone or self.wire.closed or self.wire.aborted, "two connections at once"
        self.wire = wire = Wire()
        self.connections += 1
        self._tasks.add(asyncio.create_task(self._serve(wire)))
        return wire.socket

    async def _serve(self, wire: Wire) -> None:
        self._put(wire, SyncStep1(self.doc.get_state()))
        count = 0
        while not (wire.aborted or wire._gone):
            while count < len(wire.sent) and not self.slow and not wire._gone:
                message = frames.read(wire.sent[count], limit=frames.UPSTREAM_FRAME)
                count += 1
                match message:
                    case SyncStep1(state_vector=vector):
                        self._put(wire, SyncStep2(self.doc.get_update(vector)))
                    case SyncStep2(update=update) | Update(update=update):
                        self.doc.apply_update(update)
                    case RawSave(id=number):
                        if self.lies:
                            self.lies -= 1
                        else:
                            self.save()
                        self._put(wire, RawJson({"type": "save", "responseTo": number, "status": "success"}))
            if wire.closed and not self.slow:
                break
            await asyncio.sleep(0.0005)
        wire._inbox.put_nowait(Frame.close(1000))

    def _put(self, wire: Wire | None, message: Any) -> None:
        if wire is not None and not wire._gone:
            wire._inbox.put_nowait(frames.write(message))

    def change(self, what: Any) -> None:
        before = self.doc.get_state()
        with self.doc.transaction():
            what(self.doc)
        self._put(self.wire, Update(self.doc.get_update(before)))

    def save(self) -> None:
        self.disk = read(self.doc, self.name)
        self._saves += 1
        self.change(lambda doc: doc["state"].update({"dirty": False}))
        self.change(lambda doc: doc["state"].update({"hash": f"h{self._saves}"}))

    def read_again(self) -> None:
        """The file was changed outside."""
        self.change(lambda doc: put_all(doc, self.name, self.disk))
        self.change(lambda doc: doc["state"].update({"dirty": False}))

    def lose_connection(self) -> None:
        if self.wire is not None:
            self.wire.vanish()

    def stop(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
            task.cancel()
