"""The gate's own addresses below a visit: `-/live`, `-/leave`, `-/device`, `-/ended`, `-/coowner`."""

from __future__ import annotations

from collections.abc import Callable

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Reason
from sharegate.lab.device import device_answer
from sharegate.messages import Answer, Request, Response
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.authenticate import Authenticator, check_met
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Grant
from sharegate.visits import cookies
from sharegate.visits.coowners.apart import ADDRESS, CoownerPages
from sharegate.visits.join import Door
from sharegate.visits.pages import Ended, Ending, ended_page
from sharegate.visits.unrecorded import Unrecorded


class OwnAddresses:
    """Answers what concerns the visit itself; the live channel is the gate's."""

    def __init__(
        self,
        store: ShareStore,
        authenticator: Authenticator,
        door: Door,
        trail: Recorder,
        addresses: GateAddresses,
        now: Callable[[], float],
        coowners: CoownerPages | None = None,
    ) -> None:
        self._store = store
        self._authenticator = authenticator
        self._door = door
        self._trail = trail
        self._addresses = addresses
        self._now = now
        self._coowners = coowners
        self._unrecorded = Unrecorded()

    async def apart(self, request: Request, share: str, visit: str, below: tuple[str, ...]) -> Answer | None:
        """What is answered without the visit's grant: to whom the visit is over, and to co-owners, who find their page
        while the share is paused. `below` are the segments below the visit; None for all others."""
        if below == ("-", "ended") and request.method == "GET":
            return await self.ended(request, share, visit)
        if below == ("-", ADDRESS) and self._coowners is not None:
            return await self._coowners.answer(request, share, visit)
        return None

    async def answer(self, request: Request, grant: Grant, segments: tuple[str, ...]) -> Response:
        """`segments` are those below `-`. Origin and Fetch Metadata were judged."""
        if request.method == "POST" and segments == ("leave",):
            await self._unrecorded.whole(self._left(grant))
            # The cookie stays: it opens nothing any more, and proves to the page that follows whose visit it was.
            return Response(204, (("Cache-Control", "no-store"),))
        if request.method == "POST" and segments == ("device",):
            code, expires = await self._door.device_code(grant)
            addresses = grant.addresses
            return device_answer(code=code, address=addresses.join, url=addresses.link(f"code={code}"), expires=expires)
        raise Denied(Reason.NOT_FOUND, "no address of the gate")

    async def _left(self, grant: Grant) -> None:
        await self._store.end_visits([grant.visit.id], at=self._now(), reason="left")
        await self._trail.record(
            AuditEvent(
                action=Action.VISIT_LEFT,
                actor="visitor",
                share=grant.share.id,
                link=grant.link.id,
                visit=grant.visit.id,
                name=grant.visit.name,
            )
        )

    async def finished(self) -> None:
        """Wait for what pages that hung up began."""
        await self._unrecorded.finished()
        if self._coowners is not None:
            await self._coowners.finished()

    async def ended(self, request: Request, share_id: str, visit_id: str) -> Response:
        """What happened to a visit, for the browser that held it; anybody else reads that it is over."""
        shown = cookies.values(request.headers, self._addresses.of(share_id).visit_cookie(visit_id).name)
        visit = await self._authenticator.holder(share_id, visit_id, shown)
        share = await self._store.share(share_id) if visit is not None else None
        link = await self._store.link(visit.link) if visit is not None else None
        if visit is None or share is None or link is None:
            return ended_page(Ending())
        why, at, whole = Ended.UNKNOWN, 0.0, False
        try:
            self._authenticator.check_standing(share, link)
            if visit.ended is not None:
                at = visit.ended
                why = Ended.LEFT if visit.ended_reason == "left" else Ended.ENDED
            else:
                check_met(link, visit, request.peer, self._now())
        except Denied as denied:
            why = Ended.of(denied.reason.value)
            whole = denied.reason.value.startswith("share") or denied.reason is Reason.ROOT_CHANGED
            if why is Ended.REVOKED:
                at = (share.revoked if whole else link.revoked) or 0.0
            elif why is Ended.EXPIRED:
                at = share.expires if whole else link.expires
            elif why is Ended.NOT_YET:
                at = link.not_before
        # What is shared is not for whoever took a cookie elsewhere.
        name = "" if why is Ended.OUTSIDE_NETWORKS else share.name
        return ended_page(Ending(why=why, owner=share.owner, share=name, at=at, whole_share=whole))
