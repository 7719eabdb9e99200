"""Every room that the gate holds, and for a while those that everybody left: a page that lost its connection comes back
with the session it had."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from sharegate.channels.admission import RoomName
from sharegate.channels.room import Connect, Room

LINGER_SECONDS = 600.0
LINGERING = 64
LINGERING_BYTES = 256 * 1024 * 1024

Key = tuple[str, str]
MakeConnect = Callable[[str, RoomName], Connect]


class OpenRooms:
    """`connect` makes, for an upstream's id and a room, what opens the server's end of it."""

    def __init__(self, connect: MakeConnect, *, now: Callable[[], float] = time.monotonic) -> None:
        self._connect = connect
        self._now = now
        self._rooms: OrderedDict[Key, Room] = OrderedDict()
        self._used: dict[Key, float] = {}

    def of(self, upstream: str, name: RoomName) -> Room:
        """The room, made now if there is none."""
        key = upstream, str(name)
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = Room(upstream, name, self._connect(upstream, name), now=self._now)
        self._rooms.move_to_end(key)
        self._used[key] = self._now()
        self._forget()
        return room

    def _forget(self) -> None:
        """Empty rooms go when they are old, or too many or too large together; those used longest ago go first."""
        now = self._now()
        empty = [key for key, room in self._rooms.items() if room.empty]
        kept = 0
        for number, key in enumerate(reversed(empty)):
            kept += self._rooms[key].size
            new = number == 0
            if not new and (number >= LINGERING or kept > LINGERING_BYTES or now - self._used[key] > LINGER_SECONDS):
                del self._rooms[key], self._used[key]

    async def closed(self) -> None:
        """Wait until no room is connected any more: after everybody left."""
        for room in list(self._rooms.values()):
            if room.empty:
                await room.closed()
