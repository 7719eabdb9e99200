"""Which shares, links and visits no longer fit what may be handed out, and what becomes of them.

Decides on plain values. What can shrink (role, end, number of people) shrinks. What cannot is paused and not revoked: a
rule that was written by mistake must not cost anybody their links. Visits beyond a number are ended, the newest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sharegate.errors import Refused
from sharegate.shares.interfaces import HandOut
from sharegate.shares.model import Link, LinkKind, Role, Share, Visit, VisitKind
from sharegate.shares.required import anyone_lacks, edit_lacks, latest_end

_CAN = {Role.VIEW: "can view", Role.EDIT: "can edit", Role.RUN: "can run"}


class InForce:
    """The rules as they are now. Implements HandOut for everybody who was given it; a reload puts others in."""

    def __init__(self, rules: HandOut) -> None:
        self.rules = rules

    @property
    def max_expires_seconds(self) -> float:
        return self.rules.max_expires_seconds

    @property
    def default_expires_seconds(self) -> float:
        return self.rules.default_expires_seconds

    @property
    def roles(self) -> tuple[Role, ...]:
        return self.rules.roles

    @property
    def anyone(self) -> bool:
        return self.rules.anyone

    @property
    def max_visits(self) -> int:
        return self.rules.max_visits

    @property
    def max_devices(self) -> int:
        return self.rules.max_devices

    @property
    def clients(self) -> bool:
        return self.rules.clients

    @property
    def own_extensions(self) -> bool:
        return self.rules.own_extensions

    @property
    def runnable_files(self) -> bool:
        return self.rules.runnable_files

    @property
    def edit_asks_for(self) -> tuple[str, ...]:
        return self.rules.edit_asks_for

    @property
    def anyone_asks_for(self) -> tuple[str, ...]:
        return self.rules.anyone_asks_for

    @property
    def anyone_max_expires_seconds(self) -> float:
        return self.rules.anyone_max_expires_seconds

    @property
    def coowners(self) -> bool:
        return self.rules.coowners


@dataclass(frozen=True, slots=True)
class Given:
    """One share with its links and its open visits."""

    share: Share
    links: Sequence[Link]
    visits: Sequence[Visit]


@dataclass(frozen=True, slots=True)
class Consequence:
    """What becomes of one record. `kind` is share, link or visit; a share or link gets `fields`, a visit is ended.
    `stops`: whoever is in by it is out. `what` is for people."""

    kind: str
    id: str
    share: str
    link: str
    stops: bool
    what: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def fit(rules: HandOut, given: Iterable[Given], now: float, *, moment: float | None = None) -> list[Consequence]:
    """Everything that has to change. Nothing for what fits, so that doing it twice changes nothing the second time.

    Who is inside is judged at `now`; `moment` (None: the same) is what the longest end is counted from. It may lie
    ahead, and nobody may be overlooked for that.
    """
    found: list[Consequence] = []
    for one in given:
        if one.share.revoked is None:
            found += _share(rules, one, now, now if moment is None else moment)
    return found


def check_fits(found: Iterable[Consequence]) -> None:
    """What the rules had paused stays paused while they say so. Raises Refused(`rules`)."""
    for each in found:
        if each.stops:
            raise Refused("rules", f"the rules here do not permit it ({each.what})", "Give another link in its place")


def _share(rules: HandOut, one: Given, now: float, moment: float) -> list[Consequence]:
    share = one.share
    change = _Change()
    role = _lowered(share.role, rules.roles)
    if role is None:
        change.pause(share.paused, f"{_CAN[share.role]}, which may not be given any more")
        role = share.role
    elif role is not share.role:
        change.add("role", role, f"{_CAN[role]} instead of {_CAN[share.role].removeprefix('can ')}")
    latest = moment + rules.max_expires_seconds
    if share.expires > latest:
        change.add("expires", latest, f"ends on {_day(latest)} instead of {_day(share.expires)}")
    for flag, words in (
        ("clients", "no longer for programs"),
        ("own_extensions", "without the owner's own extensions"),
        ("runnable_files", "editors make no more files that run by themselves"),
    ):
        if getattr(share, flag) and not getattr(rules, flag):
            change.add(flag, False, words)
    expires = min(share.expires, latest)
    found = change.consequences("share", share.id, share.id, "")
    programs_out = share.clients and not rules.clients
    for link in one.links:
        if link.revoked is None and link.kind is not LinkKind.PREVIEW:
            visits = [visit for visit in one.visits if visit.link == link.id and visit.expires > now]
            end = min(expires, latest_end(rules, link, moment))
            found += _link(rules, share, link, role, end, visits, programs_out=programs_out)
    return found


def _link(
    rules: HandOut, share: Share, link: Link, role: Role, expires: float, visits: list[Visit], *, programs_out: bool
) -> list[Consequence]:
    change = _Change()
    if link.kind is LinkKind.OPEN and not rules.anyone:
        change.pause(link.paused, "for nobody in particular, which may not be given any more")
    elif lacks := anyone_lacks(rules, link):
        change.pause(link.paused, f"for anyone, and does not ask for {lacks}")
    own = _least(link.role or role, role)
    lowered = _lowered(own, rules.roles) if link.role is not None else own
    if lowered is None:
        change.pause(link.paused, f"{_CAN[own]}, which may not be given any more")
    elif lacks := edit_lacks(rules, link, lowered):
        if Role.VIEW in rules.roles:
            change.add("role", Role.VIEW, f"{_CAN[Role.VIEW]} only: it does not ask for {lacks}")
        else:
            change.pause(link.paused, f"{_CAN[lowered]}, and does not ask for {lacks}")
    elif link.role is not None and lowered is not own:
        change.add("role", lowered, f"{_CAN[lowered]} instead of {_CAN[own].removeprefix('can ')}")
    if link.expires > expires:
        change.add("expires", expires, f"ends on {_day(expires)} instead of {_day(link.expires)}")
    if link.kind is LinkKind.OPEN and (link.visits is None or link.visits > rules.max_visits):
        change.add("visits", rules.max_visits, f"lets in {rules.max_visits} instead of {link.visits or 'any number'}")
    if link.coowner and not rules.coowners:
        change.add("coowner", False, "nobody's co-owner any more")
        change.also(coowner_browser="")
    if link.devices > rules.max_devices:
        change.add("devices", rules.max_devices, f"{rules.max_devices} devices each instead of {link.devices}")
    ended: dict[str, str] = {}
    if not change.pauses and not link.paused:
        ended = _visits(rules, link, own, visits, programs_out=programs_out)
    out = [Consequence("visit", id, share.id, link.id, True, words) for id, words in ended.items()]
    # Visits first; after a crash in between they are found again, because whoever is inside is counted.
    return out + change.consequences("link", link.id, share.id, link.id)


def _visits(rules: HandOut, link: Link, role: Role, visits: list[Visit], *, programs_out: bool) -> dict[str, str]:
    ended: dict[str, str] = {}
    for visit in visits:
        if visit.kind is VisitKind.CLIENT and programs_out:
            ended[visit.id] = "a program, which links no longer let in"
        elif visit.role is not None and _least(visit.role, role) not in rules.roles and role in rules.roles:
            ended[visit.id] = f"{_CAN[_least(visit.role, role)]}, which may not be given any more"
    if link.kind is LinkKind.OPEN:
        # By who is inside and not by the link's number, which may fit already while they are still in. Whom the owner
        # let in by hand is not counted: they came in beyond the link's number.
        seated = [visit for visit in visits if visit.kind is VisitKind.BROWSER and visit.id not in ended]
        for visit in _newest_beyond(seated, rules.max_visits):
            ended[visit.id] = f"more than {rules.max_visits} people are in by this link"
    devices: dict[str, list[Visit]] = {}
    for visit in visits:
        if visit.kind is VisitKind.DEVICE and visit.came_from in ended:
            ended[visit.id] = "a device of somebody who is out"
        elif visit.kind is VisitKind.DEVICE and visit.id not in ended:
            devices.setdefault(visit.came_from, []).append(visit)
    for those in devices.values():
        for visit in _newest_beyond(those, rules.max_devices):
            ended[visit.id] = f"more than {rules.max_devices} devices of one person"
    return ended


class _Change:
    """What one share or link has to become."""

    def __init__(self) -> None:
        self.pauses = False
        self._fields: dict[str, Any] = {}
        self._words: list[str] = []

    def add(self, name: str, value: Any, words: str) -> None:
        self._fields[name] = value
        self._words.append(words)

    def also(self, **fields: Any) -> None:
        """What goes with something that was added, and needs no words."""
        self._fields |= fields

    def pause(self, already: bool, words: str) -> None:
        if not already:
            self.pauses = True
            self.add("paused", True, f"paused: {words}")

    def consequences(self, kind: str, id: str, share: str, link: str) -> list[Consequence]:
        if not self._fields:
            return []
        return [Consequence(kind, id, share, link, self.pauses, "; ".join(self._words), self._fields)]


def _least(one: Role, other: Role) -> Role:
    return min(one, other, key=tuple(Role).index)


def _lowered(role: Role, allowed: Sequence[Role]) -> Role | None:
    """The role itself, or the highest one below it that may be given."""
    order = tuple(Role)
    below = [each for each in allowed if order.index(each) <= order.index(role)]
    return max(below, key=order.index) if below else None


def _newest_beyond(visits: list[Visit], most: int) -> list[Visit]:
    return sorted(visits, key=lambda visit: (visit.created, visit.number))[most:]


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
