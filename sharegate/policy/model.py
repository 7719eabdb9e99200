"""The route table as values: one Rule says who may ask for a route, where paths hide in it, how it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from sharegate.paths import CanonicalPath
from sharegate.shares.model import Capability, Role, RootKind

# The methods that a rule may name. OPTIONS is absent on purpose: Jupyter answers it without authentication.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
READING = frozenset({"GET", "HEAD"})
# Stands beside the methods for a GET that asks for a WebSocket (RFC 6455 section 4.1).
WEBSOCKET = "WEBSOCKET"

# Functions that reshape an upstream's answer, or guard a channel. `session` is jupyter-collaboration's, `sessions` and
# `kernels` are the kernel sessions and kernels of the visit; `room` and `kernel` are WebSockets.
FILTERS = frozenset(
    {"contents", "files", "kernel", "kernels", "kernelspecs", "page", "picture", "reading", "room"}
    | {"session", "sessions"}
    | {"settings", "translations"}
)
# Functions that answer without asking the upstream. `absent` is the 404 of a server that lacks the extension (measured:
# JupyterLab goes on without a word); `global-awareness` and `events` are WebSockets.
LOCALS = frozenset(
    {"absent", "empty-list", "empty-object", "events", "global-awareness", "me", "nbconvert-list", "no-content"}
    | {"robots", "root-redirect", "settings-write", "status", "style-sheet"}
    | {"workspace", "workspace-list", "workspace-write"}
)
# Answers that are open WebSockets; every other answer is HTTP.
CHANNELS = frozenset({"filter:kernel", "filter:room", "local:events", "local:global-awareness"})


class AnswerKind(StrEnum):
    FORWARD = "forward"  # send on, answer passes through the header allow-list
    FILTER = "filter"  # send on, then the named function of confine.response reshapes the answer
    LOCAL = "local"  # answered by the named function of lab, the upstream is not asked
    DENY = "deny"  # denied by name (`route_denied`)


class ValueType(StrEnum):
    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    OBJECT = "object"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Field:
    """One allowed query argument or body field. `name` is dotted for nested body fields (`notebook.path`).

    With `path` its value is a path relative to the server's root and is confined; `ancestors` then also
    admits an ancestor of the root. With `drop` it is accepted, because an honest page sends it, and never sent on.
    """

    name: str
    type: ValueType = ValueType.STRING
    required: bool = False
    nullable: bool = False
    one_of: tuple[str, ...] = ()
    pattern: str = ""
    max_length: int = 1024
    path: bool = False
    ancestors: bool = False
    drop: bool = False


@dataclass(frozen=True, slots=True)
class BodyShape:
    """How a body is read: `json` is parsed, checked field by field and written anew; `raw` is streamed as it is;
    `none` means that a body is refused."""

    kind: str = "none"
    fields: tuple[Field, ...] = ()
    max_bytes: int = 65536


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a path pattern: a literal segment, `{name}` (one segment, optionally matching `pattern`), or
    `{name*}` (zero or more segments; literal parts may follow: `/api/contents/{path*}/checkpoints`)."""

    text: str
    is_name: bool = False
    rest: bool = False
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A request that the loader judges for a share of `sub/shared`; `expect` is "allow" or a reason."""

    role: Role
    method: str
    target: str
    expect: str
    websocket: bool = False
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the route table.

    `url_paths` names the pattern's parts that are paths relative to the server's root (confined).
    `roles`, when not empty, narrows which roles the rule exists for (several rules may share one route with different
    answers for different roles). A rule with `websocket` matches upgrades only; a denying rule with `either` matches
    plain requests and upgrades alike. `source` is `file:line`.
    """

    id: str
    methods: frozenset[str]
    pattern: tuple[Part, ...]
    answer: AnswerKind
    answer_name: str = ""
    capability: Capability | None = None
    websocket: bool = False
    roles: frozenset[Role] = frozenset()
    url_paths: tuple[str, ...] = ()
    ancestors: bool = False
    query: tuple[Field, ...] = ()
    body: BodyShape = BodyShape()
    request_headers: frozenset[str] = frozenset()  # lower-case
    response_headers: frozenset[str] = frozenset()  # lower-case
    credential: bool = True  # False: static files, fetched without the upstream's token
    why: str = ""
    examples: tuple[Example, ...] = ()
    source: str = ""
    either: bool = False

    @property
    def calls(self) -> frozenset[str]:
        """What the rule matches: methods, and WEBSOCKET for upgrades."""
        if self.websocket:
            return frozenset({WEBSOCKET})
        return self.methods | {WEBSOCKET} if self.either else self.methods

    def serves(self, role: Role) -> bool:
        """Whether the rule exists for `role`."""
        return not self.roles or role in self.roles

    @property
    def route(self) -> str:
        """The pattern as written, for people and the trail."""
        shown = [
            part.text if not part.is_name else "{" + part.text + ("*" if part.rest else "") + "}"
            for part in self.pattern
        ]
        return "/" + "/".join(shown)


class Match(msgspec.Struct, frozen=True):
    """A rule and what its named parts matched (segments)."""

    rule: Rule
    parts: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)

    def path(self, name: str) -> CanonicalPath:
        return CanonicalPath(self.parts[name])

    def changes_root(self, name: str, root: CanonicalPath, kind: RootKind, method: str) -> bool:
        """Whether `method` would delete, move or overwrite the root itself: that is a change to the directory around
        it, which is outside. A shared file may be saved, and in a shared directory something new may be made."""
        # What ends the pattern is what the method acts on: DELETE of `{path*}/checkpoints/{id}` spares the path.
        acted_on = bool(self.rule.pattern) and self.rule.pattern[-1].text == name
        if not acted_on or method in READING or self.path(name).segments != root.segments:
            return False
        return method != ("PUT" if kind is RootKind.FILE else "POST")
