"""Rosters: what was read of one, and what was made of it."""

from __future__ import annotations

from typing import Literal

from sharegate.dashboard.shapes.given import LinkGiven, LinkView, ShareView
from sharegate.dashboard.shapes.shape import Shape


class PersonRead(Shape):
    """One row; `row` counts from 1, the heading included."""

    row: int
    name: str
    email: str
    account: str
    team: str


class RowFault(Shape):
    """What is wrong in a row (0: in the list as a whole), and what to do."""

    row: int
    field: str
    problem: str
    remedy: str


class RosterRead(Shape):
    """Nothing is made of a roster that has faults."""

    people: list[PersonRead]
    faults: list[RowFault]
    faults_more: int
    notes: list[str]
    columns: list[str]


class RosterShared(Shape):
    """`made` are new links; `known` are those of people who had one before, who are let alone; `people` are all of the
    roster, and `new` the rows of those who had none before. `fresh`: the share was made, too. `done` is false where
    nothing was made, because it was only tried: then `share` is null where there is none yet. `proves`: each new link
    with an address asks for a code that is mailed there. `warnings` are told beside it."""

    share: ShareView | None
    fresh: bool
    done: bool
    people: list[PersonRead]
    new: list[int]
    made: list[LinkGiven]
    known: list[LinkGiven]
    proves: bool
    warnings: list[str]


class TeamShared(Shape):
    """One team: its folder, and what was made. Before anything is made `share` is null where there is none yet."""

    team: str
    path: str
    people: list[PersonRead]
    share: ShareView | None
    fresh: bool
    made: list[LinkGiven]
    known: list[LinkGiven]


class TeamMissing(Shape):
    team: str
    row: int


class TeamsShared(Shape):
    """`left` are folders that no row names, `missing` teams without a folder. `done` is false where nothing was made,
    because it was only tried."""

    teams: list[TeamShared]
    left: list[str]
    missing: list[TeamMissing]
    done: bool
    proves: bool
    warnings: list[str]


class ShortCode(Shape):
    """`code` is as it is read from a wall, "" where there is none or this gate does not know it any more; `address` is
    where it is typed, `image` a QR code that leads there with the code filled in."""

    link: LinkView
    code: str
    expires: float | None
    address: str
    image: str


class LinkSent(Shape):
    """`outcome` says whether this call sent it, it was sent before (`already`), or that was begun before and nobody
    knows how it ended (`unsure`)."""

    link: LinkView
    outcome: Literal["sent", "already", "unsure"]
