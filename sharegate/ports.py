"""Where the gate listens: sockets, taken before anything else is opened."""

from __future__ import annotations

import os
import socket

from sharegate.config import Config, loopback
from sharegate.errors import Refused


def gate_hosts(config: Config) -> list[str]:
    """On which addresses of this computer the gate listens."""
    if config.lan:
        return ["0.0.0.0"]  # noqa: S104 -- what `lan` asks for, in words
    # Browsers look for names below `localhost` at ::1 first. Nobody else on this computer may answer there.
    both = config.gate_host == "127.0.0.1" and bool(config.share_hosts) and loopback(config.share_hosts)
    return ["127.0.0.1", "::1"] if both and _knows("::1") else [config.gate_host]


def _knows(host: str) -> bool:
    """Whether this computer has an address at all."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def bind(setting: str, host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything else is opened. Raises Refused naming the setting."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Refused(
            "no_address", f"{host} is no address of this computer ({error.strerror})", f"Check {setting}"
        ) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(1024)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        reason = error.strerror or os.strerror(error.errno or 0)
        raise Refused(
            "port_taken", f"port {port} on {host}: {reason}", f"Stop what uses it, or set {setting}"
        ) from None
    return bound


def network_address() -> str:
    """This computer's IPv4 address in its network, as the system would choose it; "" when it has none.

    Connecting a datagram socket sends nothing (192.0.2.1 is an address for documents, RFC 5737).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        address = str(probe.getsockname()[0])
    return "" if address.startswith("127.") or address == "0.0.0.0" else address  # noqa: S104 -- compared, not bound
