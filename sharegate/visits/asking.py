"""Whether the cells that visitors ask the owner to run are still what was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sharegate.visits.hands import Hands, HandState

LOOK_SECONDS = 1.0
# A hand comes on another channel than the typing before it, and may overtake it.
SETTLING_SECONDS = 2.0
# A page that is loaded again, or whose connection broke, comes back. Until then its asks are shown to nobody.
CLOSED_SECONDS = 60.0


class Asking:
    """Lowers hands. Nothing is read while none is up."""

    def __init__(self, hands: Hands, now: Callable[[], float]) -> None:
        self._hands = hands
        self._now = now
        self._seen: dict[str, float] = {}  # hand → when its notebook was last open
        self._stood: set[str] = set()  # at the last look

    def look(self) -> None:
        """Lower the hands whose cell is another one by now, or is gone, or whose notebook nobody has open any more."""
        up = self._hands.waiting()
        ids = {hand.id for hand in up}
        self._seen = {id: at for id, at in self._seen.items() if id in ids}
        self._stood &= ids
        for hand, stands in self._hands.stand(up):
            if stands is None:
                if self._now() - self._seen.setdefault(hand.id, hand.at) >= CLOSED_SECONDS:
                    self._hands.lower(hand, HandState.CLOSED)
                continue
            self._seen[hand.id] = self._now()
            if stands and hand.id not in self._stood:
                self._stood.add(hand.id)
                self._hands.again(hand)
            elif not stands and (hand.id in self._stood or self._now() - hand.at >= SETTLING_SECONDS):
                self._hands.lower(hand, HandState.CHANGED)

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()
