"""Several requests on one connection, and a visitor who has said all (RFC 9112 section 9)."""

from __future__ import annotations

import asyncio

from tests.probes.back import Turn, said
from tests.probes.model import Verdict, bad, doubtful, ok, probe
from tests.probes.peer import Peer

TOPIC = "Order and half-close"


def _echo(turn: Turn) -> bytes:
    return said(turn.target.rpartition("/")[2].encode())


async def _by_name(turn: Turn) -> bool:
    await turn.whole()
    turn.say(_echo(turn))
    return True


@probe(TOPIC, "three at once")
async def _three(peer: Peer) -> Verdict:
    """Three requests in one packet are answered in their order."""
    peer.back.plays(_by_name)
    talk = await peer.talk()
    await talk.say(peer.head("a") + peer.head("b") + peer.head("c", "Connection: close"))
    bodies = [(await talk.answer()).body for _ in range(3)]
    return ok("in order") if bodies == [b"a", b"b", b"c"] else bad(f"answered {bodies}")


@probe(TOPIC, "the second waits for the first")
async def _waits(peer: Peer) -> Verdict:
    """A second request is not begun before the first is answered: what it does may rest on it."""
    hold, early = asyncio.Event(), []

    async def script(turn: Turn) -> bool:
        await turn.whole()
        if turn.target.endswith("/slow"):
            await hold.wait()
        else:
            early.append(not hold.is_set())
        turn.say(_echo(turn))
        return True

    peer.back.plays(script)
    talk = await peer.talk()
    await talk.say(peer.head("slow") + peer.head("fast", "Connection: close"))
    await peer.back.asked()
    # Everything that was sent has been read by now, or will be when the first is answered.
    await peer.back.asked(2, seconds=0.3)
    hold.set()
    bodies = [(await talk.answer()).body for _ in range(2)]
    if bodies != [b"slow", b"fast"]:
        return bad(f"answered {bodies}")
    return bad("begun at once") if early and early[0] else ok("begun when the first was answered")


@probe(TOPIC, "a refused one first")
async def _refused_first(peer: Peer) -> Verdict:
    """A refusal whose request was read to its end leaves the next one its turn; its body is no request."""
    peer.back.plays(_by_name)
    inner = peer.head("inner")
    refused = peer.head("../x", f"Content-Length: {len(inner)}") + inner
    talk = await peer.talk()
    await talk.say(refused + peer.head("after", "Connection: close"))
    first = await talk.answer()
    second = await talk.answer()
    if any(turn.target.endswith("/inner") for turn in peer.back.turns):
        return bad("its body became a request")
    if first.status == 0:
        return bad(f"answered with {first}")
    told = f"{first.status}, then {second}"
    return ok(told) if second.body == b"after" or second.status == 0 or first.status >= 400 else doubtful(told)


@probe(TOPIC, "an upload, then the next")
async def _after_upload(peer: Peer) -> Verdict:
    """A request behind an upload in one packet is the next request."""
    talk = await peer.talk()
    await talk.say(
        peer.put(f"Content-Length: {len(peer.upload)}") + peer.upload + peer.head("after.csv", "Connection: close")
    )
    first, second = await talk.answer(), await talk.answer()
    good = first.whole and first.status < 300 and second.body == b"ok"
    return ok("both answered") if good else bad(f"{first}, then {second}")


@probe(TOPIC, "an unreadable one behind a good one")
async def _garbage_behind(peer: Peer) -> Verdict:
    """The good one gets its answer before the connection ends, or is not begun."""
    talk = await peer.talk()
    await talk.say(peer.head("a.csv") + b"\x00\x01\x02 nonsense\r\n\r\n")
    first = await talk.answer()
    if first.status == 400 and not peer.back.turns:
        return ok("both refused, the good one not begun")
    if not first.whole or first.status != 200:
        return bad(f"the good one was answered with {first}")
    return ok("then the end") if await talk.ends() else doubtful("then left open")


@probe(TOPIC, "Connection: close with more behind it")
async def _closing(peer: Peer) -> Verdict:
    """What stands behind a last request is not answered."""
    talk = await peer.talk()
    await talk.say(peer.head("a.csv", "Connection: close") + peer.head("b.csv"))
    reply = await talk.answer()
    more, end = await talk.rest()
    if more or len(peer.back.turns) > 1:
        return bad("answered all the same")
    if end == "open":
        return doubtful("the connection stays open")
    return ok("one answer, then the end") if reply.whole else bad(f"answered with {reply}")


@probe(TOPIC, "HTTP/1.0 closes")
async def _old(peer: Peer) -> Verdict:
    """Who speaks HTTP/1.0 waits for the end of the connection."""
    talk, reply = await peer.ask(peer.head("a.csv", version="HTTP/1.0"))
    if reply.body != b"ok":
        return bad(f"answered with {reply}")
    return ok("answered and closed") if await talk.ends() else bad("left open")


@probe(TOPIC, "half-close after the request")
async def _half(peer: Peer) -> Verdict:
    """A visitor who has said all and closes its half is answered, or given up: never half answered."""
    hold = asyncio.Event()

    async def script(turn: Turn) -> bool:
        gone, held = asyncio.ensure_future(turn.line.reader.read()), asyncio.ensure_future(hold.wait())
        await asyncio.wait({gone, held}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            return False
        gone.cancel()
        turn.say(said(b"answered"))
        return False

    peer.back.plays(script)
    talk = await peer.talk()
    await talk.say(peer.head("a.csv", "Connection: close"))
    await peer.back.asked()
    await talk.half_close()
    dropped = False
    try:
        async with asyncio.timeout(0.5):
            await peer.back.turns[0].line.gone.wait()
            dropped = True
    except (TimeoutError, IndexError):
        pass
    hold.set()
    reply = await talk.answer()
    if reply.body == b"answered":
        return ok("answered")
    if reply.status:
        return bad(f"half answered: {reply}")
    return ok("given up, the server's connection with it") if dropped else doubtful("given up; the server works on")


@probe(TOPIC, "half-close within an upload")
async def _half_upload(peer: Peer) -> Verdict:
    """An upload that ends too early is none."""
    talk = await peer.talk()
    await talk.say(peer.put(f"Content-Length: {len(peer.upload) + 5}") + peer.upload)
    await talk.half_close()
    reply = await talk.answer()
    for turn in peer.back.turns:
        if len(turn.body) >= len(peer.upload) + 5:
            return bad("the server got a whole upload")
    return ok(f"{reply}") if reply.status >= 400 or reply.ended == "cut" else bad(f"answered with {reply}")


@probe(TOPIC, "the visitor goes while the server thinks")
async def _goes(peer: Peer) -> Verdict:
    """The server's work is given up with the connection."""

    async def script(turn: Turn) -> bool:
        await turn.line.reader.read()
        return False

    peer.back.plays(script)
    talk = await peer.talk()
    await talk.say(peer.head("a.csv"))
    await peer.back.asked()
    talk.abort()
    try:
        async with asyncio.timeout(12):
            await peer.back.turns[0].line.gone.wait()
    except TimeoutError:
        return doubtful("the server is left to work for nobody")
    return ok("the server's connection was dropped")
