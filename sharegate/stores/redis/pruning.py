"""What is forgotten and when, as stores/retention.py says it for SQLite."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sharegate.errors import StoreUnavailable
from sharegate.shares.model import Knock, KnockState, Link, Visit
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Report
from sharegate.stores.deciding import FORGOTTEN_REPORT, NO_MARK, forgotten_ask, forgotten_link, marked_for, unanswered
from sharegate.stores.mirror import Mirror
from sharegate.stores.redis import draft
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.draft import Draft
from sharegate.stores.redis.fitness import log_state
from sharegate.stores.redis.following import STOP_SECONDS
from sharegate.stores.redis.names import Names
from sharegate.stores.retention import (
    ADDRESSES_KEPT,
    ASKED_KEPT,
    KNOCKS_KEPT,
    OVERLAYS_AFTER_END,
    OVERLAYS_AFTER_EXPIRY,
    TIMES_KEPT,
    Pruned,
    forgotten,
    settled,
)

log = logging.getLogger("sharegate.stores")

_LOOK_SECONDS = 0.2
_AGAIN_SECONDS = 1.0
_ATTEMPTS = 60
_OWED = "rewrite"


def prune_records(made: Draft, now: float) -> Pruned:
    codes = [code.code_hash for code in made.all("code") if code.expires <= now]
    for id in codes:
        made.put("code", id, None)
    for id in [asked.id for asked in made.all("asked") if asked.at <= now - ASKED_KEPT]:
        made.put("asked", id, None)
    mailed = [code.id for code in made.all("mailed") if code.expires <= now]
    for id in mailed:
        made.put("mailed", id, None)
    knocks = [knock.id for knock in made.all("knock") if knock.created <= now - KNOCKS_KEPT]
    for id in knocks:
        made.put("knock", id, None)
    visits = [
        visit.id
        for visit in made.all("visit")
        if (visit.address or visit.agent) and _over(visit, now - ADDRESSES_KEPT, now - ADDRESSES_KEPT)
    ]
    for id in visits:
        draft.change(made, Visit, id, {"address": "", "agent": ""})
    tokens = [token.id for token in made.all("token") if forgotten(token, now)]
    for id in tokens:
        made.put("token", id, None)
    for report in list(made.all("report")):
        if settled(report, now):
            made.put("report", report.id, None)
        elif report.address and report.created <= now - ADDRESSES_KEPT:
            draft.change(made, Report, report.id, {"address": ""})
    for id in [ask.id for ask in made.all("time") if ask.created <= now - TIMES_KEPT]:
        made.put("time", id, None)
    return Pruned(len(codes) + len(mailed), 0, len(knocks), len(visits), len(tokens))


def forget_people(made: Draft, visits: list[str], links: list[str], knocks: list[str]) -> None:
    """Blank what identifies people. Nobody has a cookie whose hash is empty. Answers that are kept for who asks again
    may name anybody: nobody can tell, for they are sealed. Unknown ids are ignored."""
    for asked in [one for one in made.all("asked") if one.answer]:
        made.put("asked", asked.id, unanswered(asked))
    nobody = {"name": "", "address": "", "agent": "", "browser_hash": ""}
    for id in visits:
        visit = made.get("visit", id)
        if visit is not None:
            link = made.get("link", visit.link)
            if link is not None and marked_for(link, visit):
                draft.change(made, Link, link.id, NO_MARK)
            draft.change(made, Visit, id, {**nobody, "cookie_hash": "", "email": "", "account": None})
    for code in [code for code in made.all("code") if code.visit in visits]:
        made.put("code", code.code_hash, None)
    for id in links:
        link = made.get("link", id)
        if link is not None:
            draft.change(made, Link, id, forgotten_link(link))
    for id in knocks:
        knock = made.get("knock", id)
        if knock is not None:
            gone = {"state": KnockState.GONE} if knock.state is KnockState.WAITING else {}
            draft.change(made, Knock, id, {**nobody, "email": "", "account": None, **gone})
    for report in [one for one in made.all("report") if one.visit in visits or one.link in links]:
        draft.change(made, Report, report.id, FORGOTTEN_REPORT)
    for ask in [one for one in made.all("time") if one.visit in visits or one.link in links]:
        draft.change(made, TimeAsk, ask.id, forgotten_ask(ask))


async def forget_overlays(server: Server, names: Names, visits: list[str]) -> None:
    for key in await server.ask("SMEMBERS", names.overlaid):
        id, _, kind = key.decode().partition("\0")
        if id in visits:
            await server.several([("DEL", names.overlay(id, kind)), ("SREM", names.overlaid, key)], together=True)


class Rewriting:
    """Has the server write its log anew, without what was erased. One rewriting that runs already began with it, so
    another follows. Until that is done the server remembers that it is owed, for the next start of a gate."""

    def __init__(self, server: Server, names: Names, forget_changes: Callable[[], Awaitable[None]]) -> None:
        self._server, self._names, self._forget_changes = server, names, forget_changes
        self._wanted = False
        self._task: asyncio.Task[None] | None = None

    async def owe(self) -> None:
        """Before something is erased. Raises StoreUnavailable."""
        await self._server.ask("HSET", self._names.meta, _OWED, "1")

    def begin(self) -> None:
        """After it was, or may have been. Nobody waits for it: a large log takes minutes."""
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._settle(), name="rewriting the store's log")

    async def resume(self) -> None:
        """What a gate that was ended left owing. Raises StoreUnavailable."""
        if await self._server.ask("HEXISTS", self._names.meta, _OWED):
            self.begin()

    async def stop(self) -> None:
        while self._task is not None and not self._task.done():
            self._task.cancel()
            # A cancellation may be lost in the library; the next one is not.
            await asyncio.wait({self._task}, timeout=STOP_SECONDS)

    async def _settle(self) -> None:
        failures = 0
        while self._wanted and failures < _ATTEMPTS:
            try:
                await self._at_rest()
                self._wanted = False
                await self._forget_changes()
                await self._server.ask("BGREWRITEAOF")
                if await self._at_rest():
                    failures = 0
                    if not self._wanted:
                        await self._server.ask("HDEL", self._names.meta, _OWED)
                    continue
            except StoreUnavailable:
                pass  # fails open: it is erased, and asked for again; the server is away, or began one by itself
            self._wanted = True
            failures += 1
            await asyncio.sleep(_AGAIN_SECONDS)
        if self._wanted:
            log.warning("the store %s does not write its log anew: what was erased stands in it", self._server.url)

    async def _at_rest(self) -> bool:
        """Wait until none runs; whether the last one went well."""
        while True:
            state = await log_state(self._server)
            if not state.busy:
                return state.good
            await asyncio.sleep(_LOOK_SECONDS)


async def prune_overlays(server: Server, names: Names, mirror: Mirror, now: float) -> int:
    """How many entries went. One that is put meanwhile goes too: its visit is over."""
    gone = 0
    for key in await server.ask("SMEMBERS", names.overlaid):
        id, _, kind = key.decode().partition("\0")
        visit = mirror.visits.get(id)
        if visit is None or _over(visit, now - OVERLAYS_AFTER_END, now - OVERLAYS_AFTER_EXPIRY):
            overlay = names.overlay(id, kind)
            count, _, _ = await server.several(
                [("HLEN", overlay), ("DEL", overlay), ("SREM", names.overlaid, key)], together=True
            )
            gone += count
    return gone


def _over(visit: Visit, ended: float, expired: float) -> bool:
    return (visit.ended is not None and visit.ended <= ended) or visit.expires <= expired
