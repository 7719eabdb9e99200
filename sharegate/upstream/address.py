"""Where a server is: origin and base path of an upstream, and the exact URL of one request to it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

from yarl import URL

from sharegate.errors import Denied, Invalid, Reason

# What may stand in the path that goes on the wire: RFC 3986 pchar and "/". A "?" or "#" would move the border
# between path and query, a blank or a control character would end the request line.
_PATH = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*\Z")
_HOST = re.compile(r"[A-Za-z0-9._\-]{1,253}\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """An upstream's `url`, taken apart. `base` starts and ends with a slash; `host` is bare (no brackets)."""

    scheme: str
    host: str
    port: int
    base: str

    @property
    def loopback(self) -> bool:
        """Whether only processes of this machine can be behind it (`localhost` by name, 127/8, ::1)."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def authority(self) -> str:
        """The `Host` header: without the scheme's default port (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        return self.origin + self.base

    def request_url(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> URL:
        """The URL whose bytes go on the wire as they are: `target` on this origin."""
        return URL(self.origin + self.target(path, query), encoded=True)

    def target(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> str:
        """What a request line names (RFC 9112 section 3.2.1). `path` is percent-encoded and relative to the base.

        Raises Denied(`bad_path`) for anything that is no encoded path. Dot segments are not looked for here: that
        is decided where the path was built (paths.CanonicalPath).
        """
        if not _PATH.match(path) or path.startswith("/"):
            raise Denied(Reason.BAD_PATH, "not an encoded relative path")
        text = self.base + path
        if query:
            text += "?" + "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
        return text


def parse_address(url: str) -> Address:
    """Read a server's URL strictly. Raises Invalid(field `url`): other schemes, credentials, query, odd hosts."""
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise Invalid("url", "holds a blank, a control or a non-ASCII character")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise Invalid("url", "is no URL") from None
    if parts.scheme not in ("http", "https"):
        raise Invalid("url", "must start with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise Invalid("url", "must not hold a user name or password", "Give the token separately.")
    if "?" in url or "#" in url:
        raise Invalid("url", "must not hold a query or fragment", "Give the token separately.")
    if not _HOST.match(host):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise Invalid("url", "has no usable host name") from None
    if port == 0:
        raise Invalid("url", "has no usable port")
    base = parts.path or "/"
    if not base.endswith("/"):
        base += "/"
    if not _PATH.match(base) or "//" in base or any(part in (".", "..") for part in base.split("/")):
        raise Invalid("url", "has an unusable base path")
    return Address(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), base)


@lru_cache(maxsize=1024)
def address_of(url: str) -> Address:
    """`parse_address` for a stored record on the request path: a record that cannot be used is a server away."""
    try:
        return parse_address(url)
    except Invalid:
        # Fails closed: nothing is sent to an address that has more than one reading.
        raise Denied(Reason.UPSTREAM_AWAY, "unusable address") from None
