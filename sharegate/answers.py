"""How a request that was decided is answered: forwarded, filtered, answered locally, or carried as a channel."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import msgspec

from sharegate.channels.registry import Channels, Cut
from sharegate.confine.answer import check_status
from sharegate.confine.contents import Setting
from sharegate.confine.headers import request_headers, response_headers, rewritten
from sharegate.confine.holding import Held
from sharegate.confine.request import Confined
from sharegate.confine.response import ANSWER_LIMITS, answer_locally, filter_answer
from sharegate.deeds import METHODS, Beginning
from sharegate.documents import Documents, channel
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.lab import synthetic
from sharegate.lab.overlay import MAX_SETTINGS_BYTES, MAX_WORKSPACE_BYTES, Overlays
from sharegate.lab.serve import LabServer
from sharegate.language.catalogue import ANY, Languages
from sharegate.messages import Answer, Request, Response, Upgrade
from sharegate.policy.model import AnswerKind, Match, Rule
from sharegate.readers.serving import Readers
from sharegate.sending import Flight
from sharegate.shares.model import Capability, Grant
from sharegate.upstream.interfaces import Forwarder, Incoming, Outgoing
from sharegate.upstream.model import Upstream
from sharegate.upstream.roots import Roots
from sharegate.visits.live import LivePages
from sharegate.visits.names import Names
from sharegate.visits.presence import Presence
from sharegate.writing.judge import Writing

_SETTINGS_LIMIT = 16 << 20
# Bytes. Reading so much takes no longer than sending it on.
SHORT = 64 * 1024
# Filters that the route table names for roles which are not handed out yet. A rule that needs one answers nobody.
LATER = frozenset({"kernel", "kernels", "sessions"})
Local = Callable[[Request, Grant, Match, Confined], Awaitable[Answer]]


def until_sent(answer: Response, flight: Flight, cut: Cut) -> Response:
    """A whole answer, registered until the visitor's connection has taken it: what ends the visit ends it."""
    return Response(answer.status, answer.headers, answer.body, answer.done, cut.wait, flight.close)


class Answers:
    """One per gate. Every method may raise Denied."""

    def __init__(
        self,
        *,
        forwarder: Forwarder,
        roots: Roots,
        lab: LabServer,
        overlays: Overlays,
        channels: Channels,
        documents: Documents,
        live_pages: LivePages,
        presence: Presence,
        names: Names,
        writing: Writing,
        readers: Readers,
        languages: Languages = ANY,
    ) -> None:
        self._languages = languages
        self._readers = readers
        self._writing = writing
        self._forwarder = forwarder
        self._roots = roots
        self._lab = lab
        self._overlays = overlays
        self._channels = channels
        self._documents = documents
        self._live_pages = live_pages
        self._presence = presence
        self._names = names
        self._locals: dict[str, Local] = {
            "workspace-list": self._workspace_list,
            "workspace": self._workspace,
            "workspace-write": self._workspace_write,
            "settings-write": self._settings_write,
            "events": self._events,
            "me": self._me,
            "global-awareness": self._global_awareness,
        }

    async def answer(
        self,
        request: Request,
        grant: Grant,
        match: Match,
        confined: Confined,
        upstream: Upstream | None,
        begin: Callable[[], None],
        held: Held,
    ) -> Answer:
        """Answer what was decided. `upstream` is None for local answers. `begin` is called before the server gets what
        changes something; what it raises stops that. What is read whole of the server's answer is `held`."""
        rule = match.rule
        if rule.answer is AnswerKind.LOCAL:
            return await self._local(request, grant, match, confined)
        if rule.answer is AnswerKind.FILTER and rule.answer_name in LATER:
            raise Denied(Reason.ROUTE_DENIED, "not in this version")
        assert upstream is not None, "only local answers go without an upstream"
        if rule.answer is AnswerKind.FILTER and rule.answer_name == "room":
            return await self._documents.open(grant, upstream, match, confined)
        if rule.answer is AnswerKind.FILTER and rule.answer_name == "page":
            tree = confined.path or grant.root
            self._presence.touch(grant.visit.id, str(tree))
            language = self._languages.of(request.headers)
            return await self._lab.page(grant, upstream, confined.segments, tree, language)
        if rule.answer is AnswerKind.FILTER and rule.answer_name == "reading":
            return await self._readers.page(request, grant, upstream, confined, held)
        if rule.answer is AnswerKind.FILTER and rule.answer_name == "picture":
            return await self._readers.picture(request, grant, upstream, confined, held)
        return await self._forward(request, grant, match, confined, upstream, begin, held)

    def finish(self) -> None:
        """The gate is stopping: nobody waits for a change any more."""
        self._readers.finish()

    async def _forward(
        self,
        request: Request,
        grant: Grant,
        match: Match,
        confined: Confined,
        upstream: Upstream,
        begin: Callable[[], None],
        held: Held,
    ) -> Response:
        rule = match.rule

        async def inside_names(directory: tuple[str, ...], names: list[str]) -> set[str]:
            return await self._roots.inside_names(grant, upstream, directory, names)

        setting = Setting(grant, confined, request.method, urlsplit(upstream.url).path, inside_names)
        local = answer_locally(rule.answer_name, setting) if rule.answer is AnswerKind.FILTER else None
        if local is not None:
            return synthetic_json(local)
        if rule.answer_name == "session":
            await self._documents.check_session(grant, upstream, confined)
        if rule.capability is Capability.CONTENTS_WRITE:
            async with self._writing.turn(grant, upstream):
                step = await self._writing.judge(request.method, grant, upstream, confined, begin)
                if step.model is not None:
                    return synthetic_json(await filter_answer(rule.answer_name, step.model, setting))
                answer = await self._send(request, grant, match, step.confined, upstream, setting, begin, held)
                if step.done is not None:
                    await _noted(step.done, answer)
                return answer
        return await self._send(request, grant, match, confined, upstream, setting, begin, held)

    async def _send(
        self,
        request: Request,
        grant: Grant,
        match: Match,
        confined: Confined,
        upstream: Upstream,
        setting: Setting,
        begin: Callable[[], None],
        held: Held,
    ) -> Response:
        rule = match.rule
        sent = request_headers(request.headers, rule, rewritten_body=confined.body is not None)
        outgoing = _outgoing(request, rule, confined, sent)
        if request.method in METHODS:
            if confined.stream is not None:
                outgoing = msgspec.structs.replace(outgoing, body=Beginning(confined.stream, begin))
            else:
                begin()
        incoming = await self._forwarder.forward(upstream, outgoing)
        try:
            if request.method == "DELETE" and incoming.status == 400:
                raise Denied(Reason.CONFLICT, "the server does not delete it: a folder that is not empty, or no trash")
            check_status(incoming.status, reading=setting.reading, sent=sent)
            headers = response_headers(
                incoming.headers,
                rule,
                incoming.status,
                upstream_url=upstream.url,
                visit_base=grant.base,
                path=confined.path,
            )
            if not rewritten(rule):
                return await self._unread(request, incoming, headers)
            limit = _SETTINGS_LIMIT if rule.answer_name == "settings" else ANSWER_LIMITS[rule.answer_name]
            await held.answer(incoming.headers, limit)
            data = await incoming.read(limit)
            if rule.answer_name == "settings":
                return await self._overlays.settings(grant, data)
            if incoming.status == 204:
                return Response(204, headers)
            body = await filter_answer(rule.answer_name, data, setting)
            if rule.answer_name == "session":
                body = self._documents.learn_session(upstream, confined, body)
            return Response(incoming.status, headers, body if request.method != "HEAD" else b"")
        except BaseException:
            await incoming.close()
            raise

    @staticmethod
    async def _unread(request: Request, incoming: Incoming, headers: tuple[tuple[str, str], ...]) -> Response:
        """An answer whose body nobody looks at: in pieces as it comes, or at once where it is short."""
        if request.method == "HEAD" or incoming.status in (204, 304):
            return Response(incoming.status, headers, b"", incoming.close)
        length = incoming.headers.get("Content-Length")
        if length.isascii() and length.isdigit() and int(length) <= SHORT:
            whole = tuple(field for field in headers if field[0].lower() != "content-length")
            return Response(incoming.status, whole, await incoming.read(SHORT))
        return Response(incoming.status, headers, incoming.stream(), incoming.close)

    def in_flight(self, grant: Grant) -> tuple[Cut, Callable[[], None]]:
        """Registered while an answer is waited for and sent, so that what ends the visit ends it; and how to leave."""
        return self._channels.enter(grant, kind="stream")

    @staticmethod
    async def until_cut(cut: Cut, stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """The pieces of a stream, broken off when it is cut: ConnectionAbortedError then."""
        try:
            while True:
                with cut.interrupting():
                    part = await anext(stream, None)
                if part is None:
                    return
                yield part
        except Denied:
            if cut.reason is None:
                raise
            raise ConnectionAbortedError("the visit ended") from None
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    # -- the gate's own channel -----------------------------------------------------------------------------------

    async def live(self, request: Request, grant: Grant) -> Upgrade:
        """`-/live`: registered like every channel, so that what ends the visit ends it."""
        language = self._languages.of(request.headers)
        return await channel(
            self._channels, grant, "live", lambda socket, cut: self._live_pages.serve(grant, socket, cut, language)
        )

    # -- local answers --------------------------------------------------------------------------------------------

    async def _local(self, request: Request, grant: Grant, match: Match, confined: Confined) -> Answer:
        name = match.rule.answer_name
        own = self._locals.get(name)
        if own is not None:
            return await own(request, grant, match, confined)
        return synthetic.LOCAL[name](grant)

    async def _workspace_list(self, request: Request, grant: Grant, match: Match, confined: Confined) -> Response:
        return await self._overlays.workspaces(grant)

    async def _workspace(self, request: Request, grant: Grant, match: Match, confined: Confined) -> Response:
        return await self._overlays.workspace(grant, "/".join(match.parts["name"]))

    async def _workspace_write(self, request: Request, grant: Grant, match: Match, confined: Confined) -> Response:
        name = "/".join(match.parts["name"])
        if request.method == "DELETE":
            return await self._overlays.delete_workspace(grant, name)
        return await self._overlays.put_workspace(grant, name, await _whole(confined, MAX_WORKSPACE_BYTES))

    async def _me(self, request: Request, grant: Grant, match: Match, confined: Confined) -> Response:
        return synthetic.me(self._names.identity(grant))

    async def _settings_write(self, request: Request, grant: Grant, match: Match, confined: Confined) -> Response:
        plugin = "/".join(match.parts["name"])
        return await self._overlays.put_settings(grant, plugin, await _whole(confined, MAX_SETTINGS_BYTES * 2))

    async def _events(self, request: Request, grant: Grant, match: Match, confined: Confined) -> Upgrade:
        return await self._documents.silent(grant)

    async def _global_awareness(self, request: Request, grant: Grant, match: Match, confined: Confined) -> Upgrade:
        return await self._documents.private(grant)


async def _noted(done: Callable[[], Awaitable[None]], answer: Response) -> None:
    """What the server has taken stands there, also where that cannot be noted."""
    try:
        await done()
    except StoreUnavailable:  # fails closed: nothing further is written before it can be
        if answer.done is not None:
            await answer.done()
        raise Denied(Reason.STORE_UNAVAILABLE, "the server took it; it could not be noted") from None


async def _whole(confined: Confined, limit: int) -> bytes:
    if confined.stream is not None:
        return await confined.stream.read(limit)
    return confined.body or b""


def _outgoing(request: Request, rule: Rule, confined: Confined, headers: tuple[tuple[str, str], ...]) -> Outgoing:
    return Outgoing(
        method=request.method,
        path=confined.encoded,
        query=confined.query,
        headers=headers,
        body=confined.stream if confined.stream is not None else (confined.body or b""),
        credential=rule.credential,
    )


def synthetic_json(body: bytes) -> Response:
    """JSON that the gate wrote itself."""
    return Response(200, synthetic.JSON_HEADERS, body)
