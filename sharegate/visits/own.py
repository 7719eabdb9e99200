"""The gate's own addresses below a visit: `-/live`, `-/leave`, `-/device`; and what is answered without the visit's
grant: `-/ended`, `-/report` and `-/time` for whoever held it, also when it is over, and a co-owner's `-/coowner`."""

from __future__ import annotations

from collections.abc import Callable

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Reason
from sharegate.lab.device import device_answer
from sharegate.language.catalogue import ANY, Languages
from sharegate.messages import Answer, Request, Response
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.authenticate import Authenticator, check_inside, check_met
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Grant, Link, Share, Visit
from sharegate.visits import cookies
from sharegate.visits.bodies import THANKS, Nothing, ReportBody, body_of, in_json
from sharegate.visits.coowners.apart import ADDRESS, CoownerPages
from sharegate.visits.join import Door
from sharegate.visits.more_time import MoreTime
from sharegate.visits.pages import Ended, Ending, ended_page
from sharegate.visits.reporting import Reporting
from sharegate.visits.site import Site
from sharegate.visits.unrecorded import Unrecorded

# What holds of a visit also after its end.
_OUTLIVING = {("GET", "ended"), ("POST", "report"), ("POST", "time"), ("GET", "time")}


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
        *,
        site: Site,
        reporting: Reporting,
        more_time: MoreTime,
        languages: Languages = ANY,
        coowners: CoownerPages | None = None,
    ) -> None:
        self._site = site
        self._reporting = reporting
        self._more_time = more_time
        self._store = store
        self._authenticator = authenticator
        self._door = door
        self._trail = trail
        self._addresses = addresses
        self._now = now
        self._languages = languages
        self._coowners = coowners
        self._unrecorded = Unrecorded()

    async def apart(self, request: Request, share: str, visit: str, below: tuple[str, ...]) -> Answer | None:
        """What is answered without the visit's grant: to whom the visit is over, and to co-owners, who find their page
        while the share is paused. `below` are the segments below the visit; None for all others."""
        if len(below) == 2 and below[0] == "-" and (request.method, below[1]) in _OUTLIVING:
            return await self._after(request, share, visit, below[1])
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
        await self._reporting.finished()
        await self._more_time.finished()

    async def _after(self, request: Request, share_id: str, visit_id: str, word: str) -> Response:
        """What is answered of a visit that is over as well."""
        if word == "ended":
            return await self.ended(request, share_id, visit_id)
        self._site.check_source(request)
        share, link, visit = await self._held(request, share_id, visit_id)
        if word == "time":
            if request.method == "POST":
                await body_of(request, Nothing)
                state = await self._more_time.ask(share, link, visit, visit.browser_hash, request.peer)
            else:
                state = await self._more_time.state(share, link, visit, visit.browser_hash)
            return in_json({"state": state})
        said = await body_of(request, ReportBody)
        await self._reporting.report(share, link, visit, request.peer, said.concern, said.text)
        return THANKS

    async def _held(self, request: Request, share_id: str, visit_id: str) -> tuple[Share, Link, Visit]:
        """Share, link and visit of whoever shows the visit's cookie. Denied as for any other address below it; from
        outside the link's networks, `outside_networks`."""
        shown = cookies.values(request.headers, self._addresses.of(share_id).visit_cookie(visit_id).name)
        if len(shown) != 1:
            raise Denied(Reason.AMBIGUOUS_CREDENTIAL if shown else Reason.NO_CREDENTIAL)
        visit = await self._authenticator.holder(share_id, visit_id, shown)
        share = await self._store.share(share_id) if visit is not None else None
        link = await self._store.link(visit.link) if visit is not None else None
        if visit is None or share is None or link is None:
            raise Denied(Reason.OTHER_VISIT)
        check_inside(link, request.peer)
        return share, link, visit

    async def ended(self, request: Request, share_id: str, visit_id: str) -> Response:
        """What happened to a visit, for the browser that held it; anybody else reads that it is over."""
        language = self._languages.of(request.headers)
        shown = cookies.values(request.headers, self._addresses.of(share_id).visit_cookie(visit_id).name)
        visit = await self._authenticator.holder(share_id, visit_id, shown)
        share = await self._store.share(share_id) if visit is not None else None
        link = await self._store.link(visit.link) if visit is not None else None
        if visit is None or share is None or link is None:
            return ended_page(Ending(), language)
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
        expired = why is Ended.EXPIRED
        time = await self._more_time.state(share, link, visit, visit.browser_hash) if expired else ""
        ending = Ending(why=why, owner=share.owner, share=name, at=at, whole_share=whole, time=time)
        return ended_page(ending, language)
