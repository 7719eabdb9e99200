"""A page in a room of a shared document: the owner's, asked of the server itself, or a visitor's, through the gate."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest_asyncio
from pycrdt import Doc, Text, TransactionEvent, create_sync_message, create_update_message, handle_sync_message
from yarl import URL

from sharegate.messages import Frame, FrameKind
from tests.gatehouse import Gatehouse, Inside
from tests.real.jupyter import JupyterServer

PATIENCE = 15.0


class Page:
    """One end of a room. `heard` are all frames that came, `closed` code and words when it is over."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.doc: Doc[Any] = Doc()
        self.source = self.doc.get("source", type=Text)
        self.heard: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self._waiting: set[asyncio.Task[None]] = set()
        self._mine = True
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            message = await self.socket.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                self.heard.append(message.data)
                if message.data[:1] == b"\0":
                    self._mine = False
                    answer = handle_sync_message(message.data[1:], self.doc)
                    self._mine = True
                    if answer is not None:
                        await self.send(answer)
            elif message.type is aiohttp.WSMsgType.TEXT:
                self.heard.append(message.data.encode())
            else:
                close = message.type is aiohttp.WSMsgType.CLOSE
                self.closed = (
                    int((message.data if close else self.socket.close_code) or 1006),
                    str(message.extra or "") if close else "",
                )
                return

    async def greet(self) -> None:
        """The opening of an honest page, until the document is there."""
        await self.send(create_sync_message(self.doc))
        await self.until(lambda: any(frame[:2] == b"\0\1" for frame in self.heard))
        self.doc.observe(self._changed)

    def _changed(self, event: TransactionEvent) -> None:
        if self._mine:
            task = asyncio.create_task(self.send(create_update_message(event.update)))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def send(self, frame: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await self.socket.send_bytes(frame)

    async def pour(self, frames: list[Frame]) -> None:
        """Send them all, as fast as they are taken, and wait for the end of the connection."""
        for frame in frames:
            if self.closed is not None or self.socket.closed:
                break
            try:
                if frame.kind is FrameKind.TEXT:
                    await self.socket.send_str(frame.data.decode())
                else:
                    await self.socket.send_bytes(frame.data)
            except ConnectionError:
                break
        await self.until(lambda: self.closed is not None)

    async def sent(self) -> None:
        """Wait until the changes of this page are on their way."""
        await asyncio.gather(*self._waiting)

    def type(self, words: str) -> None:
        self.source += words

    async def until(self, true: Callable[[], Any]) -> None:
        await until(true)

    @property
    def words(self) -> bytes:
        return b"\n".join(self.heard)

    def hang_up(self) -> None:
        """End the connection without a word, behind what was sent."""
        with socket.socket(fileno=os.dup(self.socket.get_extra_info("socket").fileno())) as line:
            line.shutdown(socket.SHUT_WR)

    async def leave(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, *self._waiting, return_exceptions=True)
        await self.socket.close()


async def until(true: Callable[[], Any], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"did not come true within {patience} s"
        await asyncio.sleep(0.01)


class Owner:
    """Asks the server itself, with its token."""

    def __init__(self, jupyter: JupyterServer) -> None:
        self._jupyter = jupyter
        self._session = aiohttp.ClientSession(headers={"Authorization": f"token {jupyter.token}"})
        self._pages: list[Page] = []

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        async with self._session.request(method, URL(self._jupyter.url + path, encoded=True), data=data) as answer:
            assert answer.status < 300, (answer.status, await answer.text())
            return await answer.json(content_type=None) if answer.status != 204 else None

    async def index(self, path: str, format: str = "text", type: str = "file") -> dict[str, str]:
        """The room of any path whatever: the server indexes what it is asked for."""
        found: dict[str, str] = await self.ask(
            "PUT", f"api/collaboration/session/{path}", {"format": format, "type": type}
        )
        return found

    async def open(self, path: str, format: str = "text", type: str = "file") -> Page:
        session = await self.index(path, format, type)
        page = await self.connect(room_of(session))
        await page.greet()
        return page

    async def connect(self, address: str) -> Page:
        page = Page(await self._session.ws_connect(URL(self._jupyter.url + address, encoded=True)))
        self._pages.append(page)
        return page

    async def move(self, path: str, to: str) -> None:
        await self.ask("PATCH", f"api/contents/{path}", {"path": to})

    async def close(self) -> None:
        for page in self._pages:
            await page.leave()
        await self._session.close()


class Visitor:
    """Opens rooms through the gate, as a page of the visit would."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self._session = aiohttp.ClientSession()
        self.pages: list[Page] = []

    async def session(self, path: str, format: str = "text", type: str = "file") -> dict[str, str]:
        body = json.dumps({"format": format, "type": type}).encode()
        reply = await self.inside.ask("PUT", f"api/collaboration/session/{path}", body=body)
        assert reply.status in (200, 201), reply.body
        found: dict[str, str] = reply.json
        return found

    async def connect(self, address: str) -> Page:
        page = Page(
            await self._session.ws_connect(
                URL(self.inside.gate.nearest + self.inside.base + address, encoded=True),
                headers={**self.inside.manners("GET"), "Origin": self.inside.origin},
                ssl=front.trusted if (front := self.inside.gate.front) is not None else True,
            )
        )
        self.pages.append(page)
        return page

    async def open(self, path: str, format: str = "text", type: str = "file", *, greet: bool = True) -> Page:
        session = await self.session(path, format, type)
        page = await self.connect(room_of(session))
        if greet:
            await page.greet()
        return page

    async def close(self) -> None:
        for page in self.pages:
            await page.leave()
        await self._session.close()


def make(jupyter: JupyterServer, name: str, text: str = "first line\n") -> str:
    """A new text file in the share; its path relative to the server's root."""
    (jupyter.root / "sub" / "shared" / name).write_text(text)
    return f"sub/shared/{name}"


def room_of(session: dict[str, str]) -> str:
    name = f"{session['format']}:{session['type']}:{session['fileId']}"
    return f"api/collaboration/room/{name}?sessionId={session['sessionId']}"


@contextlib.asynccontextmanager
async def owning(jupyter: JupyterServer) -> AsyncIterator[Owner]:
    owner = Owner(jupyter)
    try:
        yield owner
    finally:
        await owner.close()


@contextlib.asynccontextmanager
async def visiting(inside: Inside) -> AsyncIterator[Visitor]:
    visitor = Visitor(inside)
    try:
        yield visitor
    finally:
        await visitor.close()


def editor(name: str) -> Callable[..., AsyncIterator[Visitor]]:
    """A fixture: an editor who comes by a share of her own."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def one(gate: Gatehouse) -> AsyncIterator[Visitor]:
        made = await gate.share(role="edit", **{"for": [name]})
        async with visiting(await gate.visit(made, name=name)) as visitor:
            yield visitor

    return one
