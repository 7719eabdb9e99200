"""Header fields in both directions."""

from __future__ import annotations

from typing import Any

import pytest

from sharegate.confine.headers import (
    Surface,
    attachment,
    own_headers,
    request_headers,
    response_headers,
    rewrite_location,
    surface_of,
)
from sharegate.errors import Denied, Reason
from sharegate.messages import Headers
from sharegate.paths import CanonicalPath
from sharegate.policy.model import AnswerKind, Rule
from sharegate.shares.model import Capability
from tests.confine.rules import FILES, rule

UPSTREAM = "http://127.0.0.1:8888/user/ann/"
VISIT = "/s/k7f2/~v9/"

CREDENTIALS = [
    "Cookie",
    "cookie",
    "COOKIE",
    "Authorization",
    "Proxy-Authorization",
    "X-XSRFToken",
    "X-Xsrf-Token",
    "token",
]
IDENTITY = [
    *("Forwarded", "X-Forwarded-For", "x_forwarded_for", "X-Forwarded_Host", "X-Forwarded-Proto", "Via"),
    *("X-Real-IP", "X_REAL_IP", "Remote-User", "REMOTE_USER", "X-Remote-User", "X-Client-IP", "True-Client-IP"),
    *("X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Method-Override", "X-Auth-Request-User"),
    *(
        "CF-Connecting-IP",
        "X-Jupyter-User",
        "Origin",
        "Referer",
        "Host",
        "Service-Worker",
        "Sec-Fetch-Site",
        "Sec-WebSocket-Key",
    ),
    *("Connection", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "Content-Length", "Keep-Alive"),
]
TRUST = [
    *("Set-Cookie", "set-cookie", "Set_Cookie", "Set-Cookie2", "Access-Control-Allow-Origin", "WWW-Authenticate"),
    *("access-control-allow-credentials", "Service-Worker-Allowed", "Clear-Site-Data", "Refresh", "Alt-Svc", "Link"),
    *("Content-Security-Policy", "Content-Security-Policy-Report-Only", "X-Frame-Options", "Report-To", "NEL"),
    *("Strict-Transport-Security", "Proxy-Authenticate", "Server", "X-Powered-By", "X-Accel-Redirect", "X-Sendfile"),
    *(
        "SourceMap",
        "Permissions-Policy",
        "Content-Disposition",
        "Connection",
        "Speculation-Rules",
        "Timing-Allow-Origin",
    ),
]


def naming(headers: list[str], **more: Any) -> Rule:
    """A careless rule that names these headers in both directions."""
    names = frozenset(name.lower() for name in headers)
    return rule("/api/contents/{path*}", "GET", "POST", request_headers=names, response_headers=names, **more)


def respond(given: list[tuple[str, str]], route: Rule, status: int = 200, path: str = "") -> dict[str, str]:
    found = response_headers(
        Headers(given),
        route,
        status,
        upstream_url=UPSTREAM,
        visit_base=VISIT,
        path=CanonicalPath.from_body(path) if path else None,
    )
    names = [name.lower() for name, _ in found]
    assert len(names) == len(set(names)), "no field twice"
    return {name.lower(): value for name, value in found}


def test_only_named_headers_go_upstream() -> None:
    """A visitor's field goes upstream when the rule names it, in any case, and else not."""
    given = Headers([("ACCEPT", "text/x"), ("X-Other", "1"), ("If-None-Match", '"a"')])
    assert request_headers(given, naming(["accept", "if-none-match"])) == (
        ("accept", "text/x"),
        ("if-none-match", '"a"'),
    )
    assert request_headers(given, naming([])) == ()


@pytest.mark.parametrize("name", CREDENTIALS + IDENTITY)
def test_attack_credential_or_identity_header(name: str) -> None:
    """Credentials, forwarding and identity fields stay behind even when a rule names them, in any spelling."""
    assert request_headers(Headers([(name, "x")]), naming([name])) == ()


@pytest.mark.parametrize("name", TRUST)
def test_attack_response_header_that_asks_for_trust(name: str) -> None:
    """Nothing an upstream says about trust, cookies or caches passes, even when a rule names it."""
    passed = respond([(name, "evil"), ("Content-Type", "application/json")], naming([name]))
    assert "evil" not in passed.values()


def test_attack_connection_nominates_ours() -> None:
    """`Connection` can take away the sender's own fields, never the gate's."""
    given = Headers([("Connection", "accept, content-type"), ("Accept", "x"), ("Content-Type", "text/plain")])
    route = naming(["accept", "content-type"])
    assert request_headers(given, route, rewritten_body=True) == (("content-type", "application/json"),)
    hostile = [("Connection", "content-security-policy, x-content-type-options, etag"), ("ETag", '"a"')]
    passed = respond(hostile, naming(["etag"]))
    assert "etag" not in passed
    assert passed["content-security-policy"] and passed["x-content-type-options"] == "nosniff"


def test_body_that_was_written_anew_is_called_json() -> None:
    """The visitor's own name for the body does not outlive it."""
    given = Headers([("Content-Type", "text/plain;charset=UTF-8")])
    assert request_headers(given, naming(["content-type"]), rewritten_body=True) == (
        ("content-type", "application/json"),
    )
    assert request_headers(given, naming(["content-type"])) == (("content-type", "text/plain;charset=UTF-8"),)


@pytest.mark.parametrize(
    "given",
    [
        [("If-None-Match", '"a"'), ("if-none-match", '"b"')],
        [("Range", "bytes=0-1"), ("Range", "bytes=2-3")],
        [("Accept", "a\r\nX: y")],
        [("Accept", "\u00fc")],
        [("Accept", "x" * 5000)],
    ],
)
def test_attack_header_given_twice_or_malformed(given: list[tuple[str, str]]) -> None:
    """A field with two readings is `bad_header`."""
    with pytest.raises(Denied) as refused:
        request_headers(Headers(given), naming(["accept", "range", "if-none-match"]))
    assert refused.value.reason is Reason.BAD_HEADER


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("bytes=0-99", True),
        ("bytes=5-", True),
        ("bytes=-5", True),
        ("bytes=0-0,1-1", False),
        ("bytes=-", False),
        ("lines=1-2", False),
    ],
)
def test_one_range_is_sent(value: str, sent: bool) -> None:
    """Several ranges at once are ignored, as a server may."""
    assert bool(request_headers(Headers([("Range", value)]), naming(["range"]))) is sent


def test_answer_that_is_written_anew_is_asked_for_whole() -> None:
    """Conditions and ranges are about the upstream's bytes, which the visitor never gets."""
    names = ["range", "if-none-match", "if-modified-since", "accept-encoding", "accept"]
    given = Headers([("Range", "bytes=0-1"), ("If-None-Match", '"a"'), ("Accept-Encoding", "gzip"), ("Accept", "x")])
    filtered = naming(names, answer=AnswerKind.FILTER, answer_name="contents")
    assert request_headers(given, filtered) == (("accept", "x"),)
    files = naming(names, answer=AnswerKind.FILTER, answer_name="files")
    assert len(request_headers(given, files)) == 4


def test_answer_that_is_written_anew_has_our_framing() -> None:
    """Type, length, encoding and tag of the upstream's body do not describe ours."""
    filtered = naming(["etag", "last-modified"], answer=AnswerKind.FILTER, answer_name="contents")
    given = [("Content-Type", "text/html"), ("Content-Length", "5"), ("Content-Encoding", "gzip"), ("ETag", '"a"')]
    passed = respond(given, filtered)
    assert passed["content-type"] == "application/json"
    assert not passed.keys() & {"content-length", "content-encoding", "etag"}
    assert "content-type" not in respond(given, filtered, 204)


def test_files_are_always_sandboxed() -> None:
    """A shared HTML file is shown without the origin's rights, whatever the upstream or the rule say."""
    given = [("Content-Type", "text/html"), ("Content-Length", "5"), ("Content-Security-Policy", "default-src *")]
    passed = respond(given, FILES)
    policy = passed["content-security-policy"]
    assert (
        "sandbox allow-scripts" in policy and "allow-same-origin" not in policy and "frame-ancestors 'self'" in policy
    )
    assert passed["x-content-type-options"] == "nosniff"
    assert (passed["content-type"], passed["content-length"]) == ("text/html", "5")
    assert surface_of(rule("/files/{path*}", capability=Capability.CONTENTS_READ)) is Surface.FILES


@pytest.mark.parametrize("surface", list(Surface))
def test_own_headers_are_on_every_answer(surface: Surface) -> None:
    """Each kind of answer is sandboxed, unsniffable, unframed by others and kept out of shared caches."""
    own = dict(own_headers(surface))
    assert "sandbox" in own["Content-Security-Policy"] and "frame-ancestors" in own["Content-Security-Policy"]
    assert own["Referrer-Policy"] == "no-referrer" and own["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "public" not in own["Cache-Control"]


@pytest.mark.parametrize("media", ["text/html", "Text/HTML; charset=UTF-8", "application/xhtml+xml"])
def test_attack_html_outside_files(media: str) -> None:
    """An upstream's pages carry its raw token, also with status 200 (`/lab/<anything>`): none passes."""
    with pytest.raises(Denied) as refused:
        respond([("Content-Type", media)], rule("/lab/api/translations"))
    assert refused.value.reason is Reason.UPSTREAM_BAD_ANSWER


@pytest.mark.parametrize("media", ["", "html", "text/html\x00", "a/b, text/html"])
def test_type_that_is_none_becomes_bytes(media: str) -> None:
    """What a browser would have to guess is a plain download."""
    assert respond([("Content-Type", media)], FILES)["content-type"] == "application/octet-stream"


def test_parts_and_conditions() -> None:
    """206 and 416 say which part; 304 has no body and keeps its tag; an encoded body says so."""
    route = naming(["etag", "last-modified", "accept-ranges"])
    part = respond([("Content-Type", "a/b"), ("Content-Range", "bytes 0-1/5"), ("Content-Length", "2")], route, 206)
    assert (part["content-range"], part["content-length"]) == ("bytes 0-1/5", "2")
    beyond = respond([("Content-Range", "bytes */5"), ("Content-Type", "text/html")], route, 416)
    assert beyond["content-range"] == "bytes */5" and "content-type" not in beyond
    kept = respond([("ETag", '"a"'), ("Content-Type", "text/html")], route, 304)
    assert kept["etag"] == '"a"' and "content-type" not in kept
    assert respond([("Content-Type", "a/b"), ("Content-Encoding", "gzip")], route)["content-encoding"] == "gzip"
    for given, status in (([("Content-Type", "a/b")], 206), ([("Content-Encoding", "evil")], 200)):
        with pytest.raises(Denied):
            respond(given, route, status)


def test_attachment_is_named_by_us() -> None:
    """A download is named after the path that was asked for, so that no name can break out of the field."""
    given = [("Content-Type", "a/b"), ("Content-Disposition", 'attachment; filename="x"; evil')]
    passed = respond(given, FILES, path='sub/shared/a"; x=ü.txt')
    assert passed["content-disposition"] == "attachment; filename*=UTF-8''a%22%3B%20x%3D%C3%BC.txt"
    assert attachment("") == "attachment"
    assert "content-disposition" not in respond([("Content-Disposition", "inline"), ("Content-Type", "a/b")], FILES)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/user/ann/lab/tree/sub", VISIT + "lab/tree/sub"),
        ("http://127.0.0.1:8888/user/ann/lab", VISIT + "lab"),
        ("HTTP://127.0.0.1:8888/user/ann/", VISIT),
        ("/user/ann/lab?token=SECRET#SECRET", VISIT + "lab"),
        ("/user/ann/a%20b", VISIT + "a%20b"),
    ],
)
def test_redirect_below_the_base_is_moved_to_the_visit(value: str, expected: str) -> None:
    """A redirect keeps its place below the base and loses query and fragment."""
    assert rewrite_location(value, UPSTREAM, VISIT) == expected


@pytest.mark.parametrize(
    "value",
    [
        "http://evil.example/user/ann/lab",
        "//evil.example/user/ann/lab",
        "//127.0.0.1:8888/user/ann/lab",
        "https://127.0.0.1:8888/user/ann/lab",
        "http://127.0.0.1:8889/user/ann/lab",
        "http://127.0.0.1:8888@evil.example/user/ann/",
        "http://[/user/ann/",
        "/user/annother/lab",
        "/user/ann",
        "/user/ann/../bob/lab",
        "/user/ann/%2e%2e/bob",
        "/user/ann//evil.example",
        "/user/ann/a\r\nSet-Cookie: x",
        "javascript:alert(1)",
        "lab",
        "",
    ],
)
def test_attack_redirect_out_of_the_base(value: str) -> None:
    """A redirect elsewhere is an unusable answer, in whichever spelling."""
    with pytest.raises(Denied) as refused:
        rewrite_location(value, UPSTREAM, VISIT)
    assert refused.value.reason is Reason.UPSTREAM_BAD_ANSWER


def test_location_only_where_the_rule_expects_one() -> None:
    """A created thing has its address rewritten; a redirect that no rule names is unusable."""
    route = naming(["location"])
    json = ("Content-Type", "application/json")
    assert respond([json, ("Location", "/user/ann/api/contents/x")], route, 201)["location"] == VISIT + "api/contents/x"
    assert "location" not in respond([json, ("Location", "/user/ann/x")], naming([]), 201)
    assert "location" not in respond([json, ("Location", "/user/ann/x")], route, 200)
    for given in ([json], [json, ("Location", "/user/ann/x"), ("Location", "/user/ann/y")]):
        with pytest.raises(Denied):
            respond(given, route, 302)
    with pytest.raises(Denied):
        respond([json, ("Location", "/user/ann/x")], naming([]), 302)
