"""Everybody in one room: a server that comes and goes, pages, and what anybody may do at random."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from typing import Any

from pycrdt import Array, Doc, Text

from sharegate.channels.admission import RoomName
from sharegate.channels.frames import RawJson, SyncStep2, Update
from sharegate.channels.member import Heard, Member
from sharegate.channels.room import Room
from sharegate.channels.scan import FROM_EDITOR, scan_update
from sharegate.errors import Denied, Reason
from sharegate.messages import FrameKind
from sharegate.shares.model import Capability, Role
from tests.channels import editing, stewards
from tests.channels.grants import grant
from tests.channels.pages import WORD, Page, Steward
from tests.channels.unsteady import NOTEBOOK, TEXT, Server, built, read

SCRIPT = editing.SCRIPT["data"]["application/javascript"]


class World:
    """`saved` were reported saved. `deleted` are words that somebody took out; `moved`: for each cell that was moved or
    taken out, which words whoever did it saw there: what others wrote into it meanwhile is lost with the old cell. Both
    since everybody agreed the last time. `never` are words of people who may not write."""

    def __init__(self, seed: int, name: RoomName) -> None:
        self.chance = random.Random(f"{name.type} {seed}")
        self.name = name
        self.kind = editing.DocumentKind.TEXT if name is TEXT else editing.DocumentKind.NOTEBOOK
        start: Any = "words\n"
        if name is NOTEBOOK:
            start = [self._plain(f"c{n}") for n in range(3)]
        self.server = Server(name, start)
        self.steward = Steward()
        self.room = Room("up", name, self.server.connect, self.steward, stewards.RULES)
        self.pages: list[Page] = []
        self.deleted: set[str] = set()
        self.never: set[str] = set()
        self.saved: set[str] = set()
        self.moved: dict[str, list[set[str]]] = {}
        self.cell_of: dict[str, str] = {}
        self.twice: set[str] = set()  # words that are there twice, with their cell
        self._count = 0
        self._running: set[asyncio.Task[Any]] = set()
        self.log: list[str] = []
        self.faults: list[BaseException | None] = []
        for number, role in enumerate((Role.EDIT, Role.EDIT, Role.VIEW)):
            self.pages.append(Page(self, f"v{number}", role))
            self.run(self.pages[-1].join())

    @staticmethod
    def _plain(name: str) -> dict[str, Any]:
        return {
            "id": name,
            "cell_type": "code",
            "source": "x = 1\n",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }

    def run(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._running.add(task)
        return task

    async def settled(self) -> None:
        """What was started is over; the first error of it is raised."""
        while self._running:
            async with asyncio.timeout(25):
                await self._running.pop()
        for fault in self.faults:
            assert fault is None, fault

    def word(self) -> str:
        self._count += 1
        return f"<{self._count}>"

    def lost(self, words: set[str]) -> set[str]:
        """Of words that are gone those that nothing excuses."""
        return {
            word
            for word in words - self.deleted
            if not any(word not in seen for seen in self.moved.get(self.cell_of.get(word, ""), ()))
        }

    def move(self, cell: dict[str, Any]) -> None:
        self.moved.setdefault(str(cell["id"]), []).append(set(WORD.findall(str(cell["source"]))))

    def reported(self, words: set[str]) -> None:
        missing = self.lost(words - set(WORD.findall(str(self.server.disk))))
        assert not missing, f"reported saved, and not in the file: {missing}"
        self.saved |= words

    # -- what people do -------------------------------------------------------------------------------------------

    def typing(self, word: str, doc: Doc[Any], *, visitor: bool = False) -> Any:
        """A change that writes the word somewhere where it splits no other; a visitor's may bring a script along."""
        doc.get("source", type=Text) if self.name is TEXT else doc.get("cells", type=Array)
        if self.name is TEXT:
            where = [0, *(each.end() for each in re.finditer(r"<\d+>|\n", str(doc["source"])))]
            at = self.chance.choice(where)
            return lambda doc: doc["source"].insert(at, word)
        count = len(doc["cells"])
        if not count or self.chance.random() < 0.2:
            cell, at = f"n{word[1:-1]}", self.chance.randint(0, count)
            self.cell_of[word] = cell
            outputs = (editing.SCRIPT,) if visitor and self.chance.random() < 0.3 else ()
            return editing.insert(at, lambda: editing.code(cell, word, outputs=outputs))
        at = self.chance.randrange(count)
        found = doc["cells"][at]
        self.cell_of[word] = str(found["id"])
        where = [0, *(each.end() for each in re.finditer(r"<\d+>|\n", str(found["source"])))]
        place = self.chance.choice(where)
        return lambda doc: doc["cells"][at]["source"].insert(place, word)

    def erasing(self, doc: Doc[Any]) -> Any:
        if self.name is TEXT:
            found = list(WORD.finditer(str(doc["source"])))
            if not found:
                return None
            one = self.chance.choice(found)
            self.deleted.add(one.group())

            def erase(doc: Doc[Any]) -> None:
                del doc["source"][one.start() : one.end()]

            return erase
        count = len(doc["cells"])
        if not count:
            return None
        at, to = self.chance.randrange(count), self.chance.randrange(count)
        self.move(doc["cells"][at])
        if self.chance.random() < 0.5:
            return editing.move(at, to)
        self.deleted |= set(WORD.findall(str(doc["cells"][at]["source"])))
        return lambda doc: doc["cells"].__delitem__(at)

    async def step(self) -> None:
        chance = self.chance
        pages = [each for each in self.pages if not each.over]
        page = chance.choice(pages) if pages else None
        editors = [each for each in pages if self.may_write(each)]
        kinds = {
            "type": 40, "erase": 8, "owner": 12, "owner erases": 3, "save": 14, "autosave": 2, "come": 6, "leave": 4,
            "rejoin": 12, "role": 4, "revoke": 1, "intruder": 8, "state": 2, "vanish": 2, "away": 1, "back": 9,
            "rebuilt": 2, "outside": 2, "conflict": 1, "slow server": 2, "slow page": 3, "fast": 9, "wait": 25,
            "late": 1, "gate": 2, "rest": 1, "lie": 2,
        }  # fmt: skip
        (what,) = chance.choices(list(kinds), list(kinds.values()))
        self.log.append(f"{what} {page.visit if page else ''}")
        match what:
            case "come" if len(pages) < 8:
                role = Role.EDIT if chance.random() < 0.7 else Role.VIEW
                self.pages.append(Page(self, f"v{len(self.pages)}", role))
                self.run(self.pages[-1].join())
            case "rejoin":
                for each in pages:
                    self.run(each.join())
            case "leave" if page:
                page.leave()
            case "type" if editors:
                one = chance.choice(editors)
                if not one.refused:
                    one.change(self.typing(self.word(), one.doc, visitor=True))
            case "erase" if editors:
                one = chance.choice(editors)
                change = self.erasing(one.doc)
                if change is not None:
                    one.change(change)
            case "owner":
                self.server.change(self.typing(self.word(), self.server.doc))
            case "owner erases":
                change = self.erasing(self.server.doc)
                if change is not None:
                    self.server.change(change)
            case "save" if page and page.member is not None:
                page.save()
            case "autosave":
                self.server.save()
            case "role" if page:
                down = self.may_write(page)
                self.steward.roles[page.visit] = grant(visit=page.visit, role=Role.VIEW if down else Role.EDIT)
                if chance.random() < 0.5:
                    page.leave()
                    # Its page holds what it could not say any more.
                    page.load()
                else:
                    page.refused = True  # its page is told, and loads itself again when it likes
            case "revoke" if page and len(pages) > 2:
                self.steward.gone.add(page.visit)
                page.over = True
                if page.member is not None:
                    if chance.random() < 0.5:
                        page.member.end(Denied(Reason.VISIT_ENDED))
                    else:
                        page.member.abort()
            case "late" if editors and len(pages) > 2:
                # In the very moment in which the visit is ended.
                one = chance.choice(editors)
                one.change(self.typing(self.word(), one.doc, visitor=True))
                for _ in range(chance.randrange(6)):
                    await asyncio.sleep(0)
                self.steward.gone.add(one.visit)
                one.over = True
                if one.member is not None:
                    one.member.end(Denied(Reason.VISIT_ENDED))
            case "intruder" if page and page.member is not None and not self.may_write(page):
                self.run(self.intrude(page, page.member))
            case "state" if editors:
                one = chance.choice(editors)
                one.change(lambda doc: doc["state"].update({"path": "elsewhere"}))
            case "vanish":
                self.server.lose_connection()
            case "away":
                self.server.up = False
                self.server.lose_connection()
            case "back":
                self.server.up = True
            case "rebuilt":
                self.server.lose_connection()
                self.server.restarts += 1
                self.server.doc = built(self.name, self.server.disk, self.server.restarts)
            case "outside":
                word = self.word()
                if self.name is TEXT:
                    self.server.disk = word + self.server.disk
                else:
                    cell = self._plain(f"o{word[1:-1]}") | {"source": word}
                    self.server.disk = [*self.server.disk, cell]
                    self.cell_of[word] = f"o{word[1:-1]}"
                if self.server.wire is not None:
                    # The server reads the file again: what was in the document alone is gone.
                    self.deleted |= set(WORD.findall(str(read(self.server.doc, self.name)))) - set(
                        WORD.findall(str(self.server.disk))
                    )
                    if self.name is NOTEBOOK:
                        # Every cell is another one then: what is typed into the old ones meanwhile goes with them.
                        for cell in self.server.disk:
                            self.move(cell)
                        kept = {str(cell["id"]) for cell in self.server.disk}
                        for doc in (self.server.doc, *(each.doc for each in self.pages)):
                            for id in {str(cell["id"]) for cell in read(doc, self.name)} - kept:
                                self.moved.setdefault(id, []).append(set())
                    self.server.read_again()
            case "conflict" if self.server.wire is not None:
                self.server._put(self.server.wire, RawJson({"type": "conflict"}))
            case "lie":
                self.server.lies = chance.choice((1, 3, 30))
            case "slow server":
                self.server.slow = True
            case "slow page" if page:
                page.slow = True
            case "fast":
                self.server.slow = False
                for each in pages:
                    each.slow = False
            case "gate":
                self.run(self.gate_writes(self.word()))
            case "rest" if self.room._link.connected:
                self.room.resting = True
                self.room._link.finish()
            case "wait":
                await asyncio.sleep(chance.choice((0, 0.002, 0.01)))

    def may_write(self, page: Page) -> bool:
        one = self.steward.roles.get(page.visit, grant(visit=page.visit, role=page.role))
        return one.allows(Capability.ROOMS_WRITE)

    async def intrude(self, page: Page, member: Member) -> None:
        """Somebody without the role, past the guard of the channel."""
        word = self.word()
        self.never.add(word)
        copy = editing.open_page(page.doc.get_update(), self.chance.randrange(1, 2**32), self.kind)
        before = copy.get_state()
        self.typing(word, copy)(copy)
        update = copy.get_update(before)
        kind = self.chance.choice((Update, SyncStep2))
        with contextlib.suppress(Denied, ConnectionError):
            summary = scan_update(update, FROM_EDITOR, structs=True)
            await member.send(Heard(FrameKind.BINARY, message=kind(update), summary=summary))

    async def gate_writes(self, word: str) -> None:
        with contextlib.suppress(Denied):
            async with self.room.held() as epoch:
                if self.room.epoch is epoch:
                    self.room.write(self.typing(word, epoch.doc))

    # -- the end --------------------------------------------------------------------------------------------------

    async def heal(self) -> None:
        self.server.up, self.server.slow, self.server.lies = True, False, 0
        for page in self.pages:
            page.slow = False
            if page.over:
                page.leave()
        await self.settled()

    def differ(self) -> list[str]:
        """Who has something else than the server, or waits for an answer."""
        whole = read(self.server.doc, self.name)
        here = [each for each in self.pages if not each.over]
        found = [each.visit for each in here if each.member is None or read(each.doc, self.name) != whole]
        found += [f"{each.visit} waits to hear whether it is saved" for each in here if each.asked]
        if self.room._epoch is not None and read(self.room._epoch.doc, self.name) != whole:
            found.append("the gate")
        return found

    async def agree(self) -> None:
        """Everybody has what the server has, and it is saved; from now on nothing excuses the loss of what is there."""
        await self.heal()
        await self.converge()
        there = set(WORD.findall(str(read(self.server.doc, self.name))))
        lost = self.lost(self.saved - there)
        assert not lost, f"reported saved, and gone: {lost}"
        assert not self.never & there
        assert SCRIPT not in str(read(self.server.doc, self.name))
        found = WORD.findall(str(read(self.server.doc, self.name)))
        twice = {word for word in there if found.count(word) > 1}
        # Two who move a cell at once make two of it.
        garbled = {word for word in twice - self.twice if self.cell_of.get(word, "") not in self.moved}
        assert not garbled, f"there twice: {garbled}"
        self.twice = twice
        self.server.save()
        assert set(WORD.findall(str(self.server.disk))) == there
        await self.converge()
        self.saved, self.deleted, self.moved = there, set(), {}

    async def converge(self) -> None:
        for _ in range(400):
            # Who rests keeps the copy that was there until somebody acts.
            self.room.acted()
            with contextlib.suppress(Denied):
                async with self.room.held():
                    pass
            for page in self.pages:
                if page.refused:
                    page.leave()  # it is told to load itself again
                if not page.over and page.member is None:
                    await page.join()
            await asyncio.sleep(0.005)
            await self.settled()
            if not self.differ():
                return
        whole, gate = read(self.server.doc, self.name), read(self.room.epoch.doc, self.name)
        raise AssertionError(f"do not agree: {self.differ()}; the server has {whole}, the gate {gate}")
