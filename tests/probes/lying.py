"""Servers that stall, drip, send a visitor elsewhere or answer for somebody else: what becomes of the visitor."""

from __future__ import annotations

import asyncio
import json

from tests.probes.back import OK, Turn, answer, said
from tests.probes.model import Run, Verdict, add, bad, doubtful, ok, probe
from tests.probes.peer import Peer

SLOW = "Servers that stall or drip"
ELSEWHERE = "Servers that lead elsewhere"
TEXT = "Content-Type: text/plain"
# The peers here give a server 2 to 4 s.
PATIENCE = 14.0


async def _given_up(peer: Peer, data: bytes, method: str = "GET") -> Verdict:
    talk = await peer.talk()
    await talk.say(data)
    reply = await talk.answer(method, seconds=PATIENCE)
    if reply.ended == "open":
        return bad("waited for as long as it likes")
    if reply.status >= 500:
        return ok(f"given up with {reply.status}")
    return bad("looks finished") if reply.whole else ok("broken off")


def _stalled(data: bytes) -> Run:
    async def run(peer: Peer) -> Verdict:
        async def script(turn: Turn) -> bool:
            await turn.whole()
            turn.say(data)
            await turn.sent()
            await turn.line.reader.read()
            return False

        peer.back.plays(script)
        return await _given_up(peer, peer.head("a.csv", "Connection: close"))

    return run


add(SLOW, "a server that says nothing", "It is given up in time.", _stalled(b""))
add(SLOW, "a server that stops within its head", "It is given up in time.", _stalled(b"HTTP/1.1 200 OK\r\nContent-Ty"))
add(
    SLOW,
    "a server that stops within its body",
    "Its answer is broken off in time.",
    _stalled(answer(TEXT, "Content-Length: 50", body=b"hello")),
)
add(
    SLOW,
    "a server that stops within a chunk",
    "Its answer is broken off in time.",
    _stalled(answer(TEXT, "Transfer-Encoding: chunked", body=b"50\r\nhello")),
)


def _dripping(data: bytes) -> Run:
    async def run(peer: Peer) -> Verdict:
        async def script(turn: Turn) -> bool:
            await turn.whole()
            turn.say(data)
            while not turn.line.gone.is_set():
                turn.say(b"x")
                await turn.sent()
                await asyncio.sleep(0.2)
            return False

        peer.back.plays(script)
        return await _given_up(peer, peer.head("a.csv", "Connection: close"))

    return run


add(
    SLOW,
    "a server that drips its head",
    "A byte now and then holds nobody longer than silence does.",
    _dripping(b"HTTP/1.1 200 OK\r\nX-Long: "),
)
add(
    SLOW,
    "a server that drips its body",
    "A byte now and then holds nobody for ever.",
    _dripping(answer(TEXT, "Content-Length: 5000")),
)


@probe(SLOW, "a server that takes no upload")
async def _unread(peer: Peer) -> Verdict:
    """A server that reads nothing of an upload and says nothing is given up."""

    async def script(turn: Turn) -> bool:
        await turn.line.gone.wait()
        return False

    peer.back.plays(script)
    size = f"Content-Length: {len(peer.upload)}"
    return await _given_up(peer, peer.put(size, "Connection: close") + peer.upload, "PUT")


@probe(SLOW, "a slow server that goes on")
async def _slow(peer: Peer) -> Verdict:
    """Who sends a little all the time is no dripper: its answer arrives whole."""

    async def script(turn: Turn) -> bool:
        await turn.whole()
        turn.say(answer(TEXT, "Content-Length: 100000"))
        for _ in range(20):
            turn.say(b"y" * 5000)
            await turn.sent()
            await asyncio.sleep(0.25)
        return True

    peer.back.plays(script)
    talk = await peer.talk()
    await talk.say(peer.head("a.csv", "Connection: close"))
    reply = await talk.answer(seconds=PATIENCE)
    return ok("arrives whole") if len(reply.body) == 100_000 else bad(f"answered with {reply}")


@probe(SLOW, "others beside a server that stalls")
async def _others(peer: Peer) -> Verdict:
    """Twenty requests that wait keep no other one waiting."""

    async def script(turn: Turn) -> bool:
        await turn.whole()
        if "stall" in turn.target:
            await turn.line.reader.read()
            return False
        turn.say(OK)
        return True

    peer.back.plays(script)
    for number in range(20):
        talk = await peer.talk()
        await talk.say(peer.head(f"stall{number}.csv"))
    await peer.back.asked(20)
    _, reply = await peer.ask(peer.head("b.csv", "Connection: close"))
    return ok("answered at once") if reply.status == 200 else bad(f"answered with {reply}")


def _redirected(location: str, status: str = "302 Found") -> Run:
    async def run(peer: Peer) -> Verdict:
        peer.back.says(answer(f"Location: {location}", "Content-Length: 0", status=status))
        _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
        if len(peer.back.turns) > 1:
            return bad("followed")
        if any("evil" in value or "secret" in value for value in reply.all("location")):
            return doubtful("passed on: the visitor is sent there")
        return ok(f"answered {reply.status}") if reply.whole else bad(f"answered with {reply}")

    return run


REDIRECTS = {
    "a redirect to another site": "https://evil.example/",
    "a redirect without a scheme": "//evil.example/",
    "a redirect out of the share": "/files/secret/secret.txt",
    "a redirect by dots": "../../secret/secret.txt",
    "a redirect to a script": "javascript:evil()",
}
for _name, _location in REDIRECTS.items():
    add(
        ELSEWHERE,
        _name,
        f"`Location: {_location}` is neither followed nor passed on.",
        _redirected(_location),
        only="share",
    )


@probe(ELSEWHERE, "a Refresh field", only="share")
async def _refresh(peer: Peer) -> Verdict:
    """`Refresh`, which is a redirect in disguise, is not passed on."""
    peer.back.says(said(b"ok", TEXT, "Refresh: 0; url=https://evil.example/"))
    _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
    return doubtful("passed on") if reply.all("refresh") else ok("dropped")


@probe(ELSEWHERE, "a Set-Cookie field", only="share")
async def _cookie(peer: Peer) -> Verdict:
    """A server's cookie is neither given to a visitor nor shown to the next one's request."""
    peer.back.says(said(b"ok", TEXT, "Set-Cookie: evil=1; Path=/"))
    _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
    await peer.ask(peer.head("b.csv", "Connection: close"))
    if any("evil" in value for turn in peer.back.turns for value in turn.all("cookie")):
        return bad("sent with the next request")
    return doubtful("passed on") if reply.all("set-cookie") else ok("dropped")


@probe(ELSEWHERE, "an answer for another path", only="share")
async def _other_path(peer: Peer) -> Verdict:
    """A description of a file outside the share, in answer to an upload into it, is not shown."""
    model = {"name": "evil.txt", "path": "secret/evil.txt", "type": "file", "content": None, "format": None}
    peer.back.says(said(json.dumps(model).encode(), "Content-Type: application/json", status="201 Created"))
    _, reply = await peer.ask(peer.put(f"Content-Length: {len(peer.upload)}", "Connection: close") + peer.upload, "PUT")
    if b"evil" in reply.body:
        return doubtful("passed on")
    return ok(f"answered {reply.status}") if reply.whole else bad(f"answered with {reply}")


@probe(ELSEWHERE, "an error page with a secret", only="share")
async def _page(peer: Peer) -> Verdict:
    """A server's error page may hold its token: a visitor gets another one."""
    peer.back.says(said(b"<html>evil token</html>", "Content-Type: text/html", status="500 Internal Server Error"))
    _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
    if b"evil" in reply.body:
        return doubtful("passed on")
    return ok(f"answered {reply.status}") if reply.status >= 500 else bad(f"answered with {reply}")
