"""Whether something got out: by what an answer holds and how it differs, never by its status alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sharegate.prove.canaries import Canary, search
from sharegate.prove.ground import Ground
from sharegate.prove.model import Answer, Check, Finding, Probe
from sharegate.prove.visitor import Visitor, code_of
from sharegate.prove.wire import Reply

# Every field that an answer to a visitor may have.
FIELDS = frozenset(
    {
        *("accept-ranges", "cache-control", "connection", "content-disposition", "content-encoding"),
        *("content-language", "x-accel-buffering"),
        *("content-length", "content-range", "content-security-policy", "content-type", "cross-origin-opener-policy"),
        *("cross-origin-resource-policy", "date", "etag", "expires", "last-modified", "location", "permissions-policy"),
        *("referrer-policy", "retry-after", "sec-websocket-accept", "sec-websocket-version", "server"),
        *("transfer-encoding", "upgrade", "vary", "x-content-type-options", "x-frame-options", "x-robots-tag", "allow"),
    }
)
# Not even when every answer has them: they open the visit to other pages, or ask the browser for something.
_NEVER = ("access-control-", "www-authenticate", "service-worker-allowed", "clear-site-data", "refresh")
_HTML_ID = re.compile(rb"(?<=[>\s\"])[a-z0-9]{8}(?=[<\s\"])")
# Words of the server's own errors and pages.
_SERVERS_WORDS = (b"NotJSONError", b"Errno", b"Traceback", b"data-jupyter-api-token", b"jupyter_server")


@dataclass(frozen=True, slots=True)
class Door:
    """How the gate's own page at the door comes here: what a proxy on the way adds is no leak. `malformed` is what is
    answered, away from every visit, to what is no HTTP."""

    fields: frozenset[str]
    cookies: frozenset[str]
    through_proxy: bool
    malformed: tuple[int, bytes] = (0, b"")

    @classmethod
    def of(cls, reply: Reply, malformed: Reply) -> Door:
        cookies = {value.partition("=")[0] for name, value in reply.fields if name.lower() == "set-cookie"}
        return cls(
            frozenset(name.lower() for name, _ in reply.fields),
            frozenset(cookies),
            reply.field("Server") != "sharegate",
            (malformed.status, malformed.body),
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """What a question about a missing file is answered with. `varying` fields differ between two such answers."""

    shape: tuple[int, str, bytes]
    varying: frozenset[str]

    @classmethod
    def of(cls, one: Reply, other: Reply) -> Reference:
        mine, theirs = dict(_lower(one)), dict(_lower(other))
        varying = {name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)} | {"date"}
        return cls(shape(one, frozenset(varying)), frozenset(varying))


def _lower(reply: Reply) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in reply.fields]


def shape(reply: Reply, varying: frozenset[str]) -> tuple[int, str, bytes]:
    """An answer but for what differs between any two of the same: the date and the id of the refusal."""
    kept = sorted((name, value) for name, value in _lower(reply) if name not in varying)
    if code_of(reply):
        told = json.loads(reply.body)
        told["error"]["id"] = len(str(told["error"]["id"]))
        return reply.status, str(kept), json.dumps(told).encode()
    return reply.status, str(kept), _HTML_ID.sub(b"*", reply.body)


class Judge:
    """Judges answers of one run."""

    def __init__(self, ground: Ground, door: Door, visitor: Visitor) -> None:
        self._ground = ground
        self._door = door
        self.visitor = visitor

    def canaries(self, data: bytes, *, said: bytes = b"", strong_only: bool = False) -> list[Canary]:
        return search(self._ground.canaries, data, said=said, strong_only=strong_only)

    def judge(self, probe: Probe, reply: Reply, reference: Reference | None) -> Iterator[Finding]:
        """What is wrong with an answer, but for canaries, which are looked for apart."""
        yield from self._fields(probe, reply)
        sandboxed = "sandbox" in reply.field("Content-Security-Policy")
        if probe.target.startswith("files/") and reply.status < 300 and not sandboxed:
            yield Finding(Check.HEADERS, probe.name, "a file comes without a sandbox")
        refused = self._refused(probe, reply)
        if reply.status >= 400 and any(words in reply.body for words in _SERVERS_WORDS):
            yield Finding(Check.ERRORS, probe.name, "an error of the server passed")
        match probe.answer:
            case Answer.REFUSED if not refused:
                yield Finding(probe.check, probe.name, f"was answered with {reply.status}, not refused")
            case Answer.NOTHING if not refused and reply.body.strip() != b"[]":
                yield Finding(probe.check, probe.name, f"was answered with {reply.status}, not refused")
            case Answer.EMPTY if (reply.status, reply.body.strip()) != (200, b"[]"):
                yield Finding(probe.check, probe.name, "is not the empty list that every visitor gets")
            case Answer.GONE if not refused:
                yield Finding(probe.check, probe.name, f"was answered with {reply.status}, not refused")
            case Answer.GONE if reference is not None and shape(reply, reference.varying) != reference.shape:
                check = probe.check if probe.check is Check.CONDITIONS else Check.ONE_ANSWER
                yield Finding(check, probe.name, "was refused in other words than what is missing")
            case Answer.ALIKE if reference is not None and reply.status != reference.shape[0]:
                yield Finding(Check.ONE_ANSWER, probe.name, "was answered otherwise than what is missing")
            case Answer.ANY if reply.status >= 400 and not refused and not _page(reply):
                yield Finding(Check.ERRORS, probe.name, f"an error {reply.status} that is not in the gate's words")

    def _refused(self, probe: Probe, reply: Reply) -> bool:
        """In the gate's words; a proxy on the way may refuse in its own what it does not understand."""
        if reply.status < 400:
            return False
        ours = bool(code_of(reply)) or (reply.status, reply.body) == self._door.malformed
        return ours or (probe.method == "HEAD" and not reply.body) or self._door.through_proxy

    def _fields(self, probe: Probe, reply: Reply) -> Iterator[Finding]:
        for name, value in _lower(reply):
            if name == "set-cookie":
                if value.partition("=")[0] not in self._door.cookies:
                    yield Finding(Check.HEADERS, probe.name, "a cookie is set")
            elif name.startswith(_NEVER) or (name not in FIELDS and name not in self._door.fields):
                yield Finding(Check.HEADERS, probe.name, f"the field {name} passed")
            elif name == "content-security-policy" and "report-uri" in value:
                yield Finding(Check.HEADERS, probe.name, "the policy reports to the server")
            elif name == "server" and not self._door.through_proxy and value != "sharegate":
                yield Finding(Check.HEADERS, probe.name, "the answer names the server's software")
            elif name == "location" and not self._own(value):
                yield Finding(Check.HEADERS, probe.name, "a redirect leads out of the visit")

    def _own(self, location: str) -> bool:
        path = location.removeprefix(str(self.visitor.origin))
        return path.startswith((self.visitor.base, "/join")) and "token=" not in path


def _page(reply: Reply) -> bool:
    return reply.field("Content-Type").startswith("text/html")
