"""What waits for a visitor, and how a place in a room ends."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.channels import member as members
from sharegate.channels.frames import Update
from sharegate.channels.member import Heard, Member
from sharegate.channels.place import Place
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame, FrameKind
from tests.channels.grants import grant
from tests.channels.looks import Ids, Looks


class Desk:
    """A room's side, in memory."""

    def __init__(self) -> None:
        self.taken: list[Heard] = []
        self.left = 0
        self.member = Member(grant(), Place(Looks(), Ids()), self._take, self._leave)

    async def _take(self, member: Member, heard: Heard) -> None:
        self.taken.append(heard)

    def _leave(self, member: Member) -> None:
        self.left += 1


async def test_news_come_in_order_and_are_waited_for() -> None:
    """First in, first out; who receives before there is something waits."""
    desk = Desk()
    waiting = asyncio.create_task(desk.member.receive())
    await asyncio.sleep(0)
    for text in (b"1", b"2", b"3"):
        desk.member.push(Frame.binary(text))
    assert [(await waiting).data, (await desk.member.receive()).data, (await desk.member.receive()).data] == [
        b"1",
        b"2",
        b"3",
    ]


async def test_who_falls_behind_loses_the_connection_not_the_room_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bounds nothing is kept, and the close tells the page to come back."""
    monkeypatch.setattr(members, "WAITING_BYTES", 100)
    desk = Desk()
    for _ in range(20):
        desk.member.push(Frame.binary(bytes(10)))
    end = await desk.member.receive()
    assert (end.kind, end.code, end.reason) == (FrameKind.CLOSE, 1012, "server_slow")
    assert desk.left == 1 and "0 frames waiting" in repr(desk.member)


async def test_one_frame_may_be_larger_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document itself is one frame."""
    monkeypatch.setattr(members, "WAITING_BYTES", 100)
    desk = Desk()
    desk.member.push(Frame.binary(bytes(1000)))
    assert len((await desk.member.receive()).data) == 1000


async def test_too_many_small_frames_are_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are counted as well as bytes."""
    monkeypatch.setattr(members, "WAITING_FRAMES", 3)
    desk = Desk()
    for _ in range(4):
        desk.member.push(Frame.binary(b""))
    assert (await desk.member.receive()).kind is FrameKind.CLOSE


async def test_an_end_comes_before_what_waits() -> None:
    """After it nothing is heard and nothing taken; the first end stands."""
    desk = Desk()
    desk.member.push(Frame.binary(b"waits"))
    desk.member.end(Denied(Reason.ROOM_LEFT_ROOT))
    desk.member.end(Frame.close(1012))
    desk.member.push(Frame.binary(b"late"))
    with pytest.raises(Denied, match="room_left_root"):
        await desk.member.receive()
    with pytest.raises(ConnectionResetError):
        await desk.member.send(Heard(FrameKind.BINARY, message=Update(b"")))
    assert desk.taken == [] and desk.left == 1


async def test_leaving_is_told_once() -> None:
    """However the relay ends it."""
    desk = Desk()
    await desk.member.close(1000)
    desk.member.abort()
    assert desk.left == 1
    with pytest.raises(ConnectionResetError):
        await desk.member.send(Heard(FrameKind.BINARY, message=Update(b"")))


async def test_what_no_guard_has_read_is_taken_from_nobody() -> None:
    """A raw frame is a fault of ours."""
    with pytest.raises(AssertionError):
        await Desk().member.send(Frame.binary(b"x"))
