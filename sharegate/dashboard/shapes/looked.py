"""The history by page, as a timeline and as a picture, and the review of access."""

from __future__ import annotations

from typing import Literal

from sharegate.dashboard.shapes.given import Ended, ShareView, State
from sharegate.dashboard.shapes.kept import EventView
from sharegate.dashboard.shapes.shape import Shape
from sharegate.shares.model import Role, RootKind, VisitKind
from sharegate.visits.passing import NodeKind


class EventPage(Shape):
    """`next` is the next page's `cursor`, empty at the end; `reached` the moment up to which was looked, where fewer
    fit than were asked for and there is more."""

    events: list[EventView]
    next: str
    reached: float | None


class StayView(Shape):
    """`until` null: still in."""

    since: float
    until: float | None
    how: str


class HourView(Shape):
    """What was done in the hour that begins at `at`; `acts` are a co-owner's, at the door."""

    at: float
    opens: int
    edits: int
    denials: int
    acts: int


class LaneView(Shape):
    """One person, with all their devices."""

    visit: str
    kind: VisitKind
    name: str
    devices: int
    last: float
    stays: list[StayView]
    hours: list[HourView]
    label: str
    badge: str


class Lanes(Shape):
    """`more` people are not shown; what they did is counted back to `counted_since` (null: all of it)."""

    since: float
    until: float
    lanes: list[LaneView]
    more: int
    counted_since: float | None


class NodeView(Shape):
    """Somebody or something in the picture, and what hangs `below`. `admitted_by` is the co-owner who let them in, by
    name; `coowner`: the link of one."""

    kind: NodeKind
    id: str
    label: str
    name: str
    badge: str
    at: float
    last: float
    state: str
    ended_reason: str
    knocked: bool
    by_address: bool
    same_person: bool
    came_from: str
    network: str
    signs: str
    reason: str
    count: int
    erased: bool
    admitted_by: str
    coowner: bool
    below: list[NodeView]


class Passing(Shape):
    """Who passed a share on to whom; not `complete`: the history holds more than was looked at."""

    share: str
    name: str
    root: str
    tree: NodeView
    complete: bool


class Doors(Shape):
    """Page number `page` of a list of `count`, with `limit` on a page."""

    doors: list[ShareView]
    count: int
    page: int
    limit: int


class SharedBy(Shape):
    """An owner, and of how many shares."""

    name: str
    count: int


class Overseen(Shape):
    """A share with some of the `people` who came, by their badges, and how many that were; how many of its `links` work
    now, and when somebody was there for the last time."""

    share: ShareView
    people: list[str]
    people_count: int
    links: int
    last: float | None


class OverviewCounts(Shape):
    """Of all pages together. `inside`: visits that have not ended."""

    owners: int
    shares: int
    links: int
    people: int
    inside: int


class Overview(Shape):
    """Page number `page` of `count` shares, with `limit` on a page: owner by owner, the widest known first. `owners`
    are those of this page."""

    shares: list[Overseen]
    owners: list[SharedBy]
    counts: OverviewCounts
    count: int
    page: int
    limit: int


class Reviewed(Shape):
    """One live share. `depth` is how far below the server's root it is, `ever` how many people came in all."""

    id: str
    label: str
    name: str
    root: str
    kind: RootKind
    owner: str
    server: str
    state: State
    created: float
    expires: float
    role: Role
    depth: int
    links: int
    open_links: int
    clients: bool
    people: int
    ever: int
    outside: int
    last_used: float | None
    unused: bool


class SignedOff(Shape):
    at: float
    detail: str


class Reviews(Shape):
    """A page of what is shared. `digest` is that of all of it, for signing it off."""

    shares: list[Reviewed]
    next: str
    count: int
    unused: int
    digest: str
    signed: SignedOff | None


class Signed(Shape):
    at: float
    count: int
    digest: str


class PausedOne(Shape):
    id: str
    result: Literal["paused", "paused already", "ended already", "failed"]
    message: str
    ended: Ended | None


class PausedMany(Shape):
    results: list[PausedOne]
    paused: int


class FoundView(Shape):
    """A share, link, visit or knock in which something was found; `matched` says where."""

    kind: Literal["share", "link", "visit", "knock"]
    matched: str
    since: float
    id: str
    label: str
    name: str
    state: str
    share: str
    share_name: str
    owner: str
    address: str
    agent: str


class FoundPage(Shape):
    found: list[FoundView]
    more: int
