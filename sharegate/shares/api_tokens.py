"""Tokens with which programs act for the owner: what each may do, until when, and what the gate keeps of it.

Of a token's secret, 256 random bits, only the hash is stored: whoever reads the records cannot act by them.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ApiCapability(StrEnum):
    """`resource:action` of the owner's API. What no capability names, no token may do."""

    GATE_READ = "gate:read"
    SHARES_READ = "shares:read"
    SHARES_WRITE = "shares:write"
    PEOPLE_READ = "people:read"
    PEOPLE_WRITE = "people:write"
    TRAIL_READ = "trail:read"
    VERSIONS_READ = "versions:read"
    VERSIONS_WRITE = "versions:write"
    RULES_READ = "rules:read"
    KEYS_WRITE = "keys:write"


MEANINGS: dict[ApiCapability, str] = {
    ApiCapability.GATE_READ: "how the gate, its servers, records and keys are",
    ApiCapability.SHARES_READ: "shares and links, without the addresses that links consist of",
    ApiCapability.SHARES_WRITE: "make, change, pause, prove and end shares and links; read the addresses of links",
    ApiCapability.PEOPLE_READ: "who is visiting, who knocks, and who asks to run something",
    ApiCapability.PEOPLE_WRITE: "admit, refuse, end visits and answer raised hands",
    ApiCapability.TRAIL_READ: "read, verify and write out the history",
    ApiCapability.VERSIONS_READ: "read kept versions: the contents of documents",
    ApiCapability.VERSIONS_WRITE: "keep versions, restore documents, undo what a visitor changed",
    ApiCapability.RULES_READ: "read the rules of sharing that are in force",
    ApiCapability.KEYS_WRITE: "change the key that signs links, and read the new addresses of all of them",
}
assert set(MEANINGS) == set(ApiCapability), "every capability has a meaning"


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """`used` is the day on which it was used last (its first second, UTC), None before the first use."""

    id: str
    name: str
    secret_hash: str
    capabilities: tuple[str, ...]
    created: float
    expires: float
    revoked: float | None = None
    used: float | None = None

    def stands(self, now: float) -> bool:
        return self.revoked is None and self.expires > now

    def may(self) -> frozenset[ApiCapability]:
        """What this version knows of what it was given."""
        known = {one.value for one in ApiCapability}
        return frozenset(ApiCapability(one) for one in self.capabilities if one in known)

    def __repr__(self) -> str:
        return f"<ApiToken {self.id} ({'revoked' if self.revoked is not None else ' '.join(self.capabilities)})>"


class AskedOnce(msgspec.Struct, frozen=True, kw_only=True):
    """A request that must not be done twice. `id` is the SHA-256 of who asked and of their key, `who` names them,
    `digest` is a keyed digest of the request. `over` says that it was answered, `answer` what, sealed, where it is
    kept: it holds addresses of links, and tokens."""

    id: str
    who: str
    digest: str
    at: float
    over: bool = False
    answer: bytes = b""

    def __repr__(self) -> str:
        return f"<AskedOnce {self.id[:8]} of {self.who} ({'answered' if self.over else 'asked'})>"
