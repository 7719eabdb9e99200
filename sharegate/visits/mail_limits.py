"""How many mails may be asked for, and who can keep whom from getting one.

Whoever holds a link can have mail sent to an address that is not theirs. So that this shuts out nobody else, the tight
limit is that of one network at one link; each wider one leaves room for several that are used up, and a part of what a
link sends to a mailbox is for those who ask from where nobody asked lately. What is counted for a mailbox is told to
nobody: when one of these limits is reached, the time to wait is always the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate, neighbourhood, network

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
OF_A_GATE = Rate(per=1440, seconds=3600, burst=1080)
# What one more mail takes at the slowest of them for a mailbox: true enough for whoever asked themselves.
MAILBOX_WAIT = 600

_WITHIN_THE_HOUR = Rate(per=1, seconds=3600, burst=1)
_DOTS_DO_NOT_COUNT = frozenset({"gmail.com", "googlemail.com"})


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
        self._mailbox_here, self._mailbox = Buckets(TO_A_MAILBOX_FROM_A_NETWORK, pace), Buckets(TO_A_MAILBOX, pace)
        self._again, self._anew = Buckets(TO_A_MAILBOX_AGAIN, pace), Buckets(TO_A_MAILBOX_ANEW, pace)
        self._lately = Buckets(_WITHIN_THE_HOUR, pace)
        self._link_here, self._link = Buckets(BY_A_LINK_FROM_A_NETWORK, pace), Buckets(BY_A_LINK, pace)
        self._network, self._gate = Buckets(FROM_A_NETWORK, pace), Buckets(OF_A_GATE, pace)

    def take(self, email: str, link: str, address: str) -> Taken:
        """One mail to `email` (clean), asked for with `link` from `address`: of each limit or of none.

        Denied(`mail_limit`) with `wait`.
        """
        box, place = mailbox(email), network(address)
        there = f"{box} {link}"
        around = f"{there} {neighbourhood(address)}"
        again = self._lately.wait(around) > 0 or self._anew.wait(there) > 0
        of_mailbox = [
            (self._mailbox_here, f"{there} {place}"),
            (self._again if again else self._anew, there),
            (self._mailbox, box),
        ]
        of_others = [(self._link_here, f"{link} {place}"), (self._link, link), (self._network, place), (self._gate, "")]
        # The others are used up by people of any mailbox: of none of them it tells anything.
        wait = max(buckets.wait(key) for buckets, key in of_others)
        if any(buckets.wait(key) for buckets, key in of_mailbox):
            wait = max(wait, MAILBOX_WAIT)
        if wait:
            raise Denied(Reason.MAIL_LIMIT, "too many mails", wait=wait)
        counted = [*of_mailbox, *of_others]
        for buckets, key in counted:
            buckets.spend(key, 1)
        if not self._lately.wait(around):
            self._lately.spend(around, 1)
            counted.append((self._lately, around))
        return Taken(counted)


def mailbox(email: str) -> str:
    """What counts as one mailbox: most servers put `ann+anything@…` into Ann's, Gmail `a.nn@…` too. Nothing is kept of
    the address."""
    local, _, domain = email.rpartition("@")
    local = local.partition("+")[0]
    if domain in _DOTS_DO_NOT_COUNT:
        local, domain = local.replace(".", ""), "gmail.com"
    return hashlib.sha256(f"{local}@{domain}".encode()).hexdigest()
