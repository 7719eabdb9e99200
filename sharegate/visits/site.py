"""Under which names the gate is known, and whether a request may come from where it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from sharegate.errors import Denied, Reason
from sharegate.messages import Headers, Request

# Sixteen bytes in base64.
_KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==\Z")
SAFE_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Site:
    """`origin` is scheme, host and port as a browser writes them, without a trailing slash."""

    origin: str

    @classmethod
    def of(cls, url: str) -> Site:
        parts = urlsplit(url)
        host = parts.hostname or ""
        shown = f"[{host}]" if ":" in host else host
        default = {"http": 80, "https": 443}.get(parts.scheme)
        port = "" if parts.port in (None, default) else f":{parts.port}"
        return cls(f"{parts.scheme}://{shown}{port}")

    @property
    def host(self) -> str:
        """As it stands in a Host field."""
        return self.origin.partition("://")[2]

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https:")

    def check_host(self, headers: Headers) -> None:
        """Exactly one Host, and it is ours: another name is DNS rebinding, or an address that links do not carry."""
        hosts = headers.all("Host")
        if len(hosts) != 1 or hosts[0].lower() != self.host:
            raise Denied(Reason.BAD_HOST, f"{len(hosts)} hosts" if len(hosts) != 1 else "another name")

    def check_origin(self, request: Request) -> None:
        """For WebSockets and unsafe methods: the Origin must be ours, exactly and once."""
        origins = request.headers.all("Origin")
        if origins != [self.origin]:
            raise Denied(Reason.BAD_ORIGIN, "no Origin" if not origins else "another origin")

    def check_source(self, request: Request) -> None:
        """Whether a request below a visit may come from where it comes from (W3C Fetch Metadata, Origin).

        A navigation may come from anywhere, for people follow links; everything else only from our own pages.
        """
        if request.headers.get("Service-Worker"):
            raise Denied(Reason.SERVICE_WORKER)
        if request.upgrade or request.method not in SAFE_METHODS:
            self.check_origin(request)
        if request.upgrade:
            check_handshake(request.headers)
        sites = request.headers.all("Sec-Fetch-Site")
        if len(sites) > 1:
            raise Denied(Reason.BAD_HEADER, "two Sec-Fetch-Site")
        if sites and sites[0] not in ("same-origin", "none"):
            navigation = request.headers.get("Sec-Fetch-Mode") == "navigate"
            top_level = request.headers.get("Sec-Fetch-Dest") == "document"
            if not (navigation and top_level and request.method in SAFE_METHODS):
                raise Denied(Reason.CROSS_SITE, sites[0][:20])


def check_handshake(headers: Headers) -> None:
    """Before anything is opened upstream for it (RFC 6455 section 4.2.1). Denied(`bad_header`)."""
    options = {option.strip().lower() for value in headers.all("Connection") for option in value.split(",")}
    keys = headers.all("Sec-WebSocket-Key")
    if "upgrade" not in options or headers.all("Sec-WebSocket-Version") != ["13"]:
        raise Denied(Reason.BAD_HEADER, "no handshake of WebSocket version 13")
    if len(keys) != 1 or not _KEY.match(keys[0]):
        raise Denied(Reason.BAD_HEADER, "no key of a WebSocket")
