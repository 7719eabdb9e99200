"""`-/coowner` below a visit: a co-owner's page, and the WebSocket that it opens.

A notebook's script, or an extension of the owner's, may run in the co-owner's other pages, on the same origin and with
the same cookie. It must not be able to let anybody in. So:

1. The page is given only to a navigation of a whole tab (`Sec-Fetch-Mode`, `Sec-Fetch-Dest`, `Sec-Fetch-Site`: no
   script can set or forge these), to no frame and to no prefetch. A script cannot read what a navigation gets.
2. The page is sandboxed by its own policy: its origin is opaque, so no page beside it can reach into it, also not the
   one that opened it, and the visit's cookie does not go along with what it asks.
3. What the page asks is let in by its key alone (keys.py), which stands in its text; and the handshake must come from
   an opaque origin.

Whatever is not a co-owner's is answered here by None: as if there were no such address.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.language.catalogue import ANY, Languages
from sharegate.limits import Buckets, Rate
from sharegate.messages import Answer, Request, Response, Socket, Upgrade
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.interfaces import ShareStore
from sharegate.visits import cookies
from sharegate.visits.coowners.desk import Desk
from sharegate.visits.coowners.keys import PageKeys
from sharegate.visits.coowners.live import LiveDesks
from sharegate.visits.coowners.page import SUBPROTOCOL, elsewhere_page, page, unsafe_page
from sharegate.visits.coowners.standing import Coowner, Standing
from sharegate.visits.coowners.words import MAX_FROM_PAGE
from sharegate.visits.site import check_handshake

ADDRESS = "coowner"
PAGES = Rate(per=60, seconds=60, burst=30)
OPAQUE = "null"


class CoownerPages:
    """Answers `GET -/coowner`."""

    def __init__(
        self,
        *,
        standing: Standing,
        desk: Desk,
        live: LiveDesks,
        keys: PageKeys,
        store: ShareStore,
        trail: Recorder,
        addresses: GateAddresses,
        pace: Callable[[], float],
        languages: Languages = ANY,
    ) -> None:
        self._standing = standing
        self._desk = desk
        self._live = live
        self._keys = keys
        self._store = store
        self._trail = trail
        self._addresses = addresses
        self._pages = Buckets(PAGES, pace)
        self._languages = languages

    async def answer(self, request: Request, share_id: str, visit_id: str) -> Answer | None:
        """None for whoever has nothing to do here. Denied: `request_limit`, `bad_header`."""
        if request.method != "GET":
            return None
        if request.upgrade:
            return await self._channel(request, share_id, visit_id)
        return await self._page(request, share_id, visit_id)

    async def finished(self) -> None:
        await self._desk.finished()

    # -- the page -------------------------------------------------------------------------------------------------

    async def _page(self, request: Request, share_id: str, visit_id: str) -> Response | None:
        addresses = self._addresses.of(share_id)
        shown = cookies.values(request.headers, addresses.visit_cookie(visit_id).name)
        coowner = await self._standing.by_cookie(share_id, visit_id, shown, request.peer)
        if coowner is None:
            return None
        said = {name: request.headers.all(f"Sec-Fetch-{name}") for name in ("Mode", "Dest", "Site")}
        if said["Mode"] not in ([], ["navigate"]) or said["Dest"] not in ([], ["document"]):
            return None  # a script, a frame, or something that loads ahead
        if "Sec-Purpose" in request.headers or "Purpose" in request.headers:
            return None
        self._take(coowner)
        request.known(coowner.visit.id)
        language = self._languages.of(request.headers)
        if not all(said.values()):
            return unsafe_page(language)
        if said["Site"] not in (["same-origin"], ["none"]):
            return elsewhere_page(addresses.visit(visit_id) + f"-/{ADDRESS}", language)
        await self._opened(request, coowner)
        return page(coowner, key=self._keys.give(coowner.visit), origin=addresses.origin, language=language)

    async def _opened(self, request: Request, coowner: Coowner) -> None:
        began = time.perf_counter()
        await self._trail.record(
            AuditEvent(
                action=Action.REQUEST_ANSWERED,
                actor="visitor",
                share=coowner.share.id,
                link=coowner.link.id,
                visit=coowner.visit.id,
                rule="own",
                method="GET",
                path=f"-/{ADDRESS}",
                status=200,
                duration_ms=round((time.perf_counter() - began) * 1000, 2),
                name=coowner.visit.name,
                address=request.peer,
            )
        )

    def _take(self, coowner: Coowner) -> None:
        self._pages.take(coowner.visit.id, 1, Reason.REQUEST_LIMIT)

    # -- its channel ----------------------------------------------------------------------------------------------

    async def _channel(self, request: Request, share_id: str, visit_id: str) -> Upgrade | None:
        if request.headers.all("Origin") != [OPAQUE]:
            return None
        coowner = await self._by_key(request, share_id, visit_id)
        if coowner is None:
            return None
        check_handshake(request.headers)
        self._take(coowner)
        if not self._live.room(coowner.visit.id):
            raise Denied(Reason.CHANNEL_LIMIT, "pages of one co-owner")
        request.known(coowner.visit.id)

        async def serve(socket: Socket) -> None:
            await self._live.serve(coowner, socket)

        return Upgrade(serve, subprotocol=SUBPROTOCOL, max_message=MAX_FROM_PAGE)

    async def _by_key(self, request: Request, share_id: str, visit_id: str) -> Coowner | None:
        """The key comes as the second protocol of the handshake: a page's script cannot send any other header with it,
        and addresses are written down by what stands between."""
        offered = [each.strip() for value in request.headers.all("Sec-WebSocket-Protocol") for each in value.split(",")]
        if len(offered) != 2 or offered[0] != SUBPROTOCOL or PageKeys.whose(offered[1]) != visit_id:
            return None
        try:
            visit = await self._store.visit(visit_id)
        except StoreUnavailable:  # fails closed
            return None
        if visit is None or visit.share != share_id or not self._keys.fits(offered[1], visit):
            return None
        return await self._standing.of(visit, request.peer)
