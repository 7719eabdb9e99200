"""Where a page's values come from: the owner's API, asked as the command line asks it."""

from __future__ import annotations

from typing import Any, Protocol

Json = dict[str, Any]


class Asks(Protocol):
    """The owner's API."""

    async def call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Json | None = None
    ) -> tuple[int, Json]: ...


class NotShown(Exception):
    """The API's refusal of what a page is about: its status and its error."""

    def __init__(self, status: int, error: Json) -> None:
        super().__init__(status, error.get("code", ""))
        self.status = status
        self.error = error


class Source:
    """What one page reads its values from, with the query of its address."""

    def __init__(self, api: Asks, query: dict[str, str]) -> None:
        self._api = api
        self.query = query

    async def get(self, path: str, /, **query: str) -> Json:
        """The answer to `GET /api/v1/<path>`. Raises NotShown for a refusal."""
        status, answer = await self._api.call("GET", f"/api/v1/{path}", query, None)
        if status != 200:
            raise NotShown(status, answer["error"])
        return answer

    async def dry_run(self, path: str, /, **body: Any) -> Json:
        """What `POST /api/v1/<path>` would do: with `dry_run`, which changes nothing. Raises NotShown."""
        status, answer = await self._api.call("POST", f"/api/v1/{path}", {}, body | {"dry_run": True})
        if status != 200:
            raise NotShown(status, answer["error"])
        return answer
