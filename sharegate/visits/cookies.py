"""The two cookies of a visitor, read strictly and written in full (RFC 6265 section 4.1).

`sharegate-visit` opens one visit and is sent only below that visit's address. `sharegate-browser` is sent only to the
door, where it lets the same browser come back into the same visit.
"""

from __future__ import annotations

from sharegate.messages import Headers
from sharegate.shares.model import OPEN_ENDED

VISIT = "sharegate-visit"
BROWSER = "sharegate-browser"
_LONGEST = 128


def values(headers: Headers, name: str) -> list[str]:
    """Every value of the cookie `name`, in order. Two of one name are for the caller to refuse: a browser sends the
    one with the longer path first, and whoever can set a cookie for a parent path must not be able to choose."""
    found = []
    for header in headers.all("Cookie"):
        for pair in header.split(";"):
            key, separator, value = pair.strip().partition("=")
            if separator and key == name:
                found.append(value[:_LONGEST])
    return found


def set_visit(value: str, *, base: str, lasting: float, secure: bool) -> tuple[str, str]:
    """A Set-Cookie field; `lasting` seconds, at most 400 days. Lax: the owner may link into a page from elsewhere."""
    return _field(VISIT, value, path=base, lasting=lasting, secure=secure, same_site="Lax")


def set_browser(value: str, *, secure: bool) -> tuple[str, str]:
    """Strict: only the door's own script ever sends it."""
    return _field(BROWSER, value, path="/join", lasting=OPEN_ENDED, secure=secure, same_site="Strict")


def _field(name: str, value: str, *, path: str, lasting: float, secure: bool, same_site: str) -> tuple[str, str]:
    age = max(0, int(min(lasting, OPEN_ENDED)))
    text = f"{name}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite={same_site}"
    return ("Set-Cookie", text + ("; Secure" if secure else ""))
