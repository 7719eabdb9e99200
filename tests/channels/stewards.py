"""What happens around changes in a room, for tests of rooms."""

from __future__ import annotations

from typing import Any

from sharegate.channels.guard import Judged
from sharegate.channels.member import Member
from sharegate.channels.room import Room
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.policy.load import load_policies
from sharegate.shares.model import Grant


class Steward:
    """Says yes, and notes what it was asked. `roles` are of visits that may do less by now."""

    def __init__(self) -> None:
        self.roles: dict[str, Grant] = {}
        self.written: list[str] = []
        self.changes: list[Judged] = []
        self.refusals: list[str] = []
        self.full = False
        self.follows = 0
        self.most = self.most_read = 1 << 30

    async def allowed(self, grant: Grant) -> Grant:
        return self.roles.get(grant.visit.id, grant)

    def identity(self, grant: Grant) -> dict[str, Any]:
        return {"username": f"sharegate-{grant.visit.id}", "name": grant.visit.id, "display_name": grant.visit.id}

    def heard(self, upstream: str, username: str, name: str) -> None:
        pass

    def charge(self, grant: Grant, cost: int) -> None:
        if cost > self.most_read:
            raise Denied(Reason.BYTES_LIMIT)

    def ration(self, grant: Grant, cost: int) -> None:
        if cost > self.most:
            raise Denied(Reason.BYTES_LIMIT)

    async def first_write(self, room: Room, member: Member) -> None:
        if self.full:
            raise StoreUnavailable
        self.written.append(member.grant.visit.id)

    async def changed(self, room: Room, member: Member, update: bytes, judged: Judged) -> None:
        self.changes.append(judged)

    def followed(self, room: Room, update: bytes) -> None:
        self.follows += 1

    async def refused(self, room: Room, member: Member, denied: Denied) -> Denied:
        self.refusals.append(str(denied))
        return denied


RULES = load_policies().documents
