"""Two versions of a document beside each other, or one and how it is now."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from sharegate.dashboard.pages.share import size, why
from sharegate.dashboard.pages.source import Json, NotShown, Source
from sharegate.dashboard.pages.versions import share_of

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_NONE: Json = {"code": "not_found", "message": "there is no such version", "remedy": ""}


async def values(source: Source, parts: dict[str, str]) -> Json:
    """`GET /compare?one=…&other=…`; without `other`, with the document as it is now."""
    one, other = source.query.get("one", ""), source.query.get("other", "")
    if not _ID.match(one):
        raise NotShown(404, _NONE)
    trouble, compared = None, None
    try:
        compared = await source.get(f"snapshots/{one}/difference", **({"with": other} if other else {}))
    except NotShown as refused:
        if refused.status == 404:
            raise
        trouble = refused.error
    before = compared["before"] if compared else (await source.get(f"snapshots/{one}"))["snapshot"]
    after = compared["after"] if compared else None
    return {
        "before": _told(before),
        "after": _told(after) if after is not None else None,
        "difference_of": compared["difference"] if compared else None,
        "same": compared is not None and not any(compared["difference"].values()),
        "trouble": trouble,
        "share": await share_of(source, before),
        "swapped": "/compare?" + urlencode({"one": other, "other": one}) if other else "",
    }


def _told(one: Json) -> Json:
    return one | {"why": why(one), "size_words": size(one)}
