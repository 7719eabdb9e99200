"""Grants for tests of what is open."""

from __future__ import annotations

from sharegate.shares.addresses import GateAddresses
from sharegate.shares.model import Capability, Grant, Link, Role, Share, Visit


def grant(share: str = "s1", link: str = "l1", visit: str = "v1", role: Role = Role.VIEW, peer: str = "") -> Grant:
    may = {Capability.ROOMS_READ} | ({Capability.ROOMS_WRITE} if role is not Role.VIEW else set())
    return Grant(
        share=Share(id=share, upstream="up", owner="ann", root="sub/shared", created=0.0, expires=1e12),
        link=Link(id=link, share=share, letter="a", created=0.0, expires=1e12),
        visit=Visit(id=visit, share=share, link=link, number=1, created=0.0, expires=1e12),
        role=role,
        capabilities=frozenset(may),
        expires=1e12,
        addresses=GateAddresses("http://127.0.0.1:8870").of(share),
        peer=peer,
    )
