"""How many mails may be asked for, and who can keep whom from getting one.

Whoever holds a link can have mail sent to an address that is not theirs. So that this shuts out nobody else, the tight
limit is that of one network at one link; each wider one leaves room for several that are used up. What is counted for a
mailbox over links and networks is told to nobody: when one of these is reached, the time to wait is always the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate, network

# To one mailbox: asked for by one network at one link; at one link; altogether.
TO_A_MAILBOX_FROM_A_NETWORK = Rate(per=6, seconds=3600, burst=3)
TO_A_MAILBOX_BY_A_LINK = Rate(per=12, seconds=3600, burst=9)
TO_A_MAILBOX = Rate(per=36, seconds=3600, burst=27)
# A class of sixty opens one link from one network within a minute, and some of them ask twice.
BY_A_LINK_FROM_A_NETWORK = Rate(per=120, seconds=3600, burst=90)
BY_A_LINK = Rate(per=480, seconds=3600, burst=360)
FROM_A_NETWORK = Rate(per=240, seconds=3600, burst=180)
OF_A_GATE = Rate(per=1440, seconds=3600, burst=1080)
# What one more mail takes at the slowest of them for a mailbox: true enough for whoever asked themselves.
MAILBOX_WAIT = 600

_DOTS_DO_NOT_COUNT = frozenset({"gmail.com", "googlemail.com"})


@dataclass(slots=True)
class _Limit:
    buckets: Buckets
    of_a_mailbox: bool


class Taken:
    """Mails that were counted. `give_back` where nobody could be written to; never after a mail server has heard for
    whom the mail is, or the limits would tell which mailboxes there are."""

    def __init__(self, counted: list[tuple[Buckets, str]]) -> None:
        self._counted = counted

    def give_back(self) -> None:
        counted, self._counted = self._counted, []
        for buckets, key in counted:
            buckets.give_back(key, 1)


class MailLimits:
    """Of one gate, in memory. `pace` is the clock."""

    def __init__(self, pace: Callable[[], float]) -> None:
        rates = {
            TO_A_MAILBOX_FROM_A_NETWORK: True,
            TO_A_MAILBOX_BY_A_LINK: True,
            TO_A_MAILBOX: True,
            BY_A_LINK_FROM_A_NETWORK: False,
            BY_A_LINK: False,
            FROM_A_NETWORK: False,
            OF_A_GATE: False,
        }
        self._limits = [_Limit(Buckets(rate, pace), mailbox) for rate, mailbox in rates.items()]

    def take(self, email: str, link: str, address: str) -> Taken:
        """One mail to `email` (clean), asked for with `link` from `address`: of each limit or of none.

        Denied(`mail_limit`) with `wait`.
        """
        box, place = mailbox(email), network(address)
        keys = (f"{box} {link} {place}", f"{box} {link}", box, f"{link} {place}", link, place, "")
        both = list(zip(self._limits, keys, strict=True))
        waits = [limit.buckets.wait(key) for limit, key in both]
        if any(waits):
            told = [
                MAILBOX_WAIT if limit.of_a_mailbox else wait
                for limit, wait in zip(self._limits, waits, strict=True)
                if wait
            ]
            raise Denied(Reason.MAIL_LIMIT, "too many mails", wait=max(told))
        for limit, key in both:
            limit.buckets.spend(key, 1)
        return Taken([(limit.buckets, key) for limit, key in both])


def mailbox(email: str) -> str:
    """What counts as one mailbox: most servers put `ann+anything@…` into Ann's, Gmail `a.nn@…` too. Nothing is kept of
    the address."""
    local, _, domain = email.rpartition("@")
    local = local.partition("+")[0]
    if domain in _DOTS_DO_NOT_COUNT:
        local, domain = local.replace(".", ""), "gmail.com"
    return hashlib.sha256(f"{local}@{domain}".encode()).hexdigest()
