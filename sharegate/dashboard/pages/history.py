"""*History*: who did what, as lanes and as sentences; whether it is intact; what is kept of whom, and forgetting."""

from __future__ import annotations

from typing import Any

from sharegate.dashboard.pages import lanes
from sharegate.dashboard.pages.filters import Filters, known
from sharegate.dashboard.pages.folding import Run, folded
from sharegate.dashboard.pages.moments import day, exact
from sharegate.dashboard.pages.sentences import GROUPS, OUTCOMES, parts
from sharegate.dashboard.pages.source import Json, NotShown, Source
from sharegate.dashboard.pages.timeline import KINDS, LAST, drawn, kind_of
from sharegate.errors import Invalid

# Entries of one page.
PAGE = 100
_HERE = {"here": "history"}
_DOWNLOAD = "/api/v1/audit/download"
_FORMS = (("csv", "CSV, for a spreadsheet"), ("jsonl", "JSON lines, for programs"))


async def values(source: Source, parts: dict[str, str]) -> Json:
    """`GET /history`, with the filters and the cursor of its address."""
    filters = Filters.read(source.query)
    shares = await source.every("shares", all="1")
    people = await _people(source, filters["share"])
    asked: dict[str, str] = {}
    events: list[Json] = []
    older, reached, fault = "", None, None
    try:
        asked = filters.asked() | await _who(source, filters["who"], people)
        events, older, reached = await _page(source, asked)
    except Invalid as invalid:
        fault = {"field": invalid.field, "message": invalid.problem, "remedy": invalid.remedy}
    except NotShown as refused:
        if refused.status not in (400, 404, 409):
            raise
        field = "who" if refused.status != 400 else refused.error["field"]
        fault = {"field": field, **{name: refused.error[name] for name in ("message", "remedy")}}
    # What is all on one page has a more exact picture.
    picture = await lanes.asked(source, filters, asked) if older else None
    entries = _entries(events, {share["id"]: share for share in shares})
    return _HERE | {
        "filters": filters,
        "zone_known": known(filters["zone"]),
        "shares": shares,
        "people": people,
        "groups": GROUPS,
        "outcomes": OUTCOMES,
        # Who asks for one kind of entry or for a file means each of them.
        "rows": [_row(row) for row in (entries if filters["action"] or filters["path"] else folded(entries))],
        "picture": picture,
        "timeline": None if picture else drawn(events, [entry["anchor"] for entry in entries]),
        "kinds": KINDS,
        "older": filters.address(cursor=older) if older else "",
        "reached": reached,
        "newest": filters.address() if source.query.get("cursor") else "",
        "again": filters.address(cursor=source.query.get("cursor", "")),
        # What could not be asked leaves nothing, and not everything.
        "exports": [] if fault else [(words, Filters(asked).address(_DOWNLOAD, format=form)) for form, words in _FORMS],
        "fault": fault,
    }


async def intact(source: Source, parts: dict[str, str]) -> Json:
    """`GET /history/intact`: the whole history is read, where the address says `read`; the page asks for that by
    itself, and has something to show meanwhile."""
    return _HERE | {"verdict": await source.get("audit/verify") if "read" in source.query else None}


async def kept(source: Source, parts: dict[str, str]) -> Json:
    """`GET /history/kept`: what identifies people and when it leaves; `person`, `visit` or `share` in the address: what
    forgetting them would mean."""
    asked = {name: source.query[name].strip() for name in ("person", "visit", "share") if source.query.get(name)}
    asked = {name: value for name, value in asked.items() if value}
    preview, fault = None, None
    if asked:
        try:
            preview = await source.dry_run("audit/erase", **asked)
        except NotShown as refused:
            if refused.status not in (400, 404):
                raise
            fault = refused.error
    retention = await source.get("audit/retention")
    return _HERE | {
        "retention": retention | {"day": day(retention["clock"])},
        "asked": asked,
        "preview": preview,
        "fault": fault,
        "forgotten": "forgotten" in source.query,
    }


async def _page(source: Source, asked: dict[str, str]) -> tuple[list[Json], str, float | None]:
    query = asked | {"newest": "1", "limit": str(PAGE)}
    if cursor := source.query.get("cursor", ""):
        query["cursor"] = cursor
    answer = await source.get("audit", **query)
    return answer["events"], answer["next"], answer["reached"]


async def _people(source: Source, share: str) -> list[Json]:
    """Whoever came to a share, once for each of their visits."""
    if not share:
        return []
    try:
        return list(await source.every("visits", share=share))
    except NotShown as refused:
        if refused.status != 404:
            raise
        return []


async def _who(source: Source, text: str, people: list[Json]) -> dict[str, str]:
    """A person, by name or label, as the filter of one visit or one link; without a share, a name is that of people in
    all of them. Raises NotShown, Invalid."""
    if not text:
        return {}
    wanted = text.casefold()
    same = [each for each in people if wanted in (each["name"].casefold(), each["badge"].casefold(), each["label"])]
    if len(same) == 1:
        return {"visit": same[0]["id"]}
    if same and len({each["link"] for each in same}) == 1 and all(each["kind"] != "knock" for each in same):
        # One person on several devices.
        return {"link": same[0]["link"]}
    if same:
        labels = ", ".join(each["label"] for each in same[:8])
        raise Invalid("who", "stands for several visits", f"Name one of them: {labels}")
    try:
        found = await source.get("resolve", ref=text)
    except NotShown as refused:
        if refused.status not in (400, 404):
            raise
        return {"person": text}
    if text not in (found["id"], found["label"]):
        return {"person": text}  # it was a name of something
    if found["kind"] not in ("visit", "link", "share"):
        raise Invalid("who", f"is a {found['kind']}", "Name a visitor or a link")
    return {found["kind"]: found["id"]}


def _entries(events: list[Json], shares: dict[str, Json]) -> list[dict[str, Any]]:
    found, taken = [], set()
    for event in events:
        # Several gates count each for itself.
        anchor = f"e{event['seq']}-{event.get('writer', '')}".rstrip("-")
        while anchor in taken:
            anchor += "-"
        taken.add(anchor)
        share = shares.get(event["share"])
        more = {
            "anchor": anchor,
            "parts": parts(event),
            "kind": kind_of(event),
            "when": exact(event["at"]) if 0 < event["at"] < LAST else "",
            "share_name": share["name"] or share["root"] if share else "",
        }
        found.append(event | more)
    return found


def _row(row: Json | Run) -> dict[str, Any]:
    return {"run": row, "entry": row.newest} if isinstance(row, Run) else {"run": None, "entry": row}
