"""Shows whether somebody knows a link's passphrase, and slows down who guesses.

Only wrong attempts are counted, so that a class of sixty behind one address comes in. Strangers are counted apart from
whoever is in by the link, so that they do not keep each other out. Of what a link takes from strangers in all, a part
is for networks that were not wrong lately: whoever uses up the rest shuts out those around them, not everybody. What is
compared is slow on purpose: few at a time, in threads, and in turns (turns.py).
"""

from __future__ import annotations

import asyncio

from sharegate.errors import Denied, Reason
from sharegate.limits import Rate, neighbourhood, network
from sharegate.shares.conditions import Need, fingerprint
from sharegate.shares.model import Link
from sharegate.shares.passphrases import matches
from sharegate.tally import Limit, Place, Tally
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
_MINUTE, _HOUR = Limit("passphrase minute", PER_MINUTE), Limit("passphrase hour", PER_HOUR)
_AGAIN, _ANEW = Limit("passphrase again", FROM_AGAIN), Limit("passphrase anew", FROM_ANEW)
_INSIDE = Limit("passphrase inside", FROM_INSIDE)
# One wrong one an hour is lately.
_LATELY = Limit("passphrase lately", Rate(per=1, seconds=3600, burst=1))
AT_ONCE = 2
# Whoever comes when so many wait is told to come again, or another one from where most wait.
WAITING = 300
WAIT_SECONDS = 5


class PassphraseProof:
    """`tally` counts what is wrong, over all gates of the store; turns are this gate's own."""

    need = Need.PASSPHRASE

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._turns = Turns(AT_ONCE, WAITING)

    async def prove(self, link: Link, shown: Shown, comer: Comer, *, known: bool) -> dict[str, str]:
        """`Visit.passphrase`. Denied: `passphrase_needed`, `passphrase_wrong`, `join_limit` with when to come again."""
        if not shown.passphrase:
            raise Denied(Reason.PASSPHRASE_NEEDED)
        place = network(comer.address)
        _check(await self._tally.waits(await self._counted(link, comer, known=known)))
        async with self._turns.turn(link.id, place) as mine:
            if not mine:
                raise Denied(Reason.JOIN_LIMIT, f"{WAITING} wait", wait=WAIT_SECONDS)
            # Counted before it is known to be wrong: many that are sent at once are not all compared.
            counted = await self._counted(link, comer, known=known)
            _check(await self._tally.take(counted))
            right = await asyncio.to_thread(matches, link.passphrase, shown.passphrase)
        if not right:
            if not known:
                await self._tally.spend([_around(comer.address, link)])
            raise Denied(Reason.PASSPHRASE_WRONG)
        await self._tally.spend(counted, -1)
        return {"passphrase": fingerprint(link.passphrase)}

    async def _counted(self, link: Link, comer: Comer, *, known: bool) -> list[Place]:
        """Where a wrong one is counted."""
        if known:
            here = f"in {comer.browser_hash} {link.id}"
            return [_MINUTE.of(here), _HOUR.of(here), _INSIDE.of(link.id)]
        here = f"{network(comer.address)} {link.id}"
        from_here = [_MINUTE.of(here), _HOUR.of(here)]
        lately, anew, again = await self._tally.waits(
            [_around(comer.address, link), _ANEW.of(link.id), _AGAIN.of(link.id)]
        )
        return [*from_here, _AGAIN.of(link.id) if lately or (anew and not again) else _ANEW.of(link.id)]


def _check(waits: list[int]) -> None:
    """Denied(`join_limit`) where there is no room for a wrong one."""
    if any(waits):
        raise Denied(Reason.JOIN_LIMIT, "wrong passphrases", wait=max(waits))


def _around(address: str, link: Link) -> Place:
    """Where it is asked who was wrong lately."""
    return _LATELY.of(f"{neighbourhood(address)} {link.id}")
