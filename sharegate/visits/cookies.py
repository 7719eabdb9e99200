"""The two cookies of a visitor, read strictly and written in full (RFC 6265 section 4.1).

One opens one visit and no other. The other is for the door, where it lets the same browser come back into the same
visit. What they are called and where they are sent, shares/addresses.py says.
"""

from __future__ import annotations

from sharegate.messages import Headers
from sharegate.shares.addresses import CookiePlace
from sharegate.shares.model import OPEN_ENDED

_LONGEST = 128


def values(headers: Headers, name: str, longest: int = _LONGEST) -> list[str]:
    """Every value of the cookie `name`, in order. Two of one name are for the caller to refuse: a browser sends the
    one with the longer path first, and whoever can set a cookie for a parent path must not be able to choose."""
    found = []
    for header in headers.all("Cookie"):
        for pair in header.split(";"):
            key, separator, value = pair.strip().partition("=")
            if separator and key == name:
                found.append(value[:longest])
    return found


def set_visit(place: CookiePlace, value: str, *, lasting: float) -> tuple[str, str]:
    """A Set-Cookie field; `lasting` seconds, at most 400 days. Lax: the owner may link into a page from elsewhere."""
    return _field(place, value, lasting=lasting, same_site="Lax")


def set_browser(place: CookiePlace, value: str) -> tuple[str, str]:
    """Strict: only the door's own script ever sends it."""
    return _field(place, value, lasting=OPEN_ENDED, same_site="Strict")


def set_passing(place: CookiePlace, value: str, *, lasting: float) -> tuple[str, str]:
    """Lax: it is there when a browser comes back from another site by a navigation, and for nothing else from there."""
    return _field(place, value, lasting=lasting, same_site="Lax")


def set_strict(place: CookiePlace, value: str, *, lasting: float) -> tuple[str, str]:
    """An empty value that lasts 0 seconds takes it away."""
    return _field(place, value, lasting=lasting, same_site="Strict")


def _field(place: CookiePlace, value: str, *, lasting: float, same_site: str) -> tuple[str, str]:
    age = max(0, int(min(lasting, OPEN_ENDED)))
    text = f"{place.name}={value}; Path={place.path}; Max-Age={age}; HttpOnly; SameSite={same_site}"
    return ("Set-Cookie", text + ("; Secure" if place.secure else ""))
