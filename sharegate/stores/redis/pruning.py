"""What is forgotten and when, as stores/retention.py says it for SQLite."""

from __future__ import annotations

from sharegate.shares.model import Visit
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
