"""Whether the cells that visitors ask the owner to run are still what was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from sharegate.visits.hands import Hands

LOOK_SECONDS = 1.0
# A hand comes on another channel than the typing before it, and may overtake it.
SETTLING_SECONDS = 2.0


class Asking:
    """`sources(upstream, path)` are a notebook's cells as they are now, by id; None when the gate does not have it.

    Nothing is read while no hand is up.
    """

    def __init__(
        self, hands: Hands, sources: Callable[[str, str], Mapping[str, str] | None], now: Callable[[], float]
    ) -> None:
        self._hands = hands
        self._sources = sources
        self._now = now

    def look(self) -> None:
        """Lower the hands whose cell is another one by now, or is gone."""
        old = [hand for hand in self._hands.waiting() if self._now() - hand.at >= SETTLING_SECONDS]
        for upstream, path in {(hand.upstream, hand.path) for hand in old}:
            sources = self._sources(upstream, path)
            if sources is None:
                continue
            for cell in {hand.cell for hand in old if (hand.upstream, hand.path) == (upstream, path)}:
                self._hands.changed(upstream, path, cell, sources.get(cell))

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()
