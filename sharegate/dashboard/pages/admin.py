"""*Admin*: what is shared by whom and with whom, and finding anybody or anything in it."""

from __future__ import annotations

from itertools import groupby
from urllib.parse import urlencode

from sharegate.dashboard.pages.paging import asked, placed
from sharegate.dashboard.pages.source import Json, NotShown, Source

_HERE = {"here": "admin"}


async def overview(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin`: owners, what they share, and the people from outside who came by it."""
    everything = "ended" in source.query
    kept = {"ended": "1"} if everything else {}
    query = {"all": "1"} if everything else {}
    answer = await source.get("overview", page=str(asked(source.query)), **query)
    shown = placed([row["share"] | _row(row) for row in answer["shares"]], answer, "/admin", **kept)
    counts = {owner["name"]: owner["count"] for owner in answer["owners"]}
    return _HERE | {
        "tab": "overview",
        "page": shown,
        "owners": [
            {"name": name, "count": counts[name], "shares": [*own]}
            for name, own in groupby(shown.rows, key=lambda share: str(share["owner"]))
        ],
        "counts": answer["counts"],
        "everything": everything,
    }


def _row(row: Json) -> Json:
    return {
        "people": row["people"],
        "people_more": row["people_count"] - len(row["people"]),
        "links_live": row["links"],
        "last": row["last"],
    }


async def search(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin/search?q=…`."""
    text = source.query.get("q", "").strip()
    found, fault = None, None
    if text:
        try:
            found = await source.get("search", q=text)
        except NotShown as refused:
            if refused.status != 400:
                raise
            fault = refused.error
    exports = [(words, f"/api/v1/search/download?{urlencode({'q': text, 'format': form})}") for form, words in _FORMS]
    return _HERE | {"tab": "search", "text": text, "result": found, "fault": fault, "exports": exports}


_FORMS = (("csv", "CSV"), ("jsonl", "JSON lines"))
