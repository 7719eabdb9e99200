"""Whether a server may be trusted with what must not be lost, and whether what lies there is ours."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sharegate.errors import Refused, StoreUnavailable
from sharegate.stores.crypt import ContentBox
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.names import KINDS, Names
from sharegate.stores.redis.scripts import Script

# How the data is laid out. A change of it is a new number and a step that leads there. 2: links have conditions; a
# version that does not know them would write a link back without them, and so open it.
FORMAT = 2
_OLDEST = {"redis": (7, 0), "valkey": (8, 0)}
_CHECK = b"sharegate"
_PLACE = "check"

_CREATE = Script(
    "create",
    """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'format', ARGV[1], 'id', ARGV[2], 'position', '0', 'check', ARGV[3])
return 1
""",
)

# To the newest format. With another id and another token of the last commit, so that a gate of an older version that
# runs sees that this is not the store any more that it knew: it commits nothing from here on, and answers nothing.
_RAISE = Script(
    "raise",
    """
local format = tonumber(redis.call('HGET', KEYS[1], 'format'))
if format == nil or format >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'format', ARGV[1], 'id', ARGV[2], 'token', ARGV[3])
return 1
""",
)


async def check_server(server: Server) -> None:
    """Raises Refused (`store_unfit`, `store_not_durable`) with what to change, and StoreUnavailable."""
    info = _texts(await server.ask("INFO"))
    _check_kind(server, info)
    wanted = {"appendfsync": "always", "no-appendfsync-on-rewrite": "no"}
    settings = _texts(await server.ask("CONFIG", "GET", *wanted))
    faults = []
    if info.get("aof_enabled") != "1":
        faults.append("appendonly yes")
    faults += [f"{name} {value}" for name, value in wanted.items() if settings.get(name) != value]
    if info.get("maxmemory_policy") != "noeviction":
        faults.append("maxmemory-policy noeviction")
    if faults:
        raise Refused(
            "store_not_durable",
            f"the store {server.url} would lose what it acknowledged",
            "Set in its configuration: " + ", ".join(faults),
        )


def _check_kind(server: Server, info: Mapping[str, str]) -> None:
    product = "valkey" if "valkey_version" in info else "redis"
    told = info.get("valkey_version") or info.get("redis_version", "")
    numbers = tuple(int(number) for number in re.findall(r"\d+", told)[:2])
    if numbers < _OLDEST[product]:
        raise Refused(
            "store_unfit",
            f"the store {server.url} is {product} {told or 'of an unknown version'}",
            "Use Redis 7 or newer, or Valkey 8 or newer",
        )
    if info.get("redis_mode", "standalone") == "cluster":
        raise Refused("store_unfit", f"the store {server.url} is a cluster", "Use a single server")
    if info.get("role") != "master":
        raise Refused(
            "store_unfit", f"the store {server.url} is a replica and takes no writes", "Give the primary's address"
        )


@dataclass(frozen=True, slots=True)
class LogState:
    """`busy`: the log is being written anew, or will be soon. `good`: the last time that went well."""

    busy: bool
    good: bool


async def log_state(server: Server) -> LogState:
    """Raises StoreUnavailable."""
    info = _texts(await server.ask("INFO", "persistence"))
    runs = (info.get("aof_rewrite_in_progress"), info.get("aof_rewrite_scheduled"))
    return LogState("1" in runs, info.get("aof_last_bgrewrite_status") == "ok")


async def claim(server: Server, names: Names, box: ContentBox) -> str:
    """The id of the store under this prefix, which is made when there is none.

    Raises Refused (`store_foreign`, `store_newer`, `store_other_key`) and StoreUnavailable.
    """
    kind = _text(await server.ask("TYPE", names.meta))
    if kind == "none":
        if await _something_there(server, names):
            raise _foreign(server, names)
        seal = box.seal(_CHECK, place=_PLACE)
        await server.run(_CREATE, [names.meta], str(FORMAT), secrets.token_hex(16), seal)
    elif kind != "hash":
        raise _foreign(server, names)
    format, id, position, check = await server.ask("HMGET", names.meta, "format", "id", "position", "check")
    if not (format and id and position and check) or not format.isdigit() or not position.isdigit():
        raise _foreign(server, names)
    if int(format) > FORMAT:
        raise Refused(
            "store_newer",
            f"the store was written by a newer sharegate (format {int(format)}, this one reads up to {FORMAT})",
            "Install that version again, or restore a copy made before the upgrade",
        )
    try:
        if box.open(check, place=_PLACE) != _CHECK:
            raise StoreUnavailable("")
    except StoreUnavailable:  # fails closed
        raise Refused(
            "store_other_key",
            f"the store {server.url} was made with another store key",
            "Give all gates of one store the same keys_dir",
        ) from None
    if int(format) == FORMAT:
        return str(id.decode())
    await server.run(_RAISE, [names.meta], str(FORMAT), secrets.token_hex(16), secrets.token_hex(16))
    return str((await server.ask("HGET", names.meta, "id")).decode())


async def _something_there(server: Server, names: Names) -> bool:
    cursor = b"0"
    while True:
        cursor, found = await server.ask("SCAN", cursor, "MATCH", f"{_escaped(names.prefix)}:*", "COUNT", 1000)
        if found:
            return True
        if int(cursor) == 0:
            return False


async def faults(server: Server, names: Names) -> list[str]:
    """What does not fit together, one sentence each, in the tables that no reading checks: types of keys, a position
    that is not the stream's, versions whose content is gone."""
    found = []
    hashes = [names.meta, *(names.records(kind) for kind in KINDS), names.heads, names.contents]
    for name, kind in zip(hashes, await server.several([("TYPE", name) for name in hashes]), strict=True):
        if _text(kind) not in ("hash", "none"):
            found.append(f"{name} holds something else than records")
    if found:
        return found
    (position,), newest = await server.several(
        [("HMGET", names.meta, "position"), ("XREVRANGE", names.changes, "+", "-", "COUNT", 1)], together=True
    )
    # A stream that was left empty is no fault: whoever is behind reads everything anew.
    last = newest[0][0].split(b"-")[0] if newest else position
    if last != position:
        found.append(f"the stream of changes ends at {int(last)}, the store at {_text(position)}")
    for upstream in await server.ask("SMEMBERS", names.shelves):
        sizes = await server.ask("HKEYS", names.sizes(_text(upstream)))
        there = await server.several([("HEXISTS", names.contents, name) for name in sizes])
        missing = sum(not one for one in there)
        if missing:
            found.append(f"{missing} contents of versions are missing")
    return found


def _foreign(server: Server, names: Names) -> Refused:
    return Refused(
        "store_foreign",
        f"under the prefix {names.prefix} the store {server.url} holds what is not a store of sharegate",
        "Choose another store_prefix, or another database number",
    )


def _escaped(prefix: str) -> str:
    return re.sub(r"([\[\]?*\\^-])", r"\\\1", prefix)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _texts(answer: Any) -> dict[str, str]:
    """INFO comes as a dict, CONFIG GET as a flat list."""
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    return {_text(name): _text(value) for name, value in pairs}
