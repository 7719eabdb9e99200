"""*Now*: who knocks, who asks to run something, who is here, and the shares that stand open."""

from __future__ import annotations

from sharegate.dashboard.pages.source import Json, Source


async def values(source: Source, parts: dict[str, str]) -> Json:
    shares = (await source.get("shares"))["shares"]
    return {
        "gate": await source.get("gate"),
        "knocks": (await source.get("knocks"))["knocks"],
        "asks": (await source.get("asks"))["asks"],
        "alarms": (await source.get("alarms"))["alarms"],
        "visits": (await source.get("visits", open="1"))["visits"],
        "shares": shares,
    }
