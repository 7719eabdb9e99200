"""Where a room's file lies, as tests of rooms have it looked up: ids with names, and a look that counts."""

from __future__ import annotations

import asyncio

from sharegate.errors import Denied, Reason


class Ids:
    """The ids, and the newest ids, told apart by name."""

    def __init__(self, name: str = "a moment ago") -> None:
        self.name = name

    async def path_of(self, upstream: str, file_id: str) -> str | None:
        return self.name

    @property
    def newest(self) -> Ids:
        return Ids("newest")


class Looks:
    """A check that counts, and refuses when told to."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.refuse: Reason | None = None
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, file_ids: object) -> None:
        assert isinstance(file_ids, Ids)
        self.made.append(file_ids.name)
        await self.go.wait()
        if self.refuse is not None:
            raise Denied(self.refuse)
