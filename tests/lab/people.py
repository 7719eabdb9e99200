"""Grants as the tests of this folder need them."""

from __future__ import annotations

from typing import Any

from sharegate.shares.addresses import GateAddresses
from sharegate.shares.model import Grant, Link, Role, RootKind, Share, Visit

ROOT = "sub/shared"
ADDRESSES = GateAddresses("https://gate.example")


def grant(role: Role = Role.VIEW, *, name: str = "Bo Chen", visit: str = "vstbcdfgh2", **share: Any) -> Grant:
    record = Share(
        **{
            "id": "k7f2bcdfgh",
            "upstream": "u1",
            "owner": "Ann",
            "root": ROOT,
            "kind": RootKind.DIRECTORY,
            "created": 1_800_000_000.0,
            "expires": 1_800_600_000.0,
            **share,
        }
    )
    link = Link(id="lnkbcdfgh2", share=record.id, letter="a", name=name, created=record.created, expires=record.expires)
    who = Visit(
        id=visit,
        share=record.id,
        link=link.id,
        number=1,
        name=name,
        created=record.created,
        expires=record.expires,
    )
    return Grant(record, link, who, role, frozenset(), record.expires, ADDRESSES.of(record.id))


class MemoryStore:
    """The two overlay methods of ShareStore, in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], dict[str, bytes]] = {}

    async def overlay(self, visit: str, kind: str) -> dict[str, bytes]:
        return dict(self.kept.get((visit, kind), {}))

    async def put_overlay(
        self, visit: str, kind: str, name: str, data: bytes | None, *, items: int, total_bytes: int
    ) -> None:
        from sharegate.errors import Denied, Reason

        after = dict(self.kept.get((visit, kind), {}))
        after.pop(name, None)
        if data is not None:
            after[name] = data
        if len(after) > items or sum(len(value) for value in after.values()) > total_bytes:
            raise Denied(Reason.OVERLAY_LIMIT)
        self.kept[visit, kind] = after
