"""WebSocket frames, from a visitor and from a server, as RFC 6455 sections 5 and 7 have them, and as none may be."""

from __future__ import annotations

import asyncio
import contextlib
import struct

from tests.probes.back import Turn
from tests.probes.model import Run, Verdict, add, bad, doubtful, ok, probe
from tests.probes.peer import Peer
from tests.probes.talk import Talk
from tests.probes.upgrades import switching

VISITOR = "WebSocket: a visitor's frames"
SERVER = "WebSocket: a server's frames"
SHAKING = "WebSocket: what is agreed on"
# An empty step 1 of the sync protocol; whoever keeps a document answers it with its own state.
ASK = b"\0\0\1\0"
ANSWER = b"\0\1\2\0\0"


def frame(
    payload: bytes = b"",
    opcode: int = 2,
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bool = True,
    size: bytes | None = None,
) -> bytes:
    """One frame, with any bit wrong. The mask is all zeros: what is sent is what is read."""
    bit = 0x80 if mask else 0
    if size is None:
        if len(payload) < 126:
            size = bytes((bit | len(payload),))
        elif len(payload) < 65536:
            size = bytes((bit | 126,)) + struct.pack(">H", len(payload))
        else:
            size = bytes((bit | 127,)) + struct.pack(">Q", len(payload))
    return bytes(((0x80 if fin else 0) | rsv << 4 | opcode,)) + size + (b"\0\0\0\0" if mask else b"") + payload


def closing(code: int, reason: bytes = b"") -> bytes:
    return struct.pack(">H", code) + reason


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """First byte, second byte, payload unmasked. Raises IncompleteReadError at the end."""
    first, second = await reader.readexactly(2)
    length = second & 127
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    mask = await reader.readexactly(4) if second & 128 else b"\0\0\0\0"
    data = await reader.readexactly(length)
    return first, second, bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))


async def until(reader: asyncio.StreamReader, opcode: int, seconds: float = 12.0) -> tuple[int, bytes]:
    """The first frame of this kind: 1 and its payload; -1 when the connection ended; -2 when nothing came."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                first, _, data = await read_frame(reader)
                if first & 15 == opcode:
                    return 1, data
    except TimeoutError:
        return -2, b""
    except (asyncio.IncompleteReadError, ConnectionError):
        return -1, b""


async def opened(peer: Peer, *fields: str) -> Talk:
    talk, reply = await peer.ask(peer.shake(*fields))
    assert reply.status == 101, f"a channel was refused: {reply}"
    return talk


# -- from a visitor ---------------------------------------------------------------------------------------------------


def _refused(data: bytes, *codes: int) -> Run:
    """The connection ends, with one of these codes or without a word; no frame after the bad one is answered."""

    async def run(peer: Peer) -> Verdict:
        talk = await opened(peer)
        await talk.say(data + frame(ASK))
        try:
            async with asyncio.timeout(12):
                while True:
                    first, second, payload = await read_frame(talk.reader)
                    if second & 128:
                        return bad("a masked frame came back")
                    if first & 15 == 2:
                        return bad("taken, and the next frame was answered")
                    if first & 15 == 8:
                        break
        except TimeoutError:
            return bad("neither refused nor answered")
        except (asyncio.IncompleteReadError, ConnectionError):
            return ok("the connection was dropped")
        code = int.from_bytes(payload[:2], "big") if payload else 1005
        if code not in codes:
            return bad(f"closed with {code}")
        await talk.say(frame(payload, 8))
        return ok(f"closed with {code}") if await talk.ends() else bad(f"closed with {code}, then left open")

    return run


REFUSED: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "an unmasked frame": (frame(ASK, mask=False), (1002,)),
    "an unmasked ping": (frame(b"", 9, mask=False), (1002,)),
    "reserved bit 1": (frame(ASK, rsv=4), (1002,)),
    "reserved bit 2": (frame(ASK, rsv=2), (1002,)),
    "reserved bit 3": (frame(ASK, rsv=1), (1002,)),
    "opcode 3": (frame(ASK, 3), (1002,)),
    "opcode 11": (frame(b"", 11), (1002,)),
    "a continuation of nothing": (frame(ASK, 0), (1002,)),
    "a message within a message": (frame(ASK, fin=False) + frame(ASK), (1002,)),
    "a ping of 126 bytes": (frame(b"x" * 126, 9), (1002,)),
    "a fragmented ping": (frame(b"x", 9, fin=False), (1002,)),
    "a close of 126 bytes": (frame(closing(1000, b"x" * 124), 8), (1002,)),
    "a close of one byte": (frame(b"\x03", 8), (1002,)),
    "text that is not UTF-8": (frame(b"\xff\xfe", 1), (1007,)),
    "text cut within a character": (frame("ü".encode()[:1], 1), (1007,)),
    "a fragment that is not UTF-8": (frame(b"\xff", 1, fin=False) + frame(b"x", 0), (1007,)),
    "an overlong character": (frame(b"\xc0\x80", 1), (1007,)),
    "half a surrogate pair": (frame(b"\xed\xa0\x80", 1), (1007,)),
    "a close reason that is not UTF-8": (frame(closing(1000, b"\xff\xfe"), 8), (1002, 1007)),
    "a length with its highest bit set": (frame(ASK, size=b"\xff" + b"\xff" * 8), (1002, 1009)),
    "a length of 2 TB": (frame(ASK, size=b"\xff" + struct.pack(">Q", 1 << 41)), (1002, 1009)),
    "a length written too long": (frame(ASK, size=b"\xfe\0\4"), (1002, 1009)),
    "a length written far too long": (frame(ASK, size=b"\xff" + struct.pack(">Q", 4)), (1002, 1009)),
    "2 MB in one message": (frame(b"\0" * (2 << 20)), (1009, 1003, 1008)),
    "2 MB in fragments": (
        frame(b"\0" * 65536, fin=False) + frame(b"\0" * 65536, 0, fin=False) * 31 + frame(b"", 0),
        (1009, 1003, 1008),
    ),
}
for _name, (_data, _codes) in REFUSED.items():
    add(
        VISITOR,
        f"visitor: {_name}",
        f"From a visitor: {_name} ends the connection.",
        _refused(_data, *_codes),
        only="websocket",
    )


def _closed(code: int | None, *, legal: bool) -> Run:
    """A legal close is answered with the same code; an illegal one is a fault."""

    async def run(peer: Peer) -> Verdict:
        talk = await opened(peer)
        await talk.say(frame(b"" if code is None else closing(code, b"bye"), 8))
        found, payload = await until(talk.reader, 8)
        if found == -2:
            return bad("no answer")
        told = int.from_bytes(payload[:2], "big") if payload else None
        ended = await talk.ends()
        if not ended:
            return bad("left open")
        if legal:
            if found == -1:
                return bad("dropped instead of answered")
            return ok(f"answered with {told}") if told in (code, 1000, None) else bad(f"answered with {told}")
        if found == -1:
            return ok("dropped")
        return ok("closed with 1002") if told == 1002 else doubtful(f"answered with {told}")

    return run


for _code in (1000, 1001, 1003, 1011, 3000, 4000, 4999):
    add(
        VISITOR,
        f"visitor: close {_code}",
        f"A close with {_code} is answered.",
        _closed(_code, legal=True),
        only="websocket",
    )
add(
    VISITOR, "visitor: close without a code", "An empty close is answered.", _closed(None, legal=True), only="websocket"
)
for _code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535):
    add(
        VISITOR,
        f"visitor: close {_code}",
        f"{_code} never stands on the wire (RFC 6455 7.4).",
        _closed(_code, legal=False),
        only="websocket",
    )


async def _asks(peer: Peer, data: bytes, *, pong: bytes | None = None) -> Verdict:
    """Whether a message that is spelled like this is answered, and the pings within it."""
    talk = await opened(peer)
    await talk.say(data)
    seen: list[int] = []
    try:
        async with asyncio.timeout(12):
            while True:
                first, second, payload = await read_frame(talk.reader)
                if second & 128:
                    return bad("a masked frame came back")
                if first & 15 == 10:
                    if payload != pong:
                        return bad("a pong with another payload")
                    seen.append(10)
                if first & 15 == 8:
                    return bad(f"closed with {int.from_bytes(payload[:2], 'big')}")
                if first & 15 == 2:
                    break
    except TimeoutError:
        return bad("not answered")
    except (asyncio.IncompleteReadError, ConnectionError):
        return bad("the connection was dropped")
    if pong is not None and not seen:
        return bad("the ping was not answered")
    return ok("answered")


GOOD: dict[str, tuple[bytes, bytes | None]] = {
    "one frame": (frame(ASK), None),
    "a frame for each byte": (
        frame(ASK[:1], fin=False) + frame(ASK[1:2], 0, fin=False) + frame(ASK[2:3], 0, fin=False) + frame(ASK[3:], 0),
        None,
    ),
    "empty fragments": (frame(b"", fin=False) + frame(b"", 0, fin=False) + frame(ASK, 0), None),
    "a ping between fragments": (frame(ASK[:2], fin=False) + frame(b"hey", 9) + frame(ASK[2:], 0), b"hey"),
    "a pong that nobody asked for": (frame(b"x", 10) + frame(ASK), None),
    "a ping of 125 bytes": (frame(b"x" * 125, 9) + frame(ASK), b"x" * 125),
    "an empty ping": (frame(b"", 9) + frame(ASK), b""),
}
for _name, (_data, _pong) in GOOD.items():

    async def _run(peer: Peer, data: bytes = _data, pong: bytes | None = _pong) -> Verdict:
        return await _asks(peer, data, pong=pong)

    add(VISITOR, f"visitor: {_name}", f"A message, {_name}: read as one, and answered.", _run, only="websocket")


@probe(VISITOR, "visitor: byte by byte", only="websocket")
async def _bytewise(peer: Peer) -> Verdict:
    """A frame that comes byte by byte is a frame."""
    talk = await opened(peer)
    for byte in frame(ASK):
        await talk.say(bytes((byte,)))
        await asyncio.sleep(0.005)
    found, _ = await until(talk.reader, 2)
    return ok("answered") if found == 1 else bad("not answered")


@probe(VISITOR, "visitor: frames behind a close", only="websocket")
async def _after_close(peer: Peer) -> Verdict:
    """What comes after a close is not read."""
    talk = await opened(peer)
    await talk.say(frame(closing(1000), 8) + frame(ASK))
    found, _ = await until(talk.reader, 2)
    return bad("answered") if found == 1 else ok("not read")


@probe(VISITOR, "visitor: dead", only="websocket")
async def _dead(peer: Peer) -> Verdict:
    """A visitor who answers no ping is dropped, though the connection stands."""
    talk = await opened(peer)
    found, _ = await until(talk.reader, 9, seconds=12)
    if found != 1:
        return bad("never asked whether it is there")
    async with asyncio.timeout(30):
        while (await until(talk.reader, 9, seconds=12))[0] == 1:
            pass
    return ok("asked, then dropped") if talk.reader.at_eof() or talk.reader.exception() else bad("kept")


@probe(VISITOR, "visitor: alive and silent", only="websocket")
async def _alive(peer: Peer) -> Verdict:
    """A visitor who says nothing but answers pings is kept."""
    talk = await opened(peer)
    for _ in range(3):
        found, payload = await until(talk.reader, 9, seconds=12)
        if found != 1:
            return bad("dropped, or not asked")
        await talk.say(frame(payload, 10))
    await talk.say(frame(ASK))
    found, _ = await until(talk.reader, 2)
    return ok("kept") if found == 1 else bad("not answered any more")


@probe(VISITOR, "visitor: gone without a word", only="websocket")
async def _gone(peer: Peer) -> Verdict:
    """Half-close within a frame ends the channel."""
    talk = await opened(peer)
    await talk.say(frame(ASK)[:5])
    await talk.half_close()
    return ok("ended") if await talk.ends() else bad("left open")


# -- what is agreed on ------------------------------------------------------------------------------------------------


@probe(SHAKING, "compression is declined", only="websocket")
async def _deflate(peer: Peer) -> Verdict:
    """permessage-deflate is offered by every browser: the channel opens without it, and plain frames are read."""
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    talk, reply = await peer.ask(peer.shake(offer))
    if reply.status != 101:
        return bad(f"answered with {reply}")
    if reply.all("sec-websocket-extensions"):
        return bad("agreed to, though frames have to be read")
    await talk.say(frame(ASK))
    found, _ = await until(talk.reader, 2)
    return ok("declined") if found == 1 else bad("not answered")


@probe(SHAKING, "a compressed frame that was not agreed on", only="websocket")
async def _compressed(peer: Peer) -> Verdict:
    """A frame marked as compressed ends the connection."""
    return await _refused(frame(b"\x62\x60\x60\x04\x00", rsv=4), 1002)(peer)


@probe(SHAKING, "extensions that nobody knows", only="websocket")
async def _unknown(peer: Peer) -> Verdict:
    """They are ignored."""
    _, reply = await peer.ask(peer.shake('Sec-WebSocket-Extensions: x-probe; a="b", permessage-bzip2'))
    if reply.status != 101:
        return bad(f"answered with {reply}")
    return bad("agreed to") if reply.all("sec-websocket-extensions") else ok("ignored")


@probe(SHAKING, "subprotocols that nobody speaks", only="websocket")
async def _subprotocols(peer: Peer) -> Verdict:
    """None is chosen where the channel has none."""
    _, reply = await peer.ask(peer.shake("Sec-WebSocket-Protocol: probe.one, probe.two"))
    if reply.status != 101:
        return ok(f"refused with {reply.status}") if reply.status == 400 else bad(f"answered with {reply}")
    return bad("chosen") if reply.all("sec-websocket-protocol") else ok("none chosen")


# -- from a server ----------------------------------------------------------------------------------------------------


def _from_server(data: bytes) -> Run:
    """The gate ends its connection to such a server, and a visitor is told or closed; nobody waits."""

    async def run(peer: Peer) -> Verdict:
        told: list[int] = []
        ended = asyncio.Event()

        async def script(turn: Turn) -> bool:
            turn.say(switching(turn))
            turn.say(data)
            try:
                while True:
                    first, second, payload = await read_frame(turn.line.reader)
                    if not second & 128:
                        told.append(-1)
                    if first & 15 == 8:
                        told.append(int.from_bytes(payload[:2], "big") if payload else 1005)
            except (asyncio.IncompleteReadError, ConnectionError):
                ended.set()
            return False

        peer.back.plays(script)
        talk = await peer.talk()
        await talk.say(peer.shake(path=await peer.room()))
        try:
            async with asyncio.timeout(12):
                await ended.wait()
        except TimeoutError:
            return bad("the server's connection was kept")
        if -1 in told:
            return bad("sent the server an unmasked frame")
        reply = await talk.answer("GET", seconds=12)
        if reply.status == 101 and not await talk.ends():
            return bad("the visitor waits on")
        if reply.status == 0 and reply.ended == "open":
            return bad("the visitor waits on")
        return ok(f"closed with {told[0]}" if told else "the server's connection was dropped")

    return run


LIES = {
    "a masked frame": frame(ANSWER, mask=True),
    "reserved bit 1": frame(ANSWER, rsv=4, mask=False),
    "reserved bit 3": frame(ANSWER, rsv=1, mask=False),
    "opcode 5": frame(ANSWER, 5, mask=False),
    "a continuation of nothing": frame(ANSWER, 0, mask=False),
    "a ping of 126 bytes": frame(b"x" * 126, 9, mask=False),
    "a fragmented ping": frame(b"x", 9, fin=False, mask=False),
    "a close of one byte": frame(b"\x03", 8, mask=False),
    "text that is not UTF-8": frame(b"\xff\xfe", 1, mask=False),
    "a close with 1005": frame(closing(1005), 8, mask=False),
    "a close with 1006": frame(closing(1006), 8, mask=False),
    "a close with 999": frame(closing(999), 8, mask=False),
    "a close with 5000": frame(closing(5000), 8, mask=False),
    "a close reason that is not UTF-8": frame(closing(1000, b"\xff"), 8, mask=False),
    "a length with its highest bit set": frame(ANSWER, size=b"\x7f" + b"\xff" * 8, mask=False),
    "a length of 2 TB": frame(ANSWER, size=b"\x7f" + struct.pack(">Q", 1 << 41), mask=False),
    "HTTP where frames belong": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
}
for _name, _data in LIES.items():
    add(
        SERVER,
        f"server: {_name}",
        f"From a server: {_name} ends its connection.",
        _from_server(_data),
        only="websocket",
    )


@probe(SERVER, "server: fragments and pings", only="websocket")
async def _fragments(peer: Peer) -> Verdict:
    """Fragments with a ping between them are one message; the ping is answered, masked."""
    pongs: list[tuple[int, bytes]] = []

    async def script(turn: Turn) -> bool:
        turn.say(switching(turn))
        while True:
            first, second, payload = await read_frame(turn.line.reader)
            if first & 15 == 2 and payload[:2] == b"\0\0":
                turn.say(frame(ANSWER[:2], fin=False, mask=False))
                turn.say(frame(b"there?", 9, mask=False))
                turn.say(frame(ANSWER[2:], 0, mask=False) + frame(ASK, mask=False))
            elif first & 15 == 10:
                pongs.append((second & 128, payload))
            elif first & 15 == 8:
                return False

    peer.back.plays(script)
    talk = await peer.talk()
    await talk.say(peer.shake(path=await peer.room()))
    reply = await talk.answer(seconds=12)
    if reply.status != 101:
        return bad(f"answered with {reply}")
    await talk.say(frame(ASK))
    found, _ = await until(talk.reader, 2)
    if found != 1:
        return bad("the visitor gets no document")
    return ok("one message, and a pong") if pongs == [(128, b"there?")] else bad(f"pongs: {pongs}")


@probe(SERVER, "server: dead", only="websocket")
async def _dead_server(peer: Peer) -> Verdict:
    """A server that goes silent within its channel is given up, and its visitors are told."""
    gone = asyncio.Event()

    async def script(turn: Turn) -> bool:
        turn.say(switching(turn))
        _first, _, _payload = await read_frame(turn.line.reader)
        turn.say(frame(ANSWER, mask=False) + frame(ASK, mask=False))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await read_frame(turn.line.reader)
        gone.set()
        return False

    peer.back.plays(script)
    talk = await peer.talk()
    await talk.say(peer.shake(path=await peer.room()))
    reply = await talk.answer(seconds=12)
    if reply.status != 101:
        return bad(f"answered with {reply}")
    async with asyncio.timeout(15):
        await gone.wait()
    return ok("asked, then given up")
