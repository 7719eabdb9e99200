"""Which of the gate's hosts is asked, and whether a request may come from where it says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sharegate.errors import Denied, Reason
from sharegate.messages import Headers, Request
from sharegate.paths import CanonicalPath
from sharegate.shares.addresses import GateAddresses

# Sixteen bytes in base64.
_KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==\Z")
SAFE_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Site:
    """The gate's hosts, as requests name them."""

    addresses: GateAddresses

    def share(self, headers: Headers) -> str:
        """Whose host is asked: a share's id (there may be no such share), or "" for the gate's own.

        Denied(`bad_host`) unless there is exactly one Host and it is ours, port and all: another name is DNS rebinding,
        or an address that links do not carry.
        """
        hosts = headers.all("Host")
        share = self.addresses.share_at(hosts[0].lower()) if len(hosts) == 1 else None
        if share is None:
            raise Denied(Reason.BAD_HOST, f"{len(hosts)} hosts" if len(hosts) != 1 else "another name")
        return share

    def check_head(self, headers: Headers) -> None:
        """Before anything is looked at that is asked: the host, and that nobody fetches a service worker.

        Here for all addresses: a worker would answer below its own folder for as long as the browser keeps it, also
        when the share is over. Denied(`bad_host`, `service_worker`).
        """
        self.share(headers)
        if "Service-Worker" in headers:
            raise Denied(Reason.SERVICE_WORKER)

    def route(self, headers: Headers, path: CanonicalPath) -> CanonicalPath:
        """What is asked, as path mode writes it: `/s/<share>/…`, or an address of the door. Denied(`bad_host`)."""
        share = self.share(headers)
        if self.addresses.share_hosts and not share and path.segments[:1] == ("s",):
            # Kept from before the gate had share hosts. Its cookie is no use on the share's host: the link is needed.
            raise Denied(Reason.NO_CREDENTIAL, "an address of path mode")
        return self.addresses.inner(path, share)

    def origin(self, headers: Headers) -> str:
        """The one origin from which pages may ask what was asked. Denied(`bad_host`)."""
        share = self.share(headers)
        return self.addresses.of(share).origin if share else self.addresses.origin

    def check_origin(self, request: Request) -> None:
        """For WebSockets and unsafe methods: the Origin must be that of the host asked, exactly and once."""
        origins = request.headers.all("Origin")
        if origins != [self.origin(request.headers)]:
            raise Denied(Reason.BAD_ORIGIN, "no Origin" if not origins else "another origin")

    def check_source(self, request: Request) -> None:
        """Whether a request below a visit may come from where it comes from (W3C Fetch Metadata, Origin).

        A navigation may come from anywhere, for people follow links; everything else only from pages of the same host:
        another share's host is another site's, however near its name.
        """
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
