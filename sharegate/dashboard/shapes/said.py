"""What visitors say: reports to the admins, and asks for more time."""

from __future__ import annotations

from typing import Literal

from sharegate.dashboard.shapes.given import State
from sharegate.dashboard.shapes.shape import Shape
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
    """`open` counts those that wait, whatever is listed."""

    reports: list[ReportView]
    open: int


class OneReport(Shape):
    report: ReportView
