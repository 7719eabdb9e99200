"""Whether this gate's rules are those that hold for all gates of its store.

The digest of the rules stands in the store. A gate that has others gives nothing new and nothing wider, for what it
would give may be what was forbidden at another gate a moment ago; taking away and narrowing go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from sharegate.errors import Refused
from sharegate.shares.conditions import within
from sharegate.shares.interfaces import HandOut
from sharegate.shares.model import Link, Role, RulesInForce, Share

REMEDY = (
    "Give this gate the same sharing.yaml and run `sharegate policy reload` here; "
    "that has this gate's rules in force at all gates"
)


class Holds(Protocol):
    async def rules_in_force(self) -> RulesInForce | None: ...


def plain(rules: HandOut) -> dict[str, Any]:
    """The rules as plain values, in one form whatever they were written like."""
    order = tuple(Role)
    return {
        "default_expires_seconds": float(rules.default_expires_seconds),
        "max_expires_seconds": float(rules.max_expires_seconds),
        "roles": [role.value for role in sorted(set(rules.roles), key=order.index)],
        "anyone": rules.anyone,
        "max_visits": rules.max_visits,
        "max_devices": rules.max_devices,
        "clients": rules.clients,
        "own_extensions": rules.own_extensions,
        "runnable_files": rules.runnable_files,
        "edit_asks_for": sorted(rules.edit_asks_for),
        "anyone_asks_for": sorted(rules.anyone_asks_for),
        "anyone_max_expires_seconds": float(rules.anyone_max_expires_seconds),
        "coowners": rules.coowners,
    }


def digest(rules: HandOut) -> str:
    return hashlib.sha256(msgspec.json.encode(plain(rules), order="sorted")).hexdigest()


def agrees(rules: HandOut, stored: RulesInForce | None) -> bool:
    """Nothing stored: no gate has said yet which rules hold."""
    return stored is None or stored.digest == digest(rules)


async def check_agreed(rules: HandOut, store: Holds) -> None:
    """Raises Refused(`rules_differ`)."""
    stored = await store.rules_in_force()
    if not agrees(rules, stored):
        raise Refused("rules_differ", words(stored), REMEDY)


async def check_still_agreed(rules: HandOut, store: Holds, undo: Callable[[], Awaitable[Any]]) -> None:
    """After it was given: a gate hears of new rules at the latest by its own write. Raises Refused(`rules_differ`)."""
    if not agrees(rules, await store.rules_in_force()):
        await undo()
        await check_agreed(rules, store)


def words(stored: RulesInForce | None) -> str:
    whose = f", those of {stored.gate}," if stored is not None and stored.gate else ""
    return f"other rules{whose} are in force than this gate has: it gives nothing new until it has them too"


def wider(record: Share | Link, fields: Mapping[str, Any]) -> bool:
    """Whether a change gives more than the record gave. A link's role may be None, which is its share's."""
    return any(_wider(name, getattr(record, name), value) for name, value in fields.items())


def _wider(name: str, had: Any, value: Any) -> bool:
    order = tuple(Role)
    match name:
        case "role":
            if had is None or value is None:
                return value is not order[0] and value is not had
            return order.index(value) > order.index(had)
        case "expires" | "devices":
            return bool(value > had)
        case "networks":
            return not within(value, had)
        case "not_before":
            return bool(value < had)
        case "passphrase" | "recipient" | "domain" | "account" | "issuer" | "subject":
            # Another one lets others in.
            return bool(had and value != had)
        case "ask":
            return bool(had and not value)
        case "visits":
            return had is not None and (value is None or value > had)
        case "clients" | "own_extensions" | "runnable_files" | "coowner":
            return bool(value and not had)
        case "paused":
            return bool(had and not value)
    return False
