"""How many mails may be asked for, and who can keep whom from getting one.

Whoever holds a link can have mail sent to an address that is not theirs. So that this shuts out nobody else, the tight
limit is that of one network at one link; each wider one leaves room for several that are used up, and a part of what a
link sends to a mailbox is for those who ask from where nobody asked lately. What is counted for a mailbox is told to
nobody: when one of these limits is reached, the time to wait is always the same.
"""

from __future__ import annotations

import contextlib
import hashlib

from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.limits import Rate, neighbourhood, network
from sharegate.tally import Limit, Place, Tally

# To one mailbox: asked for by one network at one link; at one link, from where somebody asked for it within the hour,
# and from where nobody did; altogether.
TO_A_MAILBOX_FROM_A_NETWORK = Rate(per=6, seconds=3600, burst=3)
TO_A_MAILBOX_AGAIN = Rate(per=6, seconds=3600, burst=6)
TO_A_MAILBOX_ANEW = Rate(per=12, seconds=3600, burst=6)
TO_A_MAILBOX = Rate(per=54, seconds=3600, burst=36)
# A class of sixty opens one link from one network within a minute, and some of them ask twice.
BY_A_LINK_FROM_A_NETWORK = Rate(per=120, seconds=3600, burst=90)
BY_A_LINK = Rate(per=480, seconds=3600, burst=360)
FROM_A_NETWORK = Rate(per=240, seconds=3600, burst=180)
# From everywhere, at all gates of a store.
OF_ALL = Rate(per=1440, seconds=3600, burst=1080)
# What one more mail takes at the slowest of them for a mailbox: true enough for whoever asked themselves.
MAILBOX_WAIT = 600

_MAILBOX_HERE, _MAILBOX = Limit("mail mailbox here", TO_A_MAILBOX_FROM_A_NETWORK), Limit("mail mailbox", TO_A_MAILBOX)
_AGAIN, _ANEW = Limit("mail again", TO_A_MAILBOX_AGAIN), Limit("mail anew", TO_A_MAILBOX_ANEW)
_LATELY = Limit("mail lately", Rate(per=1, seconds=3600, burst=1))
_LINK_HERE, _LINK = Limit("mail link here", BY_A_LINK_FROM_A_NETWORK), Limit("mail link", BY_A_LINK)
_NETWORK, _ALL = Limit("mail network", FROM_A_NETWORK), Limit("mail all", OF_ALL)
_DOTS_DO_NOT_COUNT = frozenset({"gmail.com", "googlemail.com"})


class Taken:
    """Mails that were counted. `give_back` where nobody could be written to; never after a mail server has heard for
    whom the mail is, or the limits would tell which mailboxes there are."""

    def __init__(self, tally: Tally, counted: list[Place]) -> None:
        self._tally = tally
        self._counted = counted

    async def give_back(self) -> None:
        counted, self._counted = self._counted, []
        with contextlib.suppress(StoreUnavailable):  # fails closed: they stay counted
            await self._tally.spend(counted, -1)


class MailLimits:
    """Of all gates of the store whose `tally` this is."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def take(self, email: str, link: str, address: str) -> Taken:
        """One mail to `email` (clean), asked for with `link` from `address`: of each limit or of none.

        Denied(`mail_limit`) with `wait`; StoreUnavailable.
        """
        box, place = mailbox(email), network(address)
        there = f"{box} {link}"
        around = _LATELY.of(f"{there} {neighbourhood(address)}")
        lately, anew = await self._tally.waits([around, _ANEW.of(there)])
        of_mailbox = [
            _MAILBOX_HERE.of(f"{there} {place}"),
            (_AGAIN if lately or anew else _ANEW).of(there),
            _MAILBOX.of(box),
        ]
        of_others = [_LINK_HERE.of(f"{link} {place}"), _LINK.of(link), _NETWORK.of(place), _ALL.of("")]
        counted = [*of_mailbox, *of_others]
        waits = await self._tally.take(counted)
        # The others are used up by people of any mailbox: of none of them it tells anything.
        wait = max(waits[len(of_mailbox) :])
        if any(waits[: len(of_mailbox)]):
            wait = max(wait, MAILBOX_WAIT)
        if wait:
            raise Denied(Reason.MAIL_LIMIT, "too many mails", wait=wait)
        if not lately:
            await self._tally.spend([around])
            counted.append(around)
        return Taken(self._tally, counted)


def mailbox(email: str) -> str:
    """What counts as one mailbox: most servers put `ann+anything@…` into Ann's, Gmail `a.nn@…` too. Nothing is kept of
    the address."""
    local, _, domain = email.rpartition("@")
    local = local.partition("+")[0]
    if domain in _DOTS_DO_NOT_COUNT:
        local, domain = local.replace(".", ""), "gmail.com"
    return hashlib.sha256(f"{local}@{domain}".encode()).hexdigest()
