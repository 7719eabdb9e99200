"""The owner's API: one table of routes, JSON in and out, no network in here.

`Api.call` is reached over the gate's Unix socket, and directly by commands that run without a gate. Each verb does what
it says, records it in the trail, then answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sharegate import __version__
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.alarms import Alarms
from sharegate.dashboard.asks import Asks
from sharegate.dashboard.bodies import NewLinkBody, NewServerBody, NewShareBody, check_text, read_query
from sharegate.dashboard.erasing import Erasing
from sharegate.dashboard.interfaces import Cutter, GateFacts, History, Servers
from sharegate.dashboard.keys import Keys
from sharegate.dashboard.proofs import Proofs
from sharegate.dashboard.records import Records
from sharegate.dashboard.refusals import error_body, refusal_of
from sharegate.dashboard.resolve import Resolver
from sharegate.dashboard.rules import Rules
from sharegate.dashboard.trails import Trails
from sharegate.dashboard.versions import Versions
from sharegate.dashboard.views import Views
from sharegate.errors import (
    Invalid,
    NotFound,
    SharegateError,
)
from sharegate.shares.interfaces import Change, ShareStore
from sharegate.shares.issue import Issuer, NewLink, NewShare
from sharegate.shares.model import Link, LinkKind, Share, Visit, VisitKind
from sharegate.upstream.interfaces import UpstreamStore
from sharegate.upstream.model import Upstream
from sharegate.visits.hands import Hand
from sharegate.visits.knocks import Knocks
from sharegate.visits.unrecorded import Unrecorded

log = logging.getLogger("sharegate.dashboard")

Answer = tuple[int, dict[str, Any]]
Handler = Callable[[dict[str, str], dict[str, str], dict[str, Any]], Awaitable[dict[str, Any]]]
Reader = Callable[[AuditEvent], str]


@dataclass(slots=True)
class _Route:
    method: str
    pattern: re.Pattern[str]
    handler: Handler = field(repr=False)


class Api:
    """All verbs of owners. `call` never raises: every error is a status and a JSON object."""

    def __init__(
        self,
        *,
        store: ShareStore,
        upstreams: UpstreamStore,
        history: History,
        trail: Recorder,
        issuer: Issuer,
        knocks: Knocks,
        asks: Asks,
        alarms: Alarms,
        servers: Servers,
        cutter: Cutter,
        pages: Callable[[list[str]], int],
        views: Views,
        versions: Versions,
        proofs: Proofs,
        rules: Rules,
        keys: Keys,
        records: Records,
        trails: Trails,
        erasing: Erasing,
        facts: GateFacts,
        describe: Reader,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._upstreams = upstreams
        self._history = history
        self._trail = trail
        self._issuer = issuer
        self._knocks = knocks
        self._asks = asks
        self._alarms = alarms
        self._servers = servers
        self._cutter = cutter
        self._pages = pages
        self._views = views
        self.versions = versions
        self.proofs = proofs
        proofs.address = self._address
        self.rules = rules
        self.keys = keys
        self.records = records
        self.trails = trails
        self.erasing = erasing
        self._facts = facts
        self._describe = describe
        self._now = now
        self._unrecorded = Unrecorded()
        self._resolver = Resolver(store, upstreams, views)
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._routes = [_Route(method, _pattern(path), handler) for method, path, handler in self._table()]

    def _table(self) -> list[tuple[str, str, Handler]]:
        return [
            ("GET", "/api/v1/gate", self._gate),
            ("GET", "/api/v1/resolve", self._resolve),
            ("GET", "/api/v1/shares", self._shares),
            ("POST", "/api/v1/shares", self._create),
            ("GET", "/api/v1/shares/{id}", self._show),
            ("PATCH", "/api/v1/shares/{id}", self._change_share),
            ("POST", "/api/v1/shares/{id}/{verb:pause|resume|revoke|confirm}", self._share_verb),
            ("POST", "/api/v1/shares/{id}/links", self._add_link),
            ("POST", "/api/v1/shares/{id}/preview", self._preview),
            ("GET", "/api/v1/links/{id}/url", self._url),
            ("PATCH", "/api/v1/links/{id}", self._change_link),
            ("POST", "/api/v1/links/{id}/{verb:pause|resume|revoke|replace}", self._link_verb),
            ("GET", "/api/v1/visits", self._visits),
            ("POST", "/api/v1/visits/{id}/end", self._end_visit),
            ("GET", "/api/v1/knocks", self._list_knocks),
            ("POST", "/api/v1/knocks/{id}/{verb:admit|refuse}", self._knock_verb),
            ("GET", "/api/v1/asks", self._asks.listed),
            ("POST", "/api/v1/asks/{id}/{verb:ran|decline}", self._asks.answered),
            ("GET", "/api/v1/alarms", self._alarms.listed),
            ("POST", "/api/v1/alarms/{id}/{verb:dismiss}", self._alarms.dismissed),
            ("GET", "/api/v1/audit", self._audit),
            ("GET", "/api/v1/audit/passed-on", self._passed_on),
            ("GET", "/api/v1/servers", self._list_servers),
            ("POST", "/api/v1/servers", self._add_server),
            ("DELETE", "/api/v1/servers/{id}", self._remove_server),
            ("GET", "/api/v1/doctor", self._doctor),
            *self.versions.table(),
            *self.proofs.table(),
            *self.rules.table(),
            *self.keys.table(),
            *self.records.table(),
            *self.trails.table(),
            *self.erasing.table(),
        ]

    async def call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: dict[str, Any] | None = None
    ) -> Answer:
        """Route, run, and turn errors into answers."""
        for route in self._routes:
            match = route.pattern.match(path)
            if match is not None and route.method == method:
                try:
                    check_text({**(query or {}), **(body or {})})
                    if method != "GET":
                        await self._unrecorded.settle()
                    return 200, await route.handler(match.groupdict(), query or {}, body or {})
                except (SharegateError, msgspec.ValidationError) as error:
                    return refusal_of(error)
                except Exception as error:  # fails closed: whatever it was, it is not told
                    log.exception("fault in %s %s", method, route.pattern.pattern)
                    return refusal_of(error)
        return 404, error_body("not_found", f"there is no {method} {path}")

    # -- changes for screens --------------------------------------------------------------------------------------

    async def changes(self) -> AsyncIterator[dict[str, Any]]:
        """What happens from now on. A reader that falls 1,000 behind loses the oldest, and is told `missed`."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(1000)
        self._listeners.add(queue)
        try:
            yield {"kind": "hello", "at": self._now(), "text": "", "id": "", "share": ""}
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    def happened(self, event: AuditEvent) -> None:
        """Called by the trail for each recorded event."""
        self._alarms.happened(event)
        if not self._listeners:
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
        self._tell({"kind": change.kind, "at": self._now(), "text": "", "id": change.id, "share": ""})

    def asked(self, hand: Hand) -> None:
        """Called whenever a hand went up or down."""
        self._tell({"kind": "ask", "at": self._now(), "text": "", "id": hand.id, "share": hand.share})

    def _tell(self, message: dict[str, Any]) -> None:
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
                message = {**message, "missed": True}
            queue.put_nowait(message)

    # -- gate -----------------------------------------------------------------------------------------------------

    async def _gate(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        shares = [share for share in await self._store.shares() if share.revoked is None]
        visits = [visit for share in shares for visit in await self._store.visits(share.id, open_only=True)]
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
            "servers": [self._server(upstream) for upstream in await self._upstreams.upstreams()],
            "counts": {
                "shares": len(shares),
                "visits": len(visits),
                "knocks": len(await self._store.knocks()),
                "channels": self._cutter.count(),
            },
        }

    async def _resolve(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        found = await self._resolver.resolve(query.get("ref", ""))
        return {"kind": found.kind, "id": found.id, "label": found.label, "title": found.title}

    async def _doctor(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"findings": await self._facts.doctor()}

    # -- shares ---------------------------------------------------------------------------------------------------

    async def _shares(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        everything = query.get("all") in ("1", "true")
        views = [await self._views.share(share) for share in await self._store.shares()]
        return {"shares": [view for view in views if everything or view["state"] not in ("revoked", "expired")]}

    async def _create(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, NewShareBody)
        upstream, path = await self._servers.for_path(asked.path, asked.server)
        if asked.anyone and asked.people:
            raise Invalid("for", "a link is for one person or for anyone, not both", "Drop --for or --anyone")
        if asked.anyone:
            links = [NewLink(anyone=True, visits=asked.visits, devices=asked.devices)]
        else:
            links = [NewLink(name=name, visits=asked.visits, devices=asked.devices) for name in (asked.people or [""])]
        share, made, overlaps = await self._issuer.create(
            NewShare(
                upstream=upstream.id,
                path=path,
                owner=self._facts.owner,
                role=asked.role,
                expires=asked.expires,
                name=asked.name,
                message=asked.message,
                open_file=asked.open_file,
                clients=asked.clients,
                own_extensions=asked.own_extensions,
                runnable_files=asked.runnable_files,
                page=asked.page,
                links=tuple(links),
            )
        )
        async with self._unrecorded.taken_back(lambda: self._issuer.revoke_share(share.id)):
            await self._record(Action.SHARE_CREATED, share=share, detail=f"{share.role.value} {share.root}")
            for link in made:
                await self._record(Action.LINK_CREATED, share=share, link=link, name=link.name)
        warnings = [] if self._facts.running else ["Nobody can enter until the gate runs: sharegate up"]
        return {
            "share": await self._views.share(share),
            "links": [await self._with_url(link) for link in made],
            "warnings": warnings + self._facts.warnings(),
            "overlaps": [await self._views.share(other) for other in overlaps],
        }

    async def _show(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"share": await self._views.share(await self._share(parts["id"]))}

    async def _change_share(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        share = await self._issuer.change_share(parts["id"], body)
        await self._record(Action.SHARE_CHANGED, share=share, detail=", ".join(sorted(body)))
        return {"share": await self._views.share(share)}

    async def _share_verb(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        id, verb = parts["id"], parts["verb"]
        verbs: dict[str, tuple[Callable[[], Awaitable[Share]], Action]] = {
            "pause": (lambda: self._issuer.pause_share(id, paused=True), Action.SHARE_PAUSED),
            "resume": (lambda: self._issuer.pause_share(id, paused=False), Action.SHARE_RESUMED),
            "revoke": (lambda: self._issuer.revoke_share(id), Action.SHARE_REVOKED),
            "confirm": (lambda: self._issuer.confirm(id), Action.SHARE_CONFIRMED),
        }
        act, action = verbs[verb]
        before = self._before(await self._store.visits(id, open_only=True), [{"share": id}])
        share = await act()
        recording = self._record(action, share=share)
        if verb in ("pause", "revoke"):
            # It has happened, also when it cannot be recorded: what closes is never taken back.
            ended, _ = await asyncio.gather(before.ended(), recording)
            return {"share": await self._views.share(share), "ended": ended}
        closing = {"paused": True} if verb == "resume" else {"suspended": True}
        async with self._unrecorded.taken_back(lambda: self._store.change_share(id, **closing)):
            await recording
        return {"share": await self._views.share(share), "ended": None}

    async def _add_link(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, NewLinkBody)
        link = await self._issuer.add_link(
            parts["id"], NewLink(asked.name, asked.anyone, asked.visits, asked.devices, asked.expires)
        )
        async with self._unrecorded.taken_back(lambda: self._issuer.revoke_link(link.id)):
            await self._record(Action.LINK_CREATED, share=await self._share(link.share), link=link, name=link.name)
        return {"link": await self._with_url(link)}

    async def _preview(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        link = await self._issuer.preview(parts["id"])
        await self._record(Action.LINK_CREATED, share=await self._share(link.share), link=link, detail="preview")
        return {"link": await self._with_url(link)}

    # -- links ----------------------------------------------------------------------------------------------------

    async def _url(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        link = await self._link(parts["id"])
        return {"url": self._address(link), **await self._for_programs(link)}

    async def _change_link(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        link = await self._issuer.change_link(parts["id"], body)
        share = await self._share(link.share)
        await self._record(Action.LINK_CHANGED, share=share, link=link, detail=", ".join(sorted(body)))
        return {"link": await self._views.link(link), "role": self._views.role(share, link).value}

    async def _link_verb(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        id, verb = parts["id"], parts["verb"]
        verbs: dict[str, tuple[Callable[[], Awaitable[Link]], Action]] = {
            "pause": (lambda: self._issuer.pause_link(id, paused=True), Action.LINK_PAUSED),
            "resume": (lambda: self._issuer.pause_link(id, paused=False), Action.LINK_RESUMED),
            "revoke": (lambda: self._issuer.revoke_link(id), Action.LINK_REVOKED),
            "replace": (lambda: self._issuer.replace(id), Action.LINK_REPLACED),
        }
        act, action = verbs[verb]
        known = await self._link(id)
        before = self._before(await self._store.visits(known.share, link=id, open_only=True), [{"link": id}])
        link = await act()
        recording = self._record(action, share=await self._share(link.share), link=link)
        if verb in ("pause", "revoke"):
            ended, _ = await asyncio.gather(before.ended(), recording)
            return {"link": await self._views.link(link), "ended": ended}
        closing = {"paused": True} if verb == "resume" else {"serial": known.serial}
        async with self._unrecorded.taken_back(lambda: self._store.change_link(id, **closing)):
            await recording
        return {"link": await (self._with_url if verb == "replace" else self._views.link)(link), "ended": None}

    # -- people ---------------------------------------------------------------------------------------------------

    async def _visits(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        shares = [await self._share(query["share"])] if query.get("share") else await self._store.shares()
        open_only = query.get("open") in ("1", "true")
        found = [visit for share in shares for visit in await self._store.visits(share.id, open_only=open_only)]
        views = [await self._views.visit(visit) for visit in found]
        return {"visits": [view for view in views if not open_only or view["state"] == "open"]}

    async def _end_visit(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        visit = await self._store.visit(parts["id"])
        if visit is None:
            raise NotFound("visit", parts["id"])
        devices = [
            other
            for other in await self._store.visits(visit.share, link=visit.link, open_only=True)
            if other.came_from == visit.id and other.kind is VisitKind.DEVICE
        ]
        before = self._before([visit, *devices], [{"visit": each.id} for each in (visit, *devices)])
        visit = await self._issuer.end_visit(visit.id, "ended by the owner")
        recording = self._record(Action.VISIT_ENDED, share=await self._share(visit.share), visit=visit, name=visit.name)
        ended, _ = await asyncio.gather(before.ended(), recording)
        return {"visit": await self._views.visit(visit), "ended": ended}

    async def _list_knocks(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"knocks": [await self._views.knock(knock) for knock in await self._store.knocks()]}

    async def _knock_verb(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        taking_back: contextlib.AbstractAsyncContextManager[None]
        visit: Visit | None = None
        if parts["verb"] == "admit":
            knock, admitted = await self._knocks.admit(parts["id"], body.get("role"))
            visit, action, came_from = admitted, Action.KNOCK_ADMITTED, admitted.id
            taking_back = self._unrecorded.taken_back(lambda: self._issuer.end_visit(admitted.id, "not recorded"))
        else:
            knock = await self._knocks.refuse(parts["id"])
            action, came_from = Action.KNOCK_REFUSED, ""
            taking_back = contextlib.nullcontext()
        event = AuditEvent(
            action=action,
            actor="owner",
            share=knock.share,
            link=knock.link,
            visit=came_from,
            came_from=knock.came_from,
            name=knock.name,
            detail=knock.id,
        )
        async with taking_back:
            await self._trail.record(event)
        answer: dict[str, Any] = {"knock": await self._views.knock(knock)}
        if visit is not None:
            share, link = await self._store.share(visit.share), await self._store.link(visit.link)
            answer["role"] = self._views.role(share, link, visit).value
        return answer

    # -- history --------------------------------------------------------------------------------------------------

    async def _audit(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = read_query(query)
        events = await self._history.events(asked)
        more = bool(asked.limit and len(events) == asked.limit and not asked.newest_first)
        return {
            "events": [msgspec.structs.asdict(event) | {"text": self._describe(event)} for event in events],
            "next_after": events[-1].seq if more else None,
        }

    async def _passed_on(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"people": await self._history.passed_on(query.get("share", ""))}

    # -- servers --------------------------------------------------------------------------------------------------

    async def _list_servers(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"servers": [self._server(upstream) for upstream in await self._upstreams.upstreams()]}

    async def _add_server(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, NewServerBody)
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
            "url": upstream.url,
            "root_dir": upstream.root_dir,
            "state": self._servers.state(upstream),
            "pid": upstream.pid,
            "collaboration": self._servers.collaboration(upstream),
        }

    # -- parts ----------------------------------------------------------------------------------------------------

    async def _share(self, id: str) -> Share:
        share = await self._store.share(id)
        if share is None:
            raise NotFound("share", id)
        return share

    async def _link(self, id: str) -> Link:
        link = await self._store.link(id)
        if link is None:
            raise NotFound("link", id)
        return link

    def _address(self, link: Link) -> str:
        return self._facts.addresses.of(link.share).link(self._issuer.token(link))

    async def _with_url(self, link: Link) -> dict[str, Any]:
        return {**await self._views.link(link), "url": self._address(link), **await self._for_programs(link)}

    async def _for_programs(self, link: Link) -> dict[str, Any]:
        """What programs ask for as "server URL" and "token", where the share has links for them."""
        if not (await self._share(link.share)).clients or link.kind is LinkKind.PREVIEW:
            return {}
        address = self._facts.addresses.of(link.share)
        url = (address.origin + address.programs).rstrip("/")
        return {"program": {"url": url, "token": self._issuer.token(link)}}

    def _before(self, visits: list[Visit], what: list[dict[str, str]]) -> _Ending:
        """Counts who is really in: a visit whose time is over is nobody's any more."""
        now = self._now()
        inside = [visit for visit in visits if visit.ended is None and visit.expires > now]
        return _Ending(self._cutter, what, len(inside), self._pages([visit.id for visit in inside]))

    async def _record(
        self,
        action: Action,
        *,
        share: Share,
        link: Link | None = None,
        visit: Visit | None = None,
        name: str = "",
        detail: str = "",
    ) -> None:
        await self._trail.record(
            AuditEvent(
                action=action,
                actor="owner",
                share=share.id,
                link=link.id if link else visit.link if visit else "",
                visit=visit.id if visit else "",
                name=name,
                detail=detail,
            )
        )


class _Ending:
    """What was open before a verb, and how long it took until all of that was closed."""

    def __init__(self, cutter: Cutter, what: list[dict[str, str]], visits: int, pages: int) -> None:
        self._cutter = cutter
        self._what = what
        self._visits = visits
        self._pages = pages
        self._channels = sum(cutter.count(**each) for each in what)
        self._began = time.perf_counter()

    async def ended(self) -> dict[str, Any]:
        await asyncio.gather(*(self._cutter.drained(**each) for each in self._what))
        took = (time.perf_counter() - self._began) * 1000
        return {"visits": self._visits, "pages": self._pages, "channels": self._channels, "took_ms": round(took, 1)}


def _pattern(path: str) -> re.Pattern[str]:
    def part(found: re.Match[str]) -> str:
        name, _, choice = found[1].partition(":")
        return f"(?P<{name}>{choice or '[A-Za-z0-9_-]{1,40}'})"

    return re.compile(re.sub(r"\{([^}]+)\}", part, path) + r"\Z")
