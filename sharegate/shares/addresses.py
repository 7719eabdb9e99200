"""How the addresses of a gate and of its shares are written: the only place that knows.

Path mode: all shares live on the gate's origin, each below `/s/<share>/`. With share hosts each has an origin of its
own, `<scheme>://<share>.<base>[:port]`, and paths begin there. Inside the gate a path is always the one of path mode.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from sharegate.paths import CanonicalPath

VISIT = "sharegate-visit"
BROWSER = "sharegate-browser"
# What waits while somebody signs in, and who they are then.
SIGNING, SIGNED = "sharegate-signing", "sharegate-signed"
# A browser takes a cookie of this prefix only from https (or from this computer), for the very host that sent it, and
# for all of its paths (draft-ietf-httpbis-rfc6265bis, section 4.1.3.2).
HOST_ONLY = "__Host-"
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
# What stands at the root of a share's host and is no part of the share.
_OF_THE_DOOR = ("join", "robots.txt")


@dataclass(frozen=True, slots=True)
class CookiePlace:
    """What a cookie is called, and to which paths of its host a browser sends it."""

    name: str
    path: str
    secure: bool


@dataclass(frozen=True, slots=True)
class ShareAddresses:
    """Where one share is found. `origin` is without a trailing slash; `base` is an absolute path and ends in one."""

    share: str
    origin: str
    base: str
    own_host: bool = False

    @property
    def join(self) -> str:
        """The door; a link is this, `#` and the share token."""
        return f"{self.origin}/join"

    def link(self, token: str) -> str:
        return f"{self.join}#{token}"

    def visit(self, visit: str) -> str:
        """A visit's base path, as Jupyter's `base_url`."""
        return f"{self.base}~{visit}/"

    @property
    def programs(self) -> str:
        """The base path for programs, which show a token instead of a visit's cookie."""
        return self.base

    def static(self, digest: str) -> str:
        """The path of the files that never change and need no visit."""
        return f"{self.base}-/static/{digest}/"

    def visit_cookie(self, visit: str) -> CookiePlace:
        """On the gate's origin the path keeps a cookie with its visit. On a host of its own the name does: there the
        prefix keeps other shares from planting one, and demands the path of all."""
        if not self.own_host:
            return CookiePlace(VISIT, self.visit(visit), self._https)
        return self._host_only(f"{VISIT}-{visit}")

    @property
    def browser_cookie(self) -> CookiePlace:
        return self._host_only(BROWSER) if self.own_host else CookiePlace(BROWSER, "/join", self._https)

    def signing_cookie(self, name: str) -> CookiePlace:
        """Of those that stand by while somebody signs in."""
        return self._host_only(name) if self.own_host else CookiePlace(name, "/join", self._https)

    def _host_only(self, name: str) -> CookiePlace:
        return CookiePlace(HOST_ONLY + name, "/", secure=True) if self._trusted else CookiePlace(name, "/", False)

    @property
    def _https(self) -> bool:
        return self.origin.startswith("https:")

    @property
    def _trusted(self) -> bool:
        """Where browsers keep a cookie that is `Secure`: over https, and over http on this computer's own names."""
        return self._https or (urlsplit(self.origin).hostname or "").endswith(".localhost")


@dataclass(frozen=True, slots=True)
class GateAddresses:
    """`origin` is the gate's own: scheme, host and port as a browser writes them. `share_hosts` is the name below which
    each share has a host; empty in path mode."""

    origin: str
    share_hosts: str = ""

    @classmethod
    def at(cls, url: str, share_hosts: str = "") -> GateAddresses:
        """From the gate's address. Scheme and port of the shares' hosts are the gate's."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        return cls(_origin(parts.scheme, f"[{host}]" if ":" in host else host, parts.port), share_hosts)

    @property
    def host(self) -> str:
        """The gate's own, as it stands in a Host field."""
        return self.origin.partition("://")[2]

    @property
    def join(self) -> str:
        """The gate's own door."""
        return f"{self.origin}/join"

    def of(self, share: str) -> ShareAddresses:
        """`share` may be what a stranger wrote: whether there is one is not asked here."""
        return _share_addresses(self.origin, self.share_hosts, share)

    @property
    def pattern(self) -> str:
        """Where shares are, in words."""
        share = self.of("SHARE")
        return share.origin + share.base

    def share_at(self, host: str) -> str | None:
        """Whose host this is, as it stands in a Host field in lower case: a share's id, "" for the gate's own, None for
        a name that is not ours. That of a share that does not exist is like any other."""
        if host == self.host:
            return ""
        label = host.partition(".")[0]
        if not self.share_hosts or not _LABEL.match(label):
            return None
        return label if host == self.of(label).origin.partition("://")[2] else None

    def inner(self, path: CanonicalPath, share: str) -> CanonicalPath:
        """What was asked on the host of `share` ("" for the gate's own), as path mode would write it."""
        at_the_door = not path.segments or path.segments[0] in _OF_THE_DOOR
        if not share or at_the_door:
            return path
        return CanonicalPath(("s", share, *path.segments), path.trailing)

    def visit_in(self, address: str, share: str = "") -> tuple[str, str] | None:
        """Share and visit of a page's address as its browser shows it (raw path), on the host of `share`; None when it
        is not below a visit."""
        parts = address.partition("?")[0].split("/")
        inner = ["", "s", share, *parts[1:]] if self.share_hosts else parts
        if len(inner) < 4 or parts[0] != "" or inner[1] != "s" or not inner[3].startswith("~"):
            return None
        return inner[2], inner[3][1:]


@lru_cache(maxsize=1024)
def _share_addresses(gate: str, share_hosts: str, share: str) -> ShareAddresses:
    if not share_hosts:
        return ShareAddresses(share, gate, f"/s/{share}/")
    parts = urlsplit(gate)
    return ShareAddresses(share, _origin(parts.scheme, f"{share}.{share_hosts}", parts.port), "/", own_host=True)


def _origin(scheme: str, host: str, port: int | None) -> str:
    default = {"http": 80, "https": 443}.get(scheme)
    return f"{scheme}://{host}" if port in (None, default) else f"{scheme}://{host}:{port}"
