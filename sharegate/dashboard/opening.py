"""The owner's way from the terminal into a browser: an address that works once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.interfaces import GateFacts
from sharegate.dashboard.login import INVITE_SECONDS, Logins, Viewer
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import gate
from sharegate.errors import Refused


class Opening:
    """`POST logins`. Over the owner's socket only: a page may not sign in another browser."""

    def __init__(self, logins: Logins, facts: GateFacts, now: Callable[[], float]) -> None:
        self._logins = logins
        self._facts = facts
        self._now = now

    def table(self) -> list[Route]:
        return [
            Route(
                "POST",
                "logins",
                self._open,
                "An address that signs one browser in, once",
                Only.TERMINAL,
                gate.Invited,
                who=Who.ADMIN,
            ),
        ]

    async def _open(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        if not self._facts.running:
            raise Refused("no_gate", "no gate runs here, and so no dashboard", "Start one with: sharegate up")
        code = self._logins.invite(Viewer(self._facts.owner, admin=True, owner=self._facts.owner))
        return {"url": f"{self._facts.dashboard_url}/login#{code}", "expires": self._now() + INVITE_SECONDS}
