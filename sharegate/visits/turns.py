"""Turns at something slow of which little can go on at once: fair between those who wait.

Turns go round the groups, and within a group round its members, so that how long somebody waits depends on how many
groups there are, not on how many somebody else sends. Past `most` waiting, the one that came last in the longest row
has to go: a row of one is never crowded out by a long one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import AsyncIterator

_Row = deque[asyncio.Future[bool]]


class Turns:
    """`at_once` have a turn at the same time, `most` wait."""

    def __init__(self, at_once: int, most: int) -> None:
        self._free = at_once
        self._most = most
        self._waiting = 0
        self._rows: OrderedDict[str, OrderedDict[str, _Row]] = OrderedDict()

    @contextlib.asynccontextmanager
    async def turn(self, group: str, member: str) -> AsyncIterator[bool]:
        """Wait for a turn and have it. False: too many wait, and this is none."""
        if not await self._wait(group, member):
            yield False
            return
        try:
            yield True
        finally:
            self._next()

    async def _wait(self, group: str, member: str) -> bool:
        if self._free:
            self._free -= 1
            return True
        mine: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._rows.setdefault(group, OrderedDict()).setdefault(member, deque()).append(mine)
        self._waiting += 1
        if self._waiting > self._most:
            self._crowded_out()
        try:
            return await mine
        except asyncio.CancelledError:
            if not mine.done() or mine.cancelled():
                self._gone(group, member, mine)
            elif mine.result():  # had got the turn already
                self._next()
            raise

    def _next(self) -> None:
        """Give the turn on to the next group's next member."""
        while self._rows:
            group, members = next(iter(self._rows.items()))
            member, row = next(iter(members.items()))
            mine = row[0]
            self._gone(group, member, mine)
            if member in members:
                members.move_to_end(member)
            if group in self._rows:
                self._rows.move_to_end(group)
            if not mine.done():  # else whoever waited is leaving
                mine.set_result(True)
                return
        self._free += 1

    def _crowded_out(self) -> None:
        group = max(self._rows, key=lambda name: sum(map(len, self._rows[name].values())))
        members = self._rows[group]
        member = max(members, key=lambda name: len(members[name]))
        last = members[member][-1]
        self._gone(group, member, last)
        if not last.done():
            last.set_result(False)

    def _gone(self, group: str, member: str, mine: asyncio.Future[bool]) -> None:
        members = self._rows.get(group)
        row = members.get(member) if members is not None else None
        if members is None or row is None or mine not in row:
            return
        row.remove(mine)
        self._waiting -= 1
        if not row:
            del members[member]
            if not members:
                del self._rows[group]
