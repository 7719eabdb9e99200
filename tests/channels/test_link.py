"""A room's connection to a server that cannot be had, or answers badly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pycrdt import Doc

from sharegate.channels import link as links
from sharegate.channels.frames import SyncStep2, Update
from sharegate.channels.link import STEADY_SECONDS, Link
from sharegate.channels.room import Room
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame
from tests.channels.documents import kinds_of_attack
from tests.channels.rooms import Server, ended, enter, until
from tests.conftest import Clock


async def test_a_server_that_refuses_lets_nobody_in(room: Room, server: Server) -> None:
    """Its reason is the visitor's, and the next one asks anew."""
    server.refuse = Reason.UPSTREAM_AWAY
    with pytest.raises(Denied, match="upstream_away"):
        await enter(room)
    assert room.empty
    server.refuse = None
    assert str((await enter(room)).source) == "words\n"


async def test_a_server_that_never_sends_the_document_is_given_up(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time-out of its own."""
    monkeypatch.setattr(links, "SYNC_SECONDS", 0.02)
    server.silent = True
    with pytest.raises(Denied, match="upstream_timeout"):
        await enter(room)


async def test_a_short_absence_of_the_server_is_waited_out(room: Room, server: Server) -> None:
    """Viewers stay and read on; nobody is told."""
    viewer = await enter(room)
    server.wire.vanish()
    await until(lambda: len(server.wires) == 2)
    await server.wire.settle()
    await until(lambda: len(server.heard) == 4)
    await server.type("again ")
    await until(lambda: str(viewer.source) == "again words\n")
    assert viewer.end is None


async def test_a_server_that_stays_away_ends_the_channels_for_now(room: Room, server: Server) -> None:
    """With a code after which pages come back by themselves."""
    viewer = await enter(room)
    server.refuse = Reason.UPSTREAM_AWAY
    server.wire.vanish()
    await until(lambda: viewer.end is not None)
    assert ended(viewer) == "upstream_away"


class Wanting:
    """The room's side of a connection, as long as it is wanted. Implements link.Peer."""

    def __init__(self, heard: Callable[[], object] = lambda: None, *, known: bool = True) -> None:
        self.wanted = True
        self.known = known
        self.ended: list[Frame | Denied] = []
        self._heard = heard

    async def adopt(self, fresh: Doc[Any], reach: Mapping[int, int]) -> None:
        pass

    def opening(self, theirs: bytes) -> list[Frame]:
        return []

    async def news(self, news: object) -> None:
        self._heard()

    def tick(self) -> None:
        pass

    def lost(self) -> None:
        pass

    def over(self, why: Frame | Denied) -> None:
        self.ended.append(why)


class Sleeps:
    """Pauses that only move the clock; `then` is called before each, with how many there were."""

    def __init__(self, clock: Clock, then: Callable[[int], object]) -> None:
        self.made: list[float] = []
        self._clock = clock
        self._then = then

    async def __call__(self, seconds: float) -> None:
        self._then(len(self.made))
        self.made.append(round(seconds, 6))
        self._clock.forward(seconds)
        await asyncio.sleep(0)


async def test_attack_a_server_that_answers_badly_each_time(server: Server, clock: Clock) -> None:
    """It is tried again more and more slowly, up to some seconds, and fast again after a connection that lasted."""

    def heard() -> None:
        if len(server.wires) == 8:
            clock.forward(STEADY_SECONDS)

    async def connect() -> Any:
        socket = await server.connect()
        await server.say(SyncStep2(server.doc.get_update()), Update(b"\x00\x00"))
        server.wire._inbox.put_nowait(Frame.binary(b"\x07nonsense"))
        return socket

    peer = Wanting(heard)
    sleeps = Sleeps(clock, lambda number: setattr(peer, "wanted", number < 9))
    room_link = Link(connect, peer, now=clock, jitter=lambda: 0.5, sleep=sleeps)
    await room_link.open()
    await room_link.closed()
    assert sleeps.made == [0.2, 0.3, 0.6, 1.2, 2.25, 2.25, 2.25, 0.2, 0.3, 0.6]
    assert peer.ended == []


async def test_a_server_that_was_away_is_asked_as_before(server: Server, clock: Clock) -> None:
    """Whatever was before: five times a second for three seconds, then those who wait are told."""
    peer = Wanting()
    pauses = Sleeps(clock, lambda number: setattr(server, "refuse", Reason.UPSTREAM_AWAY))
    room_link = Link(server.connect, peer, now=clock, sleep=pauses)
    await room_link.open()
    server.wire.vanish()
    await room_link.closed()
    assert pauses.made == [0.2] * 15 and [str(why) for why in peer.ended] == ["upstream_away"]


async def test_a_connection_that_nobody_wanted_any_more_was_no_bad_one(room: Room, server: Server) -> None:
    """Who looks into a document and leaves at once, again and again, never waits."""
    for _ in range(5):
        (await enter(room)).leave()
        await room.closed()
    assert room._link._pauses._bad == 0 and len(server.wires) == 5


async def test_who_comes_after_a_bad_answer_does_not_bring_the_next_one_at_once(
    server: Server, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause is the document's, not one visitor's; nobody waits so for a server that was away."""
    monkeypatch.setattr(links, "SYNC_SECONDS", 0.02)
    server.silent = True
    sleeps = Sleeps(clock, lambda number: None)
    room_link = Link(server.connect, Wanting(known=False), now=clock, jitter=lambda: 1.0, sleep=sleeps)
    for refuse in (None, None, None, Reason.UPSTREAM_AWAY, Reason.UPSTREAM_AWAY):
        server.refuse = refuse
        with pytest.raises(Denied):
            await room_link.open()
        await room_link.closed()
    assert sleeps.made == [0.2, 0.4, 0.8]


@pytest.mark.parametrize("code", [4400, 4404, 4500])
async def test_the_servers_last_word_is_passed_on(room: Room, server: Server, code: int) -> None:
    """A file that is gone or unreadable stays so: no second try."""
    viewer = await enter(room)
    await server.wire.say(Frame.close(code, "Error initializing: /home/ann/x"))
    await until(lambda: viewer.end is not None)
    assert isinstance(viewer.end, Frame) and viewer.end.code == code
    assert len(server.wires) == 1


async def test_attack_hostile_frames_from_a_server_reach_no_viewer(room: Room, server: Server) -> None:
    """What a collaborator had the server repeat ends the connection, and a new one shows the true document."""
    import random

    viewer = await enter(room)
    for _, hostile in kinds_of_attack(random.Random(8), 1):
        before, count = len(server.wires), len(viewer.heard)
        await server.wire.say(*hostile)
        await until(lambda before=before: len(server.wires) > before)  # type: ignore[misc]
        assert len(viewer.heard) == count
        await server.wire.settle()
        await room._link.open()
    await server.type("alive ")
    await until(lambda: str(viewer.source) == "alive words\n")
