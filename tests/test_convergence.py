"""A real Jupyter server, the gate, and everybody in two documents at random: an owner connected directly, editors, a
viewer, restarts of the server, changes of the files by others, links that end, pages that read slowly.

Reproducible by its seed as far as real servers are. `CONVERGENCE_REAL_SEEDS=50 pytest tests/test_convergence.py` tries
more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pycrdt import Array, Doc, Text, TransactionEvent, create_sync_message, create_update_message
from pycrdt import handle_sync_message as handle
from yarl import URL

from sharegate.channels import frames
from sharegate.channels.frames import RawJson, RawSave
from sharegate.messages import Frame
from tests.attacks.conftest import SETTINGS
from tests.attacks.pages import room_of
from tests.channels import editing
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.real.jupyter import running_jupyter

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

SEEDS = int(os.environ.get("CONVERGENCE_REAL_SEEDS", "2"))
FIRST = int(os.environ.get("CONVERGENCE_REAL_FIRST", "0"))
ROUNDS, STEPS = 4, 30
PATIENCE = 60.0
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


class World:
    def __init__(self, seed: int, home: Path, http: aiohttp.ClientSession) -> None:
        self.chance = random.Random(seed)
        self.home, self.http = home, http
        self.books = {TEXT: Book(), NOTEBOOK: Book()}
        self.never: set[str] = set()
        self.people: list[Person] = []
        self.log: list[str] = []
        self.faults: list[BaseException] = []
        self.servers = contextlib.ExitStack()
        self._count = 0
        self._running: set[asyncio.Task[Any]] = set()
        self._restarting: asyncio.Task[None] | None = None
        self.restarts = 0
        # A server that reads a text again makes the new one out of letters of the old (jupyter_ydoc yunicode.py): who
        # erases a word meanwhile takes letters of another. In such rounds nobody erases.
        self.read_again = False
        shared = home / "root" / "sub" / "shared"
        shared.mkdir(parents=True)
        (shared / TEXT.name).write_text("a line\n")
        cells = [self._plain(f"c{number}", "x = 1\n") for number in range(3)]
        (shared / NOTEBOOK.name).write_text(self._notebook(cells))

    # -- the file -------------------------------------------------------------------------------------------------

    @staticmethod
    def _plain(name: str, source: str) -> dict[str, Any]:
        return {
            "id": name,
            "cell_type": "code",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }

    @staticmethod
    def _notebook(cells: list[dict[str, Any]]) -> str:
        return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})

    def file(self, shared: Shared) -> Path:
        return self.home / "root" / shared.path

    def writing(self, shared: Shared) -> bool:
        """Whether the server is in the middle of writing the file (it keeps a copy then)."""
        return self.file(shared).with_name(f".~{shared.name}").exists()

    def disk(self, shared: Shared) -> Any:
        """What `Shared.read` gives of a document with this content; None in the middle of writing."""
        said = self.file(shared).read_text()
        if shared is TEXT:
            return said
        try:
            return [(cell["id"], "".join(cell["source"])) for cell in json.loads(said)["cells"]]
        except ValueError:
            return None

    def reported(self, shared: Shared, words: set[str]) -> None:
        self.books[shared].saved |= words
        self.run(self._is_there(shared, words))

    async def _is_there(self, shared: Shared, words: set[str]) -> None:
        while True:
            writing = self.writing(shared)
            first, second = self.disk(shared), self.disk(shared)
            missing = self.books[shared].must_be(words) - words_in(first)
            if not missing:
                return
            if not writing and not self.writing(shared) and first == second and first:
                raise AssertionError(f"reported saved, and not in {shared.name}: {missing}")
            await asyncio.sleep(0.005)

    # -- the server -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self.jupyter = await asyncio.to_thread(self.servers.enter_context, running_jupyter(self.home, lab=False))

    @contextlib.asynccontextmanager
    async def stopped(self) -> AsyncIterator[None]:
        """The server stands still, and in the middle of no file."""
        pid = self.jupyter.process.pid
        while True:
            os.kill(pid, signal.SIGSTOP)
            os.waitid(os.P_PID, pid, os.WSTOPPED)
            if not self.writing(TEXT) and not self.writing(NOTEBOOK):
                break
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.005)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def restart(self) -> None:
        """Killed, and started again elsewhere."""
        old = self.jupyter
        async with self.stopped():
            os.killpg(old.process.pid, signal.SIGKILL)
        await asyncio.to_thread(old.process.wait, 10)
        await asyncio.sleep(self.chance.choice((0, 0.5, 4)))  # longer than the gate waits for it, or not
        await self.start()
        assert (self.jupyter.port, self.jupyter.token) != (old.port, old.token)
        self.restarts += 1
        for seat in self.owner.seats.values():
            seat.load()

    @property
    def away(self) -> bool:
        return self._restarting is not None and not self._restarting.done()

    async def outside(self, shared: Shared) -> None:
        """Somebody adds a word to the file itself: what is not in the file by then is gone when it is read again."""
        async with self.stopped():
            word, book = self.word(), self.books[shared]
            content = self.disk(shared)
            book.lost |= {each for seat in self.seats_of(shared) for each in seat.words} - words_in(content)
            book.outside.add(word)
            if shared is TEXT:
                self.file(shared).write_text(f"{word}\n{content}")
            else:
                cells = [self._plain(*cell) for cell in [*content, (f"o{self._count}", word)]]
                book.cell_of[word] = f"o{self._count}"
                self.file(shared).write_text(self._notebook(cells))

    # -- people ---------------------------------------------------------------------------------------------------

    @property
    def owner(self) -> Person:
        return self.people[0]

    @property
    def here(self) -> list[Person]:
        return [person for person in self.people if not person.over]

    def seats_of(self, shared: Shared) -> list[Seat]:
        return [person.seats[shared] for person in self.people]

    def run(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(self.look_at)

    def look_at(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.faults.append(error)

    def check(self) -> None:
        if self.faults:
            raise self.faults[0]

    def word(self) -> str:
        self._count += 1
        return f"<{self._count}>"

    # -- what they do ---------------------------------------------------------------------------------------------

    def typing(self, word: str, seat: Seat, doc: Doc[Any] | None = None) -> Callable[[Any], object]:
        """A change that writes the word where it splits no other."""
        doc, book = doc or seat.doc, self.books[seat.shared]
        if not book.outside <= seat.words:
            book.lost.add(word)  # the file is read again, and this page has not heard of it yet
        if seat.shared is TEXT:
            at = self.chance.choice(_gaps(str(doc["source"])))
            return lambda doc: doc["source"].insert(at, word)
        count = len(doc["cells"])
        if not count or self.chance.random() < 0.2:
            cell, at = f"n{word[1:-1]}", self.chance.randint(0, count)
            book.cell_of[word] = cell
            return editing.insert(at, lambda: editing.code(cell, word))
        at = self.chance.randrange(count)
        found = doc["cells"][at]
        book.cell_of[word] = str(found["id"])
        place = self.chance.choice(_gaps(str(found["source"])))
        return lambda doc: doc["cells"][at]["source"].insert(place, word)

    def erasing(self, seat: Seat) -> Callable[[Any], object] | None:
        """Take out a word, or take out or move a cell."""
        book = self.books[seat.shared]
        if seat.shared is TEXT:
            found = list(WORD.finditer(str(seat.doc["source"])))
            if not found or self.read_again:
                return None
            one = self.chance.choice(found)
            book.lost.add(one.group())

            def erase(doc: Any) -> None:
                del doc["source"][one.start() : one.end()]

            return erase
        count = len(seat.doc["cells"])
        if not count:
            return None
        at, to = self.chance.randrange(count), self.chance.randrange(count)
        cell = seat.doc["cells"][at]
        seen = words_in(cell["source"])
        book.moved.setdefault(str(cell["id"]), []).append(seen)
        if self.chance.random() < 0.6:
            return editing.move(at, to)
        book.lost |= seen
        return lambda doc: doc["cells"].__delitem__(at)

    def intrude(self, seat: Seat) -> None:
        """Somebody without the role writes all the same."""
        if seat.socket is None or not seat.synced:
            return
        word = self.word()
        self.never.add(word)
        kind = editing.DocumentKind.TEXT if seat.shared is TEXT else editing.DocumentKind.NOTEBOOK
        copy = editing.open_page(seat.doc.get_update(), self.chance.randrange(1, 2**32), kind)
        before = copy.get_state()
        self.typing(word, seat, copy)(copy)
        seat.say(create_update_message(copy.get_update(before)))
        seat.say(frames.write(RawSave(10**6)).data)

    async def step(self, house: Gatehouse, what: str) -> None:
        chance = self.chance
        person, shared = chance.choice(self.here), chance.choice((TEXT, NOTEBOOK))
        writers = [each for each in self.here if each.writes and each.seats[shared].synced]
        writer = chance.choice(writers).seats[shared] if writers else None
        seat = person.seats[shared]
        self.log.append(f"{what} {shared.type} {person.name}")
        match what:
            case "type" if writer:
                writer.change(self.typing(self.word(), writer))
            case "erase" if writer:
                change = self.erasing(writer)
                if change is not None:
                    writer.change(change)
            case "save" if seat.socket is not None:
                seat.save()
            case "leave":
                seat.leave()
            case "rejoin":
                for each in self.here:
                    for one in each.seats.values():
                        self.run(one.join())
            case "role" if not person.owner:
                assert person.inside is not None
                person.writes = not person.writes
                id, role = person.inside.share["id"], "edit" if person.writes else "view"
                await house.call("PATCH", f"shares/{id}", {"role": role})
                if not person.writes:
                    self.intrude(seat)
                # It is told to load itself again, or has to in order to write.
                for each in person.seats.values():
                    each.load()
            case "revoke" if len([each for each in self.here if each.writes]) > 2 and not person.owner:
                assert person.inside is not None
                await house.call("POST", f"links/{person.inside.link['id']}/revoke")
                person.over = True
                self.intrude(seat)
                await self.comes(house, f"{person.name}'", "edit" if person.writes else "view")
            case "intrude":
                for each in self.here:
                    if not each.writes:
                        self.intrude(each.seats[shared])
            case "slow":
                seat.awake.clear()
            case "fast":
                self.fast()
            case "outside" if not self.away:
                await self.outside(shared)
            case "restart" if not self.away:
                self._restarting = asyncio.create_task(self.restart())
                self._restarting.add_done_callback(self.look_at)
            case "wait":
                await asyncio.sleep(chance.choice((0.05, 0.3)))
        await asyncio.sleep(chance.choice((0, 0, 0.005, 0.02)))

    async def comes(self, house: Gatehouse, name: str, role: str) -> None:
        made = await house.share(role=role, **{"for": [name]})
        self.people.append(Person(self, name, await house.visit(made, name=name), writes=role == "edit"))

    def fast(self) -> None:
        for person in self.people:
            for seat in person.seats.values():
                seat.awake.set()

    # -- all agree ------------------------------------------------------------------------------------------------

    async def agree(self) -> None:
        """Everybody who may be connected is, and has what is in the file; nothing that must be there is gone."""
        self.fast()
        restarted = self._restarting is not None
        if self._restarting is not None:
            await self._restarting
            self._restarting = None
        deadline = time.monotonic() + PATIENCE
        while differing := await self._differing():
            self.check()
            assert time.monotonic() < deadline, f"do not agree: {differing}"
        self.check()
        for shared, book in self.books.items():
            there = words_in(self.disk(shared))
            lost = book.must_be(book.saved) - there
            assert not lost, (
                f"reported saved, and gone: {lost}; the file has {self.disk(shared)}, there was {book.before}"
            )
            assert not self.never & there, f"written by who may not: {self.never & there}"
            # A server killed between file and records puts what it finds in the file beside what the gate gives back.
            if shared is TEXT and not restarted:
                twice = _twice(self.disk(shared)) - _twice(str(book.before))
                assert not twice, f"there twice: {twice}"
            self.books[shared] = Book(saved=there, cell_of=book.cell_of, before=self.disk(shared))

    async def _differing(self) -> list[str]:
        found: list[str] = []
        for shared in self.books:
            seats = [person.seats[shared] for person in self.here]
            for seat in seats:
                await seat.join()
            saver = self.chance.choice([seat for seat in seats if seat.person.writes])
            waiting = [seat for seat in seats if seat.socket is not None and seat.asked]
            if saver.synced and saver.socket is not None:
                # Something to be written, so that the server writes whatever the file is by now.
                saver.change(self.typing(self.word(), saver))
                saver.save()
            for _ in range(40):
                await asyncio.sleep(0.05)
                contents = [shared.read(seat.doc) for seat in seats]
                away = [seat.person.name for seat in seats if seat.socket is None or not seat.synced]
                disk = self.disk(shared)
                others = [seat.person.name for seat, one in zip(seats, contents, strict=True) if one != disk]
                if not away and not others and not saver.asked and not any(seat.asked for seat in waiting):
                    break
            else:
                unanswered = [seat.person.name for seat in seats if seat.asked]
                found.append(f"{shared.name}: {away} are away, {others} differ from the file, {unanswered} wait")
        return found

    async def close(self) -> None:
        for person in self.people:
            for seat in person.seats.values():
                seat.leave()
        if self._restarting is not None:
            with contextlib.suppress(Exception):
                await self._restarting
        await asyncio.gather(*self._running, return_exceptions=True)


def _twice(text: str) -> set[str]:
    found = WORD.findall(text)
    return {word for word in found if found.count(word) > 1}


def _gaps(text: str) -> list[int]:
    return [0, *(each.end() for each in re.finditer(r"<\d+>|\n", text))]


KINDS = {
    "type": 40, "erase": 9, "save": 16, "leave": 3, "rejoin": 10, "role": 2, "revoke": 1, "intrude": 5, "slow": 3,
    "fast": 5, "outside": 2, "wait": 12,
}  # fmt: skip


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
async def test_everybody_comes_to_what_is_in_the_file(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that was reported saved is lost, and who may not write wrote nothing."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    async with aiohttp.ClientSession() as http:
        world = World(seed, tmp_path, http)
        await world.start()
        with world.servers:
            async with gatehouse(tmp_path, world.jupyter, **SETTINGS) as house:
                world.people.append(Person(world, "Olga", None, writes=True))
                try:
                    for name, role in (("Ann", "edit"), ("Bo", "edit"), ("Eve", "view")):
                        await world.comes(house, name, role)
                    await world.agree()
                    for number in range(ROUNDS):
                        kinds = world.chance.choices(list(KINDS), list(KINDS.values()), k=STEPS)
                        if number % 2:
                            kinds[world.chance.randrange(STEPS)] = "restart"
                        world.read_again = not {"restart", "outside"}.isdisjoint(kinds)
                        for kind in kinds:
                            await world.step(house, kind)
                            world.check()
                        await world.agree()
                    assert world.restarts == ROUNDS // 2
                except BaseException:
                    print("\n".join(world.log))
                    raise
                finally:
                    await world.close()
