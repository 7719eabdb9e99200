"""Rooms: how a visitor comes to watch one shared document, and the two channels that are answered locally."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.channels.admission import Admission, Admissions, RoomName
from sharegate.channels.editor import EditorGuard
from sharegate.channels.interfaces import FileIds, FreshFileIds, Guard
from sharegate.channels.link import Connect, Ended
from sharegate.channels.open_rooms import OpenRooms
from sharegate.channels.place import Place
from sharegate.channels.private import GlobalAwareness, Silent, serve_locally
from sharegate.channels.registry import Channels, Cut, Kind
from sharegate.channels.relay import Summary, relay
from sharegate.channels.room import Room, stale_session
from sharegate.channels.scan import DROPPED, FROM_EDITOR
from sharegate.channels.steward import Steward
from sharegate.channels.viewer import ViewerGuard
from sharegate.confine.request import Confined
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.messages import Frame, Socket, Upgrade
from sharegate.paths import CanonicalPath
from sharegate.policy.documents import DocumentRules
from sharegate.policy.model import Match
from sharegate.shares.model import Capability, Grant
from sharegate.upstream.interfaces import Forwarder, Outgoing, UpstreamDirectory
from sharegate.upstream.model import Upstream
from sharegate.upstream.roots import Roots
from sharegate.visits.allowance import Allowance
from sharegate.visits.presence import Presence

_MODEL_LIMIT = 1 << 20
SETTLING_SECONDS = 0.05


class _Session(msgspec.Struct):
    """What a server answers to a session request (jupyter_server_ydoc DocSessionHandler)."""

    fileId: str
    sessionId: str

    @classmethod
    def read(cls, status: int, data: bytes) -> _Session:
        try:
            if status in (200, 201):
                return msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # fails closed below
            pass
        raise Denied(Reason.UPSTREAM_BAD_ANSWER, f"session request answered with {status}")


class Documents:
    """Opens the channels of visitors to shared documents."""

    def __init__(
        self,
        *,
        upstreams: UpstreamDirectory,
        forwarder: Forwarder,
        file_ids: FreshFileIds,
        channels: Channels,
        disk: Roots,
        presence: Presence,
        allowance: Allowance,
        trail: Recorder,
        steward: Steward,
        rules: DocumentRules,
        idle_after: float,
        moved: Callable[[str, str], object],
    ) -> None:
        """`moved(upstream, path)` is told of a document that lies no longer where it was."""
        self._upstreams = upstreams
        self._forwarder = forwarder
        self._file_ids = file_ids
        self._channels = channels
        self._disk = disk
        self._presence = presence
        self._allowance = allowance
        self._trail = trail
        self._admissions = Admissions()
        self._steward = steward
        self._rules = rules
        self._idle_after = idle_after
        self._moved = moved
        self.rooms = OpenRooms(self._room)

    # -- the session request, which comes first -------------------------------------------------------------------

    async def check_session(self, grant: Grant, upstream: Upstream, confined: Confined) -> None:
        """Before a session request goes upstream: the file exists (upstream would index anything, for ever) and is
        asked for in its one format and type. Denied(`not_found`, `room_format`)."""
        path = _path_of(confined)
        asked = confined.fields
        self._admissions.session_body_for(upstream.id, path, str(asked.get("format", "")), str(asked.get("type", "")))
        await self._check_file(upstream, path)

    async def _check_file(self, upstream: Upstream, path: CanonicalPath) -> None:
        answer = await self._forwarder.forward(
            upstream, Outgoing("GET", f"api/contents/{path.encoded}", query=(("content", "0"),))
        )
        data = await answer.read(_MODEL_LIMIT)
        if answer.status != 200 or json.loads(data).get("type") == "directory":
            raise Denied(Reason.NOT_FOUND, "no file for a session or room")

    def learn_session(self, upstream: Upstream, confined: Confined, body: bytes) -> bytes:
        """Keep what the (filtered) session answer said of the file, and say it with the room's own session: a page
        holds one history of a document, and which one is the gate's to know."""
        said = json.loads(body)
        self._admissions.learn(upstream.id, _path_of(confined), said["format"], said["type"], said["fileId"])
        name = RoomName(said["format"], said["type"], said["fileId"])
        return msgspec.json.encode({**said, "sessionId": self.rooms.of(upstream.id, name).session})

    # -- the room -------------------------------------------------------------------------------------------------

    async def open(self, grant: Grant, upstream: Upstream, match: Match, confined: Confined) -> Upgrade:
        """Admit to a room; the visitor is answered 101 only after the server's document is here."""
        name = match.parts["room"][0]

        async def inside(path: CanonicalPath) -> None:
            await self._disk.inside(grant, upstream, path.segments)

        admission = await self._admissions.admit(upstream.id, grant.root, name, self._file_ids, inside=inside)
        # The server knows ids of folders and of files that are gone, and makes a room for each.
        await self._check_file(upstream, admission.path)
        room = self.rooms.of(upstream.id, admission.room)
        if dict(confined.query).get("sessionId") != room.session:
            return Upgrade(_teller(stale_session()))

        self._lies(room, admission.path)

        async def check(file_ids: FileIds) -> None:
            self._lies(room, await self._admissions.recheck(admission, grant.root, file_ids, inside=inside))

        async with contextlib.AsyncExitStack() as opening:
            cut = await opening.enter_async_context(self._channels.open(grant, kind="room", room=name))
            opening.enter_context(self._admissions.watched(admission))
            try:
                member = await room.enter(grant, room.place(grant.share.id, lambda: Place(check, self._file_ids)))
            except Ended as ended_for_good:
                # A page gives a document up when it is closed so, and goes on trying for ever when it is not opened.
                return Upgrade(_teller(Frame.close(ended_for_good.frame.code)))
            opening.callback(member.abort)
            # A frame is passed on only after the trail knows that the channel is open.
            await self._record(Action.CHANNEL_OPENED, grant, admission, match)
            # Recorded however it ends: a visitor's connection that breaks cancels what serves it.
            ended = Summary(ended="connection_lost", code=1006)

            async def closed() -> None:
                await self._closed(grant, admission, match, ended)

            opening.push_async_callback(closed)
            opened = opening.pop_all()

        async def recheck() -> None:
            await member.place.fresh()
            self._presence.touch(grant.visit.id, str(room.path))

        def over(summary: Summary) -> None:
            nonlocal ended
            ended = summary

        async def serve(visitor: Socket) -> None:
            try:
                await relay(
                    visitor,
                    member,
                    EditorGuard() if grant.allows(Capability.ROOMS_WRITE) else ViewerGuard(),
                    cut,
                    recheck=recheck,
                    summary=self._reporter(grant, admission, match),
                    over=over,
                )
            finally:
                await asyncio.shield(opened.aclose())

        writes = grant.allows(Capability.ROOMS_WRITE)
        return Upgrade(serve, opened.aclose, max_message=FROM_EDITOR.bytes if writes else DROPPED.bytes)

    def acted(self, visit: str) -> None:
        """The visit's person did something: its documents are not resting."""
        self.rooms.acted(visit)

    # -- what is asked to be run (visits.hands.Notebooks) ---------------------------------------------------------

    def room_of(self, visit: str, upstream: str, path: str) -> str:
        return self.rooms.room_of(visit, upstream, path)

    def sources(self, upstream: str, room: str, path: str) -> Mapping[str, str] | None:
        return self.rooms.sources(upstream, room, path)

    async def lies(self, upstream: str, room: str, path: str) -> bool:
        where = await self.path_of(upstream, RoomName.parse(room).file_id)
        return where is not None and str(where) == path

    # -- the owner's and the gate's own ---------------------------------------------------------------------------

    async def room_at(self, upstream_id: str, path: CanonicalPath) -> Room:
        """The room of any file of the owner's server, on the owner's behalf: no share confines it. The file exists, and
        is one that a room can hold. Denied(`room_format`, `upstream_bad_answer`, `upstream_away` …)."""
        body = self._admissions.session_body_for(upstream_id, path)
        upstream = await self._upstreams.find(upstream_id)
        said = await self._ask_session(upstream, path, body)
        self._admissions.learn(upstream_id, path, body["format"], body["type"], said.fileId)
        room = self.rooms.of(upstream_id, RoomName(body["format"], body["type"], said.fileId))
        self._lies(room, path)
        return room

    def _lies(self, room: Room, path: CanonicalPath) -> None:
        before, room.path = room.path, path
        if before is not None and before != path:
            self._moved(room.upstream, str(before))

    async def path_of(self, upstream_id: str, file_id: str) -> CanonicalPath | None:
        """Where a file is by now; None when the server does not know it."""
        where = await self._file_ids.newest.path_of(upstream_id, file_id)
        return CanonicalPath.from_body(where) if where is not None else None

    async def id_of(self, upstream: Upstream, path: CanonicalPath) -> str:
        """The server's id of a file that is there, given now if it had none; "" when it gives none."""
        try:
            body = self._admissions.session_body_for(upstream.id, path)
            return (await self._ask_session(upstream, path, body)).fileId
        except Denied:  # fails open: a version without an id is found under the name that the file had
            return ""

    async def _ask_session(self, upstream: Upstream, path: CanonicalPath, body: dict[str, str]) -> _Session:
        answer = await self._forwarder.forward(
            upstream,
            Outgoing(
                "PUT",
                f"api/collaboration/session/{path.encoded}",
                headers=(("Content-Type", "application/json"),),
                body=msgspec.json.encode(body),
            ),
        )
        return _Session.read(answer.status, await answer.read(_MODEL_LIMIT))

    def count(self) -> int:
        """How many live documents a visitor has open."""
        return self.rooms.count()

    def unsaved(self) -> int:
        """In how many live documents something waits to be saved, or to be sent to the server."""
        return self.rooms.unsaved()

    async def settled(self) -> None:
        """Wait until there are none."""
        while self.unsaved():  # noqa: ASYNC110 -- asked for once, when the gate ends
            await asyncio.sleep(SETTLING_SECONDS)

    async def closed(self) -> None:
        """Wait until nothing is connected to a server any more: after everybody left."""
        await self.rooms.closed()

    def _room(self, upstream: str, name: RoomName) -> Room:
        return Room(
            upstream, name, self._connect(upstream, name), self._steward, self._rules, idle_after=self._idle_after
        )

    def _connect(self, upstream_id: str, name: RoomName) -> Connect:
        """What opens the server's end of a room, wherever server and file are by then."""

        async def connect() -> Socket:
            upstream = await self._upstreams.find(upstream_id)
            where = await self._file_ids.newest.path_of(upstream_id, name.file_id)
            if where is None:
                raise Denied(Reason.ROOM_LEFT_ROOT, "the server does not know the id")
            body = {"format": name.format, "type": name.type}
            said = await self._ask_session(upstream, CanonicalPath.from_body(where), body)
            if said.fileId != name.file_id:
                raise Denied(Reason.ROOM_LEFT_ROOT, "another file lies there")
            return await self._forwarder.connect(
                upstream,
                Outgoing("GET", f"api/collaboration/room/{name}", query=(("sessionId", said.sessionId),)),
            )

        return connect

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


def _teller(end: Frame) -> Callable[[Socket], Awaitable[None]]:
    """A channel that is closed as soon as it is open: pages read why in the close, not in a refusal."""

    async def tell(visitor: Socket) -> None:
        await visitor.close(end.code, end.reason)

    return tell


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
