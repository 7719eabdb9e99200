"""The head of a request to the upstream: only what a rule allowed, and our credential."""

from __future__ import annotations

import re
from functools import lru_cache

from sharegate.errors import Denied, Reason
from sharegate.upstream.address import Address
from sharegate.upstream.interfaces import Outgoing
from sharegate.upstream.model import Credential

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}\Z")  # RFC 9110 section 5.1 token
_VALUE = re.compile(r"[\t\x20-\x7e]{0,8192}\Z")
_SECRET = re.compile(r"[\x21-\x7e]{1,1024}\Z")

# Nobody expects a body with them: none is said to be empty (RFC 9110 section 8.6).
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})

# They describe one connection, or the framing that is written from the body itself (RFC 9110 section 7.6.1).
HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# A second net behind the rules' allow-lists: whatever a rule says, this never goes on. Names are compared with `_`
# read as `-`, since CGI-like servers cannot tell the two apart.
NEVER = frozenset(
    {
        "authorization",
        "clear-site-data",
        "cookie",
        "cookie2",
        "forwarded",
        "origin",
        "remote-user",
        "service-worker",
        "set-cookie",
        "true-client-ip",
        "via",
        "www-authenticate",
        "x-client-ip",
        "x-forward-for",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-real-ip",
        "x-remote-user",
        "x-rewrite-url",
        "x-xsrf-token",
        "x-xsrftoken",
    }
)
NEVER_PREFIXES = ("proxy-", "sec-websocket-", "x-forwarded-")


@lru_cache(maxsize=1024)
def never(name: str) -> bool:
    """Whether a header is kept from the upstream even when a rule names it."""
    plain = name.lower().replace("_", "-")
    return plain in HOP_BY_HOP or plain in NEVER or plain.startswith(NEVER_PREFIXES)


def usable(secret: str) -> bool:
    """Whether a server's token can stand in a header."""
    return _SECRET.match(secret) is not None


def request_head(method: str, target: str, fields: list[tuple[str, str]], length: int | None) -> bytes:
    """The bytes of a request's head (RFC 9112 section 3). A body whose `length` is None is chunked.

    Raises Denied(`bad_header`) for a method that is none. Names and values are those of `outgoing_head`.
    """
    if not _NAME.match(method):
        raise Denied(Reason.BAD_HEADER, "a method that is none")
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in fields]]
    if length is None:
        lines.append("Transfer-Encoding: chunked")
    elif length or method not in _WITHOUT_BODY:
        lines.append(f"Content-Length: {length}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("ascii")


def outgoing_head(address: Address, credential: Credential, outgoing: Outgoing) -> list[tuple[str, str]]:
    """The fields to send, in order. Raises Denied(`bad_header`) for a name or value that is no field (RFC 9110 5.5).

    `Accept-Encoding` is passed on where the rule allowed it (static files go through as they are) and is else
    `identity`, because an answer that is filtered has to be read.
    """
    for name, value in outgoing.headers:
        if not _NAME.match(name) or not _VALUE.match(value):
            raise Denied(Reason.BAD_HEADER, "a header field that is not one")
    # What a `Connection` header names is hop-by-hop as well.
    named = {
        option.strip().lower()
        for name, value in outgoing.headers
        if name.lower() == "connection"
        for option in value.split(",")
    }
    head = [("Host", address.authority)]
    if outgoing.credential and credential.secret:
        if not usable(credential.secret):
            raise Denied(Reason.UPSTREAM_AWAY, "unusable credential")
        head.append(("Authorization", f"token {credential.secret}"))
    head += [(name, value) for name, value in outgoing.headers if not never(name) and name.lower() not in named]
    if not any(name.lower() == "accept-encoding" for name, _ in head):
        head.append(("Accept-Encoding", "identity"))
    return head
