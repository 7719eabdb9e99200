"""*New share*: what, for whom, what they may, and beside it what they will see."""

from __future__ import annotations

from sharegate.dashboard.pages.offered import offers
from sharegate.dashboard.pages.source import Json, NotShown, Source

_NOWHERE: Json = {"path": "", "name": "", "kind": "directory", "shareable": False, "reason": "", "why": ""}


async def values(source: Source, parts: dict[str, str]) -> Json:
    """`?server=`, `folder=` (what is listed) and `path=` (what is chosen)."""
    servers = (await source.get("servers"))["servers"]
    asked = source.query.get("server", "")
    server = next((one for one in servers if one["id"] == asked), servers[0] if servers else None)
    shown: Json = {"servers": servers, "server": server, "offers": await offers(source)}
    shown["path"] = source.query.get("path", "")
    return shown | await _listed(source, server) | {"reach": await _reach(source, server)} if server else shown


async def _listed(source: Source, server: Json) -> Json:
    folder = source.query.get("folder", "")
    nothing: Json = {"folder": _NOWHERE, "entries": [], "more": 0, "trouble": None, "crumbs": []}
    try:
        found = await source.get(f"servers/{server['id']}/browse", path=folder)
    except NotShown as refused:
        return nothing | {"trouble": refused.error}
    steps = found["path"].split("/") if found["path"] else []
    crumbs = [{"name": server["name"], "path": ""}]
    crumbs += [{"name": step, "path": "/".join(steps[: at + 1])} for at, step in enumerate(steps)]
    return nothing | {name: found[name] for name in ("folder", "entries", "more")} | {"crumbs": crumbs}


async def _reach(source: Source, server: Json) -> Json | None:
    path = source.query.get("path", "")
    if not path:
        return None
    try:
        return await source.get(f"servers/{server['id']}/reach", path=path)
    except NotShown:  # what cannot be shared is told where it is chosen, and refused when it is asked for
        return None


async def servers(source: Source, parts: dict[str, str]) -> Json:
    """*Servers*: those that are known, and a form for another."""
    return {"servers": (await source.get("servers"))["servers"]}


async def teams(source: Source, parts: dict[str, str]) -> Json:
    """*A share for each team* (`?server=`). `near`: folders of the server's root that teams' folders may lie in."""
    servers = (await source.get("servers"))["servers"]
    asked = source.query.get("server", "")
    server = next((one for one in servers if one["id"] == asked), servers[0] if servers else None)
    entries = (await _listed(source, server))["entries"] if server else []
    near = [one["path"] for one in entries if one["kind"] == "directory" and one["shareable"]]
    return {"servers": servers, "server": server, "offers": await offers(source), "near": near}
