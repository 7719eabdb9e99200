"""Arguments of scripts as MessagePack that Redis's reader (lua_cmsgpack) knows: it has no type for bytes, and takes
text just as it is."""

from __future__ import annotations

from collections.abc import Sequence

Packable = str | bytes | bool | int | Sequence["Packable"]


def packed(value: Packable) -> bytes:
    """Raises TypeError for another type."""
    parts: list[bytes] = []
    _pack(value, parts)
    return b"".join(parts)


def _pack(value: Packable, parts: list[bytes]) -> None:
    match value:
        case bool():
            parts.append(b"\xc3" if value else b"\xc2")
        case int():
            parts.append(b"\xd3" + value.to_bytes(8, "big", signed=True))
        case str():
            _pack(value.encode("utf-8", "surrogateescape"), parts)
        case bytes():
            parts += (b"\xdb" + len(value).to_bytes(4, "big"), value)
        case list() | tuple():
            parts.append(b"\xdd" + len(value).to_bytes(4, "big"))
            for one in value:
                _pack(one, parts)
        case _:
            raise TypeError(f"{type(value).__name__} cannot be packed")
