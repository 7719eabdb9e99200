from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from sharegate.audit.chain import opened, verify
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Query, Sealed
from sharegate.audit.strangers import Strangers
from sharegate.audit.trail import Trail
from sharegate.errors import Reason, StoreUnavailable
from tests.conftest import Clock


class Disk:
    """An AuditStore in memory whose disk can fail, before the write or after it."""

    def __init__(self) -> None:
        self.events: list[Sealed] = []
        self.commits = 0
        # "before": nothing is kept; "after": kept, but the caller is told that it was not; "late": kept only once the
        # caller has been told so and has looked.
        self.fail = ""
        self.late: list[Sealed] = []
        self.gate: asyncio.Event | None = None

    async def append(self, events: list[Sealed]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.fail == "before":
            raise StoreUnavailable("disk full")
        if self.fail == "late":
            self.late, self.fail = events, ""
            raise StoreUnavailable("does not answer in time")
        head = await self.head("gate")
        if (events[0].seq, events[0].previous) != (head[0] + 1, head[1]):
            raise ValueError("does not follow")
        self.events += events
        self.commits += 1
        if self.fail == "after":
            raise StoreUnavailable("disk gone")

    async def head(self, writer: str) -> tuple[int, str]:
        found = (self.events[-1].seq, self.events[-1].digest) if self.events else (0, "")
        self.events, self.late = self.events + self.late, []
        return found

    async def read(self, query: Query) -> list[Sealed]:
        return self.events

    async def writers(self) -> list[str]:
        return ["gate"]

    async def erase(self, query: Query) -> int:
        return 0

    @property
    def actions(self) -> list[str]:
        return [opened(one).action.value for one in self.events]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def trail(disk: Disk, clock: Clock) -> AsyncIterator[Trail]:
    made = Trail(disk, writer="gate", clock=clock, buffer=20)
    await made.open()
    yield made
    disk.fail, disk.gate = "", None
    await made.close()


def act(action: Action = Action.LINK_JOINED, **fields: object) -> AuditEvent:
    return msgspec.structs.replace(AuditEvent(action=action, actor="visitor"), **fields)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(25):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_durable_act_is_in_the_store_when_record_returns(trail: Trail, disk: Disk, clock: Clock) -> None:
    """Number, moment and chain are set by the trail."""
    await trail.record(act(name="Ann", seq=99, at=5.0))
    await trail.record(act(Action.VISIT_LEFT))
    assert [(opened(one).seq, opened(one).at) for one in disk.events] == [(1, clock.now), (2, clock.now)]
    assert verify(disk.events).intact


async def test_many_callers_share_a_commit(trail: Trail, disk: Disk) -> None:
    """A hundred acts at once are a few commits, in the order in which they came."""
    await asyncio.gather(*(trail.record(act(detail=str(i))) for i in range(100)))
    assert [opened(one).detail for one in disk.events] == [str(i) for i in range(100)]
    assert disk.commits < 5


async def test_nobody_goes_on_before_the_commit(trail: Trail, disk: Disk) -> None:
    """While the store has not answered, record has not returned."""
    disk.gate = asyncio.Event()
    task = asyncio.create_task(trail.record(act()))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    disk.gate.set()
    await task
    assert len(disk.events) == 1


async def test_what_nobody_waits_for_is_written_by_itself(trail: Trail, disk: Disk) -> None:
    """A non-durable act returns at once and reaches the store without another act."""
    await trail.record(act(Action.REQUEST_ANSWERED), durable=False)
    assert disk.events == []
    await until(lambda: disk.actions == ["request.answered"])


async def test_a_caller_that_gives_up_does_not_unwrite_its_act(trail: Trail, disk: Disk) -> None:
    """Cancelling the caller leaves the act, and the others in its commit, recorded."""
    disk.gate = asyncio.Event()
    first = asyncio.create_task(trail.record(act(detail="first")))
    second = asyncio.create_task(trail.record(act(detail="second")))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    disk.gate.set()
    await second
    assert [opened(one).detail for one in disk.events] == ["first", "second"]


async def test_a_failing_disk_fails_closed(trail: Trail, disk: Disk) -> None:
    """Durable acts and readiness raise while the disk fails, and nothing was written."""
    disk.fail = "before"
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="disk full"):
            await trail.record(act())
    with pytest.raises(StoreUnavailable):
        await trail.ready()
    assert disk.events == []
    with pytest.raises(StoreUnavailable):
        await trail.ready()


async def test_the_trail_recovers_and_tells_of_the_gap(trail: Trail, disk: Disk) -> None:
    """After the disk works again, what waited is written, and one event counts what was refused."""
    disk.fail = "before"
    await trail.record(act(Action.REQUEST_ANSWERED), durable=False)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await trail.record(act())
    disk.fail = ""
    await trail.ready()
    assert disk.actions == ["request.answered", "trail.gap"]
    assert opened(disk.events[1]).count == 3
    await trail.record(act())
    await trail.ready()
    assert disk.actions == ["request.answered", "trail.gap", "link.joined"]
    assert verify(disk.events).intact


async def test_reading_is_refused_once_the_buffer_is_full(trail: Trail, disk: Disk) -> None:
    """Memory is bounded: the 21st unwritten act raises, and the first 20 are written later."""
    disk.fail = "before"
    with pytest.raises(StoreUnavailable):
        await trail.record(act())
    for i in range(20):
        await trail.record(act(Action.REQUEST_ANSWERED, detail=str(i)), durable=False)
    with pytest.raises(StoreUnavailable, match="buffer is full"):
        await trail.record(act(Action.REQUEST_ANSWERED), durable=False)
    disk.fail = ""
    await trail.flush()
    assert [opened(one).detail for one in disk.events[:20]] == [str(i) for i in range(20)]
    assert disk.actions[20:] == ["trail.gap"] and opened(disk.events[20]).count == 2


async def test_a_write_that_was_reported_lost_and_was_not_is_found_out(trail: Trail, disk: Disk) -> None:
    """When the store fails after the commit, nothing is written twice and no gap is claimed."""
    await trail.record(act(detail="before"))
    disk.fail = "after"
    await trail.record(act(Action.REQUEST_ANSWERED), durable=False)
    with pytest.raises(StoreUnavailable):
        await trail.record(act(detail="doubtful"))
    disk.fail = ""
    await trail.record(act(detail="next"))
    assert [opened(one).detail for one in disk.events] == ["before", "", "doubtful", "next"]
    assert verify(disk.events).intact


async def test_a_write_that_happens_after_it_was_looked_for_is_found_out(trail: Trail, disk: Disk) -> None:
    """A command that hung may be carried out between the look at the end of the chain and the next append, which does
    not follow then: the trail comes back by itself, and nothing is written twice."""
    await trail.record(act(detail="before"))
    disk.fail = "late"
    await trail.record(act(Action.REQUEST_ANSWERED, detail="read"), durable=False)
    for detail in ("late", "refused"):
        with pytest.raises(StoreUnavailable):
            await trail.record(act(detail=detail))
    await trail.record(act(detail="next"))
    assert [opened(one).detail for one in disk.events[:4]] == ["before", "read", "late", "next"]
    assert disk.actions[4:] == ["trail.gap"] and opened(disk.events[4]).count == 1
    assert verify(disk.events).intact


async def test_attack_somebody_else_writes_our_chain(trail: Trail, disk: Disk) -> None:
    """A head that is not ours stops the trail instead of forking it."""
    await trail.record(act())
    disk.fail = "before"
    with pytest.raises(StoreUnavailable):
        await trail.record(act())
    disk.events = disk.events[:0]
    disk.fail = ""
    with pytest.raises(StoreUnavailable, match="somebody else"):
        await trail.record(act())
    with pytest.raises(StoreUnavailable):
        await trail.ready()
    trail._head, trail._lost = (0, ""), 0  # so that the fixture can close it


async def test_an_event_that_cannot_be_sealed_is_its_callers_fault(trail: Trail, disk: Disk) -> None:
    """A wrong type or an unknown actor raises at once and blocks nobody behind it."""
    with pytest.raises(msgspec.ValidationError):
        await trail.record(act(rule=None), durable=False)
    with pytest.raises(TypeError):
        await trail.record(act(rule=["a"]), durable=False)
    with pytest.raises(ValueError, match="actor"):
        await trail.record(msgspec.structs.replace(act(), actor="guest"))
    await trail.record(act())
    assert len(disk.events) == 1


async def test_time_never_runs_backwards_in_a_chain(trail: Trail, disk: Disk, clock: Clock) -> None:
    """A clock that is set back does not make later acts look earlier."""
    await trail.record(act())
    clock.forward(-3600)
    await trail.record(act())
    assert opened(disk.events[1]).at == opened(disk.events[0]).at


async def test_a_new_process_goes_on_with_the_chain(disk: Disk, clock: Clock) -> None:
    """The numbers go on after a restart."""
    for _ in range(2):
        trail = Trail(disk, writer="gate", clock=clock)
        await trail.open()
        await trail.record(act())
        await trail.close()
    assert [one.seq for one in disk.events] == [1, 2] and verify(disk.events).intact


async def test_strangers_are_summed_up(trail: Trail, disk: Disk, clock: Clock) -> None:
    """A thousand refusals from one network are two rows."""
    for i in range(1000):
        await trail.stranger_denied(Reason.NO_CREDENTIAL, f"192.0.2.{i % 250}", "curl")
    clock.forward(60)
    await trail.tick()
    await trail.flush()
    assert [(opened(one).count, opened(one).address) for one in disk.events] == [
        (1, "192.0.2.0/24"),
        (999, "192.0.2.0/24"),
    ]


async def test_a_refusal_is_never_turned_into_a_fault_by_a_full_disk(disk: Disk, clock: Clock) -> None:
    """Counting strangers raises nothing when the store is gone and the buffer full: they are not let in anyway."""
    trail = Trail(disk, writer="gate", clock=clock, buffer=1, strangers=Strangers(clock))
    await trail.open()
    disk.fail = "before"
    for i in range(5):
        await trail.stranger_denied(Reason.NO_CREDENTIAL, f"10.0.{i}.1")
    disk.fail = ""
    await trail.close()
    assert disk.actions[-1] == "trail.gap" and opened(disk.events[-1]).count == 4


async def test_closing_writes_everything_and_then_refuses(disk: Disk, clock: Clock) -> None:
    """Nothing that was accepted is left behind; afterwards nothing is accepted."""
    trail = Trail(disk, writer="gate", clock=clock)
    await trail.open()
    await trail.record(act(), durable=False)
    await trail.stranger_denied(Reason.BAD_PATH, "10.0.0.1")
    await trail.stranger_denied(Reason.BAD_PATH, "10.0.0.1")
    await trail.close()
    assert disk.actions == ["link.joined", "stranger.denied", "stranger.denied"]
    with pytest.raises(StoreUnavailable):
        await trail.record(act(), durable=False)
