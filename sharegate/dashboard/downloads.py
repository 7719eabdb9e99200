"""What the dashboard writes into a file in the browser: page by page from the owner's API, while somebody reads."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from sharegate.dashboard.asking import Asker
from sharegate.dashboard.login import Session
from sharegate.dashboard.wire import HEADERS, refused

log = logging.getLogger("sharegate.dashboard")

TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson; charset=utf-8"}
# What is exported where: the address of a download, the API's paged verb, and how the file is called.
EXPORTS = (
    ("/api/v1/audit/download", "/api/v1/audit/export", "history"),
    ("/api/v1/search/download", "/api/v1/search/export", "search"),
    ("/api/v1/audit/passed-on/download", "/api/v1/audit/passed-on/export", "passed-on"),
)


class Asks(Protocol):
    """The owner's API."""

    async def call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        *,
        by: Asker | None = None,
    ) -> tuple[int, dict[str, Any]]: ...


def downloads(
    api: Asks, stands: Callable[[Session], bool]
) -> list[tuple[str, Callable[[web.Request, Session], Awaitable[web.StreamResponse]]]]:
    """Address and handler of each. Whoever serves them has looked who asks; `stands` is asked again for each page."""
    return [(address, _download(api, verb, name, stands)) for address, verb, name in EXPORTS]


def _download(
    api: Asks, verb: str, name: str, stands: Callable[[Session], bool]
) -> Callable[[web.Request, Session], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request, session: Session) -> web.StreamResponse:
        query = {**request.query, "format": request.query.get("format") or "csv"}
        status, page = await api.call("GET", verb, query, None, by=session.asker)
        if status != 200:
            error = page["error"]
            more = {each: error[each] for each in ("field", "remedy")}
            return refused(status, error["code"], error["message"], **more)
        disposition = f'attachment; filename="sharegate-{name}.{query["format"]}"'
        headers = {**HEADERS, "Content-Type": TYPES[query["format"]], "Content-Disposition": disposition}
        if request.method == "HEAD":
            # What is written after it would be taken for the next answer.
            return web.Response(headers=headers)
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        while True:
            await response.write("".join(page["lines"]).encode())
            if not page["next"]:
                await response.write_eof()
                return response
            status, page = await api.call("GET", verb, {**query, "cursor": page["next"]}, None, by=session.asker)
            over = not stands(session)
            if status != 200 or over:  # fails closed: the browser says that the file is not whole
                why = "nobody is signed in any more" if over else page["error"]["message"]
                log.warning("a download of the %s ended early: %s", name, why)
                if request.transport is not None:
                    request.transport.abort()
                return response

    return answer
