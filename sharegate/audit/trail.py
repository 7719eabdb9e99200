"""The trail: what the gate records, in order, chained and on disk before an answer depends on it.

Everything pending is sealed and appended in one go, so that many callers share one commit. When an append fails, the
trail is unhealthy and fails closed: durable records raise StoreUnavailable, the others wait in a bounded buffer, and
once that is full they raise too. Each further attempt tries anew; the first that succeeds also writes how much was
not recorded (`trail.gap`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from sharegate.audit.bounds import bounded
from sharegate.audit.chain import seal
from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import AuditStore, Sealed
from sharegate.audit.strangers import Strangers, stranger_event
from sharegate.errors import Reason, StoreUnavailable

FLUSH_AFTER = 0.2  # seconds; with the append itself the promised 250 ms
RETRY_AFTER = 1.0
TICK = 5.0
# Of more appends in a row that raised the older ones are not waited for: a store does not keep a command for so long.
DOUBTS = 1000


@dataclass(slots=True, eq=False)
class _Entry:
    event: AuditEvent
    written: asyncio.Future[None] | None  # None: nobody waits


@dataclass(frozen=True, slots=True)
class _Doubt:
    """An append that raised: whether it happened is seen by the end of the chain, and it may happen yet. If it did,
    then the first `kept` of what is pending are recorded, and `counted` of what counts as lost is after all."""

    end: tuple[int, str]
    kept: int
    counted: int


class Trail:
    """Records for one writer. Implements Recorder. `clock` gives seconds since the epoch (UTC).

    `writer` names one chain and must be used by one process at a time (the store refuses a second one).
    """

    def __init__(
        self,
        store: AuditStore,
        *,
        writer: str,
        clock: Callable[[], float],
        full_addresses: bool = False,
        buffer: int = 10_000,
        strangers: Strangers | None = None,
    ) -> None:
        self.writer = writer
        self._store = store
        self._clock = clock
        self._full_addresses = full_addresses
        self._buffer = buffer
        self._strangers = strangers or Strangers(clock)
        self._pending: list[_Entry] = []
        self._head: tuple[int, str] | None = None  # the end of the chain as far as it is certain
        # All that follow on that end: one of them may be the next.
        self._doubts: deque[_Doubt] = deque(maxlen=DOUBTS)
        self._last = 0.0
        self._lost = 0
        self._healthy = True
        self._closed = False
        self._flushing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._look: Callable[[AuditEvent], Awaitable[AuditEvent]] | None = None

    def looked_over(self, look: Callable[[AuditEvent], Awaitable[AuditEvent]]) -> None:
        """Each event passes `look` in the moment in which it is written, however long it waited for that."""
        self._look = look

    @property
    def waiting(self) -> int:
        """Events that are not written yet."""
        return len(self._pending)

    async def open(self) -> None:
        """Find the end of the chain and start the summaries. Raises StoreUnavailable."""
        if self._head is None:
            self._head = await self._store.head(self.writer)
        self._ticking = asyncio.create_task(self._tick_for_ever(), name="trail summaries")

    async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
        """See Recorder. `at` and `seq` are set here. Raises ValueError for an undeclared actor."""
        await self.recorded(event, durable=durable)

    async def recorded(self, event: AuditEvent, *, durable: bool = True) -> AuditEvent:
        """The same; the event as the history has it, with its time (`seq` is set only when it is written)."""
        if self._closed:
            raise StoreUnavailable("the history is closed")
        event = self._stamped(event)
        if not durable:
            if self._healthy and len(self._pending) >= self._buffer // 2:
                self._flush_now()
            if len(self._pending) >= self._buffer:
                self._lost += 1
                # Fails closed: what cannot be written down does not happen.
                raise StoreUnavailable("the history cannot be written and its buffer is full")
            self._pending.append(_Entry(event, None))
            self._flush_in(FLUSH_AFTER if self._healthy else RETRY_AFTER)
            return event
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append(_Entry(event, written))
        self._flush_now()
        await written
        return event

    async def stranger_denied(
        self,
        reason: Reason,
        address: str,
        agent: str = "",
        *,
        method: str = "",
        path: str = "",
        status: int = 0,
        detail: str = "",
        share: str = "",
        link: str = "",
        came_from: str = "",
    ) -> None:
        """Count a refusal of somebody without a visit; `came_from` is whose page they opened. Never raises
        StoreUnavailable: it lets nobody in anyway."""
        event = stranger_event(
            reason.value, address, agent=agent, method=method, path=path, status=status, detail=detail
        )
        if came_from:
            event = msgspec.structs.replace(event, share=share, link=link, came_from=came_from)
        first = self._strangers.denied(event)
        if first is not None:
            await self._record_or_count(first)

    async def tick(self) -> None:
        """Record the stranger summaries that are due. Runs by itself every few seconds after `open`."""
        for event in self._strangers.due():
            await self._record_or_count(event)

    async def ready(self) -> None:
        """Raise StoreUnavailable unless the last append worked or one works now."""
        if self._closed:
            raise StoreUnavailable("the history is closed")
        if not self._healthy:
            await self._write_everything()
        if not self._healthy:
            raise StoreUnavailable("the history cannot be written")

    async def flush(self) -> None:
        """Write what is pending. Raises StoreUnavailable when that fails; it is kept then."""
        await self._write_everything()
        if not self._healthy:
            raise StoreUnavailable("the history cannot be written")

    async def close(self) -> None:
        """Write everything, summaries too, and stop. Raises StoreUnavailable when something could not be written."""
        if self._closed:
            return
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        for event in self._strangers.due(everything=True):
            await self._record_or_count(event)
        self._closed = True
        try:
            await self.flush()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            await self.tick()

    # -- writing --------------------------------------------------------------------------------------------------

    def _stamped(self, event: AuditEvent) -> AuditEvent:
        # Time never runs backwards within a chain, whatever somebody does to the computer's clock.
        self._last = max(self._last, self._clock())
        event = bounded(event, full_addresses=self._full_addresses)
        event = msgspec.structs.replace(event, at=self._last, seq=0)
        # Checked here, where the caller learns of it: an event that cannot be sealed would block all that follow.
        return msgspec.convert(msgspec.to_builtins(event), type=AuditEvent)

    async def _record_or_count(self, event: AuditEvent) -> None:
        try:
            await self.record(event, durable=False)
        except StoreUnavailable:
            pass  # fails open: a refusal stays a refusal; `trail.gap` will tell that a row is missing

    def _flush_in(self, seconds: float) -> None:
        if self._timer is None and (self._flushing is None or self._flushing.done()):
            self._timer = asyncio.get_running_loop().call_later(seconds, self._flush_now)

    def _flush_now(self) -> asyncio.Task[None]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush(), name="trail flush")
        return self._flushing

    async def _write_everything(self) -> None:
        # Shielded: others wait for the same flush.
        if self._flushing is not None:
            await asyncio.shield(self._flushing)
        # What came while that flush was in flight needs another one.
        if self._pending or not self._healthy:
            await asyncio.shield(self._flush_now())

    async def _flush(self) -> None:
        while True:
            await self._append()
            if not any(entry.written is not None for entry in self._pending):
                break
        self._flushing = None
        if self._pending and not self._closed:
            self._flush_in(FLUSH_AFTER if self._healthy else RETRY_AFTER)

    async def _append(self) -> None:
        """One append of all that is pending. Settles the futures of what it takes; raises nothing."""
        entries: list[_Entry] = []
        try:
            head = await self._certain_head()
            entries, self._pending = self._pending, []
            if entries or self._lost:
                await self._append_after(head, entries)
        except Exception as error:  # fails closed: whoever waits is told, and the trail is unhealthy until one works
            if not entries:
                entries, self._pending = self._pending, []
            waiting = [entry for entry in entries if entry.written is not None]
            self._pending = [entry for entry in entries if entry.written is None] + self._pending
            self._lost += len(waiting)
            self._healthy = False
            for entry in waiting:
                _settle(entry, StoreUnavailable(f"the history cannot be written: {error}"))
            return
        self._healthy = True
        for entry in entries:
            _settle(entry, None)

    async def _append_after(self, head: tuple[int, str], entries: list[_Entry]) -> None:
        lost = self._lost
        events = [entry.event if self._look is None else await self._look(entry.event) for entry in entries]
        if lost:
            events.append(self._gap(lost))
        batch: list[Sealed] = []
        for event in events:
            sealed = seal(event, writer=self.writer, seq=head[0] + 1, previous=head[1])
            batch.append(sealed)
            head = (sealed.seq, sealed.digest)
        waiting = sum(entry.written is not None for entry in entries)
        self._doubts.append(_Doubt(head, len(entries) - waiting, lost + waiting))
        await self._store.append(batch)
        self._head = head
        self._doubts.clear()
        self._lost -= lost

    async def _certain_head(self) -> tuple[int, str]:
        """The end of our chain. After a failed append the store is asked whether it happened all the same."""
        if self._head is not None and not self._doubts:
            return self._head
        found = await self._store.head(self.writer)
        if found == self._head:
            return found
        happened = next((doubt for doubt in self._doubts if doubt.end == found), None)
        if happened is not None:
            del self._pending[: happened.kept]
            self._lost -= happened.counted
        elif self._head is not None:
            raise StoreUnavailable(f"somebody else writes the history of {self.writer}, or it was altered")
        self._head = found
        self._doubts.clear()
        return found

    def _gap(self, lost: int) -> AuditEvent:
        self._last = max(self._last, self._clock())
        return AuditEvent(
            action=Action.TRAIL_GAP,
            outcome=Outcome.FAILED,
            actor="gate",
            at=self._last,
            count=lost,
            detail="not recorded while the history could not be written, and refused",
        )


def _settle(entry: _Entry, error: StoreUnavailable | None) -> None:
    if entry.written is None or entry.written.done():
        return
    if error is None:
        entry.written.set_result(None)
    else:
        entry.written.set_exception(error)
