"""Where a request to the dashboard's address comes from: what a browser says of it, checked strictly.

The dashboard listens on this computer only, under a host name of its own. A page of another site, of a share or of
another port here may name it, and may even be brought under its name (DNS rebinding): the browser says so.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from sharegate.config import loopback
from sharegate.dashboard.login import Session, same
from sharegate.messages import Headers

CSRF = "X-CSRF-Token"


def host_of(fields: Headers) -> str:
    """The host name that was asked, "" for none or two."""
    said = fields.all("Host")
    if len(said) != 1:
        return ""
    try:
        return urlsplit(f"//{said[0]}").hostname or ""
    except ValueError:
        return ""


def foreign(fields: Headers, share_hosts: str, *, arriving: bool = False) -> bool:
    """Whether this is asked by a page of another site or origin, or under a name that is not the dashboard's. Who is
    `arriving` may come from anywhere, as a page of its own."""
    host = host_of(fields)
    shares = bool(share_hosts) and host.endswith(f".{share_hosts}")
    if shares or not loopback(host):
        return True
    opened = fields.get("Sec-Fetch-Mode") == "navigate" and fields.get("Sec-Fetch-Dest") == "document"
    return not (arriving and opened) and fields.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")


def own(fields: Headers, scheme: str = "http") -> bool:
    """Whether the browser says that a page of this very origin asks. Every browser names the origin of what changes
    something and of a WebSocket (Fetch standard, section 3.2; RFC 6455, section 4.1)."""
    origins = fields.all("Origin")
    site = fields.get("Sec-Fetch-Site", "same-origin")
    return origins == [f"{scheme}://{fields.get('Host')}"] and site == "same-origin"


def check_csrf(fields: Headers, session: Session) -> bool:
    """Whether whoever asks has read a page of this session: no other origin can."""
    return own(fields) and same(fields.get(CSRF), session.csrf)
