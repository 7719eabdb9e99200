"""What is forgotten and when, as stores/retention.py says it for SQLite."""

from __future__ import annotations

from sharegate.errors import StoreUnavailable
from sharegate.shares.model import Knock, KnockState, Link, Visit
from sharegate.stores.mirror import Mirror
from sharegate.stores.redis import draft
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.draft import Draft
from sharegate.stores.redis.names import Names
from sharegate.stores.retention import ADDRESSES_KEPT, KNOCKS_KEPT, OVERLAYS_AFTER_END, OVERLAYS_AFTER_EXPIRY, Pruned


def prune_records(made: Draft, now: float) -> Pruned:
    codes = [code.code_hash for code in made.all("code") if code.expires <= now]
    for id in codes:
        made.put("code", id, None)
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
    return Pruned(len(codes), 0, len(knocks), len(visits))


def forget_people(made: Draft, visits: list[str], links: list[str], knocks: list[str]) -> None:
    """Blank what identifies people. Nobody has a cookie whose hash is empty. Unknown ids are ignored."""
    nobody = {"name": "", "address": "", "agent": "", "browser_hash": ""}
    for id in visits:
        if made.get("visit", id) is not None:
            draft.change(made, Visit, id, {**nobody, "cookie_hash": ""})
    for code in [code for code in made.all("code") if code.visit in visits]:
        made.put("code", code.code_hash, None)
    for id in links:
        if made.get("link", id) is not None:
            draft.change(made, Link, id, {"name": ""})
    for id in knocks:
        knock = made.get("knock", id)
        if knock is not None:
            gone = {"state": KnockState.GONE} if knock.state is KnockState.WAITING else {}
            draft.change(made, Knock, id, {**nobody, **gone})


async def forget_overlays(server: Server, names: Names, visits: list[str]) -> None:
    for key in await server.ask("SMEMBERS", names.overlaid):
        id, _, kind = key.decode().partition("\0")
        if id in visits:
            await server.several([("DEL", names.overlay(id, kind)), ("SREM", names.overlaid, key)], together=True)


async def scrub(server: Server) -> None:
    """Have the server write its log anew, without what was erased."""
    try:
        await server.ask("BGREWRITEAOF")
    except StoreUnavailable:
        pass  # fails open: it is erased; the log is written anew as it grows. One rewriting runs, or it is not allowed


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
