"""What visitors say: reports to the admins, and asks for more time."""

from __future__ import annotations

from typing import Literal

from sharegate.dashboard.shapes.given import State
from sharegate.dashboard.shapes.shape import Shape
from sharegate.shares.more_time import TimeState
from sharegate.shares.reports import Concern


class ReportView(Shape):
    """`share_state` is "" for a share whose record is gone, `visit` for who told it at the door. `name`, `address` and
    `text` are what a visitor gave."""

    id: str
    label: str
    share: str
    share_name: str
    share_state: State | Literal[""]
    owner: str
    link_label: str
    link_name: str
    visit: str
    visit_label: str
    name: str
    address: str
    concern: Concern
    concern_words: str
    text: str
    created: float
    state: Literal["open", "closed"]
    closed: float | None
    note: str


class Reports(Shape):
    """Page number `page` of `count`, with `limit` on a page. `open` counts those that wait, whatever is listed."""

    reports: list[ReportView]
    open: int
    count: int
    page: int
    limit: int


class OneReport(Shape):
    report: ReportView


class TimeView(Shape):
    """Somebody asks for more time. `visit` is "" for who was not known to have one; `expires` is the link's end now.
    With `whole_share` the link ends with its share, whose new end is that of `links` links."""

    id: str
    label: str
    share: str
    share_name: str
    link_label: str
    link_name: str
    visit: str
    visit_label: str
    name: str
    badge: str
    expires: float
    whole_share: bool
    links: int
    since: float
    state: TimeState


class Times(Shape):
    times: list[TimeView]


class TimeAnswered(Shape):
    """`until` is the new end, 0 where there is none."""

    time: TimeView
    until: float
