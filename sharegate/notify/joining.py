"""Many happenings become few messages: one for each kind and share in a while, so many in an hour, then one that says
how many more there were. Decides on plain values and a clock that is handed in."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from sharegate.notify.model import SHOWN, Bundle, Happening, Kind

# What comes in crowds is looked at for a while before the first word.
GATHER: dict[Kind, float] = {Kind.DENIED: 60.0, Kind.PASSED_ON: 10.0, Kind.VISIT: 10.0}
PER_HOUR = 20
# What visitors bring about with a few clicks must not use up what is left to say that something is wrong.
URGENT = frozenset({Kind.ALARM, Kind.REPORT, Kind.EXPIRING})
URGENT_PER_HOUR = 10
_HOUR = 3600.0
# Kinds and shares that are remembered; the ones that were quiet longest are told at once when there are more.
_REMEMBERED = 1000


@dataclass(slots=True)
class _Held:
    """`next` is when this kind at this share may be told of again."""

    next: float
    name: str = ""
    who: list[str] = field(default_factory=list)
    count: int = 0
    until: float = 0.0


class Joining:
    """`quiet` seconds lie between two messages of one kind and share."""

    def __init__(self, quiet: float, per_hour: int = PER_HOUR) -> None:
        self._quiet = quiet
        self._per_hour = per_hour
        self._held: OrderedDict[tuple[Kind, str], _Held] = OrderedDict()
        # When, and of which share.
        self._told: deque[tuple[float, str]] = deque()
        self._urgent: deque[tuple[float, str]] = deque()
        self._over = 0

    def add(self, one: Happening, now: float) -> None:
        key = one.kind, one.share
        held = self._held.setdefault(key, _Held(now + GATHER.get(one.kind, 0.0)))
        self._held.move_to_end(key)
        held.name = one.name
        held.until = max(held.until, one.until)
        held.count += one.count
        if one.who and one.who not in held.who and len(held.who) < SHOWN:
            held.who.append(one.who)
        if len(self._held) > _REMEMBERED:
            _, oldest = self._held.popitem(last=False)
            self._over += oldest.count

    def due(self, now: float, *, everything: bool = False) -> list[Bundle]:
        """What is to be told now; with `everything` what waits for its moment, too."""
        for told in (self._told, self._urgent):
            while told and told[0][0] <= now - _HOUR:
                told.popleft()
        found: list[Bundle] = []
        for key, held in list(self._held.items()):
            if held.next > now and not (everything and held.count):
                continue
            if not held.count:
                del self._held[key]
                continue
            urgent = key[0] in URGENT
            told, most = (self._urgent, URGENT_PER_HOUR) if urgent else (self._told, self._per_hour)
            of_share = [at for at, share in told if share == key[1]]
            if not urgent and not everything and len(of_share) >= max(1, most // 2):
                held.next = of_share[0] + _HOUR  # one share leaves others their half, and is told of later, in one
                continue
            if len(told) + 1 > most:
                self._over += held.count
            else:
                found.append(Bundle(key[0], key[1], held.name, tuple(held.who), held.count, held.until))
                told.append((now, key[1]))
            self._held[key] = _Held(now + self._quiet)
        if self._over and (len(self._told) < self._per_hour or everything):
            found.append(Bundle(Kind.MORE, "", "", (), self._over))
            self._told.append((now, ""))
            self._over = 0
        return found

    def wait(self, now: float) -> float | None:
        """Seconds until something may be due; None when nothing waits."""
        moments = [held.next for held in self._held.values() if held.count]
        if self._over and self._told:
            moments.append(self._told[0][0] + _HOUR)
        return max(0.0, min(moments) - now) if moments else None
