"""Rules, grants and settings that the tests of this folder build by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from sharegate.confine.contents import Setting
from sharegate.confine.holding import Holding
from sharegate.confine.request import Confined, aim, confine_request
from sharegate.errors import Denied, Reason
from sharegate.messages import Body, Headers
from sharegate.paths import CanonicalPath, Place, split_target
from sharegate.policy.model import AnswerKind, BodyShape, Field, Match, Part, Rule, ValueType
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.model import Capability, Grant, Link, Role, RootKind, Share, Visit

ADDRESSES = GateAddresses("http://127.0.0.1:8870")
ROOT = CanonicalPath(("sub", "shared"))
CONTENTS_QUERY = (
    Field("type", one_of=("notebook", "file", "directory")),
    Field("format", one_of=("text", "base64", "json")),
    Field("content", ValueType.BOOLEAN),
    Field("hash", ValueType.BOOLEAN),
    Field("contentProviderId", drop=True),
)
EXTENSION = r"\.[A-Za-z0-9]{1,16}"


def pattern(text: str) -> tuple[Part, ...]:
    parts = []
    for piece in text.strip("/").split("/"):
        if piece.startswith("{"):
            name = piece[1:-1]
            parts.append(Part(name.rstrip("*"), is_name=True, rest=name.endswith("*")))
        else:
            parts.append(Part(piece))
    return tuple(parts)


def rule(route: str, *methods: str, **more: Any) -> Rule:
    return Rule(
        id="under-test",
        methods=frozenset(methods or ("GET",)),
        pattern=pattern(route),
        answer=more.pop("answer", AnswerKind.FORWARD),
        url_paths=more.pop("url_paths", ("path",) if "{path*}" in route else ()),
        **more,
    )


READ = rule("/api/contents/{path*}", "GET", query=CONTENTS_QUERY, ancestors=True, answer_name="contents")
FILES = rule("/files/{path*}", "GET", "HEAD", capability=Capability.FILES_READ, query=(Field("download"),))
PUT = rule(
    "/api/contents/{path*}",
    "PUT",
    body=BodyShape(
        "json",
        (
            Field("type", one_of=("notebook", "file", "directory")),
            Field("format", one_of=("text", "base64", "json")),
            Field("content", ValueType.ANY),
        ),
        1 << 20,
    ),
)
NEW = rule(
    "/api/contents/{path*}",
    "POST",
    body=BodyShape(
        "json",
        (
            Field("copy_from", path=True),
            Field("ext", pattern=EXTENSION),
            Field("type", one_of=("notebook", "file", "directory")),
        ),
    ),
)
MOVE = rule("/api/contents/{path*}", "PATCH", body=BodyShape("json", (Field("path", path=True, required=True),)))
DELETE = rule("/api/contents/{path*}", "DELETE")
RESTORE = rule("/api/contents/{path*}/checkpoints/{id}", "POST", "DELETE")
SESSION = rule(
    "/api/collaboration/session/{path*}",
    "PUT",
    body=BodyShape("json", (Field("format", required=True), Field("type", required=True))),
)
KERNEL_SESSION = rule(
    "/api/sessions",
    "POST",
    body=BodyShape("json", (Field("path", path=True), Field("kernel.name"), Field("notebook.path", path=True))),
)


class Bytes:
    """A body that is there, in pieces of two bytes."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data

    async def read(self, limit: int) -> bytes:
        if len(self.data) > limit:
            raise Denied(Reason.BODY_TOO_LARGE)
        return self.data

    async def stream(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.data), 2):
            yield self.data[start : start + 2]


async def anywhere(path: tuple[str, ...]) -> None:
    """A disk without links."""


def match(rule: Rule, path: CanonicalPath) -> Match:
    """What the route table would answer for a path that fits the rule."""
    parts: dict[str, tuple[str, ...]] = {}
    rest = list(path.segments)
    after = list(rule.pattern)
    while after:
        part = after.pop(0)
        if part.rest:
            end = len(rest) - len(after)
            parts[part.text], rest = tuple(rest[:end]), rest[end:]
        elif part.is_name:
            parts[part.text] = (rest.pop(0),)
        else:
            assert rest.pop(0) == part.text
    assert not rest
    return Match(rule, parts)


async def confine(
    rule: Rule,
    target: str,
    body: object = b"",
    *,
    method: str = "",
    root: CanonicalPath = ROOT,
    kind: RootKind = RootKind.DIRECTORY,
    content_type: str = "application/json",
    disk: Any = anywhere,
) -> Confined:
    """From raw target to Confined, as the gate goes."""
    raw_path, raw_query = split_target(target)
    path = CanonicalPath.parse(raw_path)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent: Body = Bytes(data)
    aimed = aim(match(rule, path), path, raw_query, root, kind, method=method or min(rule.methods))
    headers = Headers((("Content-Type", content_type), ("Content-Length", str(len(data)))))
    return await confine_request(aimed, sent, headers, Holding().of("l"), disk)


async def refusal(*arguments: Any, **more: Any) -> Reason | None:
    """The reason for which `confine` refuses, None when it does not."""
    try:
        await confine(*arguments, **more)
    except Denied as denied:
        return denied.reason
    return None


def grant(*capabilities: Capability, root: str = "sub/shared", kind: RootKind = RootKind.DIRECTORY) -> Grant:
    share = Share(
        id="k7f2k7f2k7",
        upstream="u",
        owner="ann",
        root=root,
        kind=kind,
        created=1_800_000_000.0,
        expires=1_900_000_000.0,
    )
    link = Link(id="l", share=share.id, letter="a", created=0.0, expires=1_900_000_000.0)
    visit = Visit(id="v9v9v9v9v9", share=share.id, link="l", number=1, created=0.0, expires=1_900_000_000.0)
    return Grant(share, link, visit, Role.VIEW, frozenset(capabilities), 1_900_000_000.0, ADDRESSES.of(share.id))


def setting(
    path: str,
    *,
    who: Grant | None = None,
    method: str = "GET",
    gone: frozenset[str] = frozenset(),
    fields: dict[str, Any] | None = None,
    place: Place | None = None,
    upstream_base: str = "/user/ann/",
) -> Setting:
    """A filter's surroundings for one path; `gone` names entries whose real path lies outside."""
    who = who or grant()
    asked = CanonicalPath.from_body(path)

    async def inside(directory: tuple[str, ...], names: list[str]) -> set[str]:
        assert directory == asked.segments
        return set(names) - gone

    confined = Confined((), path=asked, place=place or asked.place(who.root), fields=fields or {})
    return Setting(who, confined, method, upstream_base, inside)
