"""*Admin*: what visitors reported of shares. Their words are strangers' words."""

from __future__ import annotations

from sharegate.dashboard.pages.paging import cut
from sharegate.dashboard.pages.source import Json, Source

_MOST = 50


async def values(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin/reports[?all]`: those that wait, the newest first."""
    everything = "all" in source.query
    answer = await source.get("reports", **({"all": "1"} if everything else {}))
    shown = cut(answer["reports"], source.query, _MOST, "/admin/reports", **({"all": "1"} if everything else {}))
    return {"here": "admin", "tab": "reports", "page": shown, "open": answer["open"], "everything": everything}
