"""What stands on a server, asked through its contents API."""

from __future__ import annotations

from typing import Any

import msgspec

from sharegate.confine.answer import check_status, read_value
from sharegate.confine.notebooks import MAX_NOTEBOOK
from sharegate.errors import Denied, Reason
from sharegate.paths import CanonicalPath
from sharegate.upstream.interfaces import Forwarder, Outgoing
from sharegate.upstream.model import Upstream

# Of a folder that is moved on a disk out of sight: how many folders are listed and how many entries looked at.
MAX_FOLDERS = 300
MAX_ENTRIES = 20_000
_MODEL_LIMIT = 1 << 20
_LISTING_LIMIT = 16 << 20


class _Entry(msgspec.Struct):
    name: str
    type: str
    size: Any = None
    content: Any = None


class _Listing(msgspec.Struct):
    content: list[_Entry]


class Ground:
    """Looks at one server at a time; every method raises Denied(`upstream_…`) when it does not answer properly."""

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder

    async def kind(self, upstream: Upstream, path: CanonicalPath) -> str | None:
        """`directory`, `file` or `notebook`; None when nothing stands there, which a link to nowhere counts as."""
        status, data = await self._get(upstream, path, _MODEL_LIMIT, ("content", "0"))
        if status == 404:
            return None
        check_status(status, reading=True, sent=())
        return _decoded(data, _Entry).type

    async def size(self, upstream: Upstream, path: CanonicalPath) -> int | None:
        """The bytes of a file; None where nothing stands there, or the server does not say."""
        status, data = await self._get(upstream, path, _MODEL_LIMIT, ("content", "0"))
        if status == 404:
            return None
        check_status(status, reading=True, sent=())
        size = _decoded(data, _Entry).size
        return size if isinstance(size, int) else None

    async def names_below(self, upstream: Upstream, top: CanonicalPath) -> set[str]:
        """All names that a folder shows, at any depth: no hidden ones."""
        names: set[str] = set()
        waiting, folders, entries = [top], 0, 0
        while waiting:
            here = waiting.pop()
            found = await self._entries(upstream, here)
            folders, entries = folders + 1, entries + len(found)
            below = [here.join(entry.name) for entry in found if entry.type == "directory"]
            if folders + len(waiting) + len(below) > MAX_FOLDERS or entries > MAX_ENTRIES:
                raise Denied(Reason.BODY_TOO_LARGE, "a folder larger than the gate looks through")
            if any("\ufffd" in path.name for path in below):
                # A name that is not UTF-8 (answer.py): what lies there cannot be asked for.
                raise Denied(Reason.HIDDEN_INSIDE, "a folder in it has a name that is no text")
            names.update(entry.name for entry in found)
            waiting.extend(below)
        return names

    async def _entries(self, upstream: Upstream, folder: CanonicalPath) -> list[_Entry]:
        status, data = await self._get(upstream, folder, _LISTING_LIMIT, ("content", "1"), ("type", "directory"))
        check_status(status, reading=True, sent=())
        try:
            return msgspec.convert(read_value(data), _Listing).content
        except msgspec.ValidationError:
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, "a listing that is none") from None

    async def text(self, upstream: Upstream, path: CanonicalPath) -> bytes:
        """A text file's bytes. Denied(`bad_body`) for a file that is no text."""
        asked = (("content", "1"), ("type", "file"), ("format", "text"))
        # JSON writes a control character in six bytes.
        status, data = await self._get(upstream, path, 2 * MAX_NOTEBOOK, *asked)
        if status == 400:
            raise Denied(Reason.BAD_BODY, "not a text file")
        check_status(status, reading=True, sent=())
        content = _decoded(data, _Entry).content
        if not isinstance(content, str):
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, "a text file without text")
        return content.encode("utf-8", "surrogatepass")

    async def _get(
        self, upstream: Upstream, path: CanonicalPath, limit: int, *query: tuple[str, str]
    ) -> tuple[int, bytes]:
        answer = await self._forwarder.forward(
            upstream, Outgoing("GET", f"api/contents/{path.encoded}", query=tuple(query))
        )
        return answer.status, await answer.read(limit)


def _decoded(data: bytes, kind: type[_Entry]) -> _Entry:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Denied(Reason.UPSTREAM_BAD_ANSWER, "not a contents model") from None
