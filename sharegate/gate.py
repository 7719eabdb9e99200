"""The way of a request. `_visit` and `_inside` read top to bottom and serve HTTP and WebSocket alike.

    record (trail opens) → CanonicalPath.parse → authenticate → Grant → policy.match → Rule → target
      → confine.request (URL, query) → capability → confine.request (body, disk) → swap credential
      → forward | relay | answer locally → confine.response → trail closes

Nothing is allowed that no rule names. Each step returns what the next one needs, or raises Denied. Of who lacks the
capability no body is read, and no disk is looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

import msgspec

from sharegate.answers import Answers, until_sent
from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.channels.registry import Cut, unless_cut
from sharegate.confine.holding import Held, Holding
from sharegate.confine.request import Aimed, Confined, aim, confine_request
from sharegate.deeds import METHODS, Deed, Deeds, made, outcome, size
from sharegate.errors import MEANINGS, Denied, Reason, StoreUnavailable
from sharegate.lab.notebook import view_of
from sharegate.lab.serve import LabServer
from sharegate.language.catalogue import ANY, Languages
from sharegate.limits import Buckets, Folding, network
from sharegate.measures import Measures, Uncounted, beside
from sharegate.messages import Answer, Request, Response, Upgrade
from sharegate.paths import CanonicalPath, split_target
from sharegate.policy.match import Policy
from sharegate.policy.model import AnswerKind, Match
from sharegate.sending import FLOOR, LASTING_TLS, LONG, Flight, let_go, pieces, with_floor
from sharegate.shares.authenticate import Authenticator, check_share
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Grant, VisitKind, new_id
from sharegate.upstream.interfaces import UpstreamDirectory
from sharegate.upstream.model import Upstream
from sharegate.visits import cookies
from sharegate.visits.allowance import Allowance
from sharegate.visits.codestep import Codestep
from sharegate.visits.doorstep import Doorstep
from sharegate.visits.own import OwnAddresses
from sharegate.visits.presence import Presence
from sharegate.visits.programs import Programs, read_token
from sharegate.visits.refusals import STRANGER, Refusals
from sharegate.visits.site import Site

log = logging.getLogger("sharegate.gate")

FOLD_SECONDS = 10.0
# Of the gate's own addresses those that the table has rules for, since a path follows.
READ = (("read",), ("picture",))
# Answers that only a browser has use for.
_PAGES = frozenset({"page", "picture", "reading", "root-redirect"})


class GateTrail(Recorder, Protocol):
    """The trail, with its quota for strangers."""

    async def ready(self) -> None:
        """StoreUnavailable unless the last record was written, or one can be now."""

    async def stranger_denied(
        self, reason: Reason, address: str, agent: str = "", detail: str = "", *, page: tuple[str, str] | None = None
    ) -> None: ...


class Roots(Protocol):
    """Whether a share's root is still what was shared."""

    async def check(self, grant: Grant, upstream: Upstream) -> None:
        """Denied(`root_changed`), after the share was suspended."""

    async def inside(self, grant: Grant, upstream: Upstream, path: tuple[str, ...]) -> None:
        """Denied(`link_out`) when the real path leaves the root."""


@dataclass(slots=True)
class Act:
    """One request on its way into the trail. `id` stands on the page of a refusal and in the trail; `asked` are share
    and visit of the address; `inside`: about a place within the share, of somebody who may ask."""

    began: float
    id: str
    asked: tuple[str, str] | None = None
    grant: Grant | None = None
    rule: str = ""
    path: str = ""
    detail: str = ""
    inside: bool = False
    deed: Deed | None = None

    @property
    def sent(self) -> bool:
        """Whether a server may have it: then what became of it is recorded by whoever waits for the server."""
        return self.deed is not None and self.deed.sent


class Gate:
    """Decides every request of visitors. Collaborators are handed in by app.py."""

    def __init__(
        self,
        *,
        site: Site,
        store: ShareStore,
        authenticator: Authenticator,
        policy: Policy,
        doorstep: Doorstep,
        codestep: Codestep,
        own: OwnAddresses,
        upstreams: UpstreamDirectory,
        roots: Roots,
        answers: Answers,
        lab: LabServer,
        presence: Presence,
        programs: Programs,
        trail: GateTrail,
        allowance: Allowance,
        strangers: Buckets,
        now: Callable[[], float],
        visitor: Callable[[Request], Request] = lambda request: request,
        lasting_tls: bool = False,
        pace: Callable[[], float] | None = None,
        measures: Measures | None = None,
        holding: Holding | None = None,
        languages: Languages = ANY,
    ) -> None:
        """`visitor` says who asks behind a forwarder, or raises Denied. With `lasting_tls` browsers are told to come by
        TLS only. `pace` is the clock of the limits, where that is another than the time of day."""
        self._visitor = visitor
        self._floor = (*FLOOR, LASTING_TLS) if lasting_tls else FLOOR
        self._site = site
        self._store = store
        self._authenticator = authenticator
        self.policy = policy
        self._doorstep = doorstep
        self._codestep = codestep
        self._own = own
        self._upstreams = upstreams
        self._roots = roots
        self._answers = answers
        self._lab = lab
        self._presence = presence
        self._programs = programs
        self._trail = trail
        self._allowance = allowance
        self._holding = holding or Holding()
        self._refusals = Refusals(own, languages)
        self._strangers = strangers
        self._folding = Folding(FOLD_SECONDS, pace or now)
        self._now = now
        self._measures = measures or Uncounted()
        self._deeds = Deeds()
        self.draining = False

    def refuse_newcomers(self) -> None:
        """Answer nothing any more that was not asked before: the gate is stopping."""
        self.draining = True
        self._answers.finish()

    async def finished(self) -> None:
        """When nobody can ask any more: wait for what those began who hung up meanwhile. It is recorded, too."""
        await self._deeds.finish()
        await asyncio.gather(self._doorstep.finished(), self._own.finished(), self._programs.finished())

    async def handle(self, request: Request) -> Answer:
        """Answer anything. Raises nothing but cancellation."""
        act = Act(time.perf_counter(), new_id(8))
        answer = await self._handle(request, act)
        status = 101 if isinstance(answer, Upgrade) else answer.status
        self._measures.answered(act.rule or beside(request.target), status, time.perf_counter() - act.began)
        return answer if isinstance(answer, Upgrade) else with_floor(answer, self._floor)

    async def _handle(self, request: Request, act: Act) -> Answer:
        try:
            try:
                request = self._visitor(request)
                return await self._route(request, act)
            except Denied as denied:
                return await self._refuse(request, denied, act)
            except StoreUnavailable:  # fails closed
                return await self._refuse(request, Denied(Reason.STORE_UNAVAILABLE), act)
        except Exception:  # fails closed: a fault of ours opens nothing and tells nothing
            log.exception("fault while answering %s", request)
            return self._refusals.plain(request, Reason.STORE_UNAVAILABLE, act.id)

    async def _route(self, request: Request, act: Act) -> Answer:
        if self.draining:
            raise Denied(Reason.DRAINING)
        self._site.check_head(request.headers)
        raw_path, raw_query = split_target(request.target)
        path = self._site.route(request.headers, CanonicalPath.parse(raw_path))
        match path.segments:
            case ():
                return Response(302, (("Location", "/join"), ("Cache-Control", "no-store")))
            case ("robots.txt",):
                return Response(200, (("Content-Type", "text/plain"),), b"User-agent: *\nDisallow: /\n")
            case ("join", *below):
                return await self._doorstep.answer(request, tuple(below))
            case ("code", *below):
                return await self._codestep.answer(request, tuple(below))
            case ("s", share, "-", "static", *below):
                return await self._static(request, share, tuple(below))
            case ("s", share, visit, *below) if visit.startswith("~"):
                apart = await self._own.apart(request, share, visit[1:], tuple(below))
                act.asked = (share, visit[1:])
                return apart or await self._visit(request, path, raw_query, act)
            case ("s", share, *_):
                return await self._program(request, share, path.under(2), raw_query, act)
            case _:
                raise Denied(Reason.NOT_FOUND, "no address of the gate")

    async def _visit(self, request: Request, path: CanonicalPath, raw_query: str, act: Act) -> Answer:
        grant = await self._authenticate(request, path, raw_query)
        act.grant = grant
        # What cannot be recorded does not happen: reads, too, stop while the trail cannot be written.
        await self._trail.ready()
        self._site.check_source(request)
        self._allowance.ask(grant)
        request.known(grant.visit.id)
        self._presence.touch(grant.visit.id)
        rest = path.under(3)
        if rest.segments[:1] == ("-",) and rest.segments[1:2] not in READ:
            return await self._own_address(request, grant, rest, act)
        return await self._inside(request, grant, rest, raw_query, act)

    async def _program(self, request: Request, share: str, rest: CanonicalPath, raw_query: str, act: Act) -> Answer:
        """The address for programs: the token instead of the cookie, and from there on like everybody."""
        to_door = await self._programs.to_door(request, raw_query, "/join")
        if to_door is not None:
            return to_door
        asked = read_token(request, raw_query)
        grant = await self._programs.enter(asked, share)
        act.grant = grant
        await self._trail.ready()
        # Whom a place is refused spends nothing of the others'.
        await self._programs.come_from(grant, asked.request)
        self._allowance.ask(grant)
        request.known(grant.visit.id)
        self._presence.touch(grant.visit.id)
        if rest.segments == ("-", "share") and request.method == "GET":
            return self._programs.about(grant)
        return await self._inside(asked.request, grant, rest, asked.query, act)

    async def _inside(self, request: Request, grant: Grant, rest: CanonicalPath, raw_query: str, act: Act) -> Answer:
        """What somebody who is in may have at `rest`, relative to their base."""
        match = self.policy.match(request.method, rest.segments, request.upgrade, grant.role)
        act.rule = match.rule.id
        act.path = str(rest)
        if grant.visit.kind is VisitKind.CLIENT and match.rule.answer_name in _PAGES:
            raise Denied(Reason.BROWSER_ON_PROGRAM_ADDRESS, "a page")
        upstream = await self._target(grant, match)
        aimed = aim(match, rest, raw_query, grant.root, grant.share.kind, method=request.method)
        if aimed.path is not None:
            act.path = str(aimed.path)
        if match.rule.capability is not None and not grant.allows(match.rule.capability):
            raise Denied(Reason.CAPABILITY_MISSING, match.rule.capability.value)
        act.inside = aimed.inside

        self._allowance.enter(grant)
        with Flight(lambda: self._allowance.leave(grant)) as held:
            cut, leave = self._answers.in_flight(grant)
            kept = self._holding.of(grant.link.id)
            held.take(Flight(leave, kept.close))
            with cut.interrupting():
                confined = await self._confine(request, grant, aimed, upstream, kept)
            if confined.path is not None:
                act.path = str(confined.path)
            act.detail = confined.other_end
            deed = Deed(cut)

            def answering() -> Coroutine[Any, Any, Answer]:
                return self._answers.answer(request, grant, match, confined, upstream, deed.begin, kept)

            if request.method in METHODS:
                act.deed = deed
                answer = await self._deeds.do(deed, self._do(request, grant, act, deed, answering), held, let_go)
            else:
                answer = await unless_cut(cut, answering(), let_go)
            return await self._close(request, grant, answer, act, held, cut)

    async def _do(
        self, request: Request, grant: Grant, act: Act, deed: Deed, answering: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """What changes something. Once it was sent, what became of it is recorded here, whoever is left to be told."""
        try:
            answer = await answering()
        except BaseException as error:  # of what was not sent the request tells
            if deed.sent:
                deed.told = await self._record_refusal(request, outcome(error), act)
            raise
        if deed.sent and isinstance(answer, Response):
            act.detail = " ".join(filter(None, (act.detail, made(request, grant, act.path, answer))))
            try:
                await self._record_answer(request, grant, act, answer.status, size(answer))
            except StoreUnavailable:  # fails closed
                await let_go(answer)
                raise
        return answer

    async def _authenticate(self, request: Request, path: CanonicalPath, raw_query: str) -> Grant:
        """The visit's own cookie, and no other credential beside it."""
        share, visit = path.segments[1], path.segments[2][1:]
        place = self._site.addresses.of(share).visit_cookie(visit)
        shown = cookies.values(request.headers, place.name)
        grant = await self._authenticator.by_cookie(share, visit, shown, request.peer)
        # Upstream a `token` argument would win over our header.
        named = (unquote(pair.partition("=")[0]) for pair in raw_query.split("&")) if raw_query else ()
        if "Authorization" in request.headers or "token" in named:
            raise Denied(Reason.AMBIGUOUS_CREDENTIAL, "cookie and token together")
        return grant

    async def _target(self, grant: Grant, match: Match) -> Upstream | None:
        if match.rule.answer is AnswerKind.LOCAL:
            return None
        upstream = await self._upstreams.find(grant.share.upstream)
        await self._roots.check(grant, upstream)
        return upstream

    async def _confine(
        self, request: Request, grant: Grant, aimed: Aimed, upstream: Upstream | None, kept: Held
    ) -> Confined:
        # JupyterLab's page is the same whatever stands at its path; what it then asks for is looked at.
        blind = aimed.match.rule.answer_name == "page" and not view_of(aimed.segments).notebook

        async def check_disk(segments: tuple[str, ...]) -> None:
            if upstream is not None and not blind:
                await self._roots.inside(grant, upstream, segments)

        return await confine_request(aimed, request.body, request.headers, kept, check_disk)

    async def _own_address(self, request: Request, grant: Grant, rest: CanonicalPath, act: Act) -> Answer:
        act.rule = "own"
        act.path = str(rest)
        if request.upgrade and rest.segments == ("-", "live"):
            return await self._answers.live(request, grant)
        return await self._own.answer(request, grant, rest.segments[1:])

    async def _static(self, request: Request, share_id: str, below: tuple[str, ...]) -> Response:
        """Files of JupyterLab itself: the same for everybody, never with a credential, for a share that stands."""
        share = await self._store.share(share_id)
        if share is None:
            raise Denied(Reason.NOT_FOUND, "no such share")
        try:
            check_share(share, self._now())
        except Denied as denied:
            raise Denied(Reason.NOT_FOUND, denied.reason.value) from None
        return await self._lab.static(share, lambda: self._upstreams.find(share.upstream), below, request)

    # -- the trail closes -----------------------------------------------------------------------------------------

    async def _close(self, request: Request, grant: Grant, answer: Answer, act: Act, held: Flight, cut: Cut) -> Answer:
        """Record the answer: a whole one now, a long one when it has been sent, a channel by what opens and closes it.

        `held` is let go of when the answer has been sent. An answer that is not given lets go of what is behind it.
        """
        try:
            # What was waiting while the visit ended is not answered.
            await self._authenticator.again(grant)
            if isinstance(answer, Upgrade):
                return answer
            if not isinstance(answer.body, bytes):
                return self._in_flight(request, grant, answer, answer.body, act, held.hand_on(), cut)
            if len(answer.body) > LONG:
                # A visitor who reads slowly would go on reading it after the end of the visit.
                headers = (*answer.headers, ("Content-Length", str(len(answer.body))))
                sized = msgspec.structs.replace(answer, headers=headers)
                return self._in_flight(request, grant, sized, pieces(answer.body), act, held.hand_on(), cut)
            await self._answered(request, act, answer.status, len(answer.body))
            return until_sent(answer, held.hand_on(), cut)
        except BaseException:  # fails closed: an upstream's connection or a channel that nobody serves must not stay
            await let_go(answer)
            raise

    def _in_flight(
        self,
        request: Request,
        grant: Grant,
        answer: Response,
        stream: AsyncIterator[bytes],
        act: Act,
        flight: Flight,
        cut: Cut,
    ) -> Response:
        """A long answer, registered until it has been sent: what ends the visit ends it."""
        sent = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal sent
            async with contextlib.aclosing(self._answers.until_cut(cut, stream)) as parts:
                async for part in parts:
                    sent += len(part)
                    self._allowance.sent(grant, len(part))
                    yield part

        async def done() -> None:
            with flight:
                if answer.done is not None:
                    await answer.done()
            await self._answered(request, act, answer.status, sent, spent=True)

        # What ended must not come out of a proxy's buffer afterwards.
        headers = (*answer.headers, ("X-Accel-Buffering", "no"))
        return Response(answer.status, headers, counted(), done, cut.wait)

    async def _answered(self, request: Request, act: Act, status: int, size: int, *, spent: bool = False) -> None:
        grant = act.grant
        if grant is None:
            return
        if not spent:
            self._allowance.sent(grant, size)
        if act.sent:
            return
        try:
            await self._record_answer(request, grant, act, status, size)
        except StoreUnavailable:
            if not spent:  # fails closed; a stream that is over cannot be taken back, and the trail is unhealthy now
                raise

    async def _record_answer(self, request: Request, grant: Grant, act: Act, status: int, size: int) -> None:
        await self._trail.record(
            AuditEvent(
                action=Action.REQUEST_ANSWERED,
                actor="visitor",
                share=grant.share.id,
                link=grant.link.id,
                visit=grant.visit.id,
                rule=act.rule,
                method=request.method,
                path=act.path,
                status=status,
                bytes_out=size,
                duration_ms=round((time.perf_counter() - act.began) * 1000, 2),
                detail=act.detail,
                name=grant.visit.name,
                address=request.peer,
            ),
            durable=request.method not in ("GET", "HEAD"),
        )

    # -- refusing -------------------------------------------------------------------------------------------------

    async def _refuse(self, request: Request, denied: Denied, act: Act) -> Response:
        told = act.deed.told if act.deed is not None else None
        reason = told or (denied.reason if act.sent else await self._record_refusal(request, denied, act))
        self._measures.refused(reason)
        return await self._refusals.answer(request, reason, act.id, asked=act.asked, wait=denied.wait)

    async def _record_refusal(self, request: Request, denied: Denied, act: Act) -> Reason:
        """Record it, and return the reason that is told: a refusal that cannot be recorded is a fault of the store."""
        grant = act.grant
        try:
            if denied.recorded:
                return denied.reason
            if grant is None:
                place = network(request.peer)
                try:
                    self._strangers.take(place, 1, Reason.CREDENTIAL_LIMIT)
                except Denied as too_many:
                    await self._trail.stranger_denied(too_many.reason, request.peer)
                    return too_many.reason if denied.reason in STRANGER else denied.reason
                agent = request.headers.get("User-Agent")
                await self._trail.stranger_denied(denied.reason, request.peer, agent, denied.detail, page=act.asked)
                return denied.reason
            # Whoever hammers is refused each time and recorded now and then: the trail is not theirs to fill.
            limited = MEANINGS[denied.reason].status == 429 or denied.reason is Reason.PLACES_TAKEN
            count = self._folding.due(f"{grant.visit.id} {denied.reason.value}") if limited else 1
            if count == 0:
                return denied.reason
            action = _refused(request, denied.reason, act)
            await self._trail.record(
                AuditEvent(
                    action=action,
                    count=count,
                    outcome=Outcome.ALLOWED if action is Action.REQUEST_ANSWERED else Outcome.DENIED,
                    actor="visitor",
                    share=grant.share.id,
                    link=grant.link.id,
                    visit=grant.visit.id,
                    reason=denied.reason.value,
                    rule=act.rule,
                    method=request.method,
                    path=act.path,
                    status=MEANINGS[denied.reason].status,
                    duration_ms=round((time.perf_counter() - act.began) * 1000, 2),
                    detail=" ".join(filter(None, (act.id, act.detail, denied.detail))),
                    name=grant.visit.name,
                    address=request.peer,
                    agent=request.headers.get("User-Agent"),
                )
            )
        except StoreUnavailable:  # fails closed: refused either way
            return Reason.STORE_UNAVAILABLE
        return denied.reason


def _refused(request: Request, reason: Reason, act: Act) -> Action:
    """Who looks within the share for what is not there has done nothing that is denied. They are told the same as who
    looked elsewhere, whose true reason is another."""
    if request.upgrade:
        return Action.CHANNEL_REFUSED
    looking = act.inside and request.method in ("GET", "HEAD") and reason is Reason.NOT_FOUND
    return Action.REQUEST_ANSWERED if looking else Action.REQUEST_DENIED
