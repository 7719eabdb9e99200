"""Header fields on their way: per rule an allow-list in both directions, and what the gate itself says about an answer.

Behind the allow-lists stands a second net, so that no rule, however written, lets a credential or a browser's trust
through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, urlsplit

from sharegate.errors import Denied, Reason
from sharegate.messages import Headers
from sharegate.paths import CanonicalPath
from sharegate.policy.model import AnswerKind, Rule
from sharegate.shares.model import Capability

_VALUE = re.compile(r"[\t\x20-\x7e]{0,4096}\Z")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,120}(?:;[\t\x20-\x7e]{0,200})?\Z")
_ONE_RANGE = re.compile(r"bytes=(?:[0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})\Z")
_CONTENT_RANGE = re.compile(r"bytes (?:[0-9]{1,15}-[0-9]{1,15}/(?:[0-9]{1,15}|\*)|\*/[0-9]{1,15})\Z")
_LENGTH = re.compile(r"[0-9]{1,15}\Z")
_ENCODINGS = frozenset({"identity", "gzip", "deflate", "br", "zstd"})

# They say "only if it is still what I have", or ask for a piece: meaningless for an answer that is written anew.
_OF_THE_ORIGINAL = frozenset(
    {"accept-encoding", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"}
)
_SEVERAL_TIMES = frozenset({"accept", "accept-encoding", "accept-language"})

_NEVER_SENT = frozenset(
    {"authorization", "cookie", "cookie2", "expect", "forwarded", "host", "keep-alive", "origin", "referer"}
    | {
        "remote-user",
        "service-worker",
        "te",
        "token",
        "trailer",
        "transfer-encoding",
        "true-client-ip",
        "upgrade",
        "via",
    }
    | {"connection", "content-length", "from", "http2-settings", "content-encoding", "x-original-url", "x-rewrite-url"}
)
_NEVER_SENT_PREFIXES = (
    *("proxy-", "sec-", "x-auth", "x-client", "x-csrf", "x-forward", "x-http-method", "x-method", "x-real"),
    *("x-jupyter", "x-remote", "x-user", "x-xsrf", "cf-", "access-control-"),
)
_NEVER_PASSED = frozenset(
    {
        "set-cookie",
        "set-cookie2",
        "www-authenticate",
        "authentication-info",
        "service-worker-allowed",
        "clear-site-data",
    }
    | {"refresh", "alt-svc", "alt-used", "link", "server", "via", "date", "connection", "keep-alive", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "content-location", "report-to", "reporting-endpoints", "nel", "expect-ct"}
    | {"permissions-policy", "feature-policy", "document-policy", "x-frame-options", "strict-transport-security"}
    | {"public-key-pins", "timing-allow-origin", "origin-agent-cluster", "sourcemap", "x-sourcemap", "set-login"}
    | {"speculation-rules", "supports-loading-mode", "no-vary-search", "accept-ch", "critical-ch", "x-sendfile"}
    | {"content-disposition", "location", "pragma", "expires", "warning", "age"}
)
_NEVER_PASSED_PREFIXES = ("access-control-", "proxy-", "sec-", "x-accel-", "x-powered-", "content-security-policy")
_FRAMING = frozenset({"content-encoding", "content-length", "content-range", "content-type"})

Fields = tuple[tuple[str, str], ...]
_MOST_RULES = 2000


class Surface(Enum):
    """What a browser would make of an answer that somebody opens as a page of its own."""

    API = "api"
    FILES = "files"
    STATIC = "static"


_NOTHING = "default-src 'none'; frame-ancestors 'none'; sandbox"
_POLICIES = {
    Surface.API: (_NOTHING, "no-store"),
    # The visitor may look at a shared HTML file; without allow-same-origin its scripts are nobody's.
    Surface.FILES: ("sandbox allow-scripts; frame-ancestors 'self'", "private, no-cache"),
    Surface.STATIC: (_NOTHING, "private, no-cache"),
}


def surface_of(rule: Rule) -> Surface:
    """`/files/` and whatever needs `files:read` are files; the strictest is what everything unnamed gets."""
    first = rule.pattern[0] if rule.pattern else None
    if rule.capability is Capability.FILES_READ or (first is not None and not first.is_name and first.text == "files"):
        return Surface.FILES
    return Surface.STATIC if rule.capability is Capability.STATIC_READ else Surface.API


def rewritten(rule: Rule) -> bool:
    """Whether the gate writes the answer's body anew (`files` only looks at the head)."""
    return rule.answer is not AnswerKind.FORWARD and rule.answer_name != "files"


def own_headers(surface: Surface) -> tuple[tuple[str, str], ...]:
    """What the gate says about every answer from an upstream, in place of anything the upstream said."""
    policy, caching = _POLICIES[surface]
    return (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", caching),
    )


@dataclass(frozen=True, slots=True)
class _Passing:
    """What a rule lets pass, with the second net taken out of it, in lower case."""

    rule: Rule
    surface: Surface
    ours: Fields
    sent: frozenset[str]
    passed: frozenset[str]


_known: dict[int, _Passing] = {}


def _passing(rule: Rule) -> _Passing:
    """Worked out once for each rule. A reload makes other rules."""
    found = _known.get(id(rule))
    if found is not None and found.rule is rule:
        return found
    surface = surface_of(rule)
    ours = own_headers(surface)
    anew = rewritten(rule)
    kept = _FRAMING | {name.lower() for name, _ in ours}
    if anew:
        # An entity tag of the original would make a browser keep what was written for another moment or role.
        kept |= {"etag", "last-modified", "accept-ranges"}
    found = _Passing(
        rule,
        surface,
        ours,
        frozenset(
            name
            for name in rule.request_headers
            if not _never(name, _NEVER_SENT, _NEVER_SENT_PREFIXES) and not (anew and name in _OF_THE_ORIGINAL)
        ),
        frozenset(
            name
            for name in rule.response_headers
            if name not in kept and not _never(name, _NEVER_PASSED, _NEVER_PASSED_PREFIXES)
        ),
    )
    if len(_known) >= _MOST_RULES:
        _known.clear()
    _known[id(rule)] = found
    return found


def request_headers(given: Headers, rule: Rule, *, rewritten_body: bool = False) -> tuple[tuple[str, str], ...]:
    """The visitor's fields that go upstream: those the rule names, never one of the second net, never one that a
    `Connection` field nominates. With `rewritten_body` the body is our JSON and is called so.

    Raises Denied(`bad_header`) for a field given twice that may stand only once, or a value that is none.
    """
    nominated = _nominated(given)
    may = _passing(rule).sent
    sent: list[tuple[str, str]] = []
    seen: set[str] = set()
    for name, value in given.items():
        plain = name.lower()
        if plain not in may or plain in nominated or (rewritten_body and plain == "content-type"):
            continue
        if plain in seen and plain not in _SEVERAL_TIMES:
            raise Denied(Reason.BAD_HEADER, f"{plain} given twice")
        if not _VALUE.match(value):
            raise Denied(Reason.BAD_HEADER, f"the value of {plain}")
        seen.add(plain)
        # Several ranges at once are a known way to make a server work hard; a server may ignore Range (RFC 9110 14.2).
        if plain != "range" or _ONE_RANGE.match(value):
            sent.append((plain, value))
    if rewritten_body:
        sent.append(("content-type", "application/json"))
    return tuple(sent)


def response_headers(
    given: Headers,
    rule: Rule,
    status: int,
    *,
    upstream_url: str,
    visit_base: str,
    path: CanonicalPath | None = None,
) -> tuple[tuple[str, str], ...]:
    """The fields of the answer to the visitor: those the rule names, then ours, which nothing overrides.

    `path` is the request's main path, after which an attachment is named. Raises Denied(`upstream_bad_answer`) for HTML
    outside `/files/` (an upstream's pages carry its token) and for a redirect that leaves the visit's base.
    """
    passing = _passing(rule)
    surface, may = passing.surface, passing.passed
    nominated = _nominated(given)
    passed: list[tuple[str, str]] = []
    for name, value in given.items():
        plain = name.lower()
        if plain in may and plain not in nominated and _VALUE.match(value):
            passed.append((plain, value))
    passed.extend(_framing(given, rule, status, surface))
    passed.extend(_location(given, rule, status, upstream_url, visit_base))
    if surface is Surface.FILES and given.get("Content-Disposition").strip().lower().startswith("attachment"):
        passed.append(("content-disposition", attachment(path.name if path is not None else "")))
    return (*passed, *passing.ours)


def attachment(name: str) -> str:
    """A Content-Disposition that names a download and can be read in one way only (RFC 6266, RFC 8187)."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}" if name else "attachment"


def rewrite_location(value: str, upstream_url: str, visit_base: str) -> str:
    """Where a redirect leads for the visitor: the same place below the visit's base, without query and fragment.

    `upstream_url` and `visit_base` end in a slash. The query goes because Jupyter copies `?token=` into redirects.
    Raises Denied(`upstream_bad_answer`) for anything outside the upstream's base, and for what has two readings.
    """
    base = urlsplit(upstream_url)
    try:
        to = urlsplit(value)
    except ValueError:
        raise _unusable("redirect to what is no address") from None
    absolute = bool(to.scheme or to.netloc)
    if absolute and (to.scheme.lower(), to.netloc.lower()) != (base.scheme.lower(), base.netloc.lower()):
        raise _unusable("redirect to another server")
    if not to.path.startswith(base.path):
        raise _unusable("redirect out of the server's base")
    try:
        below = CanonicalPath.parse("/" + to.path[len(base.path) :])
    except Denied:
        raise _unusable("redirect to an address with two readings") from None
    return visit_base + below.encoded


def _framing(given: Headers, rule: Rule, status: int, surface: Surface) -> list[tuple[str, str]]:
    if rewritten(rule):
        # The body is our JSON, in our encoding and length; of 204 and 304 there is none.
        return [] if status in (204, 304) else [("content-type", "application/json")]
    encoding = given.get("Content-Encoding").strip().lower()
    if encoding and encoding not in _ENCODINGS:
        raise _unusable("unknown content encoding")
    fields: list[tuple[str, str]] = []
    if status not in (204, 304, 416):
        media = given.get("Content-Type")
        if not _MEDIA_TYPE.match(media):
            media = "application/octet-stream"
        if surface is not Surface.FILES and media.lower().startswith(("text/html", "application/xhtml")):
            raise _unusable("an HTML page where none belongs")
        fields.append(("content-type", media))
        if encoding and encoding != "identity":
            fields.append(("content-encoding", encoding))
        if _LENGTH.match(given.get("Content-Length")) and len(given.all("Content-Length")) == 1:
            fields.append(("content-length", given.get("Content-Length")))
    if status in (206, 416):
        if not _CONTENT_RANGE.match(given.get("Content-Range")):
            raise _unusable("a part without saying which")
        fields.append(("content-range", given.get("Content-Range")))
    return fields


def _location(given: Headers, rule: Rule, status: int, upstream_url: str, visit_base: str) -> list[tuple[str, str]]:
    redirect = 300 <= status < 400 and status != 304
    if not redirect and status != 201:
        return []
    if "location" not in rule.response_headers:
        if redirect:
            raise _unusable("a redirect where none belongs")
        return []
    if len(given.all("Location")) != 1:
        if redirect:
            raise _unusable("a redirect without exactly one target")
        return []
    return [("location", rewrite_location(given.get("Location"), upstream_url, visit_base))]


def _nominated(given: Headers) -> set[str]:
    """What `Connection` calls hop-by-hop (RFC 9110 section 7.6.1)."""
    if "connection" not in given:
        return set()
    return {option.strip().lower() for value in given.all("Connection") for option in value.split(",")}


def _never(plain: str, names: frozenset[str], prefixes: tuple[str, ...]) -> bool:
    # CGI-like servers cannot tell `_` from `-`.
    dashed = plain.replace("_", "-")
    return dashed in names or dashed.startswith(prefixes)


def _unusable(detail: str) -> Denied:
    return Denied(Reason.UPSTREAM_BAD_ANSWER, detail)
