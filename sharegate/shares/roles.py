"""What each role may do, in one table. policies/roles.yaml is read into it by policy.load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sharegate.shares.model import Capability, Role


@dataclass(frozen=True, slots=True)
class RoleEntry:
    """One role. `sentence` is what people are told; `available` whether owners may hand it out in this version;
    `confined` whether the gate holds everything this role does inside the root."""

    capabilities: frozenset[Capability]
    sentence: str
    available: bool
    confined: bool


class RoleTable:
    """Role to capabilities. Total: every role has an entry (ValueError otherwise)."""

    def __init__(self, entries: Mapping[Role, RoleEntry]) -> None:
        missing = [role.value for role in Role if role not in entries]
        if missing:
            raise ValueError(f"roles without an entry: {', '.join(missing)}")
        self._entries = MappingProxyType(dict(entries))

    def capabilities(self, role: Role) -> frozenset[Capability]:
        return self._entries[role].capabilities

    def sentence(self, role: Role) -> str:
        """In people's words, to follow a name: "can view"."""
        return self._entries[role].sentence

    def available(self, role: Role) -> bool:
        return self._entries[role].available

    def confined(self, role: Role) -> bool:
        return self._entries[role].confined

    def same_as(self, other: RoleTable) -> bool:
        return dict(self._entries) == dict(other._entries)

    def __repr__(self) -> str:
        shown = ", ".join(f"{role.value}: {len(entry.capabilities)}" for role, entry in self._entries.items())
        return f"<RoleTable {shown}>"
