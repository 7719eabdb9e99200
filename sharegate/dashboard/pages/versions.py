"""One version of a document, with what going back would change; and what undoing one person would."""

from __future__ import annotations

from sharegate.dashboard.pages.share import size, why
from sharegate.dashboard.pages.source import Json, NotShown, Source

_BECAME = {
    "removed": "goes",
    "restored": "comes back",
    "changed": "changes back",
    "moved": "moves back",
    "kept": "stays as it is",
}
_CHANGES = {"added": "comes back", "removed": "goes", "moved": "moves back", "changed": "changes back"}


async def version(source: Source, parts: dict[str, str]) -> Json:
    shown = await source.get(f"snapshots/{parts['id']}")
    one = shown["snapshot"]
    plan, trouble = None, None
    try:
        plan = await source.preview(f"snapshots/{one['id']}/restore")
    except NotShown as refused:
        trouble = refused.error
    changed = plan["difference"] if plan else {}
    name = one["path"].rpartition("/")[2]
    return {
        "version": one | {"why": why(one), "size_words": size(one), "file_name": name},
        "share": await share_of(source, one),
        "plan": plan,
        "trouble": trouble,
        "changes": any(changed.values()),
        "choosable": [_cell(cell) for cell in changed["cells"] if cell["id"]] if plan and not plan["missing"] else [],
        "cells": shown["notebook"]["cells"] if shown["notebook"] is not None else None,
        "text": shown["text"],
    }


def _cell(cell: Json) -> Json:
    place = cell["after"] if cell["after"] is not None else cell["before"]
    return {"id": cell["id"], "number": (place or 0) + 1, "words": _CHANGES.get(cell["change"], "")}


async def share_of(source: Source, one: Json) -> Json | None:
    """The share that the document lies in, for the way back."""
    for share in await source.every("shares", all="1"):
        inside = one["path"] == share["root"] or one["path"].startswith(share["root"] + "/")
        if inside and share["server"] == one["server"]:
            found: Json = share
            return found
    return None


async def undo(source: Source, parts: dict[str, str]) -> Json:
    visits = await source.every("visits")
    visit = next((one for one in visits if one["id"] == parts["id"]), None)
    if visit is None:
        raise NotShown(404, {"code": "not_found", "message": "there is no such visit", "remedy": ""})
    shown: Json = {"visit": visit, "trouble": None, "documents": [], "any": False, "digest": ""}
    try:
        answer = await source.preview(f"visits/{visit['id']}/undo")
    except NotShown as refused:
        return shown | {"trouble": refused.error}
    roots = {one["id"]: one["root_dir"] for one in (await source.get("servers"))["servers"]}
    documents = [_document(one, roots.get(one["server"], "")) for one in answer["documents"]]
    some = any(one["changes"] for one in documents)
    return shown | {"documents": documents, "any": some, "digest": answer["digest"]}


def _document(one: Json, root: str) -> Json:
    report = one["report"] or {}
    overlaps = [
        {
            "place": f"Cell {int(cell['at']) + 1}" if cell.get("id") else "The text",
            "became": _BECAME.get(cell.get("became"), "changes"),
            "who": ", ".join(one["names"].get(other) or (other and "a visitor") or "you" for other in cell["others"]),
        }
        for cell in report.get("cells", ())
        if cell.get("others")
    ]
    return one | {
        "changes": any((report.get("difference") or {}).values()),
        "overlaps": overlaps,
        "absolute": f"{root.rstrip('/')}/{one['path']}" if root else one["path"],
    }
