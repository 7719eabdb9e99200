"""Programs: they ask at a share's plain address with the share token. One visit of kind `client` for each link.

A token is a bearer's: whoever has it may use it, from anywhere. What can be done about that is done here. It is taken
from no browser; where it is used from is recorded and shown; and it is used from a few places at a time only.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

import msgspec

from sharegate.audit.bounds import truncated, whole
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.lab.synthetic import json_answer
from sharegate.limits import Buckets, Folding, Rate, network
from sharegate.messages import Headers, Request, Response
from sharegate.shares.authenticate import Authenticator, check_inside, check_open_for_programs
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Grant, Link, LinkKind, Share, Visit, VisitKind, new_id
from sharegate.visits.pages import negotiate
from sharegate.visits.site import check_handshake
from sharegate.visits.unrecorded import KEY_REFUSED, Unrecorded

# Each visit is a record that is kept; one of a program is new only when the owner ended the last one.
NEW_VISITS = Rate(per=200, seconds=86400, burst=200)
# How long a place counts as one where the link is used.
PLACE_SECONDS = 3600.0
# Addresses and agents of one visit that are told apart; more of them are new again.
PLACES = 64
# So many are recorded one by one, and each new network. An agent is whatever its program says.
ONE_BY_ONE = 8
REMEMBERED = 10_000
FOLD_SECONDS = 10.0
MAX_AGENT = 200
_SCHEMES = ("bearer", "token")
# What a browser sends by itself and no page can leave away.
_OF_BROWSERS = ("cookie", "cookie2", "origin", "service-worker")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program asks: the request and its query without the token, which nothing behind this needs or sees."""

    request: Request
    query: str
    token: str = field(repr=False)


@dataclass(slots=True)
class Seen:
    """Where a visit's token is used: an address as it is kept, and what the program calls itself."""

    address: str
    agent: str
    since: float
    last: float


@dataclass(slots=True)
class _Use:
    """Of one visit: by (network, agent); and by network, when it was last used there."""

    seen: OrderedDict[tuple[str, str], Seen] = field(default_factory=OrderedDict)
    networks: OrderedDict[str, float] = field(default_factory=OrderedDict)


def read_token(request: Request, raw_query: str) -> Asked:
    """The one token that a request shows, as Jupyter's servers take it: in `Authorization` or in the query.

    Denied: `no_credential`, `ambiguous_credential` (two that differ, or two of a kind), `browser_on_program_address`.
    """
    _check_no_browser(request.headers)
    pairs = raw_query.split("&") if raw_query else []
    in_query = [unquote(pair.partition("=")[2]) for pair in pairs if _names_token(pair)]
    shown = request.headers.all("Authorization")
    if len(in_query) > 1 or len(shown) > 1:
        raise Denied(Reason.AMBIGUOUS_CREDENTIAL, "two tokens")
    if shown:
        scheme, _, value = shown[0].strip().partition(" ")
        if scheme.lower() not in _SCHEMES:
            raise Denied(Reason.BAD_CREDENTIAL, "another scheme")
        shown = [value.strip()]
    # Some programs say the same in both places.
    found = {*in_query, *shown}
    if not found:
        raise Denied(Reason.NO_CREDENTIAL, "address for programs")
    if len(found) > 1:
        raise Denied(Reason.AMBIGUOUS_CREDENTIAL, "two tokens")
    query = "&".join(pair for pair in pairs if not _names_token(pair))
    bare = msgspec.structs.replace(
        request,
        target=request.target.partition("?")[0] + (f"?{query}" if query else ""),
        headers=Headers((name, value) for name, value in request.headers.items() if name.lower() != "authorization"),
    )
    return Asked(bare, query, found.pop())


def _names_token(pair: str) -> bool:
    return unquote(pair.partition("=")[0]) == "token"


def _check_no_browser(headers: Headers) -> None:
    names = [name.lower() for name, _ in headers.items()]
    if any(name.startswith("sec-fetch-") or name in _OF_BROWSERS for name in names):
        raise Denied(Reason.BROWSER_ON_PROGRAM_ADDRESS, "browser")


class Programs:
    """Lets programs in. Where each is used from lives in memory: after a restart it is recorded once more."""

    def __init__(
        self,
        store: ShareStore,
        authenticator: Authenticator,
        trail: Recorder,
        now: Callable[[], float],
        *,
        full_addresses: bool = False,
        new_visits: Rate = NEW_VISITS,
    ) -> None:
        self._store = store
        self._authenticator = authenticator
        self._trail = trail
        self._now = now
        self._kept = whole if full_addresses else truncated
        self._new_visits = Buckets(new_visits, now)
        self._folding = Folding(FOLD_SECONDS, now)
        self._unrecorded = Unrecorded()
        self._opening = asyncio.Lock()
        self._visits: OrderedDict[str, str] = OrderedDict()
        self._uses: OrderedDict[str, _Use] = OrderedDict()

    async def to_door(self, request: Request, raw_query: str, join: str) -> Response | None:
        """Where to send a person who opened a program's address, token and all, in a browser: to the door at `join`.
        None when it is none. The token goes on in the fragment, which no server, log or `Referer` gets.

        Denied(`bad_credential`) for what we did not sign: nobody is led there with somebody else's words.
        """
        if request.method != "GET" or request.upgrade or negotiate(request.headers) != "html":
            return None
        tokens = [unquote(pair.partition("=")[2]) for pair in raw_query.split("&") if _names_token(pair)]
        if len(tokens) != 1 or "Authorization" in request.headers:
            return None
        await self._authenticator.by_link(tokens[0])
        gone = (("Location", f"{join}#{tokens[0]}"), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
        return Response(302, gone)

    async def enter(self, asked: Asked, share_id: str) -> Grant:
        """The grant of the visit that goes with a token, which the first use makes.

        Denied: `bad_credential` (not ours, or of another share), `outside_networks` before all that the link's state
        would tell, `link_replaced`, `clients_off`, why it ended, what the link asks for, `join_limit`.
        """
        share, link, current = await self._authenticator.by_link(asked.token)
        if share.id != share_id:
            raise Denied(Reason.BAD_CREDENTIAL, "a token of another share")
        check_inside(link, asked.request.peer)
        if not current:
            raise Denied(Reason.LINK_REPLACED)
        self._authenticator.check_standing(share, link)
        if not share.clients or link.kind is LinkKind.PREVIEW:
            raise Denied(Reason.CLIENTS_OFF)
        check_open_for_programs(link, asked.request.peer, self._now())
        visit = await self._visit(share, link, asked)
        await self._authenticator.by_link(asked.token)
        return await self._authenticator.program(visit, asked.request.peer)

    async def come_from(self, grant: Grant, request: Request) -> None:
        """Note where the token is used from: a new address or agent is recorded before it is answered.

        Denied(`places_taken`) where it is used from as many networks as the link has room for: those of its people's
        devices, within the last hour. A WebSocket is asked for with a good handshake: Denied(`bad_header`).
        """
        if request.upgrade:
            check_handshake(request.headers)
        visit, now = grant.visit, self._now()
        place, agent = network(request.peer), request.headers.get("User-Agent")[:MAX_AGENT]
        use = self._use(visit, self._kept(request.peer), (place, agent))
        while use.networks and next(iter(use.networks.values())) <= now - PLACE_SECONDS:
            use.networks.popitem(last=False)
        if place not in use.networks and len(use.networks) >= room_for(grant.link):
            raise Denied(Reason.PLACES_TAKEN, f"used from {len(use.networks)} networks within the hour")
        key = (place, agent)
        known, came = use.seen.get(key), place not in use.networks
        # Taken before anything is waited for: who asks meanwhile finds the room that is left.
        use.networks[place] = now
        use.networks.move_to_end(place)
        if known is None:
            count = 1 if came or len(use.seen) < ONE_BY_ONE else self._folding.due(visit.id)
            if count:
                try:
                    await self._elsewhere(visit, request, use, key, count)
                except StoreUnavailable:  # fails closed, and took no room
                    if came:
                        use.networks.pop(place, None)
                    raise
            known = use.seen[key] = Seen(self._kept(request.peer), agent, now, now)
            if len(use.seen) > PLACES:
                use.seen.popitem(last=False)
        known.last = now
        if key in use.seen:
            use.seen.move_to_end(key)

    async def finished(self) -> None:
        """Wait for what programs that hung up began."""
        await self._unrecorded.finished()

    @staticmethod
    def about(grant: Grant) -> Response:
        """`-/share`: what a program has joined. `root` is its place on the owner's server, which paths begin with."""
        return json_answer(
            {
                "name": grant.share.name,
                "owner": grant.share.owner,
                "root": grant.share.root,
                "kind": grant.share.kind.value,
                "role": grant.role.value,
                "expires": grant.expires,
                "link": grant.link.name,
            }
        )

    def places(self, visit: str) -> list[Seen]:
        """Where a visit's token was used from since the gate started, the latest last."""
        use = self._uses.get(visit)
        return list(use.seen.values()) if use is not None else []

    def _use(self, visit: Visit, address: str, key: tuple[str, str]) -> _Use:
        use = self._uses.get(visit.id)
        if use is None:
            # From where the visit began was recorded then, as far as the address is kept.
            use = self._uses[visit.id] = _Use()
            same = (visit.address, visit.agent) == (address, key[1])
            first = Seen(visit.address, visit.agent, visit.created, visit.created)
            use.seen[key if same else (visit.address, visit.agent)] = first
        self._uses.move_to_end(visit.id)
        if len(self._uses) > REMEMBERED:
            self._uses.popitem(last=False)
        return use

    async def _elsewhere(self, visit: Visit, request: Request, use: _Use, key: tuple[str, str], count: int) -> None:
        place, agent = key
        new = [
            *(["address"] if place not in {known for known, _ in use.seen} else []),
            *(["program"] if agent not in {known for _, known in use.seen} else []),
        ]
        detail = f"new {' and '.join(new)}" if new else ""
        await self._record(Action.PROGRAM_ELSEWHERE, visit, request, detail, count)

    async def _visit(self, share: Share, link: Link, asked: Asked) -> Visit:
        """The open visit of the link's programs. A replaced link begins a new one: what the old token opened ends."""
        found = await self._known(link)
        if found is not None:
            return found
        return await self._unrecorded.whole(self._opened(share, link, asked))

    async def _opened(self, share: Share, link: Link, asked: Asked) -> Visit:
        async with self._opening:
            found = await self._known(link)
            if found is None:
                found = await self._open(share, link, asked.request)
                await self._check_still(found, asked)
            self._visits[link.id] = found.id
            self._visits.move_to_end(link.id)
            if len(self._visits) > REMEMBERED:
                self._visits.popitem(last=False)
            return found

    async def _known(self, link: Link) -> Visit | None:
        remembered = await self._store.visit(self._visits.get(link.id, ""))
        if remembered is not None and self._goes_on(remembered, link):
            return remembered
        opened = await self._store.visits(link.share, link=link.id, open_only=True)
        return next((visit for visit in opened if self._goes_on(visit, link)), None)

    def _goes_on(self, visit: Visit, link: Link) -> bool:
        mine = visit.link == link.id and visit.kind is VisitKind.CLIENT and visit.serial == link.serial
        return mine and visit.ended is None and visit.expires > self._now()

    async def _open(self, share: Share, link: Link, request: Request) -> Visit:
        self._new_visits.take(link.id, 1, Reason.JOIN_LIMIT)
        visit = Visit(
            id=new_id(),
            share=share.id,
            link=link.id,
            number=0,
            kind=VisitKind.CLIENT,
            name=link.name,
            serial=link.serial,
            created=self._now(),
            expires=min(share.expires, link.expires),
            address=self._kept(request.peer),
            agent=request.headers.get("User-Agent")[:MAX_AGENT],
        )
        await self._unrecorded.settle()
        opened = await self._store.open_visit(visit, seats=None)
        async with self._unrecorded.taken_back(
            lambda: self._store.end_visits([opened.id], at=self._now(), reason="not recorded")
        ):
            await self._record(Action.PROGRAM_JOINED, opened, request)
        return opened

    async def _check_still(self, opened: Visit, asked: Asked) -> None:
        """The token's key may have been refused since it was verified, and all visits ended but this one."""
        try:
            await self._authenticator.by_link(asked.token)
        except Denied:
            await self._store.end_visits([opened.id], at=self._now(), reason=KEY_REFUSED)
            await self._record(Action.VISIT_ENDED, opened, asked.request, KEY_REFUSED)
            raise

    async def _record(self, action: Action, visit: Visit, request: Request, detail: str = "", count: int = 1) -> None:
        await self._trail.record(
            AuditEvent(
                action=action,
                actor="visitor",
                share=visit.share,
                link=visit.link,
                visit=visit.id,
                detail=detail,
                count=count,
                name=visit.name,
                address=request.peer,
                agent=request.headers.get("User-Agent"),
            )
        )


def room_for(link: Link) -> int:
    """From how many networks at a time a link's programs may ask: one for each device of each of its people."""
    return max(1, link.devices) * max(1, link.visits or 1)
