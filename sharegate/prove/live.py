"""Checks that need more than one question: rooms and channels, other visits, static files, an own file for --write."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import quote, urlsplit

from sharegate.prove import rooms
from sharegate.prove.eye import Eye
from sharegate.prove.ground import Ground
from sharegate.prove.model import Answer, Check, Finding, Probe
from sharegate.prove.visitor import Visitor
from sharegate.prove.wire import Channel

_SCRIPT = re.compile(rb'(?:src|href)="([^"]*/-/static/[^"]+)"')
_JSON = (("Content-Type", "application/json"),)
# Seconds in which a connection must have ended, and in which what is to be silent would have said something.
ENDING, SILENCE = 10.0, 1.5
UNCHANGED = "the document is as before"


async def inside_room(visitor: Visitor, ground: Ground) -> dict[str, str]:
    """The room of a document inside, as its page asks for it; {} when there is none, or no live documents."""
    for path, form, kind in ((ground.file, "text", "file"), (ground.notebook, "json", "notebook")):
        if path:
            target = f"api/collaboration/session/{quote(path)}"
            reply = await visitor.put(target, {"format": form, "type": kind})
            if reply.status in (200, 201):
                told = json.loads(reply.body)
                return {"path": path, "pair": f"{form}:{kind}", "id": told["fileId"], "session": told["sessionId"]}
    return {}


def _address(room: dict[str, str]) -> str:
    return f"api/collaboration/room/{room['pair']}:{room['id']}?sessionId={room['session']}"


async def outside_rooms(visitor: Visitor, ground: Ground, room: dict[str, str]) -> AsyncIterator[tuple[str, Channel]]:
    """Every document outside, asked for with the session of one inside; those that opened, after the greeting."""
    for number, (pair, id) in enumerate(ground.outside_ids):
        target = f"api/collaboration/room/{pair}:{id}?sessionId={room.get('session', 'x')}"
        async with visitor.channel(target) as (_, opened):
            if opened is not None:
                await opened.send(rooms.STEP)
                await opened.listen(SILENCE, until=3)
                yield f"document outside {number + 1}", opened


async def hostile(
    visitor: Visitor, eye: Eye, room: dict[str, str], *, views: bool, quick: bool
) -> AsyncIterator[tuple[str, Finding | None]]:
    """One name for each message that was sent, with what was wrong."""
    before = await eye.content(room["path"])
    for name, data in rooms.HOSTILE.items():
        if quick and name not in rooms.QUICK_HOSTILE:
            continue
        async with visitor.channel(_address(room)) as (reply, opened):
            if opened is None:
                yield name, Finding(Check.FRAMES, name, f"the document inside did not open ({reply.status})")
                return
            await opened.send_raw(data)
            await opened.listen(ENDING)
            wrong = opened.closed is None
        yield name, Finding(Check.FRAMES, name, "kept its connection") if wrong else None
    if views:
        async with visitor.channel(_address(room)) as (_, opened):
            if opened is not None:
                await opened.send(rooms.STEP)
                await opened.send(rooms.SAVE)
                await opened.listen(SILENCE)
                passed = rooms.SAVED in opened.words.replace(b": ", b":")
                told = Finding(Check.FRAMES, "a viewer's save", "reached the server")
                yield told.probe, told if passed else None
    if await eye.content(room["path"]) == before:
        yield UNCHANGED, None


async def silent(visitor: Visitor, eye: Eye, ground: Ground) -> AsyncIterator[tuple[str, list[bytes]]]:
    """What is heard on the gate's own silent channels while something happens outside: nothing."""
    for name, target in (
        ("events", "api/events/subscribe"),
        ("everybody", "api/collaboration/room/JupyterLab:globalAwareness"),
    ):
        async with visitor.channel(target) as (_, opened):
            if opened is not None:
                await eye.ask("GET", f"api/contents/{quote(ground.there)}", (("content", "0"),))
                await opened.listen(SILENCE, until=1)
                yield name, opened.heard


def others(mine: Visitor, other: Visitor) -> list[tuple[Visitor, Probe]]:
    """One visit's cookie at the address of another, and none."""
    stranger = replace(mine, cookies=())
    crossed = replace(other, cookies=tuple((name, value, "/") for name, value, _ in mine.cookies))
    # Where the cookie's name holds the visit, one's value under the other's name.
    renamed = replace(
        other,
        cookies=tuple(
            (name, value, "/") for (name, _, _), (_, value, _) in zip(other.cookies, mine.cookies, strict=False)
        ),
    )
    asked = []
    for name, who in (("another's cookie", crossed), ("another's value", renamed), ("no cookie", stranger)):
        for target in ("api/contents?content=1", "api/me"):
            probe = Probe(Check.OTHER_VISITS, f"{name}, {target}", "GET", target, quick=True)
            asked.append((who, probe))
        live = Probe(Check.OTHER_VISITS, f"{name}, live", "GET", "-/live", upgrade=True, quick=True)
        asked.append((who, live))
    leave = Probe(Check.OTHER_VISITS, "ending another's visit", "POST", "-/leave", fields=_JSON)
    return [*asked, (crossed, leave)]


def ended(visitor: Visitor) -> list[Probe]:
    """To be asked after the visit has ended."""
    fields = (("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Accept", "text/html"))
    return [
        Probe(Check.ENDED, "listing", "GET", "api/contents?content=1", quick=True),
        Probe(Check.ENDED, "who one is", "GET", "api/me", quick=True),
        Probe(Check.ENDED, "live", "GET", "-/live", upgrade=True, quick=True),
        Probe(Check.ENDED, "events", "GET", "api/events/subscribe", upgrade=True),
        Probe(Check.ENDED, "change", "PUT", "lab/api/workspaces/default", body=b"{}", fields=_JSON),
        Probe(Check.ENDED, "page", "GET", "lab", Answer.ANY, fields),
    ]


STATIC = {
    "missing": "{mark}.js",
    "dot segments": "../../api/contents",
    "encoded dot segments": "%2e%2e/%2e%2e/api/contents",
    "encoded slashes": "..%2f..%2fapi%2fcontents",
    "contents below": "api/contents/{there}",
    "file below": "files/{there}",
    "page below": "lab",
    "configuration of a kernel": "kernelspecs/python3/kernel.json",
    "absolute": "/etc/passwd",
    "double encoding": "%252e%252e/api/contents",
}


async def static(visitor: Visitor, ground: Ground) -> AsyncIterator[Probe]:
    """JupyterLab's own files, as the page names them, and what could stand beside them."""
    page = await visitor.get("lab")
    found = list(dict.fromkeys(match.decode() for match in _SCRIPT.findall(page.body)))
    for address in found[:6]:
        parts = urlsplit(address)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        name = f"file {parts.path.rpartition('/')[2][:40]}"
        yield Probe(Check.STATIC, name, "GET", target, Answer.ANY, bare=True, quick=True)
    # What a browser fetched as a service worker would answer in the gate's place from then on, also after the end.
    for target in (*(urlsplit(address).path for address in found[:2]), "/join", "/robots.txt"):
        told = f"service worker, {target.rpartition('/')[2][:40]}"
        yield Probe(Check.STATIC, told, "GET", target, fields=(("Service-Worker", "script"),), bare=True, quick=True)
    if not found:
        return
    # `…/-/static/<hash>/`
    before, _, below = urlsplit(found[0]).path.partition("/-/static/")
    base = f"{before}/-/static/{below.split('/')[0]}/"
    for name, template in STATIC.items():
        place = ground.fill(template)
        if place is not None:
            yield Probe(Check.STATIC, name, "GET", base + place, bare=True, quick=name == "missing")


MOVES = {
    "outside": "{there_folder}/{mark}.txt",
    "to the top": "{mark}.txt",
    "by dots": "{root}/{up:../}{mark}.txt",
    "absolute": "/{there_folder}/{mark}.txt",
    "on the disk": "/tmp/{mark}.txt",  # noqa: S108 -- tried, not used
    "hidden": "{within}.{mark}",
    "loaded by its name": "{within}{mark}.py",
    "through a link": "{link_folder}/{mark}.txt",
}


def moves(ground: Ground) -> list[Probe]:
    """Of a file that this run has made inside (--write): none of these places may get it."""
    found = []
    source = ground.fill("api/contents/{within}{mark}.txt") or ""
    for name, place in MOVES.items():
        body = ground.body({"path": place})
        made = ground.fill(place)
        if body is not None and made is not None:
            where = () if made.startswith("/") or ".." in made else (made,)
            told = f"own file moved {name}"
            found.append(Probe(Check.WRITES, told, "PATCH", source, Answer.REFUSED, _JSON, body, made=where))
    return found
