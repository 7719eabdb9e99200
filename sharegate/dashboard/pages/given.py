"""The links of a share, to be handed out: address, code and the words of a mail."""

from __future__ import annotations

from sharegate.dashboard.pages.people import whom
from sharegate.dashboard.pages.source import Json, Source

# With more links the codes are drawn when they are asked for; of a roster the page shows a part.
_MOST_CODES = 1
_MOST = 50


async def values(source: Source, parts: dict[str, str]) -> Json:
    share = (await source.get(f"shares/{parts['id']}"))["share"]
    standing = [link for link in share["links"] if link["state"] == "active"]
    given = []
    for link in standing[:_MOST]:
        address = await source.get(f"links/{link['id']}/url")
        code = await source.get(f"links/{link['id']}/qr") if len(standing) <= _MOST_CODES else {"image": ""}
        words = _mail(share, link, address["url"])
        given.append(link | {"program": None} | address | code | {"whom": whom(link)} | words)
    return {
        "share": share,
        "given": given,
        "more": max(0, len(standing) - _MOST),
        "warnings": _warnings(share),
    }


def _mail(share: Json, link: Json, url: str) -> Json:
    hello = f"Hello {link['name']}," if link["name"] else "Hello,"
    told = f"{share['owner']} shares “{share['name']}” with you: you {_you(share['role'])}."
    alone = "The link is for you alone. In another browser it asks me first." if link["kind"] == "person" else ""
    lines = [hello, "", told, "", url, "", alone] if alone else [hello, "", told, "", url]
    return {"subject": f"{share['name']}, shared by {share['owner']}", "mail": "\n".join(lines)}


def _you(role: str) -> str:
    return {"view": "can read it, live", "edit": "can read it and edit its text, live"}.get(role, "can use it")


def _warnings(share: Json) -> list[str]:
    said = {
        "own_extensions": "Your own JupyterLab extensions run in visitors’ pages: only for people you trust.",
        "runnable_files": "Visitors who edit can make files that your next kernel loads: that runs code as you.",
        "clients": "Programs do not knock: whoever has the link or its token can use it in one.",
    }
    return [words for name, words in said.items() if share[name]]
