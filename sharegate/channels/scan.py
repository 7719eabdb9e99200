"""Our own reading of Yjs updates (version 1) and state vectors, before any library sees them.

Iterative and linear in the number of bytes, with limits on everything that a library recurses into or allocates for.
Format: yjs src/utils/encoding.js, src/structs/*, lib0 encoding.js; what yrs reads differently from yjs is refused. What
is *not* checked is the meaning for a document: who may write is `writers`', where each item lies `places`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from sharegate.channels.lib0 import MAX_SAFE, Reader, bad, large, read_json, skip_any
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


# What JupyterLab never writes: its documents are lists, maps and texts of plain values. (yjs writes GC and DELETED for
# what a page wrote and deleted before it was sent.)
UNUSUAL = frozenset({Content.SKIP, Content.JSON, Content.BINARY, Content.EMBED, Content.FORMAT, Content.DOC})

# The kinds of shared types (yjs src/structs/ContentType.js); above these is XML.
ARRAY, MAP, TEXT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Sizes in bytes. `nesting` holds for values in values and for shared types in shared types. `weight` is what all
    plain values may weigh (`lib0.skip_any`).

    `empty_structs`: yrs makes a struct without a length where a text is cut inside a character, and keeps it in the
    document for ever; yjs never makes one. `bigints`: pages fail to make JSON of such a number, which others read as an
    ordinary one. `ahead`: an item may name a later item of its own client as its neighbour or
    parent; yrs waits for it, while yjs fails in the middle of the update, in every page that receives it.
    """

    bytes: int
    structs: int
    delete_ranges: int
    clients: int
    nesting: int = 64
    key_bytes: int = 4096
    string_bytes: int = 64 * 1024 * 1024
    weight: int = MAX_SAFE
    empty_structs: bool = False
    ahead: bool = True
    bigints: bool = True


FROM_VISITOR = ScanLimits(bytes=64 * 1024, structs=10_000, delete_ranges=10_000, clients=1_000)
# What a page may offer that is then dropped: the whole of a long document, to a server that lost it.
DROPPED = ScanLimits(bytes=1024 * 1024, structs=100_000, delete_ranges=100_000, clients=10_000, empty_structs=True)
# What the page of somebody who may edit sends. A cell is about 12 structs: 20,000 are a pasted notebook of 1,500 cells;
# typing merges into few. A page's first answer always names all that was ever deleted in the document, whoever did it.
# A million numbers are a large plot.
FROM_EDITOR = ScanLimits(
    bytes=8 * 1024 * 1024,
    structs=20_000,
    delete_ranges=100_000,
    clients=10_000,
    nesting=64,
    ahead=False,
    bigints=False,
    weight=1_000_000,
)
FROM_UPSTREAM = ScanLimits(
    bytes=64 * 1024 * 1024, structs=1_000_000, delete_ranges=1_000_000, clients=100_000, empty_structs=True
)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Clocks `start` up to, not including, `end` of one client."""

    client: int
    start: int
    end: int


Id = tuple[int, int]  # client, clock


class Struct(NamedTuple):
    """One struct: clocks `start` up to `end` of its client, and where it says it lies.

    `parent` (a root's name or the id of an item) and `key` count only without neighbours. `shared` is the kind of a
    shared type; `text` is what a string holds where some character takes two clocks, so that nobody may cut there.
    """

    start: int
    end: int
    content: Content
    left: Id | None = None
    right: Id | None = None
    parent: str | Id | None = None
    key: str | None = None
    shared: int = -1
    text: str = ""


@dataclass(frozen=True, slots=True)
class UpdateSummary:
    """What an update holds. `depth` is the deepest nesting of shared types within it.

    `roots`: names of roots that items lie in. `unusual`: for each client the end of the last struct that no page of
    JupyterLab writes. `needs`: for each client the clock up to which a document must have everything before the update,
    or something of it waits for what it refers to. `weight`: of all plain values (`lib0.skip_any`). `sections`: all
    structs by client, when they were asked for.
    """

    bytes: int
    structs: int
    clocks: tuple[Clocks, ...]
    deleted: tuple[Clocks, ...]
    contents: frozenset[Content]
    depth: int
    roots: frozenset[str] = frozenset()
    unusual: Mapping[int, int] = field(default_factory=dict)
    needs: Mapping[int, int] = field(default_factory=dict)
    weight: int = 0
    sections: Mapping[int, list[Struct]] = field(default_factory=dict, repr=False)

    @property
    def cost(self) -> int:
        """In bytes: a number takes nine, and an empty list, which takes two, is judged no faster."""
        return max(self.bytes, 8 * self.weight)

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


def scan_update(data: bytes, limits: ScanLimits, *, structs: bool = False) -> UpdateSummary:
    """Denied(`bad_frame`) unless `data` is exactly one update, Denied(`update_too_large`) when it is above a limit of
    size or number. Takes linear time, never recurses.

    With `structs` the summary holds every struct, in `sections`.
    """
    if len(data) > limits.bytes:
        raise large("update too large")
    scan = _Scan(data, limits, structs)
    clocks = scan.structs()
    deleted = scan.deletes()
    scan.reader.finish()
    depth = scan.tree.depth(limits.nesting)
    return UpdateSummary(
        *(len(data), scan.seen, clocks, deleted, frozenset(scan.contents), depth),
        roots=frozenset(scan.roots),
        unusual=scan.unusual,
        needs=_needs(clocks, deleted, scan.named, scan.skipped),
        weight=scan.weight,
        sections=scan.sections,
    )


def _needs(
    clocks: tuple[Clocks, ...], deleted: tuple[Clocks, ...], named: dict[int, int], skipped: dict[int, int]
) -> dict[int, int]:
    """`named`: for each client the end of the last item that another one names; `skipped`: that of the last gap."""
    ends = {each.client: each.end for each in clocks}
    needs = {each.client: each.start for each in clocks if each.start}
    for client, end in (*named.items(), *((gone.client, gone.end) for gone in deleted)):
        if end > ends.get(client, 0):
            needs[client] = max(end, needs.get(client, 0))
    for client, end in skipped.items():
        needs[client] = max(end, needs.get(client, 0))
    return needs


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

    def __init__(self, data: bytes, limits: ScanLimits, keep: bool) -> None:
        self.reader = Reader(data)
        self.limits = limits
        self.tree = Tree()
        self.contents: set[Content] = set()
        self.roots: set[str] = set()
        self.unusual: dict[int, int] = {}
        self.named: dict[int, int] = {}
        self.skipped: dict[int, int] = {}
        self.sections: dict[int, list[Struct]] = {}
        self.keep = keep
        self.seen = self.weight = 0
        # Of the struct read last: the kind of shared type, a text with characters of two clocks.
        self.shared = -1
        self.text = ""

    def structs(self) -> tuple[Clocks, ...]:
        reader, tree = self.reader, self.tree
        clocks = []
        for _ in range(_clients(reader, self.limits, 3)):
            count = reader.count(2)
            self.seen += count
            if self.seen > self.limits.structs:
                raise large("too many structs")
            client = reader.uint()
            if client in tree.sections:
                raise bad("client named twice")
            section = tree.sections[client] = Section()
            kept: list[Struct] | None = None
            if self.keep:
                kept = self.sections[client] = []
            start = clock = _clock(reader)
            for _ in range(count):
                size = self._struct(client, clock, section, kept)
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
                raise large("too many deleted ranges")
            for _ in range(count):
                start = _clock(reader)
                end = start + reader.uint()
                if end > MAX_CLOCK:
                    raise bad("clock above 32 bits")
                ranges.append(Clocks(client, start, end))
        return tuple(ranges)

    def _struct(self, client: int, clock: int, section: Section, kept: list[Struct] | None) -> int:
        """One struct that begins at `clock`; returns how many clocks it takes."""
        reader = self.reader
        info = reader.byte()
        left = right = key = None
        parent: str | Id | None = None
        if info in (0, 10):
            # yrs compares the whole byte, yjs five bits of it: with others set they read different structs.
            content = Content.SKIP if info else Content.GC
            section.add(clock, None)
            size = reader.uint()
            if info:
                self.skipped[client] = clock + size
        else:
            hook: Hook = None
            if info & 0x80:
                left = (reader.uint(), reader.uint())
                hook = (False, *left)
            if info & 0x40:
                right = (reader.uint(), reader.uint())
                hook = hook or (False, *right)
            if not info & 0xC0:
                named = reader.uint()
                if named > 1:
                    raise bad("unknown kind of parent")
                if named:
                    parent = root = reader.string(self.limits.key_bytes)
                    self.roots.add(root)
                else:
                    parent = inside = (reader.uint(), reader.uint())
                    hook = (True, *inside)
                if info & 0x20:
                    key = reader.string(self.limits.key_bytes)
            if not self.limits.ahead:
                _not_ahead(client, clock, left, right, parent)
            section.add(clock, hook)
            for each in (left, right, parent):
                if isinstance(each, tuple) and each[1] >= self.named.get(each[0], 0):
                    self.named[each[0]] = each[1] + 1
            kind = _KINDS.get(info & 0x1F)
            if kind is None:
                raise bad("unknown content")
            content = kind
            if content is Content.TYPE:
                self.tree.types.append((client, len(section.starts) - 1))
            size = self._content(content)
        self.contents.add(content)
        if content in UNUSUAL or (content is Content.TYPE and self.shared > TEXT):
            self.unusual[client] = clock + size
        if kept is not None:
            shared = self.shared if content is Content.TYPE else -1
            text = self.text if content is Content.STRING else ""
            kept.append(Struct(clock, clock + size, content, left, right, parent, key, shared, text))
        return size

    def _content(self, kind: Content) -> int:
        reader, limits = self.reader, self.limits
        if kind is Content.STRING:
            raw = reader.bytes(limits.string_bytes)
            self.text = ""
            if raw.isascii():
                return len(raw)
            return self._wide(raw)
        if kind is Content.DELETED:
            return reader.uint()
        if kind is Content.ANY:
            count = reader.count()
            for _ in range(count):
                self._any()
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
            self._any()
        else:
            if kind is Content.FORMAT:
                reader.string(limits.key_bytes)
            read_json(reader.string(limits.string_bytes), nesting=limits.nesting)
        return 1

    def _any(self) -> None:
        left = self.limits.weight - self.weight
        if left < 1:
            raise large("too many values")
        limits = self.limits
        self.weight += skip_any(
            self.reader, nesting=limits.nesting, key_bytes=limits.key_bytes, weight=left, bigints=limits.bigints
        )

    def _wide(self, raw: bytes) -> int:
        """Clocks count UTF-16 units, whatever the bytes: two for a character outside the basic plane."""
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise bad("text is not UTF-8") from None
        size = len(text.encode("utf-16-le")) // 2
        if size != len(text) and self.keep:
            self.text = text
        return size

    def _type(self) -> None:
        """Array, map, text, xml element (named), xml fragment, xml hook (named), xml text; nothing else is Yjs."""
        self.shared = self.reader.uint()
        if self.shared > 6:
            raise bad("unknown shared type")
        if self.shared in (3, 5):
            self.reader.string(self.limits.key_bytes)


def _not_ahead(client: int, clock: int, *named: str | Id | None) -> None:
    for each in named:
        if isinstance(each, tuple) and each[0] == client and each[1] >= clock:
            raise bad("item that names a later one")


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


assert MAX_CLOCK < MAX_SAFE
