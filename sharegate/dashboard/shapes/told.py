"""Notifications: who is told of what, and how the services do."""

from __future__ import annotations

from sharegate.dashboard.shapes.shape import Shape
from sharegate.notify.model import Audience


class KindView(Shape):
    kind: str
    meaning: str
    told: bool


class ServiceView(Shape):
    """`name` says which service it is and nothing of its address. Counted since the gate started."""

    audience: Audience
    name: str
    waiting: int
    sent: int
    lost: int
    last_sent: float | None
    last_lost: float | None


class Notifications(Shape):
    on: bool
    quiet_minutes: float
    about: list[KindView]
    services: list[ServiceView]


class TestedView(Shape):
    audience: Audience
    name: str
    taken: bool


class NotificationsTested(Shape):
    results: list[TestedView]
