"""Changing the protocol: only a WebSocket, only when it is asked for properly (RFC 9110 7.8, RFC 6455 4)."""

from __future__ import annotations

import asyncio
import base64
import hashlib

from tests.probes.back import OK, Turn, said
from tests.probes.model import Run, Verdict, add, bad, doubtful, ok, probe
from tests.probes.peer import KEY, Peer
from tests.probes.talk import Reply

TOPIC = "Upgrades"
ACCEPT = base64.b64encode(hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()


def switching(turn: Turn, *fields: str) -> bytes:
    """The server's 101 to this request."""
    key = next(iter(turn.all("sec-websocket-key")), "")
    accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
    lines = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}", *fields)
    return ("HTTP/1.1 101 Switching Protocols\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode()


async def _agree(turn: Turn) -> bool:
    """A server that switches whenever it is asked, and then echoes."""
    if not turn.all("upgrade"):
        await turn.whole()
        turn.say(OK)
        return True
    turn.say(switching(turn))
    while data := await turn.line.reader.read(65536):
        turn.say(data)
        await turn.sent()
    return False


async def _room(peer: Peer) -> Reply:
    """The answer to a handshake that goes on to the server, which may be tried again for a while."""
    talk = await peer.talk()
    await talk.say(peer.shake(path=await peer.room()))
    return await talk.answer(seconds=12)


def _refusal(reply: Reply) -> Verdict:
    if reply.status:
        return ok(f"answered {reply.status}")
    return bad("no answer") if reply.ended == "open" else ok("the connection was dropped")


@probe(TOPIC, "a good handshake")
async def _good(peer: Peer) -> Verdict:
    """It is answered 101, with the accept key of this very key."""
    peer.back.plays(_agree)
    _, reply = await peer.ask(peer.shake())
    if reply.status != 101:
        return bad(f"answered with {reply}")
    return ok("opened") if reply.all("sec-websocket-accept") == [ACCEPT] else bad("with another accept key")


def _none(*lines: str, method: str = "GET", version: str = "") -> Run:
    async def run(peer: Peer) -> Verdict:
        peer.back.plays(_agree)
        data = peer.shake(*lines, method=method, path=peer.channel)
        if version:
            data = data.replace(b"HTTP/1.1", version.encode(), 1)
        if "Content-Length: 5" in lines:
            data += b"hello"
        elif "Transfer-Encoding: chunked" in lines:
            data += b"5\r\nhello\r\n0\r\n\r\n"
        _, reply = await peer.ask(data, method)
        asked = [turn for turn in peer.back.turns if turn.all("upgrade")]
        if reply.status == 101:
            return bad("switched") if not asked else doubtful("passed on; the server switched")
        if reply.status == 0 and reply.ended == "open":
            return bad("no answer")
        return ok(f"answered {reply}")

    return run


UPGRADES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "POST": (("Content-Length: 0",), "POST", ""),
    "HEAD": ((), "HEAD", ""),
    "HTTP/1.0": ((), "GET", "HTTP/1.0"),
    "another protocol": (("Upgrade: probe/1",), "GET", ""),
    "h2c": (("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"), "GET", ""),
    "TLS": (("Upgrade: TLS/1.0",), "GET", ""),
    "no Connection": (("Connection: keep-alive",), "GET", ""),
    "version 8": (("Sec-WebSocket-Version: 8",), "GET", ""),
    "no version": (("Sec-WebSocket-Version:",), "GET", ""),
    "no key": (("Sec-WebSocket-Key:",), "GET", ""),
    "a short key": (("Sec-WebSocket-Key: c2hvcnQ=",), "GET", ""),
    "two keys": ((f"Sec-WebSocket-Key: {KEY}", f"Sec-WebSocket-Key: {KEY}"), "GET", ""),
    "a body with a length": (("Content-Length: 5",), "GET", ""),
    "a body in chunks": (("Transfer-Encoding: chunked",), "GET", ""),
}
for _name, (_lines, _method, _version) in UPGRADES.items():
    add(
        TOPIC,
        f"upgrade: {_name}",
        f"A handshake with {_name} switches nothing.",
        _none(*_lines, method=_method, version=_version),
    )


@probe(TOPIC, "upgrade: refused, then HTTP")
async def _refused(peer: Peer) -> Verdict:
    """After a refusal both connections still speak HTTP: the next request behind it is answered."""

    async def script(turn: Turn) -> bool:
        turn.say(said(b"no", status="403 Forbidden") if turn.all("upgrade") else OK)
        return True

    peer.back.plays(script)
    talk = await peer.talk()
    # From another site, or to a server that does not want it.
    await talk.say(peer.shake("Sec-WebSocket-Version: 8") + peer.head("a.csv", "Connection: close"))
    first, second = await talk.answer(), await talk.answer()
    if first.status == 101:
        return bad("switched")
    if second.body == b"ok":
        return ok(f"{first.status}, and the next is answered")
    if second.status == 0 and second.ended == "cut" and first.status >= 400:
        return ok(f"{first.status}, then the end of the connection")
    return bad(f"{first}, then {second}")


@probe(TOPIC, "upgrade: bytes behind it")
async def _behind(peer: Peer) -> Verdict:
    """Frames that are sent before the 101 has come are not lost."""
    peer.back.plays(_agree)
    talk = await peer.talk()
    ping = b"\x89\x84\0\0\0\0ping"
    await talk.say(peer.shake() + ping)
    reply = await talk.answer()
    if reply.status != 101:
        return bad(f"answered with {reply}")
    try:
        async with asyncio.timeout(12):
            back = await talk.reader.readuntil(b"ping")
    except (TimeoutError, asyncio.IncompleteReadError):
        return bad("lost")
    return ok("answered") if back else bad("lost")


@probe(TOPIC, "upgrade: a server that says 200")
async def _plain(peer: Peer) -> Verdict:
    """A server that does not switch is no WebSocket: its answer is passed on or an error, and never a 101."""
    peer.back.says(OK)
    reply = await _room(peer)
    if reply.status == 101:
        return bad("switched")
    return ok(f"answered {reply.status}") if reply.whole else bad(f"answered with {reply}")


@probe(TOPIC, "upgrade: a server with another key", only="websocket")
async def _wrong_key(peer: Peer) -> Verdict:
    """A wrong accept key is somebody else's answer (RFC 6455 section 4.1)."""

    async def script(turn: Turn) -> bool:
        turn.say(switching(turn).replace(b"Accept: ", b"Accept: x"))
        await turn.line.reader.read()
        return False

    peer.back.plays(script)
    reply = await _room(peer)
    return bad("switched") if reply.status == 101 else _refusal(reply)


@probe(TOPIC, "upgrade: an extension that nobody asked for", only="websocket")
async def _unasked(peer: Peer) -> Verdict:
    """A server that compresses unasked is refused (RFC 6455 section 4.1)."""

    async def script(turn: Turn) -> bool:
        turn.say(switching(turn, "Sec-WebSocket-Extensions: permessage-deflate"))
        await turn.line.reader.read()
        return False

    peer.back.plays(script)
    reply = await _room(peer)
    return bad("switched") if reply.status == 101 else _refusal(reply)


@probe(TOPIC, "upgrade: a subprotocol that nobody asked for", only="websocket")
async def _subprotocol(peer: Peer) -> Verdict:
    """A server that chooses a subprotocol unasked is refused (RFC 6455 section 4.1)."""

    async def script(turn: Turn) -> bool:
        turn.say(switching(turn, "Sec-WebSocket-Protocol: probe"))
        await turn.line.reader.read()
        return False

    peer.back.plays(script)
    reply = await _room(peer)
    return bad("switched") if reply.status == 101 else _refusal(reply)


@probe(TOPIC, "upgrade: a dead server")
async def _dead(peer: Peer) -> Verdict:
    """A server that hangs up on the handshake is an error, not a 101."""
    peer.back.says(b"", close=True)
    reply = await _room(peer)
    return bad("switched") if reply.status == 101 else _refusal(reply)
