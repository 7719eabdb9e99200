"""*Admin*: what visitors reported of shares. Their words are strangers' words."""

from __future__ import annotations

from sharegate.dashboard.pages.paging import asked, placed
from sharegate.dashboard.pages.source import Json, Source

_MOST = 50


async def values(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin/reports[?all]`: those that wait, the newest first."""
    everything = "all" in source.query
    kept = {"all": "1"} if everything else {}
    answer = await source.get("reports", page=str(asked(source.query)), limit=str(_MOST), **kept)
    shown = placed(answer["reports"], answer, "/admin/reports", **kept)
    return {"here": "admin", "tab": "reports", "page": shown, "open": answer["open"], "everything": everything}
