"""Everybody in two documents of a real server: pages that connect anew, who sits at them, what they wrote."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from pycrdt import Array, Doc, Text, TransactionEvent, create_sync_message, create_update_message
from pycrdt import handle_sync_message as handle
from yarl import URL

from sharegate.channels import frames
from sharegate.channels.frames import RawJson, RawSave
from sharegate.messages import Frame
from tests.attacks.pages import room_of
from tests.channels import editing
from tests.gatehouse import Inside

if TYPE_CHECKING:
    from tests.walk import World

WORD = re.compile(r"<\d+>")  # what somebody wrote: never split, found wherever it went


@dataclass(frozen=True)
class Shared:
    """A document that everybody has open."""

    name: str
    format: str
    type: str

    @property
    def path(self) -> str:
        return f"sub/shared/{self.name}"

    def read(self, doc: Doc[Any]) -> Any:
        """What the file would hold."""
        if self is TEXT:
            return str(doc.get("source", type=Text))
        found: list[tuple[str, str]] = []
        for cell in doc.get("cells", type=Array):
            one = str(cell["id"]), str(cell["source"])
            # Two who move a cell at once make two of it, of which the server writes one.
            if one not in found:
                found.append(one)
        return found


TEXT, NOTEBOOK = Shared("walk.md", "text", "file"), Shared("walk.ipynb", "json", "notebook")


def words_in(content: Any) -> set[str]:
    """Also those into which others were written, while a server made the text anew out of the letters of the old."""
    text, found = str(content), set[str]()
    while words := set(WORD.findall(text)):
        found |= words
        text = WORD.sub("", text)
    return found


class Seat:
    """One document in somebody's page, which connects anew when it lost the connection (as y-websocket does) and loads
    itself again when it is told to (as ours does)."""

    def __init__(self, person: Person, shared: Shared) -> None:
        self.person, self.shared = person, shared
        self.asked: dict[int, set[str]] = {}
        self.awake = asyncio.Event()
        self.awake.set()
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self.synced = False
        self._numbers = 0
        self._mine = True
        self._joining = False
        self._stale = False
        self._out: asyncio.Queue[bytes] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self.load()

    def load(self) -> None:
        self.leave()
        self.session: dict[str, str] | None = None
        self._stale = False
        kind = editing.DocumentKind.TEXT if self.shared is TEXT else editing.DocumentKind.NOTEBOOK
        self.doc = editing.open_page(b"\0\0", self.person.world.chance.randrange(1, 2**32), kind)
        self.doc.observe(self._changed)

    def _changed(self, event: TransactionEvent) -> None:
        if self._mine and self.socket is not None:
            self._out.put_nowait(create_update_message(event.update))

    @property
    def words(self) -> set[str]:
        return words_in(self.shared.read(self.doc))

    async def join(self) -> None:
        if self.socket is not None or self._joining or self.person.over:
            return
        self._joining = True
        try:
            if self._stale:
                self.load()
            self.session = self.session or await self.person.session(self.shared)
            socket = await self.person.dial(room_of(self.session)) if self.session is not None else None
        finally:
            self._joining = False
        if socket is None:
            return
        self.socket, self.synced, self._out = socket, False, asyncio.Queue()
        self.asked.clear()
        self._out.put_nowait(create_sync_message(self.doc))
        self._tasks = [asyncio.create_task(self._read(socket)), asyncio.create_task(self._write(socket, self._out))]
        self._tasks[0].add_done_callback(self.person.world.look_at)

    async def _write(self, socket: aiohttp.ClientWebSocketResponse, out: asyncio.Queue[bytes]) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await socket.send_bytes(await out.get())

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        early: list[aiohttp.WSMessage] = []
        while True:
            await self.awake.wait()
            message = await socket.receive()
            if message.type is not aiohttp.WSMsgType.BINARY:
                code = message.data if message.type is aiohttp.WSMsgType.CLOSE else socket.close_code
                self._stale |= code == 1003
                break
            if message.data[:2] == b"\0\2" and not self.synced:
                early.append(message)  # it may lie behind a gap, which the library does not bear (channels/link.py)
            elif message.data[:1] == b"\0":
                self._mine = False
                answer = handle(message.data[1:], self.doc)
                self.synced |= message.data[1:2] == b"\1"
                while self.synced and early:
                    handle(early.pop(0).data[1:], self.doc)
                self._mine = True
                if answer is not None:
                    self._out.put_nowait(answer)
            elif message.data[:1] == b"\2":
                self._answered(frames.read(Frame.binary(message.data), limit=frames.UPSTREAM_FRAME))
        self.socket = None
        self._tasks[1].cancel()
        await socket.close()

    def _answered(self, message: Any) -> None:
        match message:
            case RawJson(value={"type": "save", "responseTo": int(number), "status": status}) if number in self.asked:
                self.answer = status
                words = self.asked.pop(number)
                # The server itself says success whatever happened.
                if status == "success" and not self.person.owner:
                    self.person.world.reported(self.shared, words)

    def change(self, what: Callable[[Any], object]) -> None:
        with self.doc.transaction():
            what(self.doc)

    def say(self, frame: bytes) -> None:
        self._out.put_nowait(frame)

    def save(self) -> None:
        self._numbers += 1
        self.answer = ""
        self.asked[self._numbers] = self.words
        self.say(frames.write(RawSave(self._numbers)).data)

    def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self.socket is not None:
            self.person.world.run(_hang_up(self.socket))
            self.socket = None


async def _hang_up(socket: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(ConnectionError):
        await socket.close()


class Person:
    """The owner, who asks the server itself, or a visitor."""

    def __init__(self, world: World, name: str, inside: Inside | None, *, writes: bool) -> None:
        self.world, self.name, self.inside, self.writes = world, name, inside, writes
        self.over = False
        self.seats = {shared: Seat(self, shared) for shared in (TEXT, NOTEBOOK)}

    @property
    def owner(self) -> bool:
        return self.inside is None

    async def session(self, shared: Shared) -> dict[str, str] | None:
        """None when it is not to be had now."""
        body = {"format": shared.format, "type": shared.type}
        address = f"api/collaboration/session/{shared.path}"
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with self.world.http.put(self._url(address), json=body, headers=self._headers("PUT")) as answer:
                if answer.status in (200, 201):
                    return dict(await answer.json())
        return None

    async def dial(self, address: str) -> aiohttp.ClientWebSocketResponse | None:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            return await self.world.http.ws_connect(self._url(address), headers=self._headers("GET"), max_msg_size=0)
        return None

    def _url(self, address: str) -> URL:
        if self.inside is None:
            return URL(self.world.jupyter.url + address, encoded=True)
        return URL(self.inside.gate.origin + self.inside.base + address, encoded=True)

    def _headers(self, method: str) -> dict[str, str]:
        if self.inside is None:
            return {"Authorization": f"token {self.world.jupyter.token}"}
        return {**self.inside.manners(method), "Origin": self.inside.gate.origin}


@dataclass
class Book:
    """What is known of the words of one document since all agreed the last time.

    `saved` were reported saved. `lost` may be gone: somebody took them out, or wrote them where somebody else took out
    the cell or the file was read again. `moved`: for each cell that was moved or taken out, what was seen in it then.
    `outside`: words that somebody outside wrote into the file. `before`: the file when all agreed.
    """

    saved: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    cell_of: dict[str, str] = field(default_factory=dict)
    moved: dict[str, list[set[str]]] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)
    before: Any = None

    def must_be(self, words: set[str]) -> set[str]:
        """Those that nothing excuses."""
        return {
            word
            for word in words - self.lost
            if not any(word not in seen for seen in self.moved.get(self.cell_of.get(word, ""), ()))
        }
