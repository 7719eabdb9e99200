"""Who may write under which CRDT client id, in one epoch of one room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sharegate.channels.scan import UpdateSummary
from sharegate.errors import Denied, Reason

_OWN = "\0gate"
_UPSTREAM = "\0upstream"


class Writers:
    def __init__(self) -> None:
        self._owners: dict[int, str] = {}
        self._barred: set[int] = set()

    def reserve(self, client: int) -> None:
        self._owners[client] = _OWN

    def upstream(self, summary: UpdateSummary) -> None:
        for part in summary.clocks:
            self._owners.setdefault(part.client, _UPSTREAM)

    def check(self, visit: str, summary: UpdateSummary, held: Mapping[int, int]) -> frozenset[int]:
        new = set()
        for part in summary.clocks:
            has = held.get(part.client, 0)
            if part.end <= has:
                continue
            if part.client == 0 or part.client in self._barred or self._owners.get(part.client, visit) != visit:
                raise Denied(Reason.UPDATE_REFUSED, "written under somebody else's client id")
            if part.start > has:
                raise Denied(Reason.UPDATE_REFUSED, "a gap")
            new.add(part.client)
        for client in new:
            self._owners[client] = visit
        return frozenset(new)

    def settled(self, summary: UpdateSummary, after: Mapping[int, int]) -> None:
        for part in (*summary.clocks, *summary.deleted):
            if after.get(part.client, 0) < part.end:
                raise Denied(Reason.UPDATE_REFUSED, "something stays pending")

    def bar(self, clients: Iterable[int]) -> None:
        self._barred |= set(clients)

    def owner_of(self, client: int) -> str:
        return self._owners.get(client, "")
