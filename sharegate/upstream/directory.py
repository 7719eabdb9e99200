"""Which servers there are, and whether each is who it was."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.upstream.discover import FoundServer, as_upstream, running_servers, same_server
from sharegate.upstream.interfaces import Forwarder, Outgoing, UpstreamStore
from sharegate.upstream.listening import Listening, judge
from sharegate.upstream.model import Upstream

_log = logging.getLogger(__name__)


class UpstreamState(StrEnum):
    BACK = "back"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class StateChange:
    """Told by `watch`. `reason` says why it is away (`upstream_away`, `upstream_not_ours`, …), and is told anew when it
    becomes another; None when back."""

    upstream: str
    state: UpstreamState
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class _State:
    away: Reason | None


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    upstream: Upstream | None
    denied: Denied | None


class Directory:
    """Implements UpstreamDirectory over the recorded servers.

    What was found is used again for `fresh` seconds. A co-located server that stopped is looked for among the
    user's running servers, and when it came back with another port, token or process, its record is replaced.
    `servers` and `listening` are blocking and run in a thread. `machine` is this computer's host name where gates of
    other computers record servers in the same store: theirs are neither reached nor found here. A server that does not
    answer a question after its health within `patience` seconds counts as away.
    """

    def __init__(
        self,
        store: UpstreamStore,
        forwarder: Forwarder,
        *,
        servers: Callable[[], list[FoundServer]] = running_servers,
        listening: Callable[[Upstream], Listening] = judge,
        machine: str = "",
        fresh: float = 1.0,
        patience: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._forwarder = forwarder
        self._servers = servers
        self._listening = listening
        self._machine = machine
        self._fresh = fresh
        self._patience = patience
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(self, id: str) -> Upstream:
        """The server as it runs now. Says nothing of whether a remote one answers: the forwarder will.

        Denied(`upstream_away`) when it does not run or is not recorded, Denied(`upstream_not_ours`) when somebody
        else has its port; StoreUnavailable passes through.
        """
        seen = self._recent(id)
        if seen is None:
            async with self._locks.setdefault(id, asyncio.Lock()):
                seen = self._recent(id)
                if seen is None:
                    seen = await self._look(id)
                    self._seen[id] = seen
        if seen.upstream is None:
            assert seen.denied is not None
            raise Denied(seen.denied.reason, seen.denied.detail)
        return seen.upstream

    def forget(self, id: str = "") -> None:
        """Look anew at the next `find`: the record was changed or removed; without an id, at every server."""
        if id:
            self._seen.pop(id, None)
        else:
            self._seen.clear()

    def _recent(self, id: str) -> _Seen | None:
        seen = self._seen.get(id)
        return seen if seen is not None and self._clock() - seen.at < self._fresh else None

    async def _look(self, id: str) -> _Seen:
        at = self._clock()
        record = next((one for one in await self._store.upstreams() if one.id == id), None)
        if record is None:
            return _Seen(at, None, Denied(Reason.UPSTREAM_AWAY, "no such server"))
        try:
            return _Seen(at, await self._live(record), None)
        except Denied as denied:
            return _Seen(at, None, denied)

    async def _live(self, record: Upstream) -> Upstream:
        if record.elsewhere(self._machine):
            # In containers of one image folder, user, process and port are equal, and it would be taken for ours.
            raise Denied(Reason.UPSTREAM_AWAY, f"the server runs on {record.machine}")
        verdict = await asyncio.to_thread(self._listening, record)
        if verdict in (Listening.OURS, Listening.UNKNOWN):
            return record
        for candidate in await asyncio.to_thread(self._servers):
            if not same_server(record, candidate):
                continue
            again = as_upstream(candidate, id=record.id, name=record.name, owner=record.owner)
            if await asyncio.to_thread(self._listening, again) in (Listening.OURS, Listening.UNKNOWN):
                await self._store.put_upstream(again)
                _log.info("server %s was found again at %s", again.id, again.url)
                return again
        if verdict is Listening.OTHERS:
            raise Denied(Reason.UPSTREAM_NOT_OURS, "another process listens on the server's port")
        raise Denied(Reason.UPSTREAM_AWAY, "nothing listens on the server's port")

    async def health(self, id: str) -> Reason | None:
        """None when the server answers, else why not. Asks it one small question, without the credential."""
        try:
            async with asyncio.timeout(self._patience):
                upstream = await self.find(id)
                answer = await self._forwarder.forward(upstream, Outgoing("GET", "api", credential=False))
                await answer.close()
        except Denied as denied:
            return denied.reason
        except TimeoutError:
            return Reason.UPSTREAM_TIMEOUT
        return Reason.UPSTREAM_BAD_ANSWER if answer.status >= 500 else None

    async def watch(self, tell: Callable[[StateChange], None], *, every: float = 1.0) -> None:
        """Until cancelled, tell each change of each recorded server. All count as running before the first look."""
        away: dict[str, Reason] = {}
        asking: dict[str, asyncio.Task[_State | None]] = {}
        try:
            while True:
                try:
                    ids = {one.id for one in await self._store.upstreams()}
                    away = {id: reason for id, reason in away.items() if id in ids}
                except StoreUnavailable:
                    # Nothing is known of any server now. The gate refuses everybody anyway; keep what was told last.
                    ids = set()
                for id in ids - asking.keys():
                    asking[id] = asyncio.create_task(self._state(id))
                if asking:
                    # A server that hangs does not hold up the news of the others.
                    await asyncio.wait(asking.values(), timeout=every)
                for id in [id for id, task in asking.items() if task.done()]:
                    if (state := asking.pop(id).result()) is not None:
                        self._tell(tell, id, state.away, away)
                await asyncio.sleep(every)
        finally:
            for task in asking.values():
                task.cancel()

    @staticmethod
    def _tell(tell: Callable[[StateChange], None], id: str, reason: Reason | None, away: dict[str, Reason]) -> None:
        if reason is away.get(id):
            return
        if reason is None:
            del away[id]
            change = StateChange(id, UpstreamState.BACK)
        else:
            away[id] = reason
            change = StateChange(id, UpstreamState.AWAY, reason)
        try:
            tell(change)
        except Exception:  # fails open: a listener's fault must not end the watch over the other servers
            _log.exception("telling a server's state failed")

    async def _state(self, id: str) -> _State | None:
        """None where nothing is known of it: the store went away while it was asked for."""
        try:
            return _State(await self.health(id))
        except StoreUnavailable:
            # As when it is away before: the gate refuses everybody anyway, and what was told last is kept.
            return None
