"""How deep the shared types of one update lie in each other.

An update is a flat list, so nesting costs its writer nothing, while every library walks it recursively. An item names
its parent by id, or says "where my neighbour is"; both are followed here without recursion and each item once.
"""

from __future__ import annotations

from bisect import bisect_right

from sharegate.channels.lib0 import bad

# Where an item hangs: None = in a root type (or unknown), (True, client, clock) = in the type that this item is,
# (False, client, clock) = in the same type as this item.
Hook = tuple[bool, int, int] | None

_UNKNOWN = -1
_FOLLOWED = -2


class Section:
    """The structs of one client, in order of their clocks without a gap."""

    __slots__ = ("depths", "end", "hooks", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.hooks: list[Hook] = []
        self.depths: list[int] = []
        self.end = 0

    def add(self, clock: int, hook: Hook) -> None:
        self.starts.append(clock)
        self.hooks.append(hook)


class Tree:
    """All sections of an update. `types` are the places (client, index) of the items that are shared types."""

    def __init__(self) -> None:
        self.sections: dict[int, Section] = {}
        self.types: list[tuple[int, int]] = []

    def depth(self, limit: int) -> int:
        """The deepest nesting within this update (1: a type in a root); Denied past `limit` or when it is circular.

        Parents that lie in an earlier update count as roots: who keeps a document adds its own depth.
        """
        deepest = 0
        for section in self.sections.values():
            section.depths = [_UNKNOWN] * len(section.starts)
        for client, index in self.types:
            deepest = max(deepest, self._follow(client, index) + 1)
            if deepest > limit:
                raise bad("shared types nested too deep")
        return deepest

    def _follow(self, client: int, index: int) -> int:
        """How many types lie around the item, and the same for all items on the way there."""
        way: list[tuple[Section, int, bool]] = []
        depth = 0
        place: tuple[int, int] | None = (client, index)
        while place is not None:
            section = self.sections[place[0]]
            index = place[1]
            known = section.depths[index]
            if known == _FOLLOWED:
                raise bad("items that lie in each other")
            if known >= 0:
                depth = known
                break
            section.depths[index] = _FOLLOWED
            hook = section.hooks[index]
            inside = hook is not None and hook[0]
            way.append((section, index, inside))
            place = self._find(hook) if hook is not None else None
        else:
            # The last item hangs in a root or in something unknown: its own depth is 0 whatever its hook says.
            section, index, _ = way.pop()
            section.depths[index] = depth
        for section, index, inside in reversed(way):
            depth += inside
            section.depths[index] = depth
        return depth

    def _find(self, hook: tuple[bool, int, int]) -> tuple[int, int] | None:
        section = self.sections.get(hook[1])
        if section is None or not section.starts or not section.starts[0] <= hook[2] < section.end:
            return None
        return hook[1], bisect_right(section.starts, hook[2]) - 1
