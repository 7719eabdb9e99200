"""Shares, links, and the people who come by them."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from sharegate.dashboard.shapes.shape import Shape
from sharegate.shares.conditions import Need
from sharegate.shares.model import FrontEnd, KnockState, LinkKind, Role, RootKind, VisitKind

State = Literal["active", "paused", "suspended", "revoked", "expired"]


class Program(Shape):
    """What programs ask for as "server URL" and "token"."""

    url: str
    token: str


class LinkView(Shape):
    """A link, without its address: whoever has that can enter. `email` is where it is sent to, `sent` when it last was,
    and with `sent_unsure` nobody knows whether it arrived, for the gate or the mail server stopped meanwhile;
    `code_expires` until when its short code works, null where it has none. With `coowner` whoever it is for lets
    others in, as soon as somebody is in by it: `coowner_visit` is that visit's label."""

    id: str
    label: str
    share: str
    name: str
    kind: LinkKind
    state: State
    visits_max: int | None
    visits_used: int
    devices_max: int
    role: Role | None
    created: float
    expires: float
    not_before: float | None
    networks: list[str]
    ask: bool
    passphrase: bool
    recipient: str
    domain: str
    account: str
    account_opened: bool
    email: str
    sent: float | None
    sent_unsure: bool
    code_expires: float | None
    coowner: bool
    coowner_visit: str


class LinkGiven(LinkView):
    """A link with its address. `program` is there where the share has links for programs."""

    url: str | UnsetType = UNSET
    program: Program | UnsetType = UNSET


class ShareView(Shape):
    id: str
    label: str
    name: str
    root: str
    kind: RootKind
    open_file: str
    role: Role
    role_sentence: str
    owner: str
    server: str
    created: float
    expires: float
    state: State
    message: str
    clients: bool
    own_extensions: bool
    runnable_files: bool
    page: FrontEnd
    links: list[LinkView]
    visits_open: int
    programs: int
    knocks: int


class Ended(Shape):
    """What was open before an act, and how long it took until all of that was closed."""

    visits: int
    pages: int
    channels: int
    took_ms: float


class Shares(Shape):
    """A page, the oldest first. `next` is the next page's `cursor`, empty at the end."""

    shares: list[ShareView]
    next: str


class OneShare(Shape):
    share: ShareView


class ShareMade(Shape):
    """`overlaps` are other shares of the same files, the newest; `overlaps_more` counts the rest."""

    share: ShareView
    links: list[LinkGiven]
    warnings: list[str]
    overlaps: list[ShareView]
    overlaps_more: int


class ShareActed(Shape):
    share: ShareView
    ended: Ended | None


class OneLink(Shape):
    link: LinkView


class LinkMade(Shape):
    link: LinkGiven


class LinkChanged(Shape):
    """`role` is what whoever enters by the link may do."""

    link: LinkView
    role: Role


class LinkActed(Shape):
    link: LinkGiven
    ended: Ended | None


class CoownerMarked(Shape):
    """`visit` is in whose browser the mark holds; null: in that of whoever opens the link first."""

    link: LinkView
    visit: VisitView | None


class LinkAddress(Shape):
    url: str
    program: Program | UnsetType = UNSET


class PlaceSeen(Shape):
    """Where a program's visit was used."""

    address: str
    agent: str
    since: float
    last: float


class VisitView(Shape):
    """One browser's or program's use of a link; `lacks` is what the link asks for and was not given, `admitted_by` the
    co-owner who let them in, by name."""

    id: str
    label: str
    share: str
    share_name: str
    link: str
    link_label: str
    name: str
    badge: str
    email: str
    account: str
    kind: VisitKind
    role: Role
    state: Literal["open", "ended"]
    lacks: list[Need]
    ended_reason: str
    since: float
    last_seen: float
    where: str
    here: bool
    channels: int
    devices: int
    address: str
    agent: str
    places: list[PlaceSeen]
    came_from: str
    admitted_by: str
    coowner: bool


class Visits(Shape):
    """A page, share by share. `next` is the next page's `cursor`, empty at the end."""

    visits: list[VisitView]
    next: str


class VisitEnded(Shape):
    visit: VisitView
    ended: Ended


class KnockView(Shape):
    """Somebody at the door. `email` is the address that they proved, `lacks` what the link asks for and they have not
    shown."""

    id: str
    label: str
    share: str
    share_name: str
    link_label: str
    link_name: str
    role: Role
    name: str
    email: str
    account: str
    lacks: list[str]
    same_person: bool
    by_address: bool
    came_from: str
    came_from_name: str
    doubts: list[str]
    since: float
    address: str
    agent: str
    state: KnockState


class Knocks(Shape):
    knocks: list[KnockView]


class KnockDecided(Shape):
    """`role` is there for who was admitted."""

    knock: KnockView
    role: Role | UnsetType = UNSET


class Resolved(Shape):
    """The one thing that a short id or a name stands for."""

    kind: Literal["share", "link", "visit", "knock", "server"]
    id: str
    label: str
    title: str


class AskView(Shape):
    """A raised hand: a cell that a visitor asks the owner to run."""

    id: str
    label: str
    share: str
    visit: str
    visit_label: str
    name: str
    badge: str
    path: str
    cell: str
    source: str
    before: str | None
    lines: list[tuple[str, str]]
    digest: str
    since: float
    state: str


class Asked(Shape):
    asks: list[AskView]


class AskId(Shape):
    """Of a hand whose visit is over meanwhile only this is told."""

    id: str
    state: str
    label: str | UnsetType = UNSET
    share: str | UnsetType = UNSET
    visit: str | UnsetType = UNSET
    visit_label: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    badge: str | UnsetType = UNSET
    path: str | UnsetType = UNSET
    cell: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    before: str | UnsetType | None = UNSET
    lines: list[tuple[str, str]] | UnsetType = UNSET
    digest: str | UnsetType = UNSET
    since: float | UnsetType = UNSET


class AskAnswered(Shape):
    ask: AskId
