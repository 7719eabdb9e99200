"""How many connections may stand open, in all and from one place: whoever only connects costs a descriptor and nothing
may be asked of them before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sharegate.limits import network


def _nobody(_: str) -> bool:
    return False


class Crowd:
    """Counts what is open. `exempt` says whose address stands for many people (a proxy in front, this computer): for
    those only the number of all counts."""

    def __init__(self, total: int, per_address: int, exempt: Callable[[str], bool] = _nobody) -> None:
        self._total = total
        self._per_address = per_address
        self._exempt = exempt
        self._places: Counter[str] = Counter()
        self.open = 0

    def enter(self, address: str) -> str | None:
        """The place to give back to `leave`; None when there is no room."""
        place = "" if self._exempt(address) else network(address)
        if self.open >= self._total or (place and self._places[place] >= self._per_address):
            return None
        self.open += 1
        self._places[place] += 1
        return place

    def leave(self, place: str) -> None:
        self.open -= 1
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]
