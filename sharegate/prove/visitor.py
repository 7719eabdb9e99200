"""A stranger with a link: enters by the door, keeps the cookies that a browser would keep, and asks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sharegate.errors import Unreachable
from sharegate.prove.model import Probe
from sharegate.prove.wire import Channel, Fields, Origin, Reply, ask, channel

AGENT = "sharegate-prove"
# Waiting for an allowance that is used up, and how often.
_LONGEST_WAIT, _TRIES = 20.0, 8
# The gate or its server is not there: nothing can be said of what they would let out.
_AWAY = frozenset({"server_away", "gate_fault", "gate_restarting"})


@dataclass(slots=True)
class Visitor:
    """One visit. `base` is its address (begins and ends with a slash), `cookies` are (name, value, path)."""

    origin: Origin
    base: str
    cookies: tuple[tuple[str, str, str], ...] = field(repr=False)

    def manners(self, method: str, target: str, *, upgrade: bool = False) -> list[tuple[str, str]]:
        """What the visit's own page would send."""
        kept = "; ".join(f"{name}={value}" for name, value, path in self.cookies if target.startswith(path))
        fields = [("User-Agent", AGENT), ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")]
        if kept:
            fields.append(("Cookie", kept))
        if upgrade or method not in ("GET", "HEAD"):
            fields.append(("Origin", str(self.origin)))
        return fields

    def target(self, path: str) -> str:
        """Below the visit, unless it is one of the whole origin."""
        return path if path.startswith("/") else self.base + path

    def fields(self, probe: Probe, target: str) -> list[tuple[str, str]]:
        honest = [("User-Agent", AGENT)] if probe.bare else self.manners(probe.method, target, upgrade=probe.upgrade)
        said = {name.lower() for name, _ in probe.fields}
        left_out = {name.lower() for name, value in probe.fields if not value and name.lower() != "host"}
        kept = [each for each in honest if each[0].lower() not in said]
        return kept + [each for each in probe.fields if each[0].lower() not in left_out]

    async def ask(self, probe: Probe) -> Reply:
        """The answer to a probe; for one that asks for a WebSocket the answer to its handshake. Waits while too much
        was asked. Raises Unreachable when the gate or its server is away."""
        target = self.target(probe.target)
        for _ in range(_TRIES):
            fields = self.fields(probe, target)
            if probe.upgrade:
                async with channel(self.origin, target, fields) as (reply, _opened):
                    pass
            else:
                reply = await ask(self.origin, probe.method, target, fields, probe.body)
            if reply.status != 429:
                return checked(reply)
            await asyncio.sleep(_wait(reply))
        raise Unreachable("the gate's limits leave no room for a proof now; try again later")

    async def get(self, path: str, **fields: str) -> Reply:
        """An honest GET."""
        target = self.target(path)
        told = [*self.manners("GET", target), *fields.items()]
        for _ in range(_TRIES):
            reply = await ask(self.origin, "GET", target, told)
            if reply.status != 429:
                return checked(reply)
            await asyncio.sleep(_wait(reply))
        raise Unreachable("the gate's limits leave no room for a proof now; try again later")

    async def put(self, path: str, value: object) -> Reply:
        target = self.target(path)
        fields = [*self.manners("PUT", target), ("Content-Type", "application/json")]
        return checked(await ask(self.origin, "PUT", target, fields, json.dumps(value).encode()))

    @contextlib.asynccontextmanager
    async def channel(self, path: str) -> AsyncIterator[tuple[Reply, Channel | None]]:
        target = self.target(path)
        async with channel(self.origin, target, self.manners("GET", target, upgrade=True)) as opened:
            yield opened


def _wait(reply: Reply) -> float:
    told = reply.field("Retry-After")
    return min(float(told) if told.isdecimal() else 2.0, _LONGEST_WAIT)


def code_of(reply: Reply) -> str:
    """The public code of a refusal in the gate's own words; "" for everything else."""
    try:
        told = json.loads(reply.body)
        error = told["error"]
        whole = set(told) == {"error", "message"} and set(error) == {"code", "message", "id"}
    except (ValueError, TypeError, KeyError):
        return ""
    return str(error["code"]) if whole and reply.status >= 400 else ""


def checked(reply: Reply) -> Reply:
    if reply.status == 503 and (code := code_of(reply)) in _AWAY:
        raise Unreachable(f"the gate answers {code} during the proof")
    return reply


async def post(origin: Origin, path: str, value: object) -> Reply:
    """To the door, as its own page does."""
    fields: Fields = [("Origin", str(origin)), ("Content-Type", "application/json"), ("User-Agent", AGENT)]
    for _ in range(_TRIES):
        reply = await ask(origin, "POST", path, fields, json.dumps(value).encode())
        if reply.status != 429:
            return checked(reply)
        await asyncio.sleep(_wait(reply))
    raise Unreachable("the door lets nobody in just now; try again later")


async def enter(link: str) -> Visitor:
    """Open a link. Raises Unreachable when the door does not let in."""
    parts = urlsplit(link)
    origin = Origin.of(link)
    reply = await post(origin, parts.path, {"token": parts.fragment, "name": AGENT})
    try:
        location = str(json.loads(reply.body)["location"]) if reply.status == 200 else ""
    except (ValueError, KeyError, TypeError):
        location = ""
    where = urlsplit(location)
    if where.netloc:
        origin = Origin.of(location)
    segments = where.path.split("/")
    place = next((at for at, segment in enumerate(segments) if segment.startswith("~")), 0)
    if not place:
        raise Unreachable(f"the door at {origin} did not let in (status {reply.status} {code_of(reply)})".strip())
    return Visitor(origin, "/".join(segments[: place + 1]) + "/", _cookies(reply.fields))


def _cookies(fields: Sequence[tuple[str, str]]) -> tuple[tuple[str, str, str], ...]:
    found = []
    for name, value in fields:
        if name.lower() == "set-cookie":
            pair, *more = value.split(";")
            key, _, text = pair.strip().partition("=")
            paths = [part.strip()[5:] for part in more if part.strip().lower().startswith("path=")]
            found.append((key, text, paths[0] if paths else "/"))
    return tuple(found)
