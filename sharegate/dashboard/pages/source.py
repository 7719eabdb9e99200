"""Where a page's values come from: the owner's API, asked as by whoever looks at the page."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from sharegate.dashboard.asking import Asker

Json = dict[str, Any]


class Asks(Protocol):
    """The owner's API."""

    async def call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Json | None = None,
        *,
        by: Asker | None = None,
    ) -> tuple[int, Json]: ...

    def mark(self) -> str:
        """Another one as soon as anything happened."""


class NotShown(Exception):
    """The API's refusal of what a page is about: its status and its error."""

    def __init__(self, status: int, error: Json) -> None:
        super().__init__(status, error.get("code", ""))
        self.status = status
        self.error = error


class Source:
    """What one page reads its values from, with the query of its address and the time of day. `by` is who looks
    at it."""

    def __init__(self, api: Asks, query: dict[str, str], now: float = 0.0, *, by: Asker) -> None:
        self._api = api
        self._by = by
        self.query = query
        self.now = now

    async def get(self, path: str, /, **query: str) -> Json:
        """The answer to `GET /api/v1/<path>`. Raises NotShown for a refusal."""
        status, answer = await self._api.call("GET", f"/api/v1/{path}", query, None, by=self._by)
        if status != 200:
            raise NotShown(status, answer["error"])
        return answer

    async def every(self, name: str, /, **query: str) -> list[Json]:
        """All pages of the list `name`. Others have their turn in between. Raises NotShown for a refusal."""
        found: list[Json] = []
        cursor = ""
        while True:
            answer = await self.get(name, **query, **({"cursor": cursor} if cursor else {}))
            found += answer[name]
            cursor = answer["next"]
            if not cursor:
                return found
            await asyncio.sleep(0)

    async def preview(self, path: str, /, **body: Any) -> Json:
        """The answer to a `POST` that is asked to change nothing (`preview`). Raises NotShown for a refusal."""
        return await self._posted(path, {**body, "preview": True})

    async def dry_run(self, path: str, /, **body: Any) -> Json:
        """The same of what calls that `dry_run`."""
        return await self._posted(path, {**body, "dry_run": True})

    async def _posted(self, path: str, body: Json) -> Json:
        status, answer = await self._api.call("POST", f"/api/v1/{path}", {}, body, by=self._by)
        if status != 200:
            raise NotShown(status, answer["error"])
        return answer
