"""One connection: pressure both ways, and no answer that was not asked for. Most of it: test_forward_answers.py."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.upstream.wire import Broken, Wire
from tests.upstream.scripted import ok


class Line(asyncio.Transport):
    """A transport that keeps what happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.aborted = self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def connected() -> tuple[Wire, Line, list[Wire]]:
    """A connection, its transport, and who may carry another request."""
    again: list[Wire] = []
    wire, line = Wire(again.append, lambda _: None), Line()
    wire.connection_made(line)
    return wire, line, again


async def test_an_answer_gives_the_connection_back() -> None:
    """As soon as it is over, also when nobody has read its body yet."""
    wire, line, again = connected()
    exchange = wire.ask("GET", b"asked")
    wire.data_received(ok(b"hello"))
    assert (await exchange.head).status == 200
    assert (line.sent, again, wire.usable) == (b"asked", [wire], True)
    assert (await exchange.wait(), await exchange.wait(), exchange.ended) == (b"hello", b"", True)
    exchange.give_up()
    assert not line.aborted


async def test_attack_what_nobody_asked_for_ends_the_connection() -> None:
    """Before the first question, and behind an answer, at once or later."""
    wire, line, _ = connected()
    wire.data_received(ok(b"evil"))
    assert line.aborted
    with pytest.raises(Broken) as broken:
        wire.ask("GET", b"asked")
    assert broken.value.silent

    wire, line, again = connected()
    exchange = wire.ask("GET", b"asked")
    wire.data_received(ok(b"hello") + ok(b"evil"))
    assert (line.aborted, again, await exchange.wait()) == (True, [], b"hello")

    wire, line, _ = connected()
    wire.ask("GET", b"asked")
    wire.data_received(ok(b"hello"))
    wire.data_received(b"\r\n")
    assert line.aborted and not wire.usable


async def test_who_does_not_read_stops_the_server() -> None:
    """Nothing is taken off the network while much waits, and all of it comes when it is read."""
    wire, line, _ = connected()
    exchange = wire.ask("GET", b"asked")
    size = 600_000
    wire.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    got = sent = 0
    while sent < size:
        if line.paused:
            got += len(await exchange.wait())
        else:
            wire.data_received(b"x" * 50_000)
            sent += 50_000
        assert sent - got <= 200_000
    while piece := await exchange.wait():
        got += len(piece)
    assert (got, line.paused, exchange.ended) == (size, False, True)


async def test_a_pause_does_not_outlast_its_answer() -> None:
    """A connection that waits for its next request hears when it ends."""
    wire, line, again = connected()
    exchange = wire.ask("GET", b"asked")
    wire.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 200_000)
    assert line.paused
    wire.data_received(b"x" * 100_000)
    assert (line.paused, again) == (False, [wire])
    assert sum([len(await exchange.wait()) for _ in range(2)]) == 300_000


async def test_an_upload_waits_for_a_server_that_does_not_take_it() -> None:
    """And ends with the connection."""
    wire, _, _ = connected()
    wire.ask("PUT", b"head")
    wire.pause_writing()
    sending = asyncio.ensure_future(wire.send(b"piece"))
    await asyncio.sleep(0)
    assert not sending.done()
    wire.resume_writing()
    await sending
    wire.pause_writing()
    sending = asyncio.ensure_future(wire.send(b"piece"))
    await asyncio.sleep(0)
    wire.connection_lost(None)
    with pytest.raises(Broken):
        await sending


async def test_attack_a_connection_with_half_a_request_on_it_is_not_used_again() -> None:
    """An answer before the end of the upload leaves the rest of it unsaid: the next request would be read as that."""
    wire, line, again = connected()
    exchange = wire.ask("PUT", b"head")
    exchange.upload = asyncio.ensure_future(asyncio.sleep(3600))
    wire.data_received(ok(b"no"))
    await asyncio.sleep(0)
    assert (again, line.aborted, exchange.upload.cancelled()) == ([], True, True)


@pytest.mark.parametrize(("said", "silent"), [(b"", True), (b"H", False), (b"HTTP/1.1 102 P\r\n\r\n", False)])
async def test_silence_is_told_from_half_an_answer(said: bytes, silent: bool) -> None:
    """Only after silence may a request be sent again."""
    for ending in ("eof", "lost"):
        wire, _, _ = connected()
        exchange = wire.ask("GET", b"asked")
        if said:
            wire.data_received(said)
        if ending == "eof":
            wire.eof_received()
        else:
            wire.connection_lost(ConnectionResetError())
        with pytest.raises(Broken) as broken:
            await exchange.head
        assert broken.value.silent is silent


async def test_giving_up_drops_the_connection_once() -> None:
    """Whoever waits for the body is told, and it is never used again."""
    wire, line, again = connected()
    exchange = wire.ask("GET", b"asked")
    wire.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    exchange.give_up()
    exchange.give_up()
    assert (line.aborted, again, await exchange.wait()) == (True, [], b"abc")
    with pytest.raises(Broken):
        await exchange.wait()
