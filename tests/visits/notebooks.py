"""What visitors have open, in memory."""

from __future__ import annotations

from collections.abc import Callable

from sharegate.errors import Denied, Reason
from sharegate.visits.hands import Hands


class Open:
    """Every visit has every notebook open. `cells`: path → cell id → source."""

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, str]] = {}
        self.number = 1  # another one: another file lies at the path
        self.closed = self.elsewhere = self.silent = False
        self.read: list[tuple[str, str, str]] = []

    def room_of(self, visit: str, upstream: str, path: str) -> str:
        return "" if self.closed else f"json:notebook:{path}-{self.number}"

    def sources(self, upstream: str, room: str, path: str) -> dict[str, str] | None:
        self.read.append((upstream, room, path))
        return None if self.closed or room != self.room_of("", upstream, path) else self.cells.get(path, {})

    async def lies(self, upstream: str, room: str, path: str) -> bool:
        if self.silent:
            raise Denied(Reason.UPSTREAM_AWAY, "no answer")
        return not self.elsewhere


def raised(clock: Callable[[], float], notebooks: Open | None = None) -> Hands:
    """Hands over these notebooks."""
    hands = Hands(clock)
    hands.notebooks = notebooks or Open()
    return hands
