"""Which rooms there are for a visitor: the one document room of a file inside the root, under its one format and type.

jupyter-collaboration opens a file under every `format:type` that is asked for, each a room of its own, and rooms of one
file overwrite each other. A file id follows renames, so where it points is asked anew each time.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sharegate.channels.interfaces import FileIds
from sharegate.errors import Denied, Reason
from sharegate.paths import CanonicalPath, Place

GLOBAL_AWARENESS = "JupyterLab:globalAwareness"
REMEMBERED = 10_000

_ROOM = re.compile(
    r"(text|json|base64):(notebook|file):([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"
)
# Names that JupyterLab opens as text only; the others (pictures, archives) may be text or base64.
_TEXT = frozenset(
    word
    for line in (
        "txt text md markdown rst csv tsv log json jsonl geojson yaml yml toml ini cfg conf xml html htm css scss less",
        "py pyi r jl js mjs jsx tsx sql sh bash c h cc cpp hpp java kt go rs rb pl lua tex bib qmd rmd",
    )
    for word in line.split()
)

Inside = Callable[[CanonicalPath], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RoomName:
    """`format:type:fileId`, exactly as jupyter-collaboration spells it."""

    format: str
    type: str
    file_id: str

    @classmethod
    def parse(cls, segment: str) -> RoomName:
        """Read one decoded path segment. Denied(`room_unknown`) for anything that is no document's room."""
        found = _ROOM.fullmatch(segment)
        if found is None:
            raise Denied(Reason.ROOM_UNKNOWN, "not a document's room")
        return cls(*found.groups())

    @property
    def pair(self) -> tuple[str, str]:
        return self.format, self.type

    def __str__(self) -> str:
        return f"{self.format}:{self.type}:{self.file_id}"


@dataclass(frozen=True, slots=True)
class Admission:
    """A room that a visitor may watch, and where its file lay when that was decided."""

    upstream: str
    room: RoomName
    path: CanonicalPath


@dataclass(slots=True)
class _Seen:
    path: str
    pair: tuple[str, str]
    watching: int = field(default=0)


def legal_pairs(path: CanonicalPath) -> tuple[tuple[str, str], ...]:
    """How a file of this name may be opened, the usual way first."""
    suffix = path.name.rpartition(".")[2].lower() if "." in path.name else ""
    if suffix == "ipynb":
        return (("json", "notebook"),)
    if suffix in _TEXT or not suffix:
        return (("text", "file"),)
    return ("text", "file"), ("base64", "file")


class Admissions:
    """What session answers said of files, and which rooms are being watched. Remembers `remembered` files at most:
    those heard of longest ago are forgotten first, never one that is being watched."""

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._files: OrderedDict[tuple[str, str], _Seen] = OrderedDict()

    def session_body_for(self, upstream: str, path: CanonicalPath, format: str = "", type: str = "") -> dict[str, str]:
        """The body of the session request for `path`: the pair that was asked for, if it is legal for the name and no
        other pair is being watched; with nothing asked, the one that is. Denied(`room_format`)."""
        legal = legal_pairs(path)
        watched = self._watched(upstream, path)
        asked = (format, type) if format or type else watched or legal[0]
        self._check(asked, legal, watched)
        return {"format": asked[0], "type": asked[1]}

    def learn(self, upstream: str, path: CanonicalPath, format: str, type: str, file_id: str) -> None:
        """Keep what a session answer for `path` said. Denied(`room_unknown`, `room_format`) when it cannot be."""
        room = RoomName.parse(f"{format}:{type}:{file_id}")
        key = upstream, room.file_id
        seen = self._files.get(key)
        watched = seen.pair if seen is not None and seen.watching else None
        self._check(room.pair, legal_pairs(path), watched)
        if seen is None:
            self._files[key] = _Seen(str(path), room.pair)
            self._forget()
        else:
            seen.path, seen.pair = str(path), room.pair
        self._files.move_to_end(key)

    async def admit(
        self, upstream: str, root: CanonicalPath, room: str, file_ids: FileIds, *, inside: Inside | None = None
    ) -> Admission:
        """Decide on a room by its name (one decoded segment).

        Asks the server where the id points now. `inside`, where given, also looks at the disk behind the path (symbolic
        links) and raises Denied itself. Denied(`room_unknown`) for an id that the server does not know,
        `room_left_root` for a file outside the root or hidden, `room_format` for another pair than the file's one.
        A room that no session was seen for (the gate was restarted, the page connects anew) is decided by its name.
        """
        name = RoomName.parse(room)
        path = await self._locate(upstream, root, name, file_ids, inside)
        seen = self._files.get((upstream, name.file_id))
        self._check(name.pair, legal_pairs(path), seen.pair if seen is not None else None)
        return Admission(upstream, name, path)

    async def recheck(
        self, admission: Admission, root: CanonicalPath, file_ids: FileIds, *, inside: Inside | None = None
    ) -> CanonicalPath:
        """Where the room's file lies now. Denied(`room_left_root`) once it left the root, was hidden or forgotten."""
        return await self._locate(admission.upstream, root, admission.room, file_ids, inside, opened=True)

    def watched(self, admission: Admission) -> Watch:
        """While this context is open, the file has this one format and type."""
        return Watch(self, admission)

    def enter(self, admission: Admission) -> None:
        """Count one more watcher. Denied(`room_format`) when the file is watched under another pair meanwhile."""
        key = admission.upstream, admission.room.file_id
        seen = self._files.get(key)
        if seen is None:
            seen = self._files[key] = _Seen(str(admission.path), admission.room.pair)
        elif seen.pair != admission.room.pair:
            if seen.watching:
                raise Denied(Reason.ROOM_FORMAT, "open under another format")
            seen.pair = admission.room.pair
        seen.watching += 1
        self._forget()

    def leave(self, admission: Admission) -> None:
        seen = self._files.get((admission.upstream, admission.room.file_id))
        if seen is not None:
            seen.watching = max(0, seen.watching - 1)

    @staticmethod
    async def _locate(
        upstream: str,
        root: CanonicalPath,
        room: RoomName,
        file_ids: FileIds,
        inside: Inside | None,
        *,
        opened: bool = False,
    ) -> CanonicalPath:
        where = await file_ids.path_of(upstream, room.file_id)
        if where is None:
            raise Denied(Reason.ROOM_LEFT_ROOT if opened else Reason.ROOM_UNKNOWN, "the server does not know the id")
        try:
            if where.startswith("/"):
                raise Denied(Reason.BAD_PATH, "absolute")
            path = CanonicalPath.from_body(where)
        except Denied as denied:
            # Fails closed: ids can be made for anything (`../x`, `/etc/passwd`), and none of that is in a share.
            raise Denied(Reason.ROOM_LEFT_ROOT, f"the id points to no plain path: {denied.detail}") from None
        if not path.segments or path.place(root) is not Place.INSIDE:
            raise Denied(Reason.ROOM_LEFT_ROOT, "the file lies outside the root")
        if path.hidden:
            raise Denied(Reason.ROOM_LEFT_ROOT, "the file is hidden")
        if inside is not None:
            await inside(path)
        return path

    @staticmethod
    def _check(pair: tuple[str, str], legal: tuple[tuple[str, str], ...], only: tuple[str, str] | None) -> None:
        if pair not in legal:
            raise Denied(Reason.ROOM_FORMAT, f"not opened as {pair[0]}:{pair[1]}"[:80])
        if only is not None and pair != only:
            raise Denied(Reason.ROOM_FORMAT, f"its room is {only[0]}:{only[1]}")

    def _watched(self, upstream: str, path: CanonicalPath) -> tuple[str, str] | None:
        text = str(path)
        for (server, _), seen in self._files.items():
            if seen.watching and server == upstream and seen.path == text:
                return seen.pair
        return None

    def _forget(self) -> None:
        if len(self._files) <= self._remembered:
            return
        for key in [key for key, seen in self._files.items() if not seen.watching]:
            if len(self._files) <= self._remembered:
                return
            del self._files[key]


class Watch:
    """`with rooms.watched(admission):`"""

    def __init__(self, rooms: Admissions, admission: Admission) -> None:
        self._rooms = rooms
        self._admission = admission

    def __enter__(self) -> Admission:
        self._rooms.enter(self._admission)
        return self._admission

    def __exit__(self, *_: object) -> None:
        self._rooms.leave(self._admission)
