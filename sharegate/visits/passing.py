"""The picture of one share: from its owner over links to people, their devices, whom they passed something on to, and
who was not let in.

It is made of records, which stay, and of what the history adds: signs, refusals, knocks whose records are gone. A sign
is no proof. Who was erased stays as somebody without a name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sharegate.audit.erasure import ERASED
from sharegate.audit.events import Action, AuditEvent
from sharegate.shares.model import Knock, KnockState, Link, LinkKind, Share, Visit, VisitKind
from sharegate.visits.entry import badge

# What the history has to add to the records.
ADDED = (
    *(Action.LINK_REFUSED, Action.LINK_PASSED_ON, Action.KNOCK_MADE, Action.KNOCK_ADMITTED, Action.KNOCK_REFUSED),
    Action.STRANGER_DENIED,
)
MOST_BELOW = 100
MOST_NODES = 2000
# A chain of people is as long as they like to make it; what reads JSON has an end.
DEEPEST = 40
_NETWORKS = 3


class NodeKind(StrEnum):
    OWNER = "owner"
    LINK = "link"
    PERSON = "person"
    DEVICE = "device"
    PROGRAM = "program"
    KNOCK = "knock"  # who knocked and is not in
    REFUSED = "refused"  # a link was opened and nobody was let in
    ATTEMPT = "attempt"  # the address of somebody's page was opened elsewhere, and nobody knocked
    MORE = "more"  # `count` others that are not shown


@dataclass(slots=True, eq=False)
class Node:
    """`at` is when it began, `last` when it ended, or happened last where `count` says how often. `network` is what is
    kept of the address. `came_from` is the visit from which the link or address came; `signs` what was seen of that,
    and what speaks against it. `admitted_by` names the co-owner who let them in; `coowner`: the link of one."""

    kind: NodeKind
    id: str = ""
    label: str = ""
    name: str = ""
    badge: str = ""
    at: float = 0.0
    last: float = 0.0
    state: str = ""
    ended_reason: str = ""
    knocked: bool = False
    by_address: bool = False
    same_person: bool = False
    came_from: str = ""
    network: str = ""
    signs: str = ""
    reason: str = ""
    count: int = 1
    erased: bool = False
    admitted_by: str = ""
    coowner: bool = False
    below: list[Node] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """Without what is below."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "below"}
        return {**values, "kind": self.kind.value}


@dataclass(slots=True)
class _Knocked:
    """A knock, from its record or from what the history says of it."""

    id: str
    link: str
    name: str = ""
    at: float = 0.0
    state: KnockState = KnockState.WAITING
    came_from: str = ""
    visit: str = ""
    network: str = ""
    signs: str = ""
    by_address: bool = False
    same_person: bool = False


class Picture:
    """`link_state` and `visit_state` say in one word how a record stands; `lasts` is for how long a knock waits (s)."""

    def __init__(
        self,
        share: Share,
        *,
        label: str,
        link_state: Callable[[Link], str],
        visit_state: Callable[[Visit], str],
        now: float,
        lasts: float,
    ) -> None:
        self._label = label
        self._link_state = link_state
        self._visit_state = visit_state
        self._now = now
        self._lasts = lasts
        self._root = Node(NodeKind.OWNER, id=share.id, label=label, name=share.owner, at=share.created)
        self._links: dict[str, tuple[Link, Node]] = {}
        self._visits: dict[str, tuple[Visit, Node]] = {}
        self._knocks: dict[str, _Knocked] = {}
        self._everybody: dict[str, Visit] = {}

    def tree(
        self, links: Iterable[Link], visits: Iterable[Visit], knocks: Iterable[Knock], events: Iterable[AuditEvent]
    ) -> Node:
        for link in links:
            if link.kind is not LinkKind.PREVIEW:
                self._links[link.id] = link, self._of_link(link)
        self._root.below += [node for _, node in self._links.values()]
        loose = self._read(sorted(events, key=lambda event: (event.at, event.seq)))
        for knock in knocks:
            self._record(knock)
        let_in = {knock.visit: knock for knock in self._knocks.values() if knock.visit}
        self._everybody = {visit.id: visit for visit in visits}
        for visit in sorted(self._everybody.values(), key=lambda visit: visit.created):
            if visit.kind is not VisitKind.PREVIEW:
                self._visits[visit.id] = visit, self._of_visit(visit, let_in.get(visit.id))
        for visit, node in self._visits.values():
            origin = self._visits.get(visit.came_from)
            if origin is not None and not self._leads_back(origin[0], visit):
                origin[1].below.append(node)
            else:
                self._at_link(visit.link).below.append(node)
        for knocked in self._knocks.values():
            if knocked.visit not in self._visits:
                self._under(knocked.came_from, knocked.link).below.append(self._of_knock(knocked))
        for node, came_from, of in loose:
            self._under(came_from, of).below.append(node)
        return bounded(self._root)

    # -- reading --------------------------------------------------------------------------------------------------

    def _read(self, events: Iterable[AuditEvent]) -> list[tuple[Node, str, str]]:
        """Takes knocks from the history. Returns what is no knock: each with the visit it came from, and its link."""
        signs: dict[tuple[str, str, str], AuditEvent] = {}
        loose: dict[tuple[str, ...], tuple[Node, str, str]] = {}
        for event in events:
            whose = (event.link, event.came_from, event.name)
            match event.action:
                case Action.LINK_PASSED_ON:
                    if whose in signs:
                        self._sign(loose, signs[whose])
                    signs[whose] = event
                case Action.KNOCK_MADE:
                    sign = signs.pop(whose, None)
                    knock = self._knock(event)
                    knock.at, knock.signs = event.at, sign.detail if sign is not None else ""
                    knock.network = event.address
                    knock.by_address = knock.signs.startswith("address")
                    if event.at + self._lasts <= self._now:
                        knock.state = KnockState.GONE
                case Action.KNOCK_ADMITTED:
                    knock = self._knock(event)
                    knock.state, knock.visit = KnockState.ADMITTED, event.visit
                case Action.KNOCK_REFUSED:
                    self._knock(event).state = KnockState.REFUSED
                case Action.LINK_REFUSED:
                    self._add(loose, ("refused", event.link, event.reason), NodeKind.REFUSED, event)
                case Action.STRANGER_DENIED if event.came_from:
                    self._add(loose, ("attempt", event.came_from), NodeKind.ATTEMPT, event)
                case _:
                    pass
        for sign in signs.values():  # recorded when the gate was stopped before the knock was
            self._sign(loose, sign)
        return list(loose.values())

    def _sign(self, loose: dict[tuple[str, ...], tuple[Node, str, str]], event: AuditEvent) -> None:
        self._add(loose, ("sign", event.link, event.came_from, event.detail), NodeKind.ATTEMPT, event)

    @staticmethod
    def _add(
        loose: dict[tuple[str, ...], tuple[Node, str, str]], key: tuple[str, ...], kind: NodeKind, event: AuditEvent
    ) -> None:
        """What happens often is one node that counts."""
        if key in loose:
            node = loose[key][0]
            node.count += event.count
            networks = node.network.split(", ") if node.network else []
            if event.address and event.address not in networks and len(networks) < _NETWORKS:
                node.network = ", ".join([*networks, event.address])
        else:
            node = Node(kind, at=event.at, reason=event.reason, count=event.count, network=event.address)
            node.came_from = event.came_from
            node.signs = event.detail if event.action is Action.LINK_PASSED_ON else ""
            loose[key] = node, event.came_from, event.link
        node.last = max(node.last, event.at)

    def _knock(self, event: AuditEvent) -> _Knocked:
        knock = self._knocks.setdefault(event.detail, _Knocked(event.detail, event.link, at=event.at))
        knock.name = knock.name or event.name
        knock.came_from = knock.came_from or event.came_from
        return knock

    def _record(self, knock: Knock) -> None:
        """The record knows better than the history, but for the signs."""
        said = self._knocks.get(knock.id)
        gone = knock.state is KnockState.WAITING and knock.created + self._lasts <= self._now
        self._knocks[knock.id] = _Knocked(
            knock.id,
            knock.link,
            knock.name,
            knock.created,
            KnockState.GONE if gone else knock.state,
            knock.came_from,
            knock.visit,
            knock.address,
            said.signs if said is not None else "",
            knock.by_address,
            knock.same_person,
        )

    def _leads_back(self, origin: Visit, visit: Visit) -> bool:
        """Whether `origin` itself came from `visit`: such records were made up, and must not hang us."""
        seen: set[str] = set()
        up: Visit | None = origin
        while up is not None and up.id not in seen:
            if up.id == visit.id:
                return True
            seen.add(up.id)
            found = self._visits.get(up.came_from)
            up = found[0] if found is not None else None
        return up is not None

    # -- nodes ----------------------------------------------------------------------------------------------------

    def _at_link(self, link: str) -> Node:
        return self._links[link][1] if link in self._links else self._root

    def _under(self, visit: str, link: str) -> Node:
        return self._visits[visit][1] if visit in self._visits else self._at_link(link)

    def _of_link(self, link: Link) -> Node:
        return Node(
            NodeKind.LINK,
            id=link.id,
            label=f"{self._label}.{link.letter}",
            name=link.name,
            badge="anyone" if link.kind is LinkKind.OPEN else link.name,
            at=link.created,
            state=self._link_state(link),
            coowner=link.coowner,
        )

    def _of_visit(self, visit: Visit, knock: _Knocked | None) -> Node:
        link = self._links[visit.link][0] if visit.link in self._links else None
        kinds = {VisitKind.DEVICE: NodeKind.DEVICE, VisitKind.CLIENT: NodeKind.PROGRAM}
        return Node(
            kinds.get(visit.kind, NodeKind.PERSON),
            id=visit.id,
            label=f"{self._label}.{link.letter}{visit.number}" if link is not None else "",
            name=visit.name,
            badge=badge(link, visit) if link is not None else "",
            at=visit.created,
            last=visit.ended or 0.0,
            state=self._visit_state(visit),
            ended_reason=visit.ended_reason,
            knocked=visit.kind is VisitKind.KNOCK,
            by_address=knock.by_address if knock is not None else False,
            same_person=knock.same_person if knock is not None else False,
            came_from=visit.came_from,
            network=visit.address,
            signs=knock.signs if knock is not None else "",
            erased=visit.ended_reason == ERASED,
            admitted_by=self._let_in_by(visit),
        )

    def _let_in_by(self, visit: Visit) -> str:
        coowner = self._everybody.get(visit.admitted_by)
        return coowner.name or "a co-owner" if coowner is not None else "a co-owner" if visit.admitted_by else ""

    @staticmethod
    def _of_knock(knock: _Knocked) -> Node:
        return Node(
            NodeKind.KNOCK,
            id=knock.id,
            name=knock.name,
            badge=f'says "{knock.name}"' if knock.name else "no name",
            at=knock.at,
            state=knock.state.value,
            knocked=True,
            by_address=knock.by_address,
            same_person=knock.same_person,
            came_from=knock.came_from,
            network=knock.network,
            signs=knock.signs,
        )


def bounded(root: Node, *, most_below: int = MOST_BELOW, most: int = MOST_NODES, deepest: int = DEEPEST) -> Node:
    """The tree cut to a size that can be looked at: what is left out is counted where it would stand. What says most is
    kept: from whom something came, who waits or was not let in, who is in, then the newest. Changes the tree."""
    left = most - 1
    sizes = _sizes(root)
    level = deque([(root, 1)])
    while level:
        node, depth = level.popleft()
        if not node.below:
            continue
        room = max(0, min(most_below, left)) if depth < deepest else 0
        ranked = sorted(node.below, key=_telling)
        kept, cut = ranked[:room], ranked[room:]
        left -= len(kept)
        node.below = sorted(kept, key=lambda child: child.at)
        level.extend((child, depth + 1) for child in node.below)
        if cut:
            node.below.append(Node(NodeKind.MORE, count=sum(sizes[id(child)] for child in cut)))
    return root


def _telling(node: Node) -> tuple[bool, bool, bool, float]:
    refused = node.kind in (NodeKind.KNOCK, NodeKind.REFUSED, NodeKind.ATTEMPT)
    passed = any(child.kind is not NodeKind.DEVICE for child in node.below)
    return node.kind is not NodeKind.LINK and not passed, not refused, node.state != "open", -node.at


def _sizes(root: Node) -> dict[int, int]:
    nodes = [root]
    for node in nodes:  # grows while it runs: parents come before their children
        nodes += node.below
    sizes: dict[int, int] = {}
    for node in reversed(nodes):
        sizes[id(node)] = 1 + sum(sizes[id(child)] for child in node.below)
    return sizes


def plain(root: Node) -> dict[str, Any]:
    """The tree for JSON: each node's fields, and `below`. No deeper than `DEEPEST`, so that it can be written."""
    values = root.plain()
    stack = [(root, values)]
    while stack:
        node, told = stack.pop()
        told["below"] = [child.plain() for child in node.below]
        stack += zip(node.below, told["below"], strict=True)
    return values
