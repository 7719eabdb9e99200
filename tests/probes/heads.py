"""Request lines and fields in every bad spelling; Host; versions; what belongs to one connection (RFC 9112 2-5)."""

from __future__ import annotations

from tests.probes.back import Turn
from tests.probes.judging import refused
from tests.probes.model import Run, Verdict, add, bad, doubtful, ok, probe
from tests.probes.peer import Peer

LINES = "Heads"
HOST = "Host and the form of the target"
HOPS = "Fields of one connection"


def _field(*lines: str) -> Run:
    async def run(peer: Peer) -> Verdict:
        raw = "\r\n".join(("", *lines, "")).encode("latin-1")
        return await refused(peer, peer.head("a.csv", *lines), passed=lambda turn: raw in turn.head)

    return run


FIELDS = {
    "a field with a blank before the colon": ("X-Thing : 1",),
    "a field with a tab before the colon": ("X-Thing\t: 1",),
    "a folded field": ("X-Thing: 1", " folded"),
    "a field folded by a tab": ("X-Thing: 1", "\tfolded"),
    "a field without a name": (": 1",),
    "a line without a colon": ("nothing",),
    "a blank in a name": ("X Thing: 1",),
    "a control character in a name": ("X-Th\x01ing: 1",),
    "a byte above ASCII in a name": ("X-Th\xefng: 1",),
    "a NUL in a value": ("X-Thing: a\x00b",),
    "a lone carriage return in a value": ("X-Thing: a\rX-Other: b",),
    "a lone carriage return before the line's end": ("X-Thing: a\r",),
    "a control character in a value": ("X-Thing: a\x01b",),
    "a DEL in a value": ("X-Thing: a\x7fb",),
    "a bare line feed in a value": ("X-Thing: a\nX-Other: b",),
}
for _name, _lines in FIELDS.items():
    add(LINES, _name, f"A head with {_name} (RFC 9112 section 5, RFC 9110 section 5.5).", _field(*_lines))


def _line(text: str) -> Run:
    async def run(peer: Peer) -> Verdict:
        raw = text.format(target=peer.reading + "a.csv").encode("latin-1")
        head = raw + peer.head().partition(b"\r\n")[2]
        blanks = ok if "GET  " in text else doubtful  # which RFC 9112 section 3 leaves open
        return await refused(peer, head, passed=lambda turn: not turn.head.startswith(b"GET /"), lenient=blanks)

    return run


REQUEST_LINES = {
    "two blanks in the request line": "GET  {target} HTTP/1.1\r\n",
    "tabs in the request line": "GET\t{target}\tHTTP/1.1\r\n",
    "a blank at its end": "GET {target} HTTP/1.1 \r\n",
    "a blank inside the target": "GET {target} x HTTP/1.1\r\n",
    "a blank before the method": " GET {target} HTTP/1.1\r\n",
    "a method that is no token": "G@T {target} HTTP/1.1\r\n",
    "no version": "GET {target}\r\n",
    "HTTP/0.9 by name": "GET {target} HTTP/0.9\r\n",
    "HTTP/1.2": "GET {target} HTTP/1.2\r\n",
    "HTTP/2.0": "GET {target} HTTP/2.0\r\n",
    "HTTP/1.10": "GET {target} HTTP/1.10\r\n",
    "http in small letters": "GET {target} http/1.1\r\n",
    "another protocol": "GET {target} ICY/1.1\r\n",
    "a NUL in the target": "GET {target}\x00 HTTP/1.1\r\n",
    "a byte above ASCII in the target": "GET {target}\xff HTTP/1.1\r\n",
    "a fragment in the target": "GET {target}#x HTTP/1.1\r\n",
    "a bare line feed after the request line": "GET {target} HTTP/1.1\n",
}
for _name, _text in REQUEST_LINES.items():
    add(
        LINES,
        _name,
        f"`{_text.strip()}` (RFC 9112 section 3).".replace("\x00", "\\0").replace("\t", "\\t"),
        _line(_text),
    )


@probe(LINES, "bare line feeds throughout")
async def _bare(peer: Peer) -> Verdict:
    """All lines end without a carriage return: readers differ on where a field ends (RFC 9112 section 2.2)."""
    return await refused(peer, peer.head().replace(b"\r\n", b"\n"))


@probe(LINES, "a bare line feed at the head's end")
async def _bare_end(peer: Peer) -> Verdict:
    """Only the empty line has no carriage return."""
    return await refused(peer, peer.head()[:-2] + b"\n")


@probe(LINES, "HTTP/0.9")
async def _oldest(peer: Peer) -> Verdict:
    """`GET /path` and nothing else: an answer without a head cannot be told from anything."""
    talk = await peer.talk()
    await talk.say(f"GET {peer.reading}a.csv\r\n\r\n".encode())
    data, end = await talk.rest()
    if peer.back.turns:
        return bad("passed on to the server")
    if end == "open":
        return doubtful("left without an answer")
    return (
        ok("refused" if data.startswith(b"HTTP/1.") else "closed without a word") if data != b"ok" else bad("answered")
    )


@probe(LINES, "the beginning of a TLS connection")
async def _hello(peer: Peer) -> Verdict:
    """A browser that speaks https to a port of plain http is turned away, not waited for."""
    talk = await peer.talk()
    await talk.say(bytes.fromhex("1603010200010001fc0303") + bytes(500))
    _, end = await talk.rest()
    return ok("turned away") if end != "open" else doubtful("waited for")


@probe(LINES, "the preface of HTTP/2")
async def _preface(peer: Peer) -> Verdict:
    """`PRI * HTTP/2.0` is refused."""
    talk = await peer.talk()
    await talk.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    _, end = await talk.rest()
    if peer.back.turns:
        return bad("passed on to the server")
    return ok("refused") if end != "open" else doubtful("waited for")


@probe(LINES, "an empty line before the request")
async def _leading(peer: Peer) -> Verdict:
    """One empty line may be skipped (RFC 9112 section 2.2)."""
    _, reply = await peer.ask(b"\r\n" + peer.head("a.csv", "Connection: close"))
    return ok(f"answered {reply.status}") if reply.status in (200, 400) else bad(f"answered with {reply}")


@probe(LINES, "a head in many pieces")
async def _pieces(peer: Peer) -> Verdict:
    """A head that comes byte by byte is a head."""
    talk = await peer.talk()
    for byte in peer.head("a.csv", "Connection: close"):
        await talk.say(bytes((byte,)))
    reply = await talk.answer()
    return ok("answered") if reply.status == 200 and reply.whole else bad(f"answered with {reply}")


@probe(LINES, "CONNECT")
async def _connect(peer: Peer) -> Verdict:
    """No tunnel is opened."""
    talk = await peer.talk()
    host = f"127.0.0.1:{peer.back.port}"
    await talk.say(peer.head(target=host, method="CONNECT", host=host))
    reply = await talk.answer("CONNECT", seconds=2)
    if peer.back.turns:
        return bad("passed on to the server")
    if reply.status == 0 and reply.ended == "open":
        return doubtful("left without an answer")
    return bad("a tunnel was opened") if 200 <= reply.status < 300 else ok(f"refused with {reply}")


@probe(LINES, "TRACE")
async def _trace(peer: Peer) -> Verdict:
    """Nobody is shown his own head, with cookies, by a page's script (RFC 9110 section 9.3.8)."""
    _, reply = await peer.ask(peer.head("a.csv", "Connection: close", method="TRACE"))
    if any(turn.method == "TRACE" for turn in peer.back.turns):
        return doubtful("passed on to the server")
    return ok(f"refused with {reply.status}") if reply.status >= 400 else bad(f"answered with {reply}")


# -- Host and target --------------------------------------------------------------------------------------------------


def _host(*lines: str) -> Run:
    async def run(peer: Peer) -> Verdict:
        fields = [line.format(host=peer.host) for line in lines]
        return await refused(
            peer,
            peer.head("a.csv", *fields, host=""),
            passed=lambda turn: len(turn.all("host")) != 1,
        )

    return run


HOSTS = {
    "no Host": (),
    "two Hosts": ("Host: {host}", "Host: evil.example"),
    "the same Host twice": ("Host: {host}", "Host: {host}"),
    "an empty Host": ("Host:",),
    "a list of Hosts": ("Host: {host}, evil.example",),
    "a Host with a path": ("Host: {host}/x",),
    "a Host with a user": ("Host: x@{host}",),
    "a Host with a blank": ("Host: {host} x",),
    "a Host with a blank before the colon": ("Host : {host}",),
    "another Host": ("Host: evil.example",),
}
for _name, _lines in HOSTS.items():
    add(HOST, _name, f"A request with {_name} (RFC 9112 section 3.2).", _host(*_lines))


@probe(HOST, "no Host in HTTP/1.0")
async def _old_host(peer: Peer) -> Verdict:
    """HTTP/1.0 has no Host: an answer or a refusal, but a whole one."""
    _, reply = await peer.ask(peer.head(host="", version="HTTP/1.0"))
    return ok(f"answered {reply.status}") if reply.whole else bad(f"answered with {reply}")


def _form(target: str, method: str = "GET") -> Run:
    async def run(peer: Peer) -> Verdict:
        asked = target.format(host=peer.host, path=peer.reading + "a.csv")
        return await refused(
            peer,
            peer.head(target=asked, method=method),
            passed=lambda turn: not turn.target.startswith("/"),
            # A server may be asked like that, once the host is its own (RFC 9112 section 3.2.2).
            lenient=ok if target.startswith("http://{host}") else doubtful,
        )

    return run


FORMS = {
    "absolute form": "http://{host}{path}",
    "absolute form of another host": "http://evil.example{path}",
    "absolute form with https": "https://{host}{path}",
    "absolute form with a user": "http://x@{host}{path}",
    "a target without a slash": "a.csv",
    "two slashes at the beginning": "//evil.example{path}",
}
for _name, _target in FORMS.items():
    _ask = f"`GET {_target}`: only the origin form is for a server that is no proxy of the visitor's."
    add(HOST, _name, _ask.replace("{host}", "own.host").replace("{path}", "/path"), _form(_target))
add(HOST, "the asterisk", "`OPTIONS *` is about the proxy itself, not about a path.", _form("*", method="OPTIONS"))


# -- one connection's fields ------------------------------------------------------------------------------------------


def _nominated(field: str, value: str, *, ours: bool = False) -> Run:
    """`ours`: the field must still be there at the server, as the peer wrote it; else it must be gone."""

    async def run(peer: Peer) -> Verdict:
        _, reply = await peer.ask(peer.head("a.csv", f"{field}: {value}", f"Connection: close, {field}"))
        if not peer.back.turns:
            return ok(f"refused with {reply.status}") if reply.status >= 400 else bad(f"answered with {reply}")
        found = peer.back.turns[0].all(field)
        if value in found:
            return doubtful("passed on, though it was for this connection only")
        return ok("dropped")

    return run


for _field_name, _value in {
    "X-Thing": "probe-1",
    "Accept-Language": "xx-probe",
    "If-None-Match": '"probe"',
    "Range": "bytes=0-0",
}.items():
    _ask = f"`Connection: {_field_name}` makes that field one of this connection (RFC 9110 section 7.6.1)."
    add(HOPS, f"{_field_name} named by Connection", _ask, _nominated(_field_name, _value))


def _own(field: str, *, wants: bool = False) -> Run:
    async def run(peer: Peer) -> Verdict:
        plain_head = peer.head("a.csv", "Connection: close")
        await peer.ask(plain_head)
        before = peer.back.turns[0].all(field) if peer.back.turns else []
        _, reply = await peer.ask(peer.head("b.csv", f"Connection: close, {field}"))
        if len(peer.back.turns) < 2:
            return ok(f"refused with {reply.status}") if reply.status >= 400 else bad(f"answered with {reply}")
        after = peer.back.turns[1].all(field)
        if len(before) != len(after):
            return bad(f"the visitor took away {field}, which the server is to get")
        return ok("the server gets what it got before")

    return run


for _field_name in ("Authorization", "Host", "X-Forwarded-For", "Accept-Encoding", "Cookie"):
    _ask = f"`Connection: {_field_name}` must not take away what the proxy itself says or the server needs."
    add(HOPS, f"{_field_name} named by Connection", _ask, _own(_field_name))


async def _length_named(peer: Peer) -> Verdict:
    framing = f"Content-Length: {len(peer.upload)}"
    _, reply = await peer.ask(peer.put(framing, "Connection: close, content-length") + peer.upload)
    for turn in peer.back.turns:
        if not turn.all("content-length") and not turn.all("transfer-encoding"):
            return bad("the server got an upload without its length")
        if b"hello" not in turn.body:
            return bad("the server got another body")
    return ok(f"answered {reply.status}") if reply.whole else bad(f"answered with {reply}")


add(HOPS, "Content-Length named by Connection", "It must not cost an upload its framing.", _length_named)


def _gone(*lines: str, names: tuple[str, ...]) -> Run:
    async def run(peer: Peer) -> Verdict:
        _, reply = await peer.ask(peer.head("a.csv", *lines))

        def left(turn: Turn) -> list[str]:
            return [name for name in names if turn.all(name)]

        for turn in peer.back.turns:
            if left(turn):
                return doubtful(f"passed on: {', '.join(left(turn))}")
        return ok(f"not passed on, {reply.status}") if reply.whole else bad(f"answered with {reply}")

    return run


add(HOPS, "Keep-Alive", "It is the visitor's connection's own.", _gone("Keep-Alive: timeout=5", names=("keep-alive",)))
add(HOPS, "Proxy-Connection", "A field that never was one.", _gone("Proxy-Connection: x", names=("proxy-connection",)))
add(
    HOPS,
    "Proxy-Authorization",
    "A password for a proxy is not for the server.",
    _gone("Proxy-Authorization: Basic eDp5", names=("proxy-authorization",)),
)
add(HOPS, "TE", "Whether trailers are wanted is a matter of one connection.", _gone("TE: trailers", names=("te",)))
add(HOPS, "Trailer", "Announces what does not come.", _gone("Trailer: X-Sum", names=("trailer",)))
add(
    HOPS,
    "an Upgrade that is none",
    "`Upgrade: x` without being named by Connection asks for nothing.",
    _gone("Upgrade: probe", names=("upgrade",)),
)
