"""Sentences of the command line about links, folders, visitors. Plain values in, text out."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from sharegate.cli.moments import echo
from sharegate.cli.output import shown

Json = dict[str, Any]

CAN = {"view": "can view", "edit": "can edit text", "run": "can run code"}
RUNNING = "Whoever runs a cell runs what editors wrote."
PROGRAMS = "Programs do not knock: whoever has the link or its token can use it in one. Where from: sharegate watch"
KEPT = "What they change is kept: sharegate snapshot list"


def count(number: int, what: str, many: str = "") -> str:
    """`1 page`, `2 pages`."""
    return f"{number} {what if number == 1 else many or what + 's'}"


def folder(share: Json) -> str:
    """The share as its owner knows it: `week3 (lectures/week3)`, or only the path when they say the same."""
    root, name = shown(share.get("root")), shown(share.get("name"), 60)
    return f"{name} ({root})" if name and name not in (root, root.rsplit("/", 1)[-1]) else root


def whom(link: Json) -> str:
    """Whom a link is for."""
    if link.get("kind") == "preview":
        return "you (preview)"
    if link.get("kind") == "open":
        most = link.get("visits_max")
        return f"anyone, at most {count(int(most), 'visitor')}" if most else "anyone"
    return shown(link.get("name"), 60) or "one person"


def seats(link: Json) -> str:
    """How many are in, of how many. Whoever was admitted after a knock comes on top of the link's own number."""
    used, most = int(link.get("visits_used") or 0), link.get("visits_max")
    return f"{used} of {most} in" if most and used <= int(most) else f"{used} in"


def can(share: Json, link: Json | None = None) -> str:
    """What the link lets people do: at most what the share is for."""
    roles = [str(each) for each in ((link or {}).get("role"), share.get("role")) if each]
    role = min(roles, key=lambda each: list(CAN).index(each) if each in CAN else len(CAN), default="")
    return CAN.get(role, shown(role))


def may(share: Json, link: Json | None = None) -> str:
    """What people can do, and whether programs can too."""
    return can(share, link) + (", programs too" if share.get("clients") else "")


def inside(share: Json) -> str:
    """`2 visitors, 1 program`; "-" for nobody."""
    here = [(int(share.get("visits_open") or 0), "visitor"), (int(share.get("programs") or 0), "program")]
    return ", ".join(count(number, what) for number, what in here if number) or "-"


def until(record: Json, now: float, zone: tzinfo) -> str:
    return echo(float(record.get("expires") or 0), now=now, zone=zone)


def gives(share: Json, link: Json, now: float, zone: tzinfo) -> str:
    """`Ann can view lectures/week3 until Fri 27 Nov 2026, 17:00 CET (in 4 days).`"""
    first = min(share, link, key=lambda record: float(record.get("expires") or 0))
    who, what = whom(link), can(share, link)
    # "can view week3", and "can edit text in week3".
    inside = "" if what == CAN["view"] else "in "
    apart = "," if ", " in who else ""
    return f"{who[:1].upper()}{who[1:]}{apart} {what} {inside}{folder(share)} until {until(first, now, zone)}."


def ended(result: object) -> str:
    """`closed 1 page and 2 connections in 41 ms`; that nobody was inside where that is known."""
    if not isinstance(result, dict):
        return ""
    pages, channels, visits = (int(result.get(name) or 0) for name in ("pages", "channels", "visits"))
    if not (pages or channels):
        return f"{count(visits, 'visit')} ended, nothing was open" if visits else "nobody was inside"
    took = float(result.get("took_ms") or 0)
    return f"closed {count(pages, 'page')} and {count(channels, 'connection')} in {took:.0f} ms"


def knock(one: Json) -> str:
    """`Eve is at the door with Bo's link`, and where it seems to come from."""
    name = shown(one.get("name"), 60)
    owner = shown(one.get("link_name"), 60)
    link = f"{owner}'s link" if owner else f"link {shown(one.get('link_label'), 20)}"
    if one.get("same_person"):
        says = f"Somebody who says they are {owner or 'the same person'}" + (f' ("{name}")' if name else "")
    else:
        says = f'"{name}"' if name else "Somebody"
    if one.get("email"):
        says += f" (✓ {shown(one['email'], 60)})"
    way = "the address of a page of" if one.get("by_address") else "with"
    text = f"{says} is at the door {way} {link}"
    return f"{text} (came from {shown(one.get('came_from'), 20)})" if one.get("came_from") else text


def ask(one: Json) -> str:
    """`Ann · her link asks you to run print(6*7) in week3/intro.ipynb`."""
    who = shown(one.get("badge") or one.get("name"), 60) or "A visitor"
    first = next((line.strip() for line in str(one.get("source") or "").splitlines() if line.strip()), "")
    return f"{who} asks you to run {shown(first, 40) or 'a cell'} in {shown(one.get('path'))}"


def alarm(one: Json) -> tuple[str, str, str]:
    """What happened to which document, how to go back, and how to take back who did it; "" where that is not known."""
    what = {"collapsed": "lost most of what was in it", "doubled": "holds what was in it twice"}
    said = f"{shown(one.get('path'))} {what.get(str(one.get('what')), 'looks damaged')}"
    said += f": {shown(one['sentence'], 200)}" if one.get("sentence") else ""
    name = shown(one.get("name"), 60) or "that visitor"
    back = f"Go back: sharegate snapshot restore {shown(one['version'], 60)}" if one.get("version") else ""
    undo = f"Undo {name} alone: sharegate snapshot undo {shown(one['visit'], 60)}" if one.get("visit") else ""
    return said, back, undo


def visitor(visit: Json) -> str:
    """The visitor's badge, with how many devices."""
    if visit.get("kind") == "client":
        places = len({shown(place.get("address")) for place in visit.get("places") or ()})
        text = shown(visit.get("badge") or "a program", 80)
        return f"{text}, from {places} addresses" if places > 1 else text
    devices = int(visit.get("devices") or 1)
    text = shown(visit.get("badge") or visit.get("name") or "a visitor", 80)
    return f"{text}, {devices} devices" if devices > 1 else text


def to_confirm(share: Json) -> str:
    """The command that goes on with a suspended share."""
    return f"sharegate confirm {shown(share['label'])}"


def suspended(share: Json) -> str:
    """What a suspended share waits for."""
    return (
        f"{folder(share)} was moved, replaced or turned into a link, so nobody is let in. "
        f"If what is there now is what you mean to share: {to_confirm(share)}"
    )


def server_state(server: Json) -> str:
    """A Jupyter server's state in people's words."""
    if server.get("computer"):
        return f"on {shown(server['computer'], 60)}, whose gate serves it"
    states = {"here": "running", "away": "not running", "not_ours": "another program took its port"}
    text = states.get(str(server.get("state")), shown(server.get("state")))
    return f"{text}, without live collaboration" if server.get("collaboration") is False else text
