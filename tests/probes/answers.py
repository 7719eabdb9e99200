"""What a server may say: bodies where none belong, interim answers, ends that are none, lies (RFC 9112 section 6)."""

from __future__ import annotations

import asyncio

from tests.probes.back import OK, Turn, answer, said
from tests.probes.model import Run, Verdict, add, bad, doubtful, ok, probe
from tests.probes.peer import Peer

NONE = "Answers without a body"
INTERIM = "Interim answers"
ENDS = "Where an answer ends"
LIES = "Unusable answers"
FIELDS = "Fields of answers"
HTML = "Content-Type: text/plain"


def _bodyless(method: str, status: str, *fields: str, body: bytes = b"") -> Run:
    async def run(peer: Peer) -> Verdict:
        first = True

        async def script(turn: Turn) -> bool:
            nonlocal first
            await turn.whole()
            turn.say(answer(*fields, HTML, status=status, body=body) if first else OK)
            first = False
            return True

        peer.back.plays(script)
        talk = await peer.talk()
        asked = ('If-None-Match: "probe"',) if status.startswith("304") else ()
        await talk.say(peer.head("a.csv", *asked, method=method))
        reply = await talk.answer(method)
        await talk.say(peer.head("b.csv", "Connection: close"))
        second = await talk.answer()
        if reply.status != int(status[:3]) and reply.status != 502:
            return bad(f"answered with {reply}")
        if second.status == 200 and second.body == b"ok":
            return ok(f"{reply.status}, and the next is answered")
        if second.status == 0 and second.ended == "cut":
            return ok(f"{reply.status}, then the end of the connection")
        return bad(f"the next was answered with {second}")

    return run


BODYLESS = {
    "HEAD with a length": ("HEAD", "200 OK", ("Content-Length: 5",), b""),
    "HEAD with a length and a body": ("HEAD", "200 OK", ("Content-Length: 5",), b"hello"),
    "HEAD with chunks": ("HEAD", "200 OK", ("Transfer-Encoding: chunked",), b""),
    "204 with a length": ("GET", "204 No Content", ("Content-Length: 5",), b""),
    "204 with a body": ("GET", "204 No Content", ("Content-Length: 5",), b"hello"),
    "204 with chunks": ("GET", "204 No Content", ("Transfer-Encoding: chunked",), b""),
    "304 with a length": ("GET", "304 Not Modified", ("Content-Length: 5",), b""),
    "304 with a body": ("GET", "304 Not Modified", ("Content-Length: 5",), b"hello"),
    "304 with chunks": ("GET", "304 Not Modified", ("Transfer-Encoding: chunked",), b"5\r\nhello\r\n0\r\n\r\n"),
    "200 with length 0": ("GET", "200 OK", ("Content-Length: 0",), b""),
}
for _name, (_method, _status, _fields, _body) in BODYLESS.items():
    add(
        NONE,
        _name,
        f"{_name}: it ends with its head, and the next request is answered.",
        _bodyless(_method, _status, *_fields, body=_body),
    )


# -- interim ----------------------------------------------------------------------------------------------------------


def _interim(*before: bytes, allowed: tuple[int, ...]) -> Run:
    async def run(peer: Peer) -> Verdict:
        peer.back.says(b"".join(before) + OK)
        _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
        if reply.status != 200 or reply.body != b"ok":
            return bad(f"answered with {reply}")
        strange = [status for status in reply.interim if status not in allowed]
        return bad(f"passed on {strange}") if strange else ok("the answer comes")

    return run


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n"
add(
    INTERIM,
    "100 unasked",
    "`100 Continue` to a GET is skipped or passed on, and the answer comes.",
    _interim(CONTINUE, allowed=(100,)),
)
add(INTERIM, "103", "Early hints are skipped or passed on, and the answer comes.", _interim(HINTS, allowed=(103,)))
add(
    INTERIM,
    "several",
    "100, 102, 103: the answer comes.",
    _interim(CONTINUE, b"HTTP/1.1 102 Processing\r\n\r\n", HINTS, allowed=(100, 102, 103)),
)


@probe(INTERIM, "101 unasked")
async def _switching(peer: Peer) -> Verdict:
    """A server that switches protocols by itself has no visitor any more: an error, and the connection is not used."""
    peer.back.says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + OK)
    _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
    if reply.status == 101 or 101 in reply.interim:
        return bad("passed on")
    if reply.status == 502:
        return ok("answered 502")
    return doubtful(f"answered with {reply}") if reply.status or reply.ended == "cut" else bad("no answer")


@probe(INTERIM, "interim answers without end")
async def _endless(peer: Peer) -> Verdict:
    """Hints again and again hold a visitor no longer than silence does."""

    async def script(turn: Turn) -> bool:
        while not turn.line.gone.is_set():
            turn.say(HINTS * 50)
            await turn.sent()
            await asyncio.sleep(0.01)
        return False

    peer.back.plays(script)
    talk = await peer.talk()
    await talk.say(peer.head("a.csv", "Connection: close"))
    reply = await talk.answer(seconds=12)
    return ok(f"given up with {reply.status}") if reply.status >= 500 else bad(f"waited for: {reply}")


# -- ends -------------------------------------------------------------------------------------------------------------


def _ending(data: bytes, *, whole: bytes | None, close: bool = True, allow_error: bool = True) -> Run:
    """`whole`: the body that is the whole answer; None when the answer must not look finished."""

    async def run(peer: Peer) -> Verdict:
        peer.back.says(data, close=close)
        _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
        if whole is not None:
            if reply.whole and reply.body == whole and reply.status == 200:
                return ok("arrives whole")
            return bad(f"answered with {reply}")
        if reply.ended == "open":
            return bad("the visitor waits on")
        if reply.status >= 500:
            return ok(f"answered {reply.status}")
        return bad("looks finished") if reply.whole else ok("looks broken off")

    return run


CHUNKED = "Transfer-Encoding: chunked"
ENDINGS: dict[str, tuple[bytes, bytes | None, bool]] = {
    "close": (answer(HTML, body=b"until the end"), b"until the end", True),
    "close in HTTP/1.0": (answer(HTML, version="HTTP/1.0", body=b"until the end"), b"until the end", True),
    "length": (said(b"hello", HTML), b"hello", False),
    "length in HTTP/1.0": (said(b"hello", HTML, version="HTTP/1.0"), b"hello", True),
    "chunks": (answer(HTML, CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"), b"hello", False),
    "chunks with extensions and trailers": (
        answer(HTML, CHUNKED, body=b"5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
        b"hello",
        False,
    ),
    "cut within the length": (answer(HTML, "Content-Length: 50", body=b"hello"), None, True),
    "cut before a length's first byte": (answer(HTML, "Content-Length: 50"), None, True),
    "cut within a chunk": (answer(HTML, CHUNKED, body=b"50\r\nhello"), None, True),
    "cut between two chunks": (answer(HTML, CHUNKED, body=b"5\r\nhello\r\n"), None, True),
    "cut before the last line": (answer(HTML, CHUNKED, body=b"5\r\nhello\r\n0\r\n"), None, True),
    "a chunk size that is none": (answer(HTML, CHUNKED, body=b"5\r\nhello\r\nzz\r\n\r\n"), None, True),
    "a chunk size with 0x": (answer(HTML, CHUNKED, body=b"0x5\r\nhello\r\n0\r\n\r\n"), None, True),
    "a chunk size with a minus": (answer(HTML, CHUNKED, body=b"-5\r\nhello\r\n0\r\n\r\n"), None, True),
    "other bytes after a chunk": (answer(HTML, CHUNKED, body=b"5\r\nhelloXX0\r\n\r\n"), None, True),
}
for _name, (_data, _whole, _close) in ENDINGS.items():
    _ask = "arrives whole" if _whole is not None else "must look broken off to the visitor"
    add(
        ENDS,
        f"answer by {_name}" if _whole is not None else f"answer {_name}",
        f"An answer by {_name} {_ask}." if _whole is not None else f"An answer {_name} {_ask}.",
        _ending(_data, whole=_whole, close=_close),
    )


@probe(ENDS, "a reset within an answer")
async def _reset(peer: Peer) -> Verdict:
    """A server's connection that is reset within an answer that ends by close: it must not look finished."""

    async def script(turn: Turn) -> bool:
        turn.say(answer(HTML, CHUNKED, body=b"5\r\nhello\r\n"))
        await turn.sent()
        await asyncio.sleep(0.05)
        turn.abort()
        return False

    peer.back.plays(script)
    _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
    if reply.ended == "open":
        return bad("the visitor waits on")
    return bad("looks finished") if reply.whole and reply.status == 200 else ok("looks broken off")


@probe(ENDS, "chunks for a visitor of HTTP/1.0")
async def _dechunked(peer: Peer) -> Verdict:
    """Who speaks HTTP/1.0 cannot read chunks: a plain body until the end of the connection."""
    peer.back.says(answer(HTML, CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"))
    _, reply = await peer.ask(peer.head("a.csv", version="HTTP/1.0"))
    if reply.all("transfer-encoding"):
        return bad("sent in chunks")
    return ok("a plain body") if reply.body == b"hello" and reply.whole else bad(f"answered with {reply}")


@probe(ENDS, "a close within chunks for a visitor of HTTP/1.0")
async def _old_cut(peer: Peer) -> Verdict:
    """With nothing but the end of the connection to tell, only a reset tells that something is missing."""
    peer.back.says(answer(HTML, CHUNKED, body=b"5\r\nhello\r\n"), close=True)
    talk = await peer.talk()
    await talk.say(peer.head("a.csv", version="HTTP/1.0"))
    data, end = await talk.rest()
    if end == "open":
        return bad("the visitor waits on")
    if data.startswith((b"HTTP/1.1 5", b"HTTP/1.0 5")):
        return ok("an error")
    return ok("reset") if end == "reset" else doubtful("closed as if it were whole")


# -- lies -------------------------------------------------------------------------------------------------------------


def _lie(data: bytes, *, must: str = "") -> Run:
    """Expect an error, or an answer that is seen to break off; never a whole good one."""

    async def run(peer: Peer) -> Verdict:
        peer.back.says(data, close=True)
        talk, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
        more, _ = await talk.rest(1.0)
        if b"evil" in more or b"evil" in reply.body:
            return bad("the second half was passed on")
        if reply.status >= 500:
            return ok(f"answered {reply.status}")
        if reply.status == 0:
            return bad("the visitor waits on") if reply.ended == "open" else ok("the connection was dropped")
        if reply.whole:
            return doubtful(f"passed on as {reply.status}")
        return bad("the visitor waits on") if reply.ended == "open" else ok("looks broken off")

    return run


BIG = "X-Big: " + "y" * 20_000
LYING: dict[str, bytes] = {
    "length and chunks": answer(HTML, "Content-Length: 5", CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"),
    "two lengths": answer(HTML, "Content-Length: 5", "Content-Length: 2", body=b"hello"),
    "a list of lengths": answer(HTML, "Content-Length: 5, 2", body=b"hello"),
    "a negative length": answer(HTML, "Content-Length: -5", body=b"hello"),
    "a length with a plus": answer(HTML, "Content-Length: +5", body=b"hello"),
    "a length that is none": answer(HTML, "Content-Length: five", body=b"hello"),
    "a length past 64 bits": answer(HTML, "Content-Length: 18446744073709551621", body=b"hello"),
    "an unknown coding": answer(HTML, "Transfer-Encoding: xchunked", body=b"hello"),
    "chunks twice": answer(HTML, "Transfer-Encoding: chunked, chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
    "chunks in HTTP/1.0": answer(HTML, CHUNKED, version="HTTP/1.0", body=b"5\r\nhello\r\n0\r\n\r\n"),
    "no HTTP": b"hello, who is there?\r\n\r\n",
    "an answer without a head": b"<html>evil</html>",
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Type: te",
    "status 99": answer(HTML, "Content-Length: 5", status="99 Odd", body=b"hello"),
    "status 600": answer(HTML, "Content-Length: 5", status="600 Odd", body=b"hello"),
    "status 1000": answer(HTML, "Content-Length: 5", status="1000 Odd", body=b"hello"),
    "a status that is none": answer(HTML, "Content-Length: 5", status="OK OK", body=b"hello"),
    "HTTP/2.0": said(b"hello", HTML, version="HTTP/2.0"),
    "another protocol": said(b"hello", HTML, version="ICY"),
    "a field without a colon": answer(HTML, "nothing", "Content-Length: 5", body=b"hello"),
    "a NUL in a field": answer(HTML, "ETag: a\x00b", "Content-Length: 5", body=b"hello"),
    "a field of 20 KB": answer(HTML, BIG, "Content-Length: 5", body=b"hello"),
    "a thousand fields": answer(HTML, *(f"X{n}: y" for n in range(1000)), "Content-Length: 5", body=b"hello"),
    "a blank before a colon": answer(HTML, "Content-Length : 5", body=b"hello"),
}
for _name, _data in LYING.items():
    add(LIES, f"server: {_name}", f"An answer with {_name}: an error, or seen to break off.", _lie(_data))


@probe(LIES, "server: a head without end")
async def _endless_head(peer: Peer) -> Verdict:
    """Fields without end are cut off, not collected."""

    async def script(turn: Turn) -> bool:
        turn.say(b"HTTP/1.1 200 OK\r\n")
        for number in range(4000):
            turn.say(b"X-%d: %s\r\n" % (number, b"y" * 4000))
            await turn.sent()
        return False

    peer.back.plays(script)
    _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
    return ok(f"answered {reply.status}") if reply.status >= 500 else bad(f"answered with {reply}")


# -- fields -----------------------------------------------------------------------------------------------------------


def _dropped(*fields: str, names: tuple[str, ...]) -> Run:
    async def run(peer: Peer) -> Verdict:
        peer.back.says(said(b"hello", HTML, *fields))
        _, reply = await peer.ask(peer.head("a.csv"))
        if reply.status >= 500:
            return ok(f"answered {reply.status}")
        if not reply.whole or reply.body != b"hello":
            return bad(f"answered with {reply}")
        left = [name for name in names if any("probe" in value for value in reply.all(name))]
        return doubtful(f"passed on: {', '.join(left)}") if left else ok("dropped")

    return run


add(
    FIELDS,
    "a field named by the server's Connection",
    "It is for the proxy's connection only.",
    _dropped("X-Thing: probe", "Connection: X-Thing", names=("x-thing",)),
)
add(
    FIELDS,
    "the server's Keep-Alive",
    "It is for the proxy's connection only.",
    _dropped("Keep-Alive: probe", names=("keep-alive",)),
)
add(
    FIELDS,
    "the server's Upgrade",
    "Asks for nothing that the proxy could do.",
    _dropped("Upgrade: probe", names=("upgrade",)),
)
add(
    FIELDS,
    "the server's Proxy-Authenticate",
    "A visitor's browser must not ask for a password for it.",
    _dropped("Proxy-Authenticate: Basic realm=probe", names=("proxy-authenticate",)),
)


@probe(FIELDS, "Content-Length named by the server's Connection")
async def _length(peer: Peer) -> Verdict:
    """It must not cost the answer its end."""
    peer.back.says(said(b"hello", HTML, "Connection: content-length"))
    _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
    if reply.status >= 500 or (reply.whole and reply.body == b"hello"):
        return ok(f"answered {reply.status}, with an end")
    return bad(f"answered with {reply}")


@probe(FIELDS, "a folded field of the server's")
async def _folded(peer: Peer) -> Verdict:
    """A line that begins with a blank is joined with the one before it, or the answer is an error."""
    peer.back.says(answer(HTML, "ETag: a", " X-Evil: b", "Content-Length: 5", body=b"hello"))
    _, reply = await peer.ask(peer.head("a.csv", "Connection: close"))
    if reply.all("x-evil"):
        return bad("it became a field of its own")
    return ok(f"answered {reply.status}") if reply.whole else bad(f"answered with {reply}")
