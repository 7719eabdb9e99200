"""A list that is kept in order while things come and go."""

from __future__ import annotations

import bisect
import itertools
from typing import Any

Key = tuple[Any, ...]


class Ordered:
    """Keys, each once, the smallest first; the last part of each tells those apart that are the same otherwise."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: list[Key] = []

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: Key) -> None:
        bisect.insort(self._keys, key)

    def remove(self, key: Key) -> None:
        del self._keys[self.before(key)]

    def before(self, key: Key) -> int:
        """How many are smaller."""
        return bisect.bisect_left(self._keys, key)

    def after(self, key: Key | None) -> int:
        """How many are not larger: where what follows on `key` begins."""
        return 0 if key is None else bisect.bisect_right(self._keys, key)

    def __getitem__(self, at: int) -> Key:
        return self._keys[at]

    def some(self, begin: int, count: int) -> list[Key]:
        return self._keys[begin : begin + count]

    def without(self, left_out: list[Key], begin: int, count: int) -> list[Key]:
        """The same of what is left without these, all of which are there: what lies between them is taken in one piece,
        so that nothing before it is gone through."""
        found: list[Key] = []
        passed = 0
        for at, end in _gaps([self.before(key) for key in sorted(left_out)], len(self._keys)):
            if passed + end - at > begin:
                first = at + max(0, begin - passed)
                found += self._keys[first : min(end, first + count - len(found))]
                if len(found) == count:
                    return found
            passed += end - at
        return found


def _gaps(places: list[int], end: int) -> list[tuple[int, int]]:
    edges = [-1, *places, end]
    return [(before + 1, behind) for before, behind in itertools.pairwise(edges)]
