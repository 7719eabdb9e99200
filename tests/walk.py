"""A random walk of everybody through two documents: the server, its files, what somebody does, and when all agree."""

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
from pathlib import Path
from typing import Any

import aiohttp
from pycrdt import Doc, create_update_message

from sharegate.channels import frames
from sharegate.channels.frames import RawSave
from tests.channels import editing
from tests.gatehouse import Gatehouse
from tests.real.jupyter import running_jupyter
from tests.walkers import NOTEBOOK, TEXT, WORD, Book, Person, Seat, Shared, words_in

PATIENCE = 60.0


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
