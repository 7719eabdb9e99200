"""Short codes: what a class types that sees a link on the wall.

A code leads to the door of one link and does nothing else: what the link asks for is asked there, names are typed
there, seats are counted there. It works for hours at most, ends by command and with its link, and what it gives to a
browser ends with it. What is stored of it is a keyed digest, for the reasons in mailed.py.

Guessing. There are 27 letters and 8 of them stand in a code: 2.8 · 10¹¹. Only what is wrong is counted, so that a class
of sixty behind one address comes in. From one network 30 wrong ones are heard at once and then as many a minute, but no
more than 200 an hour; from all those that were wrong lately 600 an hour, from all others 1,800. In two hours at most
some 6,000 guesses are compared, whatever the number of computers: with 100 codes that work, one in 470,000 of who tries
finds one, and is then at a door. Wrong, spent, ended and never made are one answer, and so is a limit for good codes.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Reason, Refused
from sharegate.limits import Rate, neighbourhood, network
from sharegate.shares.authenticate import check_link, check_share
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import ALPHABET, Link, LinkKind, Share, new_id
from sharegate.tally import Limit, Place, Tally
from sharegate.visits.entry import Comer

LENGTH = 8
LEAST_SECONDS, MOST_SECONDS = 60.0, 86400.0
_LONGEST_TYPED = 40
PER_MINUTE = Rate(per=30, seconds=60, burst=30)
PER_HOUR = Rate(per=200, seconds=3600, burst=100)
FROM_AGAIN = Rate(per=600, seconds=3600, burst=200)
FROM_ANEW = Rate(per=1800, seconds=3600, burst=600)
_MINUTE, _HOUR = Limit("code minute", PER_MINUTE), Limit("code hour", PER_HOUR)
_AGAIN, _ANEW = Limit("code again", FROM_AGAIN), Limit("code anew", FROM_ANEW)
# One wrong one an hour is lately.
_LATELY = Limit("code lately", Rate(per=1, seconds=3600, burst=1))


class ShortCodes:
    """Makes codes and takes them. `key` is a secret that all gates of a store have, and `tally` counts what is
    wrong over all of them. In memory a gate knows the codes that it made, to show them again; others know that there is
    one."""

    def __init__(
        self,
        store: ShareStore,
        trail: Recorder,
        key: bytes,
        now: Callable[[], float],
        tally: Tally,
    ) -> None:
        self._store = store
        self._trail = trail
        self._key = hmac.digest(key, b"sharegate short codes", "sha256")
        self._now = now
        self._tally = tally
        self._shown: dict[str, str] = {}

    # -- the owner's ----------------------------------------------------------------------------------------------

    async def make(self, share: Share, link: Link, seconds: float) -> Link:
        """A new code for a standing link; the one before ends. Raises Refused."""
        if link.kind is LinkKind.PREVIEW or link.coowner:
            what = "a co-owner's link" if link.coowner else "a preview"
            raise Refused("no_code", f"{what} has no code: whoever sees it could use it", "Make another link")
        try:
            check_share(share, self._now())
            check_link(link, self._now())
        except Denied:
            remedy = "Open it again, or make another one"
            raise Refused("link_over", "nobody could come in by this link now", remedy) from None
        code = new_id(LENGTH)
        while await self._store.link_by_code(self._digest(code)) is not None:
            code = new_id(LENGTH)
        expires = min(self._now() + seconds, share.expires, link.expires)
        changed = await self._store.change_link(link.id, code_hash=self._digest(code), code_expires=expires)
        self._shown[link.id] = code
        return changed

    async def end(self, link: Link) -> Link:
        """It opens nothing any more, nor does what it gave. Whoever is in stays in."""
        self._shown.pop(link.id, None)
        return await self._store.change_link(link.id, code_hash="", code_expires=0.0)

    def shown(self, link: Link) -> str:
        """The code of a link, in capitals; "" where there is none, or where another gate, or this one before it was
        started anew, made it."""
        code = self._shown.get(link.id, "")
        if not code or not self.works(link) or not hmac.compare_digest(self._digest(code), link.code_hash):
            self._shown.pop(link.id, None)
            return ""
        return code.upper()

    def works(self, link: Link) -> bool:
        return bool(link.code_hash) and self._now() < link.code_expires

    # -- at the door ----------------------------------------------------------------------------------------------

    async def take(self, typed: str, comer: Comer) -> Link:
        """The link that a code leads to. Denied: `short_code_invalid`, `join_limit` with when to come again."""
        # Before it is known to be wrong: many that are sent at once are not all compared.
        counted = await self._count(comer.address)
        code = "".join(char for char in typed[:_LONGEST_TYPED].lower() if char.isalnum())
        plain = len(code) == LENGTH and set(code) <= set(ALPHABET)
        link = await self._store.link_by_code(self._digest(code if plain else ""))
        share = await self._store.share(link.share) if link is not None else None
        if not plain or link is None or share is None or not self._open(share, link):
            await self._tally.spend([_LATELY.of(neighbourhood(comer.address))])
            raise Denied(Reason.SHORT_CODE_INVALID)
        await self._tally.spend(counted, -1)
        await self._trail.record(
            AuditEvent(
                action=Action.SHORT_CODE_USED,
                actor="stranger",
                share=share.id,
                link=link.id,
                address=comer.address,
                agent=comer.agent,
            )
        )
        return link

    def _open(self, share: Share, link: Link) -> bool:
        """Of what is paused or over a code tells nothing, not even that."""
        try:
            check_share(share, self._now())
            check_link(link, self._now())
        except Denied:
            return False
        return self.works(link) and not link.coowner

    async def _count(self, address: str) -> list[Place]:
        """Where a wrong one is counted, and it is. Denied(`join_limit`) where there is no room for one."""
        place = network(address)
        (lately,) = await self._tally.waits([_LATELY.of(neighbourhood(address))])
        counted = [_MINUTE.of(place), _HOUR.of(place), (_AGAIN if lately else _ANEW).of("")]
        waits = await self._tally.take(counted)
        if any(waits):
            raise Denied(Reason.JOIN_LIMIT, "wrong codes", wait=max(waits))
        return counted

    def _digest(self, code: str) -> str:
        return hmac.digest(self._key, code.encode(), "sha256").hex()
