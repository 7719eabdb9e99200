"""What strangers may put into the trail: bounded strings that show safely, and addresses cut to a network."""

from __future__ import annotations

import functools
import ipaddress
import math
import re

import msgspec

from sharegate.audit.events import AuditEvent

ACTORS = frozenset({"owner", "admin", "visitor", "stranger", "gate"})
# A program, by the id of its token; a co-owner, by that of their visit.
_NAMED = re.compile(r"(?:token|coowner):[a-z0-9]{1,40}\Z")

# Characters, not bytes. Ids and codes are ours; their limits only keep a mistake small.
LIMITS = {
    "name": 80,
    "agent": 200,
    "path": 1024,
    "detail": 300,
    "address": 64,
    "rule": 120,
    "reason": 64,
    "method": 16,
    "share": 64,
    "link": 64,
    "visit": 64,
    "came_from": 64,
}

# JSON numbers beyond this are read differently by different programs (RFC 8259 section 6).
_MOST = 2**53 - 1
# Of what may be an address; more of it would only fill what is remembered.
_LONGEST_ADDRESS = 64
_SPACE = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
# C0 and C1 controls, DEL, lone surrogates, bidirectional marks, overrides and isolates, and what has no width and so
# hides in a name. The joiners U+200C and U+200D stay: words and emoji are spelled with them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def safe_text(text: str, limit: int) -> str:
    """`text` on one line, without characters that hide or reorder others, at most `limit` characters long."""
    if isinstance(text, str) and len(text) <= limit and text.isascii() and text.isprintable() and text == text.strip():
        return text
    # Cut first, generously, so that megabytes cost no more than the limit does.
    text = text[: limit * 4 + 1]
    plain = isinstance(text, str) and text.isascii() and text.isprintable()
    text = (text if plain else _UNSAFE.sub("", _SPACE.sub(" ", text))).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


@functools.lru_cache(maxsize=4096)
def truncated(address: str) -> str:
    """The network of an address: IPv4 /24, IPv6 /48 (`192.0.2.0/24`); "" for what is no address.

    A loopback address stays whole: it names no person. An IPv4 address in IPv6 spelling is read as IPv4.
    """
    host, _, length = address.strip().partition("/")
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""  # fails closed: an unreadable address is not kept
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.is_loopback and not length:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


def whole(address: str) -> str:
    """The address as it is, in its one spelling; "" for what is no address."""
    try:
        return str(ipaddress.ip_address(address.strip().partition("%")[0]))
    except ValueError:
        return truncated(address)  # a network that was cut before stays one; anything else becomes ""


def bounded(event: AuditEvent, *, full_addresses: bool = False) -> AuditEvent:
    """The event as it may enter the trail. Raises ValueError for an actor that nobody declared."""
    if event.actor not in ACTORS and not _NAMED.match(event.actor):
        raise ValueError(f"unknown actor {event.actor!r}")
    changed: dict[str, object] = {}
    for field, limit in LIMITS.items():
        text = getattr(event, field)
        if text:
            safe = safe_text(text, limit)
            if safe is not text:
                changed[field] = safe
    if event.address:
        address = event.address[:_LONGEST_ADDRESS]
        changed["address"] = whole(address) if full_addresses else truncated(address)
    for field in ("status", "bytes_in", "bytes_out", "count"):
        number = getattr(event, field)
        if not 0 <= number <= _MOST:
            changed[field] = max(0, min(_MOST, number))
    duration = event.duration_ms
    if not 0.0 <= duration <= _MOST or duration != round(duration, 3):
        changed["duration_ms"] = round(max(0.0, min(float(_MOST), duration)), 3) if math.isfinite(duration) else 0.0
    return msgspec.structs.replace(event, **changed) if changed else event
