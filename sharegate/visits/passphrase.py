"""Shows whether somebody knows a link's passphrase, and slows down who guesses.

Only wrong attempts are counted, so that a class of sixty behind one address comes in; who is in already is not kept out
by somebody else's guesses. What is compared is slow on purpose: few at a time, in threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate, network
from sharegate.shares.conditions import Need, fingerprint
from sharegate.shares.model import Link
from sharegate.shares.passphrases import matches
from sharegate.visits.entry import Comer
from sharegate.visits.proving import Shown

# Wrong ones, from one network at one link; and at one link from everywhere, by browsers that are not in by it.
PER_MINUTE = Rate(per=10, seconds=60, burst=10)
PER_HOUR = Rate(per=60, seconds=3600, burst=60)
FROM_EVERYWHERE = Rate(per=600, seconds=3600, burst=200)
AT_ONCE = 2
# Whoever comes when so many wait is told to come again.
WAITING = 100
WAIT_SECONDS = 5


class PassphraseProof:
    """`pace` is the clock of the limits."""

    need = Need.PASSPHRASE

    def __init__(self, pace: Callable[[], float]) -> None:
        self._minute, self._hour = Buckets(PER_MINUTE, pace), Buckets(PER_HOUR, pace)
        self._everywhere = Buckets(FROM_EVERYWHERE, pace)
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def prove(self, link: Link, shown: Shown, comer: Comer, *, known: bool) -> dict[str, str]:
        """`Visit.passphrase`. Denied: `passphrase_needed`, `passphrase_wrong`, `join_limit` with when to come again."""
        if not shown.passphrase:
            raise Denied(Reason.PASSPHRASE_NEEDED)
        here = f"{network(comer.address)} {link.id}"
        counted = [(self._minute, here), (self._hour, here)]
        if not known:
            counted.append((self._everywhere, link.id))
        _check(counted)
        if self._waiting >= WAITING:
            raise Denied(Reason.JOIN_LIMIT, f"{WAITING} wait", wait=WAIT_SECONDS)
        self._waiting += 1
        try:
            async with self._at_once:
                # Counted before it is known to be wrong: many that are sent at once are not all compared.
                _check(counted)
                for buckets, key in counted:
                    buckets.spend(key, 1)
                right = await asyncio.to_thread(matches, link.passphrase, shown.passphrase)
        finally:
            self._waiting -= 1
        if not right:
            raise Denied(Reason.PASSPHRASE_WRONG)
        for buckets, key in counted:
            buckets.give_back(key, 1)
        return {"passphrase": fingerprint(link.passphrase)}


def _check(counted: list[tuple[Buckets, str]]) -> None:
    wait = max(buckets.wait(key) for buckets, key in counted)
    if wait:
        raise Denied(Reason.JOIN_LIMIT, "wrong passphrases", wait=wait)
