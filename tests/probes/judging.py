"""What many probes ask in the same way."""

from __future__ import annotations

from collections.abc import Callable

from tests.probes.back import Turn
from tests.probes.model import Verdict, bad, doubtful, ok
from tests.probes.peer import Peer

# What is hidden in a request, and what honestly follows one.
HIDDEN = "smuggled.csv"
FOLLOWING = "following.csv"


def nothing(_: Turn) -> bool:
    return False


def two_framings(turn: Turn) -> bool:
    """Whether a server could read this request's end in two ways."""
    lengths, codings = turn.all("content-length"), turn.all("transfer-encoding")
    single = all(length.isascii() and length.isdigit() for length in lengths)
    return len(lengths) + len(codings) > 1 or not single or any(one.lower() != "chunked" for one in codings)


async def refused(
    peer: Peer,
    data: bytes,
    *,
    passed: Callable[[Turn], bool] = nothing,
    taken: str = "taken, and written anew",
    lenient: Callable[[str], Verdict] = doubtful,
    ends: bool = False,
) -> Verdict:
    """Expect a refusal before the server hears of it.

    Another request follows. With `ends` nobody can say where `data` ends: after a refusal it must not be answered.
    `passed` says whether the server was given what it must not see; `lenient` is the verdict on a peer that answers,
    with `taken` for why.
    """
    talk = await peer.talk()
    await talk.say(data + peer.head(FOLLOWING, "Connection: close"))
    reply = await talk.answer()
    _, end = await talk.rest()
    turns = peer.back.turns
    if any(passed(turn) for turn in turns):
        return bad("passed on to the server as it came")
    if any(two_framings(turn) for turn in turns):
        return bad("the server got a request with two readings")
    if any(HIDDEN in turn.target for turn in turns):
        return bad(f"answered with {reply}, and what was hidden in it was taken for a request")
    followed = any(FOLLOWING in turn.target for turn in turns)
    if reply.status == 0:
        return bad("left without an answer") if reply.ended == "open" else ok("closed without a word")
    if reply.status >= 400:
        if followed and ends:
            return doubtful(f"refused with {reply.status}, then guessed where the next one began")
        if end == "open":
            return doubtful(f"refused with {reply.status}, but the connection stays open")
        return ok(f"refused with {reply.status}")
    return lenient(f"{taken} ({reply.status})")


async def accepted(peer: Peer, data: bytes, *, body: bytes = b"hello from a visitor") -> Verdict:
    """Expect that the server gets it, with this body in it, and that the answer comes back whole."""
    _, reply = await peer.ask(data)
    turns = peer.back.turns
    if not reply.whole or reply.status >= 400:
        return bad(f"answered with {reply}")
    if len(turns) != 1:
        return bad(f"the server got {len(turns)} requests")
    if two_framings(turns[0]):
        return bad("the server got a request with two readings")
    if body not in turns[0].body:
        return bad("the server got another body")
    return ok("passed on whole")
