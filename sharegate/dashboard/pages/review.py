"""*Admin*: the access review. Every live share, what is oldest, widest or longest unused first; paused, and signed."""

from __future__ import annotations

from urllib.parse import urlencode

from sharegate.dashboard.pages.source import Json, NotShown, Source

_PAGE = 100
SORTS = (("oldest", "Oldest first"), ("widest", "Widest first"), ("unused", "Longest unused first"))
_ROLES = {"view": "can view", "edit": "can edit text, cannot run code", "run": "can edit and run code"}


async def values(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin/review`; `sort`, `unused` (only those) and `cursor` in the address."""
    sort = source.query.get("sort", "")
    sort = sort if sort in dict(SORTS) else "oldest"
    only = "only" in source.query
    query = {"sort": sort, "limit": str(_PAGE), **({"unused": "1"} if only else {})}
    try:
        answer = await source.get("review", **query, cursor=source.query.get("cursor", ""))
    except NotShown as refused:
        if refused.status != 400:
            raise
        # The order was changed in the address: begin anew.
        answer = await source.get("review", **query)
    shares = [share | {"role_words": _ROLES[share["role"]]} for share in answer["shares"]]
    return {
        "here": "admin",
        "tab": "review",
        "review": answer,
        "shares": shares,
        "sorts": [(name, words, "/admin/review?" + urlencode({"sort": name})) for name, words in SORTS],
        "sort": sort,
        "only": only,
        "next": "/admin/review?"
        + urlencode({"sort": sort, "cursor": answer["next"], **({"only": "1"} if only else {})})
        if answer["next"]
        else "",
    }
