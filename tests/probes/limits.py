"""What one visitor may cost before anybody knows who it is: long heads, many fields, many connections."""

from __future__ import annotations

import asyncio
import contextlib

from tests.probes.back import Turn, said
from tests.probes.model import Run, Verdict, add, bad, doubtful, ok, probe
from tests.probes.peer import Peer
from tests.probes.talk import Talk

TOPIC = "Limits"
MEGABYTE = b"x" * 65536 * 16


async def _judge(peer: Peer, talk: Talk) -> Verdict:
    reply = await talk.answer()
    if peer.back.turns:
        return bad("passed on to the server")
    if reply.status >= 400:
        return ok(f"refused with {reply.status}")
    return bad("read on and on") if reply.ended == "open" else ok("the connection was dropped")


def _long(before: str, unit: bytes, size: int) -> Run:
    async def run(peer: Peer) -> Verdict:
        talk = await peer.talk()
        head = peer.head().removesuffix(b"\r\n")
        start = head if before == "field" else f"GET {peer.reading}".encode()
        await talk.say(start + (b"X-Long: " if before == "field" else b""))
        # No end of the head is ever sent: it has to be refused by what has come of it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(12):
                for _ in range(size // len(unit)):
                    await talk.say(unit)
                    if talk.reader.at_eof() or talk.reader.exception() is not None:
                        break
        return await _judge(peer, talk)

    return run


add(TOPIC, "a field of 2 MB without end", "Refused before its end has come.", _long("field", b"y" * 65536, 2 << 20))
add(TOPIC, "a target of 2 MB without end", "Refused before its end has come.", _long("line", b"y" * 65536, 2 << 20))
add(
    TOPIC,
    "fields without end",
    "Short fields, one after the other, 4 MB: refused before the end of the head has come.",
    _long("field", b"y\r\n" + b"X-A: b\r\n" * 8192 + b"X-Long: ", 4 << 20),
)


@probe(TOPIC, "a head of 70 KB in one piece")
async def _seventy(peer: Peer) -> Verdict:
    """The search for its end is bounded, not only what is left over when none was found."""
    talk = await peer.talk()
    fields = [f"X-{number}: {'y' * 1000}" for number in range(70)]
    await talk.say(peer.head("a.csv", *fields, "Connection: close"))
    reply = await talk.answer()
    if peer.back.turns:
        return doubtful("passed on to the server")
    return ok(f"refused with {reply}") if reply.status >= 400 or not reply.status else bad(f"answered with {reply}")


@probe(TOPIC, "a thousand fields")
async def _thousand(peer: Peer) -> Verdict:
    """A thousand fields in few bytes cost every reader behind more than their length shows."""
    _, reply = await peer.ask(peer.head("a.csv", *(f"X{number}: y" for number in range(1000)), "Connection: close"))
    if peer.back.turns:
        return doubtful("passed on to the server")
    return ok(f"refused with {reply}") if reply.status >= 400 or not reply.status else bad(f"answered with {reply}")


@probe(TOPIC, "a browser's head is none too long")
async def _browser(peer: Peer) -> Verdict:
    """40 fields and a cookie of 4 KB are a day's work."""
    fields = [f"X-{number}: {'y' * 60}" for number in range(40)]
    _, reply = await peer.ask(peer.head("a.csv", *fields, "X-Big: " + "c" * 4096, "Connection: close"))
    return ok("answered") if reply.status == 200 else bad(f"answered with {reply}")


async def _told(peer: Peer, data: bytes) -> Verdict:
    """Whether a visitor who sends 4 MB more before reading finds the refusal."""
    talk = await peer.talk()
    await talk.say(data)
    for _ in range(64):
        await talk.say(b"z" * 65536)
        await asyncio.sleep(0)
    reply = await talk.answer()
    if reply.status >= 400 and reply.whole:
        return ok(f"{reply.status} arrives")
    return bad(f"the refusal was lost: {reply}")


@probe(TOPIC, "much behind a head that is none")
async def _behind_head(peer: Peer) -> Verdict:
    """The refusal of a head arrives, though 4 MB follow it: a reset would take it back on the way."""
    return await _told(peer, peer.head("a.csv", "X-Thing : 1", "Content-Length: nothing"))


@probe(TOPIC, "much behind a chunk that is none")
async def _behind_chunk(peer: Peer) -> Verdict:
    """The same for a body that cannot be read."""
    return await _told(peer, peer.put("Transfer-Encoding: chunked") + b"zz\r\n")


@probe(TOPIC, "pipelined requests without end")
async def _flood(peer: Peer) -> Verdict:
    """Behind one that is not answered yet, a peer stops reading instead of keeping what comes."""
    hold = asyncio.Event()

    async def wait(turn: Turn) -> bool:
        await hold.wait()
        turn.say(said(b"late"))
        return False

    peer.back.plays(wait)
    talk = await peer.talk()
    talk.writer.transport.set_write_buffer_limits(high=1)
    one = peer.head("a.csv", "X-Fill: " + "y" * 4000) * 16
    taken = 0
    try:
        # 64 MB. What both kernels hold between two loopback sockets is less than a fifth of that.
        for _ in range(1000):
            async with asyncio.timeout(1):
                await talk.say(one)
            taken += len(one)
    except TimeoutError:
        pass
    finally:
        hold.set()
    dropped = talk.reader.at_eof() or talk.reader.exception() is not None
    talk.abort()
    # Those few that were taken in are asked for to their end, and must not come to the next probe's server.
    came = -1
    while came < len(peer.back.turns):
        came = len(peer.back.turns)
        await asyncio.sleep(0.3)
    if dropped:
        return ok("the connection was dropped")
    if taken > 48 << 20:
        return bad(f"read {taken >> 20} MB of them")
    return ok(f"stops reading after {taken / (1 << 20):.1f} MB")
