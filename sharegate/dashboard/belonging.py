"""Whose things a verb of the API is about. Who is neither admin nor their owner is told what everybody is told who asks
for what is not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from sharegate.dashboard.asking import Asker, asker
from sharegate.dashboard.register import Register
from sharegate.errors import NotFound, Refused
from sharegate.shares.interfaces import ShareStore
from sharegate.upstream.interfaces import UpstreamStore


class Of(StrEnum):
    """What the `id` in an address names; or that a verb lists what is there (its handler leaves out what is others'),
    or is about the records as a whole. GATE: nobody's in particular."""

    GATE = "gate"
    LISTED = "listed"
    WHOLE = "whole"
    SHARE = "share"
    LINK = "link"
    VISIT = "visit"
    KNOCK = "knock"
    SERVER = "server"
    ASK = "ask"
    TIME = "time"
    ALARM = "alarm"
    PROOF = "proof"
    VERSION = "version"


# Where the store has another word.
_STORED = {"upstream": Of.SERVER}

# The owner of what an id names; None for what is not there.
Owner = Callable[[str], Awaitable[str | None]]


class Belonging:
    """`more` tells the owners of what is in no store."""

    def __init__(
        self, store: ShareStore, upstreams: UpstreamStore, more: Mapping[Of, Owner], register: Register
    ) -> None:
        self._register = register
        self._store = store
        self._upstreams = upstreams
        self._owners: dict[Of, Owner] = {
            Of.SHARE: self.of_share,
            Of.LINK: self._of_link,
            Of.VISIT: self._of_visit,
            Of.KNOCK: self._of_knock,
            Of.SERVER: self.of_server,
            **more,
        }

    async def check(self, of: Of, id: str, query: Mapping[str, str]) -> None:
        """Raises NotFound for what is another owner's and for what is not there alike; Refused(`not_admin`) for the
        records as a whole, where they are not all one's own."""
        who = asker()
        if who.for_all or of in (Of.GATE, Of.LISTED):
            return
        if of is Of.WHOLE:
            await self._check_whole(who, query.get("share", ""))
            return
        owner = await self._owners[of](id)
        if owner is None or not who.has(owner):
            raise NotFound(of.value, id)

    async def _check_whole(self, who: Asker, share: str) -> None:
        if share:
            owner = await self.of_share(share)
            if owner is None or not who.has(owner):
                raise NotFound("share", share[:80])
            return
        await self._register.fresh()
        owners = self._register.owners("all")
        owners |= {each.owner for each in await self._upstreams.upstreams()}
        if not all(map(who.has, owners)):
            raise Refused("not_admin", "all of it is for admins: others share here too", "Name one of your shares")

    async def of(self, kind: str, id: str) -> str | None:
        """The owner of a record that the store told of by its kind; None for what is nobody's in particular, and for
        what is gone."""
        of = _STORED.get(kind) or (Of(kind) if kind in tuple(Of) else None)
        return await self._owners[of](id) if of in self._owners else None

    async def of_share(self, id: str) -> str | None:
        share = await self._store.share(id)
        return share.owner if share is not None else None

    async def of_server(self, id: str) -> str | None:
        return next((one.owner for one in await self._upstreams.upstreams() if one.id == id), None)

    async def _of_link(self, id: str) -> str | None:
        link = await self._store.link(id)
        return await self.of_share(link.share) if link is not None else None

    async def _of_visit(self, id: str) -> str | None:
        visit = await self._store.visit(id)
        return await self.of_share(visit.share) if visit is not None else None

    async def _of_knock(self, id: str) -> str | None:
        knock = await self._store.knock(id)
        return await self.of_share(knock.share) if knock is not None else None


def check_own(kind: str, id: str, owner: str) -> None:
    """For what a body or a query names. Raises NotFound for what is another owner's."""
    if not asker().has(owner):
        raise NotFound(kind, id[:80])
