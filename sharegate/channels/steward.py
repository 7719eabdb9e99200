"""What a room asks of the house around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from sharegate.channels.guard import Judged
from sharegate.channels.member import Member
from sharegate.errors import Denied
from sharegate.shares.model import Grant

if TYPE_CHECKING:
    from sharegate.channels.room import Room


class Steward(Protocol):
    """What happens around a visitor's change. Its own faults are Denied or StoreUnavailable, and refuse the change."""

    async def allowed(self, grant: Grant) -> Grant:
        """The grant as it is now; Denied when the visit is over."""

    def identity(self, grant: Grant) -> Mapping[str, Any]:
        """Who the visitor is to others; `username` is the visit's handle."""

    def heard(self, upstream: str, username: str, name: str) -> None:
        """A name of the owner's side."""

    def ration(self, grant: Grant, cost: int) -> None:
        """Before a change that takes as long to judge as so many bytes. Denied(`bytes_limit`)."""

    def charge(self, grant: Grant, cost: int) -> None:
        """While a change is judged that makes the gate read, or write, so many bytes more than it holds: they are taken
        from the same ration, more than there are as well. Denied(`bytes_limit`) when there were fewer."""

    async def first_write(self, room: Room, member: Member) -> None:
        """Before a connection's first change; what is recorded here is durable when it returns."""

    async def changed(self, room: Room, member: Member, update: bytes, judged: Judged) -> None:
        """After a change. `update` is the visitor's own part of it."""

    def followed(self, room: Room, update: bytes) -> None:
        """After a change of the server's side, or of the gate's own."""

    async def refused(self, room: Room, member: Member, denied: Denied) -> Denied:
        """After a change was refused, before its connection is closed; returns what the visitor is told."""
