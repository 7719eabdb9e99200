"""The short code of a link, large enough for a wall."""

from __future__ import annotations

from sharegate.dashboard.pages.people import whom
from sharegate.dashboard.pages.source import Json, Source


async def values(source: Source, parts: dict[str, str]) -> Json:
    told = await source.get(f"links/{parts['id']}/code")
    share = (await source.get(f"shares/{told['link']['share']}"))["share"]
    return {"share": share, "told": told, "link": told["link"], "whom": whom(told["link"])}
