"""*Share*: people, links, files and versions, history and settings of one share, each at an address of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sharegate.dashboard.pages.folding import Run, folded
from sharegate.dashboard.pages.offered import offers
from sharegate.dashboard.pages.people import CAN, count, door, person, whom
from sharegate.dashboard.pages.source import Json, Source

Tab = Callable[[Source, Json], Awaitable[Json]]
_EVENTS = "100"
_CAUSES = {
    "first_write": "before the first change",
    "interval": "while it was changed",
    "before_restore": "before it was restored",
    "before_undo": "before somebody was undone",
    "before_delete": "before it was deleted",
    "before_overwrite": "before it was replaced",
    "alarm": "when it looked damaged",
    "asked": "you asked for it",
}


def tab(name: str, rest: Tab) -> Callable[[Source, dict[str, str]], Awaitable[Json]]:
    """The values of one tab: those of the share, and its own."""

    async def values(source: Source, parts: dict[str, str]) -> Json:
        share = (await source.get(f"shares/{parts['id']}"))["share"]
        return {"share": door(share, [], source.now), "tab": name} | await rest(source, share)

    return values


async def people(source: Source, share: Json) -> Json:
    found = await source.every("visits", share=share["id"])
    visits = [person(visit) for visit in found if visit["kind"] != "preview"]
    labels = {visit["label"] for visit in visits}
    devices: dict[str, list[Json]] = {}
    for visit in visits:
        if _device_of(visit, labels):
            devices.setdefault(visit["came_from"], []).append(visit)
    alone = [visit for visit in visits if not _device_of(visit, labels)]
    waiting = (await source.get("knocks"))["knocks"]
    return {
        "people": [_with_devices(visit, devices) for visit in alone if visit["state"] == "open"],
        "ended": [visit for visit in reversed(alone) if visit["state"] != "open"],
        "knocks": [knock for knock in waiting if knock["share"] == share["id"]],
    }


def _device_of(visit: Json, labels: set[str]) -> bool:
    return visit["kind"] == "device" and visit["came_from"] in labels


def _with_devices(visit: Json, devices: dict[str, list[Json]]) -> Json:
    own = [one for one in devices.get(visit["label"], []) if one["state"] == "open"]
    places = len(visit["places"])
    words = f"from {count(places, 'address', 'addresses')}" if places else count(1 + len(own), "device")
    return visit | {"own_devices": own, "device_words": words}


async def links(source: Source, share: Json) -> Json:
    return {"links": [_link(share, link) for link in share["links"]], "offers": await offers(source)}


def _link(share: Json, link: Json) -> Json:
    used, most = link["visits_used"], link["visits_max"]
    role = min((role for role in (link["role"], share["role"]) if role), key=list(CAN).index)
    inside = f"{count(used, 'person is', 'people are')} put out at once. " if used else ""
    return link | {
        "whom": whom(link),
        "can": CAN[role],
        "seats": f"{used} of {most} in" if most and used <= most else f"{used} in",
        "coowner_words": coowner_words(link),
        "coowner_ask": coowner_ask(link),
        "revoke_words": f"{inside}It is for ever; the other links stay, and so does your server.",
    }


def coowner_words(link: Json) -> str:
    """In whose browser the mark of a co-owner holds."""
    if not link["coowner_visit"]:
        return "as soon as somebody opens the link"
    return f"in the browser of {link['coowner_visit']}: lets people in, puts them out and pauses"


def coowner_ask(link: Json) -> str:
    """What is given by it, before it is given."""
    who = link["name"] or "Whoever is in by this link"
    when = "" if link["visits_used"] else " It holds in the browser that opens the link first."
    return (
        f"{who} may let in whoever knocks here, as what the link they knock at gives, put visitors out, and pause this "
        f"share. Nothing else of it changes hands, and you see each act in the history.{when}"
    )


async def versions(source: Source, share: Json) -> Json:
    found = (await source.get("snapshots", share=share["id"], limit="200"))["snapshots"]
    files: dict[str, list[Json]] = {}
    for one in found:
        files.setdefault(one["path"], []).append(one | {"why": why(one), "size_words": size(one)})
    first = share["root"] if share["kind"] == "file" else next(iter(files), f"{share['root']}/")
    kinds = {path: "notebook" if path.endswith(".ipynb") else "file" for path in files}
    return {
        "files": [{"path": path, "kind": kinds[path], "versions": kept} for path, kept in files.items()],
        "first": first,
    }


def why(version: Json) -> str:
    """Why a version was kept."""
    return _CAUSES.get(version["cause"], "")


def size(version: Json) -> str:
    cells = f"{count(version['cells'], 'cell')}, " if version["cells"] else ""
    return f"{cells}{count(version['characters'], 'character')}"


async def history(source: Source, share: Json) -> Json:
    events = (await source.get("audit", share=share["id"], newest="1", limit=_EVENTS))["events"]
    return {
        "newest": len(events),
        "events": [
            row.newest | {"text": row.text, "entries": len(row.entries)}
            if isinstance(row, Run)
            else row | {"entries": 0}
            for row in folded(events)
        ],
    }


async def settings(source: Source, share: Json) -> Json:
    inside = share["visits_open"] + share["programs"]
    out = f"{count(inside, 'visit')} will be over at once. " if inside else ""
    standing = [link for link in share["links"] if link["state"] in ("active", "paused")]
    ends = "Its link stops" if len(standing) == 1 else f"Its {len(standing)} links stop"
    words = f"{out}{ends} working for ever. The folder, your server and the history stay as they are."
    return {"offers": await offers(source), "revoke_words": words}
