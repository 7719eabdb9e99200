"""The parts of co-owners' pages, joined."""

from __future__ import annotations

from collections.abc import Callable

from sharegate.audit.interfaces import Recorder
from sharegate.language.catalogue import ANY, Languages
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.interfaces import HandOut, ShareStore
from sharegate.shares.issue import Issuer
from sharegate.visits.coowners.apart import CoownerPages
from sharegate.visits.coowners.desk import Desk
from sharegate.visits.coowners.keys import PageKeys
from sharegate.visits.coowners.live import LiveDesks
from sharegate.visits.coowners.standing import Standing
from sharegate.visits.knocks import Knocks
from sharegate.visits.presence import Presence


def coowner_pages(
    *,
    store: ShareStore,
    issuer: Issuer,
    rules: HandOut,
    presence: Presence,
    trail: Recorder,
    addresses: GateAddresses,
    key: bytes,
    now: Callable[[], float],
    pace: Callable[[], float],
    languages: Languages = ANY,
) -> tuple[CoownerPages, LiveDesks]:
    """The pages, and what has to be told of changes and of the gate's end. `key` is a secret that all gates of a store
    have; `pace` is the clock of the limits."""
    standing = Standing(store, rules, now)
    desk = Desk(
        standing=standing,
        store=store,
        issuer=issuer,
        knocks=Knocks(store, rules, now),
        presence=presence,
        trail=trail,
        now=now,
    )
    live = LiveDesks(standing, desk, pace)
    pages = CoownerPages(
        standing=standing,
        desk=desk,
        live=live,
        keys=PageKeys(key, now),
        store=store,
        trail=trail,
        addresses=addresses,
        pace=pace,
        languages=languages,
    )
    return pages, live
