"""*Admin*: tokens with which programs ask the owner's API: made, shown once, listed, revoked."""

from __future__ import annotations

from sharegate.dashboard.pages.source import Json, Source
from sharegate.shares.api_tokens import MEANINGS

_DAY = 86400
SPANS = ((7 * _DAY, "7 days"), (30 * _DAY, "30 days"), (90 * _DAY, "90 days"), (365 * _DAY, "a year"))
_ORDER = ("active", "expired", "revoked")


async def values(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin/tokens`; those that stand first, the newest of each."""
    found = (await source.get("tokens"))["tokens"]
    tokens = sorted(found, key=lambda each: (_ORDER.index(each["state"]), -each["created"], each["id"]))
    return {
        "here": "admin",
        "tab": "tokens",
        "standing": [each for each in tokens if each["state"] == "active"],
        "over": [each for each in tokens if each["state"] != "active"],
        "meanings": [(one.value, words) for one, words in MEANINGS.items()],
        "spans": SPANS,
    }
