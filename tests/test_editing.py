"""What stands around a visitor's change in a live document: nothing is written that is not recorded and kept first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pycrdt import Map

from sharegate.audit.events import AuditEvent
from sharegate.channels.frames import Awareness, AwarenessState, RawJson
from sharegate.channels.guard import Judged
from sharegate.channels.room import Room
from sharegate.editing import REFUSALS_SECONDS, Editing
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.keeping import FAILURES, Keeping
from sharegate.paths import CanonicalPath
from sharegate.shares.model import Capability, Grant, Role, new_id
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from sharegate.versions.edits import FLUSH_BYTES
from sharegate.versions.model import Content, EditKind, Limits
from sharegate.versions.snapshots import Keeper
from tests.channels.grants import grant
from tests.channels.rooms import Server, document, edit, made, until
from tests.conftest import Clock


@dataclass
class Trail:
    """What was recorded, unless it is full."""

    events: list[AuditEvent] = field(default_factory=list)
    full: bool = False

    async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
        if self.full:
            raise StoreUnavailable("the trail is full")
        self.events.append(event)

    def of(self, action: str) -> list[AuditEvent]:
        return [event for event in self.events if event.action == action]


@dataclass
class Doors:
    """Who may do what by now, and whose role was taken back: authenticator, store of shares and names in one."""

    now: dict[str, Grant] = field(default_factory=dict)
    changed: list[tuple[str, Role]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    names: list[tuple[str, ...]] = field(default_factory=list)

    async def again(self, grant: Grant) -> Grant:
        return self.now.get(grant.visit.id, grant)

    async def change_visit(self, visit: str, *, role: Role) -> None:
        assert self.told == [*(each for each, _ in self.changed), visit], "told before the page loads itself again"
        self.changed.append((visit, role))

    def identity(self, grant: Grant) -> dict[str, Any]:
        return {"username": grant.visit.id, "name": grant.visit.id}

    def heard(self, *said: str) -> None:
        self.names.append(said)


class Desk:
    """A room with a real store behind it. What is in `broken` cannot be stored: `versions`, `edits`."""

    def __init__(self, server: Server, store: SqliteStore, clock: Clock) -> None:
        self.server = server
        self.store = store
        self.trail, self.doors = Trail(), Doors()
        self.keeper = Keeper(store, Limits(), new_id, clock, interval=300.0)
        self.keeping = Keeping(self.keeper, store, Limits(), self.trail, clock)
        doors: Any = self.doors
        self.steward = Editing(
            authenticator=doors,
            store=doors,
            names=doors,
            trail=self.trail,
            keeping=self.keeping,
            now=clock,
            writing_ended=self.doors.told.append,
        )
        self.room = Room("up", made(server).name, server.connect, self.steward, made(server)._rules)

    @property
    def words(self) -> str:
        return str(self.server.doc["source"])

    async def causes(self) -> list[tuple[str, str]]:
        return [(each.cause.value, each.visit) for each in reversed(await self.keeper.list())]

    async def log(self) -> list[tuple[str, str]]:
        """Kinds and origins of all that the log of the present history holds."""
        kept = self.keeping.log_of(self.room)
        assert kept is not None
        await self.keeping.flush()
        return [(edit.kind.value, edit.origin) for edit in await self.store.edits(kept.place)]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What the store cannot do just now."""
    found: set[str] = set()
    for name in ("keep_version", "append_edits", "add_authorship"):
        real = getattr(SqliteStore, name)

        async def act(self: SqliteStore, *given: Any, name: str = name, real: Any = real, **more: Any) -> Any:
            if name in found:
                raise StoreUnavailable("full")
            return await real(self, *given, **more)

        monkeypatch.setattr(SqliteStore, name, act)
    return found


@pytest_asyncio.fixture
async def desk(tmp_path: Path, clock: Clock) -> AsyncIterator[Desk]:
    store = await open_sqlite(tmp_path / "store" / "sharegate.db", key=b"k" * 32)
    server = Server(document("words of some length\n" * 20))
    made = Desk(server, store, clock)
    yield made
    for member in list(made.room._members):
        member.abort()
    await made.room.closed()
    server.stop()
    await store.close()


# -- before a change -------------------------------------------------------------------------------------------


async def test_what_only_the_file_has_is_kept_as_well(desk: Desk) -> None:
    """The owner typed and did not save: a visitor's save would take what lies on the disk away."""
    files = [Content.of_text("on the disk\n")]

    async def read(room: Room) -> Content | None:
        assert room is desk.room
        return files[0]

    desk.keeping.read_file = read
    ann = await edit(desk.room, "ann")
    await desk.server.type("unsaved ")
    await until(lambda: "unsaved" in str(ann.source))
    before = desk.words
    await ann.type("a ")
    kept = [await desk.keeper.content(each) for each in await desk.keeper.list()]
    assert {each.text for each in kept} == {before, "on the disk\n"}


async def test_a_file_that_cannot_be_read_keeps_a_visitor_from_writing(desk: Desk) -> None:
    """While it may hold what the document does not, it could not be kept. Once it can be read, changes are made."""
    away = True

    async def read(room: Room) -> Content | None:
        if away:
            raise Denied(Reason.UPSTREAM_AWAY)
        return None

    desk.keeping.read_file = read
    ann = await edit(desk.room, "ann")
    await desk.server.type("unsaved ")
    await until(lambda: "unsaved" in str(ann.source))
    before = desk.words
    with pytest.raises(Denied, match="upstream_away"):
        await ann.type("lost ")
    assert desk.words == before and "lost" not in str(desk.room.epoch.doc["source"])
    away = False
    again = await edit(desk.room, "ann")
    await again.type("kept ")
    await until(lambda: desk.words == "kept " + before)


async def test_a_file_that_is_saved_is_not_kept_beside_its_document(desk: Desk) -> None:
    """Nor read."""

    async def read(room: Room) -> Content | None:
        raise AssertionError("not asked for")

    desk.keeping.read_file = read
    ann = await edit(desk.room, "ann")
    await ann.type("a ")
    assert await desk.causes() == [("first_write", "ann")]


async def test_before_a_visits_first_change_it_is_recorded_and_kept(desk: Desk, clock: Clock) -> None:
    """Once for each visit, on its account; the version holds what was there before."""
    desk.room.path = CanonicalPath.from_body("sub/notes.md")
    assert desk.keeping.log_of(desk.room) is None
    ann = await edit(desk.room, "ann")
    before = desk.words
    await ann.type("a ")
    await ann.type("b ")
    ann.leave()
    ann = await edit(desk.room, "ann")
    await ann.type("c ")
    assert await desk.causes() == [("first_write", "ann")]
    clock.forward(1)
    bo = await edit(desk.room, "bo")
    await bo.type("d ")
    assert await desk.causes() == [("first_write", "ann"), ("first_write", "bo")]
    kept = desk.keeping.log_of(desk.room)
    assert kept is not None and kept.place.path == "sub/notes.md"
    written = [(event.visit, event.path) for event in desk.trail.of("document.written")]
    assert written == [(visit, "sub/notes.md") for visit in ("ann", "ann", "bo")]
    newest, oldest = await desk.keeper.list(path="sub/notes.md")
    assert (await desk.keeper.content(oldest)).text == before
    assert (await desk.keeper.content(newest)).text == "c b a " + before
    await until(lambda: desk.words == "d c b a " + before)


@pytest.mark.parametrize("what", ["keep_version", "append_edits", "the trail"])
async def test_what_cannot_be_kept_or_recorded_is_not_written(desk: Desk, broken: set[str], what: str) -> None:
    """The change is refused before anybody sees it; when it can be kept again, the next one is."""
    ann, bo = await edit(desk.room, "ann"), await edit(desk.room, "bo")
    before = desk.words
    broken.add(what)
    desk.trail.full = what == "the trail"
    with pytest.raises(StoreUnavailable):
        await ann.type("lost ")
    assert desk.keeping.log_of(desk.room) is None
    assert "lost" not in str(desk.room.epoch.doc["source"]) + str(bo.source)
    broken.clear()
    desk.trail.full = False
    again = await edit(desk.room, "ann")
    await again.type("kept ")
    await until(lambda: desk.words == "kept " + before)
    assert ("first_write", "ann") in await desk.causes()
    *states, last = await desk.log()
    assert set(states) == {("state", "")} and last == ("update", "ann")


async def test_what_cannot_be_stored_for_a_while_ends_writing_until_it_can(desk: Desk, broken: set[str]) -> None:
    """Editors are refused after so many rounds, viewers are not; nothing that waited is lost."""
    ann = await edit(desk.room, "ann")
    await ann.type("a ")
    broken.add("append_edits")
    await ann.type("b ")
    for _ in range(FAILURES):
        assert (await desk.steward.allowed(ann.member.grant)).allows(Capability.ROOMS_WRITE)
        await desk.keeping.round()
    with pytest.raises(StoreUnavailable):
        await desk.steward.allowed(ann.member.grant)
    with pytest.raises(StoreUnavailable):
        await ann.type("c ")
    assert not (await desk.steward.allowed(grant(visit="vi"))).allows(Capability.ROOMS_WRITE)
    broken.clear()
    await desk.keeping.round()
    again = await edit(desk.room, "ann")  # the relay has closed the other
    await again.type("d ")
    assert await desk.log() == [("state", ""), ("update", "ann"), ("update", "ann")]
    assert str(desk.room.epoch.doc["source"]).startswith("d b a ")


async def test_a_round_that_succeeds_between_begins_the_count_anew(desk: Desk, broken: set[str]) -> None:
    """Only failures in a row end writing."""
    ann = await edit(desk.room, "ann")
    await ann.type("a ")
    for _ in range(FAILURES):
        broken.add("append_edits")
        await ann.type("b ")
        await desk.keeping.round()
        broken.clear()
        await desk.keeping.round()
    desk.keeping.check()


# -- the log ---------------------------------------------------------------------------------------------------


async def test_the_log_has_whose_change_is_whose(desk: Desk) -> None:
    """Visits by their id; the owner's side and what the gate put right as nobody's."""
    ann = await edit(desk.room, "ann")
    await desk.server.type("before anybody wrote ")
    await until(lambda: "before" in str(ann.source))
    await ann.type("a ")
    await desk.server.type("owner ")
    await until(lambda: "owner" in str(ann.source))
    update = desk.room.epoch.whole
    judged = Judged(update, correction=update, corrected=("trusted",), cells=("one", "two"))
    desk.keeping.changed(desk.room, "bo", update, judged)
    expected = [("state", ""), ("update", "ann"), ("update", ""), ("update", "bo"), ("update", "")]
    assert await desk.log() == expected
    desk.room.write(lambda doc: doc["source"].insert(0, "gate "))
    assert await desk.log() == [*expected, ("update", "")]
    found = await desk.store.authorship("up", desk.room.name.file_id)
    assert {(each.visit, each.cell) for each in found} == {("ann", ""), ("bo", "one"), ("bo", "two")}
    assert all(each.inserted > 0 for each in found)


@pytest.mark.parametrize(("name", "between"), [("keep_version", []), ("append_edits", [("update", "")])])
async def test_what_comes_while_the_log_begins_is_in_it_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str, between: list[tuple[str, str]]
) -> None:
    """The owner types while the version is being stored, or the whole document that the log begins with."""
    storing, go = asyncio.Event(), asyncio.Event()
    real = getattr(SqliteStore, name)

    async def slow(self: SqliteStore, *given: Any, **more: Any) -> Any:
        storing.set()
        await go.wait()
        return await real(self, *given, **more)

    monkeypatch.setattr(SqliteStore, name, slow)
    ann = await edit(desk.room, "ann")
    typing = asyncio.create_task(ann.type("a "))
    await storing.wait()
    await desk.server.type("owner ")
    await until(lambda: "owner" in str(ann.source))
    go.set()
    await typing
    assert await desk.log() == [("state", ""), *between, ("update", "ann")]


async def test_each_history_has_a_log_of_its_own(desk: Desk, broken: set[str]) -> None:
    """When the document is replaced, what waits for the old log is stored all the same, and nothing new gets there."""
    ann = await edit(desk.room, "ann")
    await ann.type("a ")
    old = desk.keeping.log_of(desk.room)
    assert old is not None
    await until(lambda: desk.words.startswith("a "))
    await desk.server.say(RawJson({"type": "conflict"}))
    await until(lambda: ann.end is not None)
    assert desk.keeping.log_of(desk.room) is None
    again = await edit(desk.room, "ann")
    assert desk.keeping.log_of(desk.room) is None
    await desk.server.type("owner ")
    await until(lambda: "owner" in str(again.source))
    broken.add("append_edits")
    with pytest.raises(StoreUnavailable):
        await again.type("b ")
    broken.clear()
    again = await edit(desk.room, "ann")
    await again.type("c ")
    *states, last = await desk.log()
    assert set(states) == {("state", "")} and last == ("update", "ann")
    assert [edit.kind for edit in await desk.store.edits(old.place)] == [EditKind.STATE, EditKind.UPDATE]
    assert [cause for cause, _ in await desk.causes()].count("first_write") >= 2


async def test_what_waits_is_stored_when_the_gate_stops(desk: Desk) -> None:
    """And at once when it is much."""
    ann = await edit(desk.room, "ann")
    await ann.type("a ")
    log = desk.keeping.log_of(desk.room)
    assert log is not None
    assert len(await desk.store.edits(log.place)) == 1
    running = asyncio.create_task(desk.keeping.run())
    await ann.type("x" * FLUSH_BYTES)
    async with asyncio.timeout(25):
        while len(await desk.store.edits(log.place)) < 2:
            await asyncio.sleep(0.001)
    await ann.type("b ")
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert len(await desk.store.edits(log.place)) == 3


async def test_versions_are_kept_while_visitors_write(desk: Desk, clock: Clock) -> None:
    """One each time that the interval is over, and none for what nobody wrote in."""
    ann = await edit(desk.room, "ann")
    for seconds in (0, 100, 250, 100, 400):
        clock.forward(seconds)
        await ann.type("a ")
        await desk.keeping.round()
    clock.forward(1000)
    await desk.keeping.round()
    assert await desk.causes() == [("first_write", "ann"), ("interval", ""), ("interval", "")]


async def test_an_alarm_is_told_once_and_kept(desk: Desk, clock: Clock) -> None:
    """Who emptied the document, and the version before; not again until it has been quiet."""
    ann = await edit(desk.room, "ann")
    await ann.type("a ")
    await desk.keeping.round()
    for _ in range(2):
        clock.forward(1)
        await ann.change(lambda: ann.source.clear())
        await ann.type("!")
        await desk.keeping.round()
    [told] = desk.trail.of("document.alarm")
    assert told.visit == "ann" and told.detail.startswith("collapsed")
    [first, *_] = reversed(await desk.keeper.list())
    assert told.detail.endswith(first.id)
    assert ("alarm", "") in await desk.causes()


async def test_an_alarm_goes_by_what_was_there_before_the_first_change(desk: Desk) -> None:
    """Also when somebody else begins to write right after the document was emptied."""
    ann, bo = await edit(desk.room, "ann"), await edit(desk.room, "bo")
    await ann.change(lambda: ann.source.clear())
    await until(lambda: not str(bo.source))
    await bo.type("!")
    await desk.keeping.round()
    [told] = desk.trail.of("document.alarm")
    assert told.detail.startswith("collapsed: 400 characters became 1")


# -- refusals --------------------------------------------------------------------------------------------------


async def refused(desk: Desk, visit: str = "ann") -> str:
    page = await edit(desk.room, visit)
    with pytest.raises(Denied) as raised:
        await page.change(lambda: page.doc.get("state", type=Map).update({"path": "secret/x"}))
    page.leave()
    return raised.value.reason.value


async def test_three_refusals_in_a_minute_end_the_right_to_write(desk: Desk, clock: Clock) -> None:
    """Each is recorded with its reason; the third takes the role back, and the page is told why first."""
    assert [await refused(desk) for _ in range(2)] == ["update_refused"] * 2
    assert desk.doors.changed == []
    clock.forward(REFUSALS_SECONDS - 1)
    assert await refused(desk) == Reason.WRITING_ENDED.value
    assert desk.doors.changed == [("ann", Role.VIEW)]
    found = [(event.reason, event.visit, str(event.outcome)) for event in desk.trail.of("document.refused")]
    assert found == [
        ("update_refused", "ann", "denied"),
        ("update_refused", "ann", "denied"),
        ("writing_ended", "ann", "denied"),
    ]
    assert all(event.detail for event in desk.trail.of("document.refused"))
    assert await refused(desk) == "update_refused", "an owner who gives the role back gives it whole"


async def test_refusals_that_lie_apart_or_are_of_several_visits_end_nothing(desk: Desk, clock: Clock) -> None:
    """An honest page may be refused once in a while."""
    for _ in range(4):
        assert await refused(desk) == "update_refused"
        clock.forward(REFUSALS_SECONDS / 2)
    assert [await refused(desk, visit) for visit in ("bo", "cy", "di")] == ["update_refused"] * 3
    assert desk.doors.changed == []


async def test_what_was_put_right_is_recorded_and_folded(desk: Desk, clock: Clock) -> None:
    """The first of each kind, then one in ten seconds with a count; each visit by itself."""
    ann, bo = await edit(desk.room, "ann"), await edit(desk.room, "bo")
    judged = Judged(b"\0\0", correction=b"\0\0", corrected=("outputs", "trusted"))
    for member in (ann.member, ann.member, bo.member):
        await desk.steward.changed(desk.room, member, b"\0\0", judged)
    clock.forward(11)
    await desk.steward.changed(desk.room, ann.member, b"\0\0", judged)
    found = [(event.visit, event.detail, event.count) for event in desk.trail.of("document.corrected")]
    assert sorted(found) == [
        *(("ann", "outputs", 1), ("ann", "outputs", 2), ("ann", "trusted", 1), ("ann", "trusted", 2)),
        *(("bo", "outputs", 1), ("bo", "trusted", 1)),
    ]


async def test_a_role_that_was_taken_back_is_asked_for_each_change(desk: Desk) -> None:
    """Without a look at the disk: who may write no more needs nothing kept."""
    ann = await edit(desk.room, "ann")
    await ann.type("a ")
    desk.doors.now["ann"] = grant(visit="ann", role=Role.VIEW)
    await ann.type("zq ")
    assert "zq" not in str(desk.room.epoch.doc["source"]) and ann.end is None


async def test_names_of_the_owners_side_are_heard(desk: Desk) -> None:
    """So that no visitor is called so."""
    await edit(desk.room, "ann")
    await desk.server.say(Awareness((AwarenessState(5, 1, {"user": {"name": "Olga", "username": "olga"}}),)))
    await until(lambda: desk.doors.names == [("up", "olga", "Olga")])
