"""How the gate is doing, for its owner: the checks of `/ready`, and the numbers that a person can use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from sharegate.dashboard.asking import Who
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import gate
from sharegate.shares.api_tokens import ApiCapability as Can


class Now(Protocol):
    """What a look at the gate finds, as metrics.py has it."""

    @property
    def channels(self) -> Mapping[str, int]: ...

    @property
    def checks(self) -> Mapping[str, str]: ...

    @property
    def rooms(self) -> int: ...

    @property
    def unsaved(self) -> int: ...

    @property
    def visits(self) -> int: ...

    @property
    def knocks(self) -> int: ...

    @property
    def trail_waiting(self) -> int: ...

    @property
    def versions_bytes(self) -> int: ...

    @property
    def connections(self) -> int: ...

    @property
    def connections_most(self) -> int: ...

    @property
    def connections_refused(self) -> int: ...

    @property
    def clock_behind(self) -> float: ...


NUMBERS = (
    "visits",
    "rooms",
    "unsaved",
    "knocks",
    "trail_waiting",
    "versions_bytes",
    "connections",
    "connections_most",
    "connections_refused",
    "clock_behind",
)


class Vitals:
    """`GET health`. `look` is set by who runs a gate; without one nothing is known."""

    look: Callable[[], Awaitable[Now]] | None = None

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "health",
                self._health,
                "Checks and numbers of the gate",
                Can.GATE_READ,
                gate.HealthView,
                who=Who.ADMIN,
            )
        ]

    async def _health(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        if self.look is None:
            return {"running": False, "checks": {}, "channels": {}, "numbers": {}}
        now = await self.look()
        return {
            "running": True,
            "checks": dict(now.checks),
            "channels": {str(kind): count for kind, count in now.channels.items()},
            "numbers": {name: getattr(now, name) for name in NUMBERS},
        }
