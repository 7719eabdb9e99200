"""Who passed what on to whom: the picture of one share, and for admins what the history tells of all of them."""

from __future__ import annotations

from sharegate.dashboard.pages.source import Json, Source

# A chain of people is as long as they like to make it; a page has an end.
_DEEPEST = 40
_NODE: Json = {
    "id": "",
    "label": "",
    "name": "",
    "badge": "",
    "state": "",
    "ended_reason": "",
    "came_from": "",
    "at": 0.0,
    "last": 0.0,
    "count": 1,
    "network": "",
    "signs": "",
    "reason": "",
    "knocked": False,
    "by_address": False,
    "same_person": False,
    "erased": False,
    "admitted_by": "",
    "coowner": False,
}
# How somebody came, as the history tells it, as a node of the picture.
_KINDS: dict[str, Json] = {
    "joined": {"kind": "person", "state": "came"},
    "admitted": {"kind": "person", "state": "came", "knocked": True},
    "device": {"kind": "device", "state": "came"},
    "waiting": {"kind": "knock", "state": "waiting"},
    "refused": {"kind": "knock", "state": "refused"},
    "seen": {"kind": "attempt"},
    "tried": {"kind": "attempt"},
    "unknown": {"kind": "unknown"},
}


async def values(source: Source, parts: dict[str, str]) -> Json:
    """`GET /shares/{id}/passing`."""
    answer = await source.get(f"shares/{parts['id']}/passing")
    share = (await source.get(f"shares/{parts['id']}"))["share"]
    return {"here": "", "share": share, "root": answer["tree"], "complete": answer.get("complete", True)}


async def report(source: Source, parts: dict[str, str]) -> Json:
    """`GET /admin/passed-on`."""
    shares = {share["id"]: share for share in (await source.every("shares", all="1"))}
    found: dict[str, list[Json]] = {}
    for person in (await source.get("audit/passed-on"))["people"]:
        found.setdefault(person["share"], []).append(nodes(person))
    gone = {"id": "", "name": "", "owner": ""}
    return {"here": "admin", "tab": "search", "shares": [(shares.get(id, gone), trees) for id, trees in found.items()]}


def nodes(person: Json) -> Json:
    """A tree of the report in the shape of the picture, which says more. Iterative, and cut where it gets too deep."""
    root = _node(person)
    stack = [(person, root, 1)]
    while stack:
        one, node, depth = stack.pop()
        if one["onward"] and depth >= _DEEPEST:
            node["below"] = [{"kind": "more", "count": _size(one)}]
            continue
        node["below"] = [_node(child) for child in one["onward"]]
        stack += [(child, below, depth + 1) for child, below in zip(one["onward"], node["below"], strict=True)]
    return root


def _node(person: Json) -> Json:
    own = {name: person[name] for name in ("name", "at", "signs", "came_from", "reason", "count")}
    return _NODE | _KINDS[person["how"]] | own | {"id": person["visit"], "badge": person["name"], "below": []}


def _size(person: Json) -> int:
    people = list(person["onward"])
    for one in people:  # grows while it runs
        people += one["onward"]
    return len(people)
