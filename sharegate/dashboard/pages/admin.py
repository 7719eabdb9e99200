"""*Admin*: what is shared by whom and with whom, and finding anybody or anything in it."""

from __future__ import annotations

from itertools import groupby
from urllib.parse import urlencode

from sharegate.dashboard.pages.paging import cut
from sharegate.dashboard.pages.source import Json, NotShown, Source

_HERE = {"here": "admin"}
# Names that are shown of a share's people; the others are counted.
_NAMES = 6
# Shares on a page.
_MOST = 100


async def overview(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin`: owners, what they share, and the people from outside who came by it."""
    everything = "ended" in source.query
    shares = await source.every("shares", **({"all": "1"} if everything else {}))
    people: dict[str, list[Json]] = {}
    for visit in await source.every("visits"):
        if visit["kind"] in ("browser", "knock", "client"):
            people.setdefault(visit["share"], []).append(visit)
    owners: dict[str, list[Json]] = {}
    for share in shares:
        came = people.get(share["id"], [])
        badges = list(dict.fromkeys(visit["badge"] or visit["name"] for visit in came))
        row = share | {
            "people": badges[:_NAMES],
            "people_more": max(0, len(badges) - _NAMES),
            "people_count": len(badges),
            "links_live": sum(link["state"] == "active" for link in share["links"]),
            "last": max((visit["last_seen"] for visit in came), default=None),
        }
        owners.setdefault(share["owner"], []).append(row)
    counted = [share for own in owners.values() for share in own]
    ordered = [share for _, own in sorted(owners.items()) for share in _widest_first(own)]
    shown = cut(ordered, source.query, _MOST, "/admin", **({"ended": "1"} if everything else {}))
    return _HERE | {
        "tab": "overview",
        "page": shown,
        "owners": [
            {"name": name, "count": len(owners[name]), "shares": [*own]}
            for name, own in groupby(shown.rows, key=lambda share: str(share["owner"]))
        ],
        "counts": {
            "owners": len(owners),
            "shares": len(counted),
            "links": sum(share["links_live"] for share in counted),
            "people": sum(share["people_count"] for share in counted),
            "inside": sum(share["visits_open"] + share["programs"] for share in counted),
        },
        "everything": everything,
    }


def _widest_first(shares: list[Json]) -> list[Json]:
    return sorted(shares, key=lambda share: (share["state"] != "active", -share["people_count"], share["name"]))


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
