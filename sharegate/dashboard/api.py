"""The owner's API: one table of routes, JSON in and out, no network in here.

`Api.call` is reached over the gate's Unix socket, and directly by commands that run without a gate. Each verb does what
it says, records it in the trail, then answers.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import os
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sharegate import __version__
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.config import loopback
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.alarms import Alarms
from sharegate.dashboard.asking import Asker, By, Only, Who, asker, asking
from sharegate.dashboard.asks import Asks
from sharegate.dashboard.belonging import Belonging, Of
from sharegate.dashboard.bodies import NewServerBody, check_text
from sharegate.dashboard.codes import Codes
from sharegate.dashboard.configured import Configured
from sharegate.dashboard.coowners import Coowners
from sharegate.dashboard.erasing import Erasing
from sharegate.dashboard.folders import Choices
from sharegate.dashboard.handing import Handing
from sharegate.dashboard.history import Histories
from sharegate.dashboard.interfaces import Cutter, GateFacts, Servers
from sharegate.dashboard.keys import Keys
from sharegate.dashboard.mailing import Mailing
from sharegate.dashboard.notifying import Notifying
from sharegate.dashboard.offers import Offers
from sharegate.dashboard.once import Once
from sharegate.dashboard.openapi import document
from sharegate.dashboard.opening import Opening
from sharegate.dashboard.overviews import Overviews
from sharegate.dashboard.people import People
from sharegate.dashboard.proofs import Proofs
from sharegate.dashboard.queries import Named, Recently
from sharegate.dashboard.records import Records
from sharegate.dashboard.refusals import error_body, refusal_of
from sharegate.dashboard.register import Register, whose
from sharegate.dashboard.reports import Reports
from sharegate.dashboard.resolve import Resolver
from sharegate.dashboard.review import Review
from sharegate.dashboard.rosters import Rosters
from sharegate.dashboard.rounds import Rounds
from sharegate.dashboard.routes import Route, not_admin
from sharegate.dashboard.rules import Rules
from sharegate.dashboard.searching import Searching
from sharegate.dashboard.shapes import gate, given
from sharegate.dashboard.sharing import Sharing
from sharegate.dashboard.times import Times
from sharegate.dashboard.tokens import ApiTokens
from sharegate.dashboard.trails import Trails
from sharegate.dashboard.versions import Versions
from sharegate.dashboard.views import Views
from sharegate.dashboard.vitals import Vitals
from sharegate.errors import NotFound, Refused, SharegateError, StoreUnavailable
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import Change, ShareStore
from sharegate.upstream.interfaces import UpstreamStore
from sharegate.upstream.model import Upstream
from sharegate.visits.hands import Hand

log = logging.getLogger("sharegate.dashboard")

Answer = tuple[int, dict[str, Any]]
Reader = Callable[[AuditEvent], str]


class Api:
    """All verbs of owners. `call` never raises: every error is a status and a JSON object."""

    def __init__(
        self,
        *,
        store: ShareStore,
        upstreams: UpstreamStore,
        history: Histories,
        review: Review,
        trail: Recorder,
        acts: Acts,
        sharing: Sharing,
        rosters: Rosters,
        handing: Handing,
        codes: Codes,
        people: People,
        coowners: Coowners,
        asks: Asks,
        alarms: Alarms,
        servers: Servers,
        cutter: Cutter,
        views: Views,
        versions: Versions,
        proofs: Proofs,
        rules: Rules,
        keys: Keys,
        records: Records,
        tokens: ApiTokens,
        trails: Trails,
        erasing: Erasing,
        opening: Opening,
        mailing: Mailing,
        choices: Choices,
        configured: Configured,
        offers: Offers,
        searching: Searching,
        reports: Reports,
        times: Times,
        notifying: Notifying,
        register: Register,
        overviews: Overviews,
        facts: GateFacts,
        describe: Reader,
        now: Callable[[], float],
        key: bytes,
    ) -> None:
        self._store = store
        self.once = Once(store, now, key)
        self._upstreams = upstreams
        self._history = history
        self._review = review
        self._trail = trail
        self._acts = acts
        self._sharing = sharing
        self._rosters = rosters
        self.handing = handing
        self.codes = codes
        self._people = people
        self._coowners = coowners
        self._asks = asks
        self._alarms = alarms
        self._servers = servers
        self._cutter = cutter
        self.versions = versions
        self.proofs = proofs
        proofs.address = sharing.address
        self.rules = rules
        self.keys = keys
        self.records = records
        self.tokens = tokens
        self.trails = trails
        self.erasing = erasing
        self._opening = opening
        self.mailing = mailing
        self._choices = choices
        self._configured = configured
        self._offers = offers
        self._searching = searching
        self._reports = reports
        self._times = times
        self._notifying = notifying
        self.vitals = Vitals()
        self.register = register
        self._overviews = overviews
        self._facts = facts
        self._rounds = Rounds(facts.doctor, time.monotonic)
        self._describe = describe
        self._now = now
        self._resolver = Resolver(store, upstreams, views, register)
        more = {
            Of.ASK: asks.owner,
            Of.ALARM: alarms.owner,
            Of.PROOF: proofs.owner,
            Of.TIME: times.owner,
            Of.VERSION: versions.owner,
        }
        self._belonging = Belonging(store, upstreams, more, register)
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._told = 0
        self._marks = secrets.token_bytes(32)
        self._routes = [(route, route.pattern) for route in self._table()]

    def _table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "gate",
                self._gate,
                "How the gate is, its servers and counts",
                Can.GATE_READ,
                gate.GateView,
                of=Of.LISTED,
            ),
            Route(
                "GET",
                "resolve",
                self._resolve,
                "What a short id or a name stands for",
                Can.PEOPLE_READ,
                given.Resolved,
                query=Named,
                of=Of.LISTED,
            ),
            *self._sharing.table(),
            *self._overviews.table(),
            *self._rosters.table(),
            *self.handing.table(),
            *self.codes.table(),
            *self._people.table(),
            *self._coowners.table(),
            *self._asks.table(),
            *self._alarms.table(),
            *self._history.table(),
            *self._review.table(),
            Route(
                "GET", "servers", self._list_servers, "The Jupyter servers", Can.GATE_READ, gate.Servers, of=Of.LISTED
            ),
            Route(
                "POST",
                "servers",
                self._add_server,
                "Add a server by its address",
                Only.PERSON,
                gate.OneServer,
                body=NewServerBody,
                private=("root_dir",),
            ),
            Route(
                "DELETE",
                "servers/{id}",
                self._remove_server,
                "Forget a server; its shares stop",
                Only.PERSON,
                gate.OneServer,
                of=Of.SERVER,
            ),
            Route(
                "GET",
                "doctor",
                self._doctor,
                "What may be wrong, in words",
                Can.GATE_READ,
                gate.Findings,
                query=Recently,
                who=Who.ADMIN,
            ),
            *self.versions.table(),
            *self.proofs.table(),
            *self.rules.table(),
            *self.keys.table(),
            *self.records.table(),
            *self.trails.table(),
            *self.erasing.table(),
            *self._opening.table(),
            *self.tokens.table(),
            Route("GET", "me", self._me, "Who asks, and what they may do", Only.SIGNED_IN, gate.Me),
            Route(
                "GET",
                "openapi.json",
                self._document,
                "This description, for programs (OpenAPI 3.1)",
                Only.SIGNED_IN,
                gate.Document,
            ),
            *self.mailing.table(),
            *self._choices.table(),
            *self._configured.table(),
            *self._offers.table(),
            *self._searching.table(),
            *self._reports.table(),
            *self._times.table(),
            *self._notifying.table(),
            *self.vitals.table(),
        ]

    @property
    def routes(self) -> list[Route]:
        """The one table of all verbs."""
        return [route for route, _ in self._routes]

    def find(self, method: str, path: str) -> tuple[Route | None, set[str]]:
        """The route of this request, and all methods that its address knows."""
        there = [route for route, pattern in self._routes if pattern.match(path)]
        return next((route for route in there if route.method == method), None), {route.method for route in there}

    async def call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        *,
        by: Asker | None = None,
    ) -> Answer:
        """Route, ask whether this one may, run, and turn errors into answers. Without `by` the owner's terminal asks,
        or the gate itself."""
        query, body = query or {}, body or {}
        route, methods = self.find(method, path)
        if route is None and methods:
            return 405, error_body("method_not_allowed", f"{path} knows {', '.join(sorted(methods))}, not {method}")
        if route is None:
            return 404, error_body("not_found", f"there is no {method} {path}")
        match = route.pattern.match(path)
        assert match is not None
        try:
            check_text({**query, **body})
            with asking(by or Asker()):
                route.check(asker(), query, body)
                route.check_body(body)
                query = route.read_query(query)
                await self._belonging.check(route.of, match.groupdict().get("id", ""), query)
                if method != "GET":
                    await self._acts.settle()
                return 200, await route.handler(match.groupdict(), query, body)
        except (SharegateError, msgspec.ValidationError) as error:
            return refusal_of(error)
        except Exception as error:  # fails closed: whatever it was, it is not told
            log.exception("fault in %s %s", method, route.path)
            return refusal_of(error)

    # -- changes for screens --------------------------------------------------------------------------------------

    async def changes(self) -> AsyncGenerator[dict[str, Any]]:
        """What happens from now on. A reader that falls 1,000 behind loses the oldest, and is told `missed`."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(1000)
        self._listeners.add(queue)
        try:
            yield {"kind": "hello", "at": self._now(), "text": "", "id": "", "share": ""}
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def tells(self, who: Asker, share: str, kind: str = "", id: str = "") -> bool:
        """Whether this is theirs to hear of: what happened in a share ("" for none in particular), or that a record was
        written, which is told by its kind and id. Owners do not hear that somebody reported something."""
        if who.for_all:
            return True
        if kind == "report":
            return False
        if not share and not id:
            return True
        try:
            owner = await (self._belonging.of_share(share) if share else self._belonging.of(kind, id))
        except StoreUnavailable:  # fails closed
            return False
        return who.has(owner or "")

    def happened(self, event: AuditEvent) -> None:
        """Called by the trail for each recorded event."""
        self._alarms.happened(event)
        if not self._listeners:
            self._told += 1
            return
        kind = event.action.value.partition(".")[0]
        self._tell(
            {
                "kind": kind,
                "at": event.at or self._now(),
                "text": self._describe(event),
                "id": event.visit or event.link or event.share,
                "share": event.share,
            }
        )

    def changed(self, change: Change) -> None:
        """Called by the store after each commit."""
        if change.kind == "asked":
            return  # bookkeeping of a request, which tells by itself what it did
        self._tell({"kind": change.kind, "at": self._now(), "text": "", "id": change.id, "share": ""})

    def asked(self, hand: Hand) -> None:
        """Called whenever a hand went up or down."""
        self._tell({"kind": "ask", "at": self._now(), "text": "", "id": hand.id, "share": hand.share})

    def mark(self) -> str:
        """Another one as soon as anything happened. It does not tell how much: that is not everybody's to know."""
        return hmac.digest(self._marks, str(self._told).encode(), "sha256").hex()[:16]

    def _tell(self, message: dict[str, Any]) -> None:
        self._told += 1
        for queue in self._listeners:
            if full := queue.full():
                queue.get_nowait()
            queue.put_nowait({**message, "missed": True} if full else message)

    # -- gate -----------------------------------------------------------------------------------------------------

    async def _gate(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        await self.register.fresh()
        sums = self.register.sums("standing", whose(asker()))
        facts = self._facts
        return {
            "version": __version__,
            "pid": os.getpid(),
            "running": facts.running,
            "started": facts.started,
            "gate_url": facts.gate_url,
            "share_hosts": facts.addresses.share_hosts,
            "share_address": facts.addresses.pattern,
            "dashboard_url": facts.dashboard_url,
            "reach": facts.reach,
            "owner": facts.owner,
            "warnings": facts.warnings(),
            "servers": await self._servers_here(),
            "counts": {
                "shares": sums["shares"],
                "visits": sums["open"],
                "persons": sums["persons"],
                "knocks": self.register.sums("all", whose(asker()))["knocks"],
                "channels": self._cutter.count(),
            },
        }

    async def _resolve(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        found = await self._resolver.resolve(query.get("ref", ""))
        return {"kind": found.kind, "id": found.id, "label": found.label, "title": found.title}

    async def _doctor(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"findings": await self._rounds.findings(recent=query.get("recent") == "1")}

    async def _me(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        who = asker()
        return {
            "kind": who.by.value,
            "id": who.id,
            "name": who.name or self._facts.owner,
            "capabilities": sorted(who.capabilities),
            "expires": who.expires,
        }

    async def _document(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return document(self.routes)

    # -- servers --------------------------------------------------------------------------------------------------

    async def _list_servers(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"servers": await self._servers_here()}

    async def _servers_here(self) -> list[dict[str, Any]]:
        known = await self._upstreams.upstreams()
        return [self._server(upstream) for upstream in known if asker().has(upstream.owner)]

    async def _add_server(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, NewServerBody)
        if not asker().has(self._facts.owner):  # whose server it would be
            raise not_admin()
        if asker().by is not By.TERMINAL and _here(asked.url):
            # Its folder, by which links and protected files are looked at, only the terminal may name.
            raise Refused(
                "server_here",
                "a server on this computer is added in its terminal, where its folder is looked at",
                "Run: sharegate server add URL --root-dir FOLDER",
                "url",
            )
        upstream = await self._servers.add(asked.url, asked.token, asked.root_dir, asked.name)
        await self._trail.record(AuditEvent(action=Action.UPSTREAM_ADDED, actor="owner", detail=upstream.name))
        return {"server": self._server(upstream)}

    async def _remove_server(
        self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]
    ) -> dict[str, Any]:
        for upstream in await self._upstreams.upstreams():
            if upstream.id == parts["id"]:
                await self._upstreams.remove_upstream(upstream.id)
                event = AuditEvent(action=Action.UPSTREAM_REMOVED, actor="owner", detail=upstream.name)
                await self._trail.record(event)
                return {"server": self._server(upstream)}
        raise NotFound("server", parts["id"])

    def _server(self, upstream: Upstream) -> dict[str, Any]:
        return {
            "id": upstream.id,
            "name": upstream.name,
            "owner": upstream.owner,
            "url": upstream.url,
            "root_dir": upstream.root_dir,
            "state": self._servers.state(upstream),
            "computer": self._servers.computer(upstream),
            "pid": upstream.pid,
            "collaboration": self._servers.collaboration(upstream),
        }


def _here(url: str) -> bool:
    """Whether an address is only this computer's, also as "any address", or as IPv6 writes one of IPv4."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False  # is refused when it is read
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return loopback(host)
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified
