"""The live connection to one document: it is held while the notebook is open, and made anew when it breaks.

Messages are those of y-protocols (sync.js, awareness.js), and jupyter-collaboration's `save`. A connection that breaks
is made again with the same document, unless the gate says that the document began anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from pycrdt import (
    Awareness,
    Doc,
    Subscription,
    TransactionEvent,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    handle_sync_message,
)

from sharegate.client.cells import carry_over
from sharegate.client.errors import EditRefused, EditsLost, Ended, NotFound, NotSent, ShareError, Unreachable, kind_of
from sharegate.client.http import Http, encoded

_SYNC, _RAW = 0, 2
_STEP2 = 1
_SAVE = b"\x02\x04save"
_AGAIN = "again"
# A page says again where it is as often as this; one that is silent for twice as long is taken for gone.
PRESENT_SECONDS = 15.0
LONGEST_PAUSE = 10.0
# Of a gate that does not say goodbye.
GOODBYE_SECONDS = 2.0


class _Session(msgspec.Struct):
    fileId: str
    sessionId: str
    format: str
    type: str

    @property
    def path(self) -> str:
        room = f"{self.format}:{self.type}:{self.fileId}"
        return f"api/collaboration/room/{quote(room, safe=':')}?sessionId={quote(self.sessionId, safe='')}"


class Room:
    """`doc` is replaced when the document began anew, as soon as it was read. `error` is why it is over, or None."""

    def __init__(self, http: Http, path: str) -> None:
        self._http = http
        self._path = path
        self.doc: Doc[Any] = Doc()
        self.changes = asyncio.Condition()
        self.version = 0
        self.error: ShareError | None = None
        # Told once: what happened to edits of this side.
        self._fault: ShareError | None = None
        self._unsaved = False
        self._session: _Session | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._synced = asyncio.Event()
        self._applying = False
        self._watching: Subscription | None = None
        # What a connection reads the document into; in the place of `doc` when it is all here.
        self._next: Doc[Any] = Doc()
        self._anew = True
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._saves: dict[int, asyncio.Future[str]] = {}
        # Edits of this side: how many, how many of them the gate is known to have, and the newest in each cell.
        self._edits = 0
        self._arrived_edits = 0
        self._written: dict[str, int] = {}
        self._asked: asyncio.Future[bool] | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Returns with the document here. Raises NotFound, Ended, Unreachable."""
        self._session = await self._ask_session()
        self._task = asyncio.create_task(self._hold())
        synced = asyncio.ensure_future(self._synced.wait())
        try:
            await asyncio.wait({synced, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            synced.cancel()
        self.check()

    async def close(self, within: float) -> None:
        """Closed when this returns or raises. Raises NotSent when the gate did not say within so many seconds that it
        has all edits, and once what happened to others of them."""
        try:
            await self._send_all(within)
            if self._fault is not None and self.error is None:
                self.check()
        finally:
            await self._end()

    async def _send_all(self, within: float) -> None:
        """The gate takes messages in order: what it answers after the last edit says that it has that one too."""
        why: ShareError | None = None
        try:
            async with asyncio.timeout(within):
                while self._edits > self._arrived_edits and self.error is None:
                    await self._synced.wait()
                    edits = self._edits
                    answer = self._asked = asyncio.get_running_loop().create_future()
                    self._outbox.put_nowait(create_sync_message(self.doc))
                    if await answer:
                        self._known(edits)
            why = self.error
        except TimeoutError:
            pass
        if self._edits > self._arrived_edits:
            cells = tuple(cell for cell, edit in self._written.items() if edit > self._arrived_edits)
            what = f" in the cell{'s'[: len(cells) > 1]} {', '.join(cells)}" if cells else ""
            because = why.message if why is not None else f"It did not answer within {within:g} s."
            raise NotSent(f"The gate may not have what was written{what}. {because}", cells) from why

    def _known(self, edits: int) -> None:
        """The gate has so many of the edits."""
        self._arrived_edits = max(self._arrived_edits, edits)

    def wrote(self, cell: str) -> None:
        """The newest edit was in this cell."""
        self._written.pop(cell, None)
        self._written[cell] = self._edits

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._socket is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await self._socket.close()
            self._socket = None
        self._stop_watching()
        await self._over(self.error or ShareError("closed", "The notebook was closed."))

    def check(self, *, write: bool = False) -> None:
        """Raises what ended the connection, or once what happened to edits. Nothing is written into a document that is
        being read anew."""
        if self.error is not None:
            raise self.error
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        if write and self._anew:
            raise EditsLost("edits_lost", "The document is being read anew: wait for it with changed(), then edit.")

    async def save(self, within: float) -> None:
        """Returns when the server said that the file has everything until now. Raises Unreachable when it does not."""
        self.check()
        number = max(self._saves, default=0) + 1
        status = _AGAIN
        try:
            async with asyncio.timeout(within):
                while status == _AGAIN:
                    await self._synced.wait()
                    self.check()
                    edits = self._edits
                    answer = self._saves[number] = asyncio.get_running_loop().create_future()
                    self._outbox.put_nowait(_SAVE + _uint(number))
                    status = await answer
        except TimeoutError:
            status = "not answered"
        finally:
            self._saves.pop(number, None)
        self.check()
        if status != "success":
            raise Unreachable("not_saved", f"The server did not save the file: {status}.")
        self._known(edits)
        self._unsaved = self._edits > edits

    # -- the document ---------------------------------------------------------------------------------------------

    def _arrived(self) -> None:
        """The whole document is here."""
        self._stop_watching()
        before, self.doc = self.doc, self._next
        self._watching = self.doc.observe(self._changed)
        self._synced.set()
        if not self._anew:
            carry_over(before, self.doc)
        self._anew = False

    def _stop_watching(self) -> None:
        """A document and who watches it keep each other in memory."""
        if self._watching is not None:
            self.doc.unobserve(self._watching)
            self._watching = None

    def _changed(self, event: TransactionEvent) -> None:
        if self._applying:
            return
        self._unsaved = True
        self._edits += 1
        # What cannot be sent now is asked for by the server when it is there again.
        if self._synced.is_set():
            self._outbox.put_nowait(create_update_message(event.update))

    async def _ask_session(self) -> _Session:
        body = {"format": "json", "type": "notebook"}
        told = await self._http.ask("PUT", f"api/collaboration/session/{encoded(self._path)}", body)
        try:
            return msgspec.json.decode(told, type=_Session)
        except msgspec.MsgspecError:
            raise Unreachable("unreachable", "The server has no live documents") from None

    # -- the connection -------------------------------------------------------------------------------------------

    async def _hold(self) -> None:
        pause = 0.2
        try:
            while True:
                lasted = False
                try:
                    lasted = await self._once()
                except Unreachable:
                    pass  # tried again: a gate that restarts, a server that is away
                pause = 0.2 if lasted else min(pause * 2, LONGEST_PAUSE)
                await asyncio.sleep(pause)
                await self._again()
        except ShareError as error:
            await self._over(error)

    async def _again(self) -> None:
        """Ask for the session anew: a document that began anew is read from the beginning."""
        try:
            session = await self._ask_session()
        except Unreachable:
            return
        before, self._session = self._session, session
        if before is not None and before.sessionId != session.sessionId:
            self._renew(EditsLost("edits_lost", "The document began anew. What was not saved may be gone."))
            await self._tell()

    def _renew(self, why: ShareError) -> None:
        if self._unsaved or isinstance(why, EditRefused):
            self._fault = why
        self._unsaved = False
        self._known(self._edits)  # of those it is told what happened
        # What is shown stays until the new one is here.
        self._anew = True

    async def _once(self) -> bool:
        """One connection, until it ends; whether it had the document."""
        assert self._session is not None
        self._outbox = asyncio.Queue()
        # A fresh one each time, and with it a fresh CRDT client id: the gate may have forgotten whose the last one was.
        self._next = Doc()
        self._socket = socket = await self._http.socket(self._session.path)
        beside = asyncio.create_task(self._say(socket))
        try:
            await self._hear(socket)
        finally:
            lasted = self._synced.is_set()
            self._synced.clear()
            self._end_saves(_AGAIN)
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
        await self._closed(socket.close_code or 1006, self._close_reason)
        return lasted

    _close_reason = ""

    async def _say(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        mine = Awareness(self._next)
        mine.set_local_state({"user": {"name": "program"}})
        with contextlib.suppress(ConnectionError):
            await socket.send_bytes(create_awareness_message(mine.encode_awareness_update([mine.client_id])))
            await socket.send_bytes(create_sync_message(self._next))
            while True:
                try:
                    async with asyncio.timeout(PRESENT_SECONDS):
                        message = await self._outbox.get()
                except TimeoutError:
                    mine.set_local_state(mine.get_local_state())
                    message = create_awareness_message(mine.encode_awareness_update([mine.client_id]))
                await socket.send_bytes(message)

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._close_reason = ""
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.CLOSE:
                self._close_reason = str(message.extra or "")
            if message.type is not aiohttp.WSMsgType.BINARY:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                continue
            data: bytes = message.data
            if data[:1] == bytes([_SYNC]):
                await self._sync(socket, data)
            elif data[:1] == bytes([_RAW]):
                self._answered(data)

    async def _sync(self, socket: aiohttp.ClientWebSocketResponse, data: bytes) -> None:
        self._applying = True
        try:
            reply = handle_sync_message(data[1:], self._next)
        finally:
            self._applying = False
        if reply is not None:
            await socket.send_bytes(reply)
        if data[1] == _STEP2 and not self._synced.is_set():
            self._arrived()
        elif data[1] == _STEP2 and self._asked is not None and not self._asked.done():
            self._asked.set_result(True)
        if data[1] >= _STEP2:
            await self._tell()

    def _answered(self, data: bytes) -> None:
        """`{"type": "save", "responseTo": 1, "status": "success"}` behind a length."""
        with contextlib.suppress(ValueError, AttributeError):
            said = json.loads(data[data.index(b"{") :])
            waiting = self._saves.get(said.get("responseTo"))
            if said.get("type") == "save" and waiting is not None and not waiting.done():
                waiting.set_result(str(said.get("status")))

    async def _closed(self, code: int, reason: str) -> None:
        """What a close says: raised when it is for good, returned from when the connection is made again."""
        if code in (4403, 4408, 4410):
            kind = NotFound if reason == "not_found" else Ended
            raise kind(reason or "ended", _SENTENCES.get(code, "It ended."))
        if code == 1003:
            refused = ""
            with contextlib.suppress(ValueError, AttributeError):
                refused = str(json.loads(reason).get("code") or "")
            if refused:
                sentence = "The gate took back an edit. The notebook is as the others have it."
                self._renew(kind_of(refused)(refused, sentence))
                await self._tell()
        elif code == 1008:
            raise ShareError(reason or "bad_frame", "The gate closed the connection for what was sent.")

    async def _tell(self) -> None:
        async with self.changes:
            self.version += 1
            self.changes.notify_all()

    async def _over(self, error: ShareError) -> None:
        self.error = error
        self._synced.set()
        self._end_saves("closed")
        await self._tell()

    def _end_saves(self, status: str) -> None:
        for waiting in self._saves.values():
            if not waiting.done():
                waiting.set_result(status)
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(False)


_SENTENCES = {
    4403: "The owner ended or paused it, or does not allow programs any more.",
    4408: "It has expired.",
    4410: "The owner ended this visit.",
}


def _uint(number: int) -> bytes:
    """A variable-length integer of lib0."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
