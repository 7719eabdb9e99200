"""Spellings of a path that lead elsewhere for the next reader."""

from __future__ import annotations

from urllib.parse import quote, unquote

from tests.probes.model import Run, Verdict, add, bad, doubtful, ok, probe
from tests.probes.peer import Peer

TOPIC = "Paths"


def _spelled(text: str) -> Run:
    async def run(peer: Peer) -> Verdict:
        target = peer.reading + text
        _, reply = await peer.ask(
            peer.head(target=target, method="GET").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        for turn in peer.back.turns:
            if turn.target.endswith(text):
                return doubtful("passed on as it came: the server's reading decides")
            sent = turn.target.rpartition("/shared/")[2] or turn.target.lstrip("/")
            if unquote(sent) == unquote(text) and sent.lower() == quote(unquote(text)).lower():
                return ok("decoded once, and sent as it was judged")
            return bad(f"passed on as `{sent[-40:]}`, which is not what was asked")
        if reply.status >= 400:
            return ok(f"refused with {reply.status}")
        if 300 <= reply.status < 400:
            return doubtful(f"answered {reply.status}")
        return bad(f"answered with {reply}")

    return run


SPELLINGS = {
    "dot segments": "x/../../secret.txt",
    "encoded dots": "x/%2e%2e/secret.txt",
    "half encoded dots": "x/.%2E/secret.txt",
    "encoded dots and slash": "x/%2e%2e%2fsecret.txt",
    "an encoded slash": "x%2Fsecret.txt",
    "an encoded backslash": "x%5C..%5Csecret.txt",
    "a backslash": "x\\..\\secret.txt",
    "an encoded NUL": "a.csv%00.png",
    "an encoded line end": "a.csv%0d%0aX-Evil:%201",
    "double encoded dots": "x/%252e%252e/secret.txt",
    "a double encoded slash": "x%252Fsecret.txt",
    "an overlong slash": "x%c0%afsecret.txt",
    "an empty segment": "x//secret.txt",
    "a single dot": "x/./secret.txt",
    "a broken escape": "x%2secret.txt",
    "an escape that is none": "x%zz.txt",
    "a parameter on dots": "x/..;/secret.txt",
    "full width dots": "x/%ef%bc%8e%ef%bc%8e/secret.txt",
}
for _name, _text in SPELLINGS.items():
    add(TOPIC, _name, f"`GET …/{_text}`: refused; what is judged is what is sent.", _spelled(_text))


@probe(TOPIC, "a name with blanks and umlauts")
async def _honest(peer: Peer) -> Verdict:
    """`%20` and `%C3%BC` arrive as they are."""
    _, reply = await peer.ask(peer.head("a%20b%20%C3%BC.csv", "Connection: close"))
    if reply.status != 200 or not peer.back.turns:
        return bad(f"answered with {reply}")
    arrived = peer.back.turns[0].target.endswith("a%20b%20%C3%BC.csv")
    return ok("as it was asked") if arrived else bad(f"arrived as `{peer.back.turns[0].target}`")


@probe(TOPIC, "a slash encoded in the query")
async def _query(peer: Peer) -> Verdict:
    """The query's `%2F` stays one, or the query is refused."""
    _, reply = await peer.ask(peer.head("a.csv?download=1%2F2", "Connection: close"))
    if not peer.back.turns:
        return ok(f"refused with {reply.status}") if reply.status >= 400 else bad(f"answered with {reply}")
    return ok("as it was asked") if "1%2F2" in peer.back.turns[0].target else bad("written anew as another one")
