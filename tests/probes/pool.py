"""Connections to the server that are used again, and requests that are tried again (RFC 9112 9.3, RFC 9110 9.2.2)."""

from __future__ import annotations

import asyncio

from tests.probes.back import OK, Turn, answer, said
from tests.probes.model import Run, Verdict, add, bad, doubtful, ok, probe
from tests.probes.peer import Peer
from tests.probes.talk import Reply

TOPIC = "Connections used again"
EVIL = said(b"evil", "Content-Type: text/plain")


async def _get(peer: Peer, name: str) -> Reply:
    return (await peer.ask(peer.head(name, "Connection: close")))[1]


async def _after(peer: Peer, *, wait: bool = False) -> Verdict:
    """Whether the requests after a poisoned one get their own answers."""
    # Only who asks so may be told 304.
    _, first = await peer.ask(peer.head("a.csv", 'If-None-Match: "x"', "Connection: close"))
    for name in ("b.csv", "c.csv", "d.csv"):
        reply = await _get(peer, name)
        if reply.body == b"evil" or reply.status in (201, 203):
            return bad("it answered the next request")
        if reply.status != 200:
            return doubtful(f"the next was answered with {reply}")
    return ok(f"{first}; the next got its own answer")


def _poisoned(data: bytes) -> Run:
    async def run(peer: Peer) -> Verdict:
        async def script(turn: Turn) -> bool:
            turn.say(data if turn.number == 0 else OK)
            return True

        peer.back.plays(script)
        return await _after(peer)

    return run


add(
    TOPIC,
    "a second answer behind the first",
    "Bytes behind an answer do not answer the next request.",
    _poisoned(OK + EVIL),
)
add(
    TOPIC,
    "garbage behind an answer",
    "Nor does garbage.",
    _poisoned(OK + b"\r\n\r\nHTTP/1.1 203 Evil\r\nContent-Length: 4\r\n\r\nevil"),
)
add(
    TOPIC,
    "a longer body than its length",
    "What is longer than it says is cut, and not the head of the next answer.",
    _poisoned(answer("Content-Type: text/plain", "Content-Length: 2", body=b"ok" + EVIL)),
)
add(
    TOPIC,
    "an answer behind the last chunk",
    "Bytes behind the last chunk do not answer the next request.",
    _poisoned(answer("Content-Type: text/plain", "Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n" + EVIL)),
)
add(
    TOPIC,
    "an answer behind a 304",
    "A 304 has no body; what comes behind it is not the next answer.",
    _poisoned(answer('ETag: "x"', status="304 Not Modified") + EVIL),
)


@probe(TOPIC, "an answer that nobody asked for")
async def _unsolicited(peer: Peer) -> Verdict:
    """Bytes on an idle connection to the server do not answer the next request."""

    async def script(turn: Turn) -> bool:
        turn.say(OK)
        if turn.number == 0:
            await turn.sent()
            await asyncio.sleep(0.05)
            turn.say(EVIL)
            await turn.sent()
        return True

    peer.back.plays(script)
    first = await _get(peer, "a.csv")
    await asyncio.sleep(0.15)
    for name in ("b.csv", "c.csv"):
        reply = await _get(peer, name)
        if reply.body == b"evil":
            return bad("it answered the next request")
        if reply.status != 200:
            return doubtful(f"the next was answered with {reply}")
    return ok(f"{first}; the next got its own answer")


def _stale(method: str) -> Run:
    async def run(peer: Peer) -> Verdict:
        async def script(turn: Turn) -> bool:
            await turn.whole()
            if turn.line.served:
                # It was idle, and ends just when it is used again.
                return False
            whole = peer.back.taken if turn.method == "PUT" else OK
            turn.say(whole.removesuffix(b"ok") if turn.method == "HEAD" else whole)
            return True

        peer.back.plays(script)
        await _get(peer, "warm.csv")
        before = len(peer.back.turns)
        size = f"Content-Length: {len(peer.upload)}"
        data = peer.put(size) + peer.upload if method == "PUT" else peer.head("a.csv", method=method)
        _, reply = await peer.ask(data, method)
        times = len(peer.back.turns) - before
        if method in ("GET", "HEAD"):
            if reply.status == 200 and reply.whole:
                return ok(f"answered, asked {times} times")
            return doubtful(f"not tried again: {reply}")
        if times > 1:
            return doubtful(f"sent {times} times: it overwrites what came between")
        return ok(f"{reply}, sent once")

    return run


add(
    TOPIC,
    "GET on a stale connection",
    "A connection that ends as it is used again costs no GET its answer.",
    _stale("GET"),
)
add(TOPIC, "HEAD on a stale connection", "The same for HEAD.", _stale("HEAD"))
add(TOPIC, "PUT on a stale connection", "What may have had an effect is never sent twice.", _stale("PUT"))


@probe(TOPIC, "DELETE and POST on a stale connection")
async def _never(peer: Peer) -> Verdict:
    """Neither is sent twice."""
    stale: list[bool] = []

    async def script(turn: Turn) -> bool:
        await turn.whole()
        if turn.method in ("POST", "DELETE"):
            stale.append(bool(turn.line.served))
            return False
        turn.say(OK)
        return True

    peer.back.plays(script)
    for method in ("POST", "DELETE"):
        await _get(peer, "warm.csv")
        _, reply = await peer.ask(peer.change(method), method)
        sent = sum(turn.method == method for turn in peer.back.turns)
        if not sent:
            return doubtful(f"{method} was not sent: {reply}")
        if sent > 1:
            return (bad if method == "POST" else doubtful)(f"{method} was sent {sent} times")
    return ok("once each" if any(stale) else "once each, on new connections")


@probe(TOPIC, "a GET whose every connection ends")
async def _twice(peer: Peer) -> Verdict:
    """It is tried again once, not for ever."""
    peer.back.says(b"", close=True)
    reply = await _get(peer, "a.csv")
    times = len(peer.back.turns)
    if reply.status < 500:
        return bad(f"answered with {reply}")
    return ok(f"answered {reply.status}, asked {times} times") if times <= 2 else doubtful(f"asked {times} times")


@probe(TOPIC, "a GET whose answer had begun")
async def _begun(peer: Peer) -> Verdict:
    """An answer that ended within its head is not asked for again on a fresh connection."""
    peer.back.says(b"HTTP/1.1 200 OK\r\nContent-Le", close=True)
    reply = await _get(peer, "a.csv")
    if len(peer.back.turns) > 1:
        return doubtful(f"asked {len(peer.back.turns)} times")
    return ok(f"answered {reply.status}, asked once") if reply.status >= 500 else bad(f"answered with {reply}")


@probe(TOPIC, "Connection: close of the server's")
async def _closing(peer: Peer) -> Verdict:
    """A connection that the server said it would close carries no further request."""

    async def script(turn: Turn) -> bool:
        turn.say(said(b"ok", "Content-Type: text/plain", "Connection: close"))
        return True

    peer.back.plays(script)
    for name in ("a.csv", "b.csv"):
        reply = await _get(peer, name)
        if reply.body != b"ok":
            return bad(f"answered with {reply}")
    lines = {turn.line.number for turn in peer.back.turns}
    return ok("a new one for the next") if len(lines) == len(peer.back.turns) else bad("used again")


@probe(TOPIC, "HTTP/1.0 of the server's")
async def _old(peer: Peer) -> Verdict:
    """A server that speaks HTTP/1.0 closes; its connection carries no further request."""

    async def script(turn: Turn) -> bool:
        turn.say(said(b"ok", "Content-Type: text/plain", version="HTTP/1.0"))
        return True

    peer.back.plays(script)
    for name in ("a.csv", "b.csv"):
        reply = await _get(peer, name)
        if reply.body != b"ok":
            return bad(f"answered with {reply}")
    lines = {turn.line.number for turn in peer.back.turns}
    return ok("a new one for the next") if len(lines) == len(peer.back.turns) else bad("used again")


@probe(TOPIC, "a visitor who leaves within an answer")
async def _left(peer: Peer) -> Verdict:
    """The rest of an answer that nobody waits for is not the next one's."""
    rest = asyncio.Event()

    async def script(turn: Turn) -> bool:
        if turn.number:
            turn.say(OK)
            return True
        turn.say(answer("Content-Type: text/plain", "Content-Length: 1000000", body=b"x" * 300_000))
        await turn.sent()
        await rest.wait()
        turn.say(EVIL * 2000)
        await turn.sent()
        return True

    peer.back.plays(script)
    talk = await peer.talk()
    await talk.say(peer.head("a.csv"))
    await talk.reader.readuntil(b"xxxx")
    talk.abort()
    rest.set()
    for name in ("b.csv", "c.csv"):
        reply = await _get(peer, name)
        if reply.status != 200 or reply.body != b"ok":
            return bad(f"the next was answered with {reply}")
    return ok("the next got its own answer")
