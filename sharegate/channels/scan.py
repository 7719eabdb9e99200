"""Our own reading of Yjs updates (version 1) and state vectors, before any library sees them.

Iterative and linear in the number of bytes, with limits on everything that a library recurses into or allocates for.
Format: yjs src/utils/encoding.js, src/structs/*, lib0 encoding.js; what yrs reads differently from yjs is refused. What
is *not* checked is the meaning for a document (roots, keys, who may write): that needs the document.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sharegate.channels.lib0 import MAX_SAFE, Reader, bad, read_json, skip_any
from sharegate.channels.nesting import Hook, Section, Tree

MAX_CLOCK = 2**32 - 1  # yrs keeps clocks in 32 bits


class Content(StrEnum):
    """What a struct holds; the first two are not items."""

    GC = "gc"
    SKIP = "skip"
    DELETED = "deleted"
    JSON = "json"
    BINARY = "binary"
    STRING = "string"
    EMBED = "embed"
    FORMAT = "format"
    TYPE = "type"
    ANY = "any"
    DOC = "doc"


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Sizes in bytes. `nesting` holds for values in values and for shared types in shared types.

    `empty_structs`: yrs makes a struct without a length where a text is cut inside a character, and keeps it in the
    document for ever; yjs never makes one.
    """

    bytes: int
    structs: int
    delete_ranges: int
    clients: int
    nesting: int = 64
    key_bytes: int = 4096
    string_bytes: int = 64 * 1024 * 1024
    empty_structs: bool = False


FROM_VISITOR = ScanLimits(bytes=64 * 1024, structs=10_000, delete_ranges=10_000, clients=1_000)
FROM_EDITOR = ScanLimits(bytes=8 * 1024 * 1024, structs=20_000, delete_ranges=100_000, clients=10_000)
# What a page may offer that is then dropped: the whole of a long document, to a server that lost it.
DROPPED = ScanLimits(bytes=1024 * 1024, structs=100_000, delete_ranges=100_000, clients=10_000, empty_structs=True)
FROM_UPSTREAM = ScanLimits(
    bytes=64 * 1024 * 1024, structs=1_000_000, delete_ranges=1_000_000, clients=100_000, empty_structs=True
)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Clocks `start` up to, not including, `end` of one client."""

    client: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class UpdateSummary:
    """What an update holds. `depth` is the deepest nesting of shared types within it."""

    bytes: int
    structs: int
    clocks: tuple[Clocks, ...]
    deleted: tuple[Clocks, ...]
    contents: frozenset[Content]
    depth: int

    @property
    def empty(self) -> bool:
        return not self.structs and not self.deleted


def scan_state_vector(data: bytes, limits: ScanLimits) -> dict[int, int]:
    """Client → clock. Denied(`bad_frame`) unless `data` is exactly one state vector within `limits`."""
    if len(data) > limits.bytes:
        raise bad("state vector too large")
    reader = Reader(data)
    vector: dict[int, int] = {}
    for _ in range(_clients(reader, limits, 2)):
        client = reader.uint()
        if client in vector:
            raise bad("client named twice")
        vector[client] = _clock(reader)
    reader.finish()
    return vector


def scan_update(data: bytes, limits: ScanLimits) -> UpdateSummary:
    """Denied(`bad_frame`) unless `data` is exactly one update within `limits`. Takes linear time, never recurses."""
    if len(data) > limits.bytes:
        raise bad("update too large")
    scan = _Scan(data, limits)
    clocks = scan.structs()
    deleted = scan.deletes()
    scan.reader.finish()
    depth = scan.tree.depth(limits.nesting)
    return UpdateSummary(len(data), scan.seen, clocks, deleted, frozenset(scan.contents), depth)


def _clients(reader: Reader, limits: ScanLimits, each: int) -> int:
    count = reader.count(each)
    if count > limits.clients:
        raise bad("too many clients")
    return count


def _clock(reader: Reader) -> int:
    clock = reader.uint()
    if clock > MAX_CLOCK:
        raise bad("clock above 32 bits")
    return clock


class _Scan:
    """The state of one reading."""

    def __init__(self, data: bytes, limits: ScanLimits) -> None:
        self.reader = Reader(data)
        self.limits = limits
        self.tree = Tree()
        self.contents: set[Content] = set()
        self.seen = 0

    def structs(self) -> tuple[Clocks, ...]:
        reader, tree = self.reader, self.tree
        clocks = []
        for _ in range(_clients(reader, self.limits, 3)):
            count = reader.count(2)
            self.seen += count
            if self.seen > self.limits.structs:
                raise bad("too many structs")
            client = reader.uint()
            if client in tree.sections:
                raise bad("client named twice")
            section = tree.sections[client] = Section()
            start = clock = _clock(reader)
            for _ in range(count):
                size = self._struct(client, clock, section)
                if size < 1 and not self.limits.empty_structs:
                    raise bad("struct without a length")
                clock += size
                if clock > MAX_CLOCK:
                    raise bad("clock above 32 bits")
            section.end = clock
            clocks.append(Clocks(client, start, clock))
        return tuple(clocks)

    def deletes(self) -> tuple[Clocks, ...]:
        reader = self.reader
        ranges: list[Clocks] = []
        clients: set[int] = set()
        for _ in range(_clients(reader, self.limits, 2)):
            client = reader.uint()
            if client in clients:
                raise bad("client named twice")
            clients.add(client)
            count = reader.count(2)
            if len(ranges) + count > self.limits.delete_ranges:
                raise bad("too many deleted ranges")
            for _ in range(count):
                start = _clock(reader)
                end = start + reader.uint()
                if end > MAX_CLOCK:
                    raise bad("clock above 32 bits")
                ranges.append(Clocks(client, start, end))
        return tuple(ranges)

    def _struct(self, client: int, clock: int, section: Section) -> int:
        """One struct; returns how many clocks it takes."""
        reader = self.reader
        info = reader.byte()
        if info in (0, 10):
            # yrs compares the whole byte, yjs five bits of it: with others set they read different structs.
            self.contents.add(Content.SKIP if info else Content.GC)
            section.add(clock, None)
            return reader.uint()
        hook: Hook = None
        if info & 0x80:
            hook = (False, reader.uint(), reader.uint())
        if info & 0x40:
            right = (False, reader.uint(), reader.uint())
            hook = hook or right
        if not info & 0xC0:
            named = reader.uint()
            if named > 1:
                raise bad("unknown kind of parent")
            if named:
                reader.string(self.limits.key_bytes)
            else:
                hook = (True, reader.uint(), reader.uint())
            if info & 0x20:
                reader.string(self.limits.key_bytes)
        section.add(clock, hook)
        kind = _KINDS.get(info & 0x1F)
        if kind is None:
            raise bad("unknown content")
        self.contents.add(kind)
        if kind is Content.TYPE:
            self.tree.types.append((client, len(section.starts) - 1))
        return self._content(kind)

    def _content(self, kind: Content) -> int:
        reader, limits = self.reader, self.limits
        if kind is Content.STRING:
            return _utf16_length(reader.bytes(limits.string_bytes))
        if kind is Content.DELETED:
            return reader.uint()
        if kind is Content.ANY:
            count = reader.count()
            for _ in range(count):
                skip_any(reader, nesting=limits.nesting, key_bytes=limits.key_bytes)
            return count
        if kind is Content.JSON:
            count = reader.count()
            for _ in range(count):
                text = reader.string(limits.string_bytes)
                if text != "undefined":  # how yjs writes what JSON has no word for
                    read_json(text, nesting=limits.nesting)
            return count
        if kind is Content.TYPE:
            self._type()
        elif kind is Content.BINARY:
            reader.skip(reader.uint())
        elif kind is Content.DOC:
            reader.string(limits.key_bytes)
            skip_any(reader, nesting=limits.nesting, key_bytes=limits.key_bytes)
        else:
            if kind is Content.FORMAT:
                reader.string(limits.key_bytes)
            read_json(reader.string(limits.string_bytes), nesting=limits.nesting)
        return 1

    def _type(self) -> None:
        """Array, map, text, xml element (named), xml fragment, xml hook (named), xml text; nothing else is Yjs."""
        kind = self.reader.uint()
        if kind > 6:
            raise bad("unknown shared type")
        if kind in (3, 5):
            self.reader.string(self.limits.key_bytes)


_KINDS = {
    1: Content.DELETED,
    2: Content.JSON,
    3: Content.BINARY,
    4: Content.STRING,
    5: Content.EMBED,
    6: Content.FORMAT,
    7: Content.TYPE,
    8: Content.ANY,
    9: Content.DOC,
}


def _utf16_length(raw: bytes) -> int:
    """Clocks count UTF-16 units, whatever the bytes: two for a character outside the basic plane."""
    if raw.isascii():
        return len(raw)
    try:
        return len(raw.decode().encode("utf-16-le")) // 2
    except UnicodeDecodeError:
        raise bad("text is not UTF-8") from None


assert MAX_CLOCK < MAX_SAFE
