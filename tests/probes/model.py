"""A probe: one thing done on raw sockets, and the judgement of what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from tests.probes.peer import Peer

# Longer than anything that a probe waits for; whoever takes longer hangs.
PROBE_SECONDS = 90.0


class Mark(Enum):
    """`doubtful`: no harm was shown, but it is not what the standard asks for, or leans on the next server."""

    OK = "ok"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Verdict:
    mark: Mark
    sentence: str


def ok(sentence: str) -> Verdict:
    return Verdict(Mark.OK, sentence)


def doubtful(sentence: str) -> Verdict:
    return Verdict(Mark.DOUBTFUL, sentence)


def bad(sentence: str) -> Verdict:
    return Verdict(Mark.BAD, sentence)


def not_applicable(sentence: str) -> Verdict:
    return Verdict(Mark.NOT_APPLICABLE, sentence)


Run = Callable[[Peer], Awaitable[Verdict]]


@dataclass(frozen=True, slots=True)
class Probe:
    """`asks` is the question in words. `only` names what a peer must be for the question to make sense ("websocket": it
    ends WebSockets itself, "share": it keeps a visitor within something), "" for nothing."""

    name: str
    topic: str
    asks: str
    run: Run
    only: str = ""

    async def judge(self, peer: Peer) -> Verdict:
        """Run it on a peer that has nothing left over from another one."""
        if self.only and self.only not in peer.can:
            return not_applicable(peer.cannot.get(self.only, f"does not do this: {self.only}"))
        await peer.fresh()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await self.run(peer)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            return bad(f"the connection ended within it ({type(error).__name__})")
        except TimeoutError:
            return bad(f"nothing was settled within {PROBE_SECONDS:.0f} s")
        finally:
            await peer.fresh()


PROBES: list[Probe] = []


def probe(topic: str, name: str, *, only: str = "") -> Callable[[Run], Run]:
    """Registers a probe; its question is the first line of its docstring."""

    def register(run: Run) -> Run:
        add(topic, name, (run.__doc__ or "").strip().splitlines()[0], run, only=only)
        return run

    return register


def add(topic: str, name: str, asks: str, run: Run, *, only: str = "") -> None:
    assert all(one.name != name for one in PROBES), name
    PROBES.append(Probe(name, topic, asks, run, only))


# In the order of the table.
TOPICS = (
    *("Framing of requests", "Chunked uploads", "Expect and early answers", "Heads"),
    *("Host and the form of the target", "Fields of one connection", "Limits", "Paths", "Order and half-close"),
    *("Answers without a body", "Interim answers", "Where an answer ends", "Unusable answers", "Fields of answers"),
    *("Connections used again", "Servers that stall or drip", "Servers that lead elsewhere", "Upgrades"),
    *("WebSocket: what is agreed on", "WebSocket: a visitor's frames", "WebSocket: a server's frames"),
)


def all_probes() -> list[Probe]:
    """In the order of the table."""
    # Importing registers.
    from tests.probes import (  # noqa: F401
        answers,
        bodies,
        frames,
        framing,
        heads,
        limits,
        lying,
        order,
        paths,
        pool,
        upgrades,
    )

    return sorted(PROBES, key=lambda probe: TOPICS.index(probe.topic))
