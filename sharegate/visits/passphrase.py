"""Shows whether somebody knows a link's passphrase, and slows down who guesses.

Only wrong attempts are counted, so that a class of sixty behind one address comes in. Strangers are counted apart from
whoever is in by the link, so that they do not keep each other out. Of what a link takes from strangers in all, a part
is for networks that were not wrong lately: whoever uses up the rest shuts out those around them, not everybody. What is
compared is slow on purpose: few at a time, in threads, and in turns (turns.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate, neighbourhood, network
from sharegate.shares.conditions import Need, fingerprint
from sharegate.shares.model import Link
from sharegate.shares.passphrases import matches
from sharegate.visits.entry import Comer
from sharegate.visits.proving import Shown
from sharegate.visits.turns import Turns

# Wrong ones at one link: from one network, or from one browser that is in.
PER_MINUTE = Rate(per=10, seconds=60, burst=10)
PER_HOUR = Rate(per=60, seconds=3600, burst=60)
# From everywhere: from networks that were wrong lately, and from those that were not; from all browsers that are in.
FROM_AGAIN = Rate(per=300, seconds=3600, burst=100)
FROM_ANEW = Rate(per=300, seconds=3600, burst=100)
FROM_INSIDE = Rate(per=300, seconds=3600, burst=100)
# One wrong one an hour is lately.
_LATELY = Rate(per=1, seconds=3600, burst=1)
AT_ONCE = 2
# Whoever comes when so many wait is told to come again, or another one from where most wait.
WAITING = 300
WAIT_SECONDS = 5

_Counted = list[tuple[Buckets, str]]


class PassphraseProof:
    """`pace` is the clock of the limits, which are this gate's own, in memory."""

    need = Need.PASSPHRASE

    def __init__(self, pace: Callable[[], float]) -> None:
        self._minute, self._hour = Buckets(PER_MINUTE, pace), Buckets(PER_HOUR, pace)
        self._again, self._anew = Buckets(FROM_AGAIN, pace), Buckets(FROM_ANEW, pace)
        self._inside = Buckets(FROM_INSIDE, pace)
        self._lately = Buckets(_LATELY, pace)
        self._turns = Turns(AT_ONCE, WAITING)

    async def prove(self, link: Link, shown: Shown, comer: Comer, *, known: bool) -> dict[str, str]:
        """`Visit.passphrase`. Denied: `passphrase_needed`, `passphrase_wrong`, `join_limit` with when to come again."""
        if not shown.passphrase:
            raise Denied(Reason.PASSPHRASE_NEEDED)
        place = network(comer.address)
        self._counted(link, comer, known=known)
        async with self._turns.turn(link.id, place) as mine:
            if not mine:
                raise Denied(Reason.JOIN_LIMIT, f"{WAITING} wait", wait=WAIT_SECONDS)
            # Counted before it is known to be wrong: many that are sent at once are not all compared.
            counted = self._counted(link, comer, known=known)
            for buckets, key in counted:
                buckets.spend(key, 1)
            right = await asyncio.to_thread(matches, link.passphrase, shown.passphrase)
        if not right:
            if not known:
                self._lately.spend(_around(comer.address, link), 1)
            raise Denied(Reason.PASSPHRASE_WRONG)
        for buckets, key in counted:
            buckets.give_back(key, 1)
        return {"passphrase": fingerprint(link.passphrase)}

    def _counted(self, link: Link, comer: Comer, *, known: bool) -> _Counted:
        """Where a wrong one is counted. Denied(`join_limit`) where there is no room for one."""
        if known:
            here = f"in {comer.browser_hash} {link.id}"
            return _with_room([(self._minute, here), (self._hour, here), (self._inside, link.id)])
        here = f"{network(comer.address)} {link.id}"
        from_here: _Counted = [(self._minute, here), (self._hour, here)]
        wrong_lately = self._lately.wait(_around(comer.address, link)) > 0
        if wrong_lately or (self._anew.wait(link.id) and not self._again.wait(link.id)):
            return _with_room([*from_here, (self._again, link.id)])
        return _with_room([*from_here, (self._anew, link.id)])


def _with_room(counted: _Counted) -> _Counted:
    wait = max(buckets.wait(key) for buckets, key in counted)
    if wait:
        raise Denied(Reason.JOIN_LIMIT, "wrong passphrases", wait=wait)
    return counted


def _around(address: str, link: Link) -> str:
    """Where it is asked who was wrong lately."""
    return f"{neighbourhood(address)} {link.id}"
