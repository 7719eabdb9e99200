"""Who asks, when something stands between visitors and the gate: a load balancer, a tunnel's end, JupyterHub's proxy.

Of the fields that such a forwarder may send, two are read, X-Forwarded-For and X-Forwarded-Proto, and from nobody but
the addresses that the owner named. `Forwarded` (RFC 7239) is not read from anyone: two accounts of one thing are one
too many, and every proxy that we test with writes the older family. X-Forwarded-Host is not read either: the gate has
the name that the owner gave it, and a request for another one is refused.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable

import msgspec

from sharegate.errors import Denied, Reason
from sharegate.messages import Headers, Request

FOR = "X-Forwarded-For"
PROTO = "X-Forwarded-Proto"
# Hops that are walked back through; real chains have two or three.
MOST_HOPS = 16
# Addresses that are remembered for the owner.
_REMEMBERED = 8
# JupyterHub's proxy speaks of a WebSocket's scheme.
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
# An address, or one with a port as some balancers write it.
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::\d{1,5})?\Z|(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}\Z")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Forwarders:
    """Finds the visitor behind the forwarders that are trusted, and remembers what an owner should know of others.

    `trusted` are addresses and networks; ValueError for a text that is neither.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._trusted = tuple(_network(one) for one in trusted)
        # Of this computer or its network, sent such fields and are not trusted.
        self.claiming: set[str] = set()
        # Whether anybody was seen, anybody from elsewhere than this computer, anybody who spoke plain http to a proxy.
        self.asked = False
        self.elsewhere = False
        self.plain = False

    def visitor(self, request: Request) -> Request:
        """The request as of whoever asks: as it is, or with the address and scheme that a trusted forwarder tells.

        Raises Denied(`bad_forwarding`) when that forwarder says something that cannot be read.
        """
        self.asked = True
        here = _parsed(request.peer)
        if here is None or not self._trusted_address(here):
            self._remember(here, request.headers)
            return request
        peer, hops = self._walk(request)
        scheme = _scheme(request, hops)
        self.elsewhere = True
        self.plain = self.plain or scheme == "http"
        return msgspec.structs.replace(request, peer=peer, scheme=scheme)

    def _walk(self, request: Request) -> tuple[str, int]:
        """From the nearest hop back to the first that is not trusted, and how many these are. What stands before it is
        the visitor's own tale and is not even read. When all are trusted it is the farthest."""
        named = [one.strip(" \t") for field in request.headers.all(FOR) for one in field.split(",")]
        peer, hops = request.peer, 0
        for said in reversed(named):
            found = _parsed(said, port=True)
            if found is None or hops == MOST_HOPS:
                raise Denied(Reason.BAD_FORWARDING, f"{FOR} of {request.peer}")
            peer, hops = str(found), hops + 1
            if not self._trusted_address(found):
                break
        return peer, hops

    def trusts(self, peer: str) -> bool:
        """Whether connections from this address are a forwarder's, and stand for many people."""
        address = _parsed(peer)
        return address is not None and self._trusted_address(address)

    def _trusted_address(self, address: _Address) -> bool:
        return bool(self._trusted) and any(address in network for network in self._trusted)

    def _remember(self, here: _Address | None, headers: Headers) -> None:
        if here is None:
            return
        if not self.elsewhere and not here.is_loopback:
            self.elsewhere = True
        if FOR in headers and here.is_private and len(self.claiming) < _REMEMBERED:
            self.claiming.add(str(here))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    found = ipaddress.ip_network(text)
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96:
        inner = found.network_address.ipv4_mapped
        if inner is not None:
            return ipaddress.IPv4Network((inner, found.prefixlen - 96))
    return found


def _scheme(request: Request, hops: int) -> str:
    """What the visitor spoke with the hop that saw it: one word for all, or a list in step with X-Forwarded-For."""
    named = [one.strip(" \t").lower() for field in request.headers.all(PROTO) for one in field.split(",")]
    if not named:
        return request.scheme
    place = max(hops, 1)
    if len(named) > 1 and len(named) < place:
        raise Denied(Reason.BAD_FORWARDING, f"{PROTO} of {request.peer}: fewer than there are hops")
    said = named[0] if len(named) == 1 else named[-place]
    if said not in _SCHEMES:
        raise Denied(Reason.BAD_FORWARDING, f"{PROTO} of {request.peer}")
    return _SCHEMES[said]


def _parsed(text: str, *, port: bool = False) -> _Address | None:
    """The address in its one spelling (an IPv4 address mapped into IPv6 is that IPv4 address), or None."""
    # Longer than any address; nor is it to be remembered.
    return _read(text, port) if len(text) <= 64 else None


@functools.lru_cache(maxsize=4096)
def _read(text: str, port: bool) -> _Address | None:
    with_port = _WITH_PORT.match(text) if port else None
    if with_port is not None:
        text = with_port[1] or with_port[2]
    try:
        # An interface of that host (fe80::1%eth0) says nothing elsewhere; a connection's own address may have one.
        found = ipaddress.ip_address(text if port else text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            return None
        return found.ipv4_mapped or found
    return found
