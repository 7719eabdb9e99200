"""Rooms: how a visitor comes to watch one shared document, and the two channels that are answered locally."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

import msgspec

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.channels.interfaces import Confirm, FileIds, FreshFileIds, Guard
from sharegate.channels.private import GlobalAwareness, Silent, serve_locally
from sharegate.channels.registry import Channels, Cut, Kind
from sharegate.channels.relay import Summary, relay
from sharegate.channels.room import Admission, Rooms
from sharegate.channels.viewer import ViewerGuard
from sharegate.confine.request import Confined
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.messages import Socket, Upgrade
from sharegate.paths import CanonicalPath
from sharegate.policy.model import Match
from sharegate.shares.model import Grant
from sharegate.upstream.interfaces import Forwarder, Outgoing
from sharegate.upstream.model import Upstream
from sharegate.upstream.roots import Roots
from sharegate.visits.allowance import Allowance
from sharegate.visits.presence import Presence

_MODEL_LIMIT = 1 << 20


class Documents:
    """Opens the channels of visitors to shared documents."""

    def __init__(
        self,
        *,
        forwarder: Forwarder,
        file_ids: FreshFileIds,
        channels: Channels,
        disk: Roots,
        presence: Presence,
        allowance: Allowance,
        trail: Recorder,
    ) -> None:
        self._forwarder = forwarder
        self._file_ids = file_ids
        self._channels = channels
        self._disk = disk
        self._presence = presence
        self._allowance = allowance
        self._trail = trail
        self._rooms = Rooms()

    # -- the session request, which comes first -------------------------------------------------------------------

    async def check_session(self, grant: Grant, upstream: Upstream, confined: Confined) -> None:
        """Before a session request goes upstream: the file exists (upstream would index anything, for ever) and is
        asked for in its one format and type. Denied(`not_found`, `room_format`)."""
        path = _path_of(confined)
        asked = confined.fields
        self._rooms.session_body_for(upstream.id, path, str(asked.get("format", "")), str(asked.get("type", "")))
        await self._check_file(upstream, path)

    async def _check_file(self, upstream: Upstream, path: CanonicalPath) -> None:
        answer = await self._forwarder.forward(
            upstream, Outgoing("GET", f"api/contents/{path.encoded}", query=(("content", "0"),))
        )
        data = await answer.read(_MODEL_LIMIT)
        if answer.status != 200 or json.loads(data).get("type") == "directory":
            raise Denied(Reason.NOT_FOUND, "no file for a session or room")

    def learn_session(self, upstream: Upstream, confined: Confined, body: bytes) -> None:
        """Keep what the (filtered) session answer said of the file."""
        said = json.loads(body)
        self._rooms.learn(upstream.id, _path_of(confined), said["format"], said["type"], said["fileId"])

    # -- the room -------------------------------------------------------------------------------------------------

    async def open(self, grant: Grant, upstream: Upstream, match: Match, confined: Confined) -> Upgrade:
        """Admit to a room and connect its upstream side; the visitor is answered 101 only after the upstream was."""
        name = match.parts["room"][0]

        async def inside(path: CanonicalPath) -> None:
            await self._disk.inside(grant, upstream, path.segments)

        admission = await self._rooms.admit(upstream.id, grant.root, name, self._file_ids, inside=inside)
        # The server knows ids of folders and of files that are gone, and makes a room for each.
        await self._check_file(upstream, admission.path)

        async def check(file_ids: FileIds) -> None:
            path = await self._rooms.recheck(admission, grant.root, file_ids, inside=inside)
            self._presence.touch(grant.visit.id, str(path))

        async def confirm(what: Confirm) -> None:
            await check(self._file_ids.newest if what is Confirm.NEWEST else self._file_ids)

        async with contextlib.AsyncExitStack() as opening:
            cut = await opening.enter_async_context(self._channels.open(grant, kind="room", room=name))
            opening.enter_context(self._rooms.watched(admission))
            socket = await self._forwarder.connect(
                upstream, Outgoing("GET", f"api/collaboration/room/{admission.room}", query=confined.query)
            )
            opening.callback(socket.abort)
            # A frame is passed on only after the trail knows that the channel is open.
            await self._record(Action.CHANNEL_OPENED, grant, admission, match)
            # Recorded however it ends: a visitor's connection that breaks cancels what serves it.
            ended = Summary(ended="connection_lost", code=1006)

            async def closed() -> None:
                await self._closed(grant, admission, match, ended)

            opening.push_async_callback(closed)
            opened = opening.pop_all()

        async def serve(visitor: Socket) -> None:
            nonlocal ended
            try:
                ended = await relay(
                    visitor,
                    socket,
                    ViewerGuard(upstream.id),
                    cut,
                    recheck=lambda: check(self._file_ids),
                    confirm=confirm,
                    summary=self._reporter(grant, admission, match),
                )
            finally:
                await asyncio.shield(opened.aclose())

        return Upgrade(serve, abandon=opened.aclose)

    # -- answered locally -----------------------------------------------------------------------------------------

    async def private(self, grant: Grant) -> Upgrade:
        """`JupyterLab:globalAwareness`: an empty room for this visitor alone."""
        return await self._local(grant, GlobalAwareness())

    async def silent(self, grant: Grant) -> Upgrade:
        """`/api/events/subscribe`: a stream in which nothing happens."""
        return await self._local(grant, Silent())

    async def _local(self, grant: Grant, guard: Guard) -> Upgrade:
        return await channel(self._channels, grant, "local", lambda visitor, cut: serve_locally(visitor, guard, cut))

    # -- the trail ------------------------------------------------------------------------------------------------

    def _reporter(self, grant: Grant, admission: Admission, match: Match) -> Callable[[Summary], Awaitable[None]]:
        async def report(since: Summary) -> None:
            await self._record(Action.CHANNEL_SUMMARY, grant, admission, match, since, durable=False)
            # What comes through a channel counts like what is downloaded; past the limit the channel ends.
            self._allowance.sent(grant, since.bytes_out)
            self._allowance.check(grant)

        return report

    async def _closed(self, grant: Grant, admission: Admission, match: Match, ended: Summary) -> None:
        try:
            await self._record(Action.CHANNEL_CLOSED, grant, admission, match, ended)
        except StoreUnavailable:  # closed all the same; the trail is unhealthy and lets nobody in
            pass

    async def _record(
        self,
        action: Action,
        grant: Grant,
        admission: Admission,
        match: Match,
        summary: Summary | None = None,
        *,
        durable: bool = True,
    ) -> None:
        event = AuditEvent(
            action=action,
            actor="visitor",
            share=grant.share.id,
            link=grant.link.id,
            visit=grant.visit.id,
            rule=match.rule.id,
            path=str(admission.path),
            name=grant.visit.name,
        )
        if summary is not None:
            event = _told(event, summary)
        await self._trail.record(event, durable=durable)


async def channel(
    channels: Channels, grant: Grant, kind: Kind, serve: Callable[[Socket, Cut], Awaitable[object]]
) -> Upgrade:
    """A channel that the gate answers by itself. It is registered now, before the visitor is answered 101: what is too
    much is refused while it still can be, and what ends the visit meanwhile ends it."""
    opened = contextlib.AsyncExitStack()
    cut = await opened.enter_async_context(channels.open(grant, kind))

    async def serving(visitor: Socket) -> None:
        async with opened:
            await serve(visitor, cut)

    return Upgrade(serving, abandon=opened.aclose)


def _told(event: AuditEvent, summary: Summary) -> AuditEvent:
    """The event with what a channel's summary says."""
    reasons = {reason.value for reason in Reason}
    return msgspec.structs.replace(
        event,
        bytes_in=summary.bytes_in,
        bytes_out=summary.bytes_out,
        count=max(1, summary.frames_in + summary.frames_out),
        outcome=Outcome.DENIED if summary.ended in reasons else Outcome.ALLOWED,
        reason=summary.ended if summary.ended in reasons else "",
        detail=f"{summary.refused} frames refused" if summary.refused else "",
    )


def _path_of(confined: Confined) -> CanonicalPath:
    if confined.path is None:
        raise Denied(Reason.BAD_PATH, "no document")
    return confined.path
