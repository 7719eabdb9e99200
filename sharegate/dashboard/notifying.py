"""Notifications: what is told to whom, how the services do, and trying them out. No address leaves the gate."""

from __future__ import annotations

from typing import Any

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import told
from sharegate.errors import Refused
from sharegate.notify.model import CHOICES, MEANINGS, Audience
from sharegate.notify.notifier import Notifier

Json = dict[str, Any]
Finding = dict[str, str]


class Notifying:
    """`notifications`."""

    def __init__(self, notifier: Notifier, trail: Recorder) -> None:
        self._notifier = notifier
        self._trail = trail

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "notifications",
                self._show,
                "Who is told of what, and how the services do",
                Only.PERSON,
                told.Notifications,
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "notifications/test",
                self._test,
                "Send a notification to each service, to see whether it arrives",
                Only.PERSON,
                told.NotificationsTested,
                who=Who.ADMIN,
            ),
        ]

    async def _show(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        notices = self._notifier.notices
        return {
            "on": notices.on,
            "quiet_minutes": notices.quiet / 60,
            "about": [
                {"kind": kind.value, "meaning": MEANINGS[kind], "told": kind in notices.about} for kind in CHOICES
            ],
            "services": [
                {
                    "audience": audience.value,
                    "name": state.name,
                    "waiting": state.waiting,
                    "sent": state.sent,
                    "lost": state.lost,
                    "last_sent": state.last_sent,
                    "last_lost": state.last_lost,
                }
                for audience, state in self._notifier.states()
            ],
        }

    async def _test(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        if not self._notifier.notices.on:
            raise Refused(
                "notify_off",
                "this gate tells nobody: no service is named",
                "Set notify_file; see docs/notifications.md",
            )
        results = await self._notifier.test()
        said = ", ".join(f"{name}: {'taken' if taken else 'not taken'}" for _, name, taken in results)
        failed = not all(taken for _, _, taken in results)
        outcome = Outcome.FAILED if failed else Outcome.ALLOWED
        event = AuditEvent(action=Action.NOTIFICATION_TESTED, outcome=outcome, actor="owner", detail=said)
        await self._trail.record(event)
        return {"results": [{"audience": who.value, "name": name, "taken": taken} for who, name, taken in results]}

    async def findings(self) -> list[Finding]:
        """For `doctor`. Nothing is sent."""
        found: list[Finding] = []
        for audience, state in self._notifier.states():
            whom = "admins" if audience is Audience.ADMINS else "you"
            if state.last_lost is not None and state.last_lost > (state.last_sent or 0.0):
                what = f"Notifications to {whom} by {state.name} are not taken: {state.lost} lost"
                remedy = "Try it out: sharegate notify test"
                found.append({"level": "warn", "what": what, "remedy": remedy})
            else:
                found.append({"level": "ok", "what": f"Notifications to {whom} go out by {state.name}", "remedy": ""})
        return found
