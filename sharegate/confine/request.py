"""Where a request may reach: every path in its URL, query and body is proven to lie inside the share's root.

What goes to the upstream is written anew from what was checked here; no byte of the visitor's own spelling is sent on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sharegate.confine.body import LimitedBody, apart, read_json, write_json_apart
from sharegate.confine.fields import check_arguments, check_body, put
from sharegate.confine.holding import Held, announced, weight
from sharegate.confine.query import read_query
from sharegate.errors import Denied, Reason
from sharegate.messages import Body, Headers
from sharegate.paths import CanonicalPath, Place
from sharegate.policy.model import READING, Field, Match, ValueType
from sharegate.shares.model import RootKind

# Raises Denied(`link_out`) when the real path of these segments (relative to the server's root) leaves the share.
DiskCheck = Callable[[tuple[str, ...]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Confined:
    """A request whose every path lies inside the root (or, where its rule says so, on the way to it).

    `segments` and `query` (decoded) are what is sent upstream, relative to its base URL. `body` is the JSON written
    anew; for a raw body it is None and `stream` is the visitor's body, cut off past the rule's limit. `path` is
    the request's main path relative to the server's root and `place` where it lies; without one, `place` is INSIDE.
    `paths` has every path by where it stood (`url.path`, `query.path`, `body.copy_from`), `fields` every checked
    value of query and body by its name in the rule, those included that are not sent on.
    """

    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    stream: Body | None = field(default=None, repr=False)
    place: Place = Place.INSIDE
    path: CanonicalPath | None = None
    paths: dict[str, CanonicalPath] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def other_end(self) -> str:
        """What a rename leads to or a copy comes from, in words for the trail; "" for everything else."""
        if (to := self.paths.get("body.path")) is not None:
            return f"to {to}"
        source = self.paths.get("body.copy_from")
        return f"copy of {source}" if source is not None else ""

    @property
    def encoded(self) -> str:
        """The path as it goes on the wire, relative to the upstream's base URL."""
        return CanonicalPath(self.segments).encoded


def place_of(path: CanonicalPath, root: CanonicalPath, kind: RootKind) -> Place:
    """Where `path` lies. A shared file has no siblings and nothing below it; its directories are on the way to it."""
    place = path.place(root)
    if kind is RootKind.FILE and place is Place.INSIDE and path.segments != root.segments:
        return Place.OUTSIDE
    return place


@dataclass(frozen=True, slots=True)
class Aimed:
    """Where the URL and the query of a request point: inside the root, or on the way to it where its rule says so.

    Neither its body nor the disk was looked at yet. `segments` and `query` are those of Confined.
    """

    match: Match
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    confine: _Confiner = field(repr=False)

    @property
    def path(self) -> CanonicalPath | None:
        """The request's main path, as far as it is known without the body."""
        return next(iter(self.confine.paths.values()), None)

    @property
    def inside(self) -> bool:
        """Whether it is about a place within the root."""
        return self.path is not None and self.confine.place(self.path) is Place.INSIDE


def aim(
    match: Match, rest: CanonicalPath, raw_query: str, grant_root: CanonicalPath, root_kind: RootKind, *, method: str
) -> Aimed:
    """Prove of URL and query that they stay inside. `rest` is the path below the visit's base, as `match` was made of.

    Raises Denied: `bad_query`, `bad_path` for what cannot be read or is not named by the rule; `hidden_path`,
    `outside_root` for where it points. It reads nothing but its arguments: what it raises tells of nothing that stands
    anywhere. So the capability is judged after it, and before anything is read of who lacks it.
    """
    rule = match.rule
    confine = _Confiner(grant_root, root_kind, reading=method in READING)

    for name in rule.url_paths:
        confine.judge(f"url.{name}", match.path(name), ancestors=rule.ancestors)
        if match.changes_root(name, grant_root, root_kind, method):
            raise Denied(Reason.OUTSIDE_ROOT, "the root itself is not the visitor's to change")

    query: list[tuple[str, str]] = []
    for argument, text, value in check_arguments(read_query(raw_query), rule.query):
        if argument.path and value is not None:
            text = value = str(confine.named(f"query.{argument.name}", value, argument))
        confine.fields[argument.name] = value
        if not argument.drop:
            query.append((argument.name, text))
    return Aimed(match, rest.segments, tuple(query), confine)


async def confine_request(aimed: Aimed, body: Body, headers: Headers, held: Held, check_disk: DiskCheck) -> Confined:
    """Prove that all of a request stays inside. What is read whole of its body is `held`.

    Raises Denied: `bad_body`, `body_too_large`, `bad_path` for what cannot be read or is not named by the rule,
    `request_limit` for what finds no room; `hidden_path`, `outside_root`, `link_out` for where it points. Capabilities
    are not judged here.
    """
    confine = aimed.confine
    content, stream = await _read_body(aimed.match, body, headers, held, confine)

    for path in confine.paths.values():
        if confine.place(path) is Place.INSIDE:
            await check_disk(path.segments)

    main = aimed.path
    return Confined(
        segments=aimed.segments,
        query=aimed.query,
        body=content,
        stream=stream,
        place=Place.INSIDE if main is None else confine.place(main),
        path=main,
        paths=confine.paths,
        fields=confine.fields,
    )


async def _read_body(
    match: Match, body: Body, headers: Headers, held: Held, confine: _Confiner
) -> tuple[bytes | None, Body | None]:
    shape = match.rule.body
    if shape.kind == "raw":
        return None, LimitedBody(body, shape.max_bytes, announced(headers), held)
    if shape.kind == "none":
        try:
            await body.read(0)
        except Denied as denied:
            if denied.reason is Reason.BODY_TOO_LARGE:
                raise Denied(Reason.BAD_BODY, "a body where none belongs") from None
            raise
        return None, None
    if shape.kind != "json":
        raise Denied(Reason.BAD_BODY, f"the rule reads bodies as {shape.kind!r}, which nobody knows")
    data = await held.whole(body, shape.max_bytes, announced(headers))
    size = len(data)
    await held.parse(await apart(size, weight, data))
    given = check_body(await apart(size, read_json, data, headers.get("Content-Type")) if data else {}, shape.fields)
    del data
    sent: dict[str, Any] = {}
    for found, value in given:
        if found.path and value is not None:
            value = str(confine.named(f"body.{found.name}", value, found))
        if found.name in confine.fields:
            raise Denied(Reason.BAD_BODY, f"{found.name} is given in the query and in the body")
        confine.fields[found.name] = value
        if not found.drop:
            put(sent, found.name, value)
    # No body stays no body: some of Jupyter's handlers tell the two apart.
    return (await write_json_apart(sent, size) if size else None), None


class _Confiner:
    """Collects the paths and values of one request, each path judged as it is added."""

    def __init__(self, root: CanonicalPath, kind: RootKind, *, reading: bool) -> None:
        self._root = root
        self._kind = kind
        self._reading = reading
        self.paths: dict[str, CanonicalPath] = {}
        self.fields: dict[str, Any] = {}

    def place(self, path: CanonicalPath) -> Place:
        return place_of(path, self._root, self._kind)

    def named(self, key: str, value: Any, named_by: Field) -> CanonicalPath:
        """A path in a query argument or body field."""
        if not isinstance(value, str) or named_by.type not in (ValueType.STRING, ValueType.ANY):
            raise Denied(Reason.BAD_PATH, f"{key} is not a path")
        path = CanonicalPath.from_body(value)
        self.judge(key, path, ancestors=named_by.ancestors)
        if key.startswith("body.") and path.segments == self._root.segments and self._kind is RootKind.DIRECTORY:
            # As a destination it would replace the root, as a source it would copy the root into itself.
            raise Denied(Reason.OUTSIDE_ROOT, "the root itself is not the visitor's to change")
        return path

    def judge(self, key: str, path: CanonicalPath, *, ancestors: bool) -> None:
        if path.hidden:
            raise Denied(Reason.HIDDEN_PATH, key)
        place = self.place(path)
        # An ancestor is looked at on the way to the root and never written to, whatever a rule says.
        if place is Place.OUTSIDE or (place is Place.ANCESTOR and not (ancestors and self._reading)):
            raise Denied(Reason.OUTSIDE_ROOT, key)
        self.paths[key] = path
