"""Every room that the gate holds, and for a while those that everybody left: a page that lost its connection comes back
with the session it had."""

from __future__ import annotations

import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping

from sharegate.channels.admission import RoomName
from sharegate.channels.guard import KINDS, DocumentKind
from sharegate.channels.room import Room
from sharegate.paths import CanonicalPath

LINGER_SECONDS = 600.0
LINGERING = 64
EXPECTED = 5000
LINGERING_BYTES = 256 * 1024 * 1024

Key = tuple[str, str]
MakeRoom = Callable[[str, RoomName], Room]


class OpenRooms:
    """`make` makes the room of an upstream's id and a name."""

    def __init__(self, make: MakeRoom, *, now: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._now = now
        self._rooms: OrderedDict[Key, Room] = OrderedDict()
        self._forgot = False

    def of(self, upstream: str, name: RoomName) -> Room:
        """The room, made now if there is none."""
        key = upstream, str(name)
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = self._make(upstream, name)
        room.used = self._now()
        self._rooms.move_to_end(key)
        self._forget(but=key)
        return room

    def is_open(self, upstream: str, path: CanonicalPath) -> bool:
        """Whether the document at this path, or one below it, is open: a visitor has it, or the gate holds it. Names
        are those that the rooms heard last, and are compared as a disk that ignores case and Unicode form would."""
        asked = _folded(path)
        return any(_folded(there)[: len(asked)] == asked for there, _ in self._open(upstream))

    def pairs(self, upstream: str, path: CanonicalPath) -> list[tuple[str, str]]:
        """Format and type of what is open at exactly this path."""
        asked = _folded(path)
        return [room.name.pair for there, room in self._open(upstream) if _folded(there) == asked]

    def of_file(self, upstream: str, file_id: str) -> list[Room]:
        """The open rooms of a file, whatever it is called by now."""
        return [room for _, room in self._open(upstream) if room.name.file_id == file_id]

    def open_paths(self, upstream: str) -> frozenset[str]:
        """Where the documents that are open lie, as far as the rooms have heard."""
        return frozenset(str(path) for path, _ in self._open(upstream))

    def open_files(self, upstream: str) -> frozenset[str]:
        """The ids of the files that are open."""
        return frozenset(room.name.file_id for _, room in self._open(upstream))

    def open_notebooks(self, upstream: str) -> frozenset[str]:
        """The ids of those in a room whose every change is judged as a notebook's."""
        rooms = (room.name for _, room in self._open(upstream))
        return frozenset(name.file_id for name in rooms if KINDS.get(name.pair) is DocumentKind.NOTEBOOK)

    def room_of(self, visit: str, upstream: str, path: str) -> str:
        """The name of the notebook's room at this path which the visit has open; "" when there is none, or when another
        room claims the path: one of the two lies elsewhere by now."""
        there = [room for where, room in self._open(upstream) if str(where) == path]
        if (
            len(there) != 1
            or visit not in there[0].visits
            or KINDS.get(there[0].name.pair) is not DocumentKind.NOTEBOOK
        ):
            return ""
        return str(there[0].name)

    def sources(self, upstream: str, name: str, path: str) -> Mapping[str, str] | None:
        """Cell id → source of the notebook; None when nobody has this room open, or it lies elsewhere by now."""
        room = self._rooms.get((upstream, name))
        if room is None or not room.followed or str(room.path) != path:
            return None
        return room.epoch.sources

    def _open(self, upstream: str) -> Iterator[tuple[CanonicalPath, Room]]:
        for key, room in self._rooms.items():
            if key[0] == upstream and not room.empty and room.path is not None:
                yield room.path, room

    def acted(self, visit: str) -> None:
        """The visitor did something in a page: its documents are not resting."""
        for room in self._rooms.values():
            if not room.empty and visit in room.visits:
                room.acted()

    def let_go(self) -> bool:
        """Forget what nobody came back to. Whether any room was forgotten since this was asked last."""
        self._forget()
        forgot, self._forgot = self._forgot, False
        return forgot

    def _forget(self, but: Key | None = None) -> None:
        """Empty rooms go when they are old, or too many or too large together; those used longest ago go first. A room
        is used until the last visitor leaves it. One that only a session was asked for costs next to nothing, and its
        visitor is on the way."""
        now = self._now()
        empty = [key for key, room in reversed(self._rooms.items()) if room.empty and key != but]
        empty.sort(key=lambda key: self._rooms[key].used, reverse=True)
        count = size = 0
        for number, key in enumerate(empty, 1):
            room = self._rooms[key]
            count, size = count + (room.size > 0), size + room.size
            old = now - room.used > LINGER_SECONDS
            if number >= EXPECTED or count > LINGERING or size > LINGERING_BYTES or old:
                del self._rooms[key]
                self._forgot = True

    def unsaved(self) -> int:
        """In how many rooms something waits to be saved or sent."""
        return sum(room.unsaved for room in self._rooms.values())

    def count(self) -> int:
        """How many rooms somebody has open."""
        return sum(not room.empty for room in self._rooms.values())

    async def closed(self) -> None:
        """Wait until no room is connected any more: after everybody left."""
        for room in list(self._rooms.values()):
            if room.empty:
                await room.closed()


def _folded(path: CanonicalPath) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFC", part).casefold() for part in path.segments)
