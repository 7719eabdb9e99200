"""The library's side of the owner's connections, but for what it says when it cannot read a request: it would quote the
line that it did not understand, and log it, with the cookie or the token in it.

A page at another port of the same host name can set cookies for all of them, also more than any server reads: whoever
looks at the dashboard with such a browser is told how to go on.
"""

from __future__ import annotations

import logging

from aiohttp import http_exceptions, web

from sharegate.dashboard.calls import problem
from sharegate.dashboard.refusals import error_body

log = logging.getLogger("sharegate.dashboard")

_REMEDY = "Delete the cookies of this address in your browser, then run: sharegate open"


class Runner(web.AppRunner):
    """Serves an application on connections that keep to themselves what they were sent. Bodies are read as they came:
    what is packed is not JSON."""

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=1.0, auto_decompress=False)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= 500:
            log.error("fault while answering %s", request.remote, exc_info=exc)
        else:
            log.info("unreadable request from %s: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        if status >= 500:
            answer = problem(status, error_body("failed", "this could not be answered"))
        elif isinstance(exc, http_exceptions.LineTooLong):
            # Only an address begins so; what cookies are called the gate has no say in.
            line = exc.args[0]
            if isinstance(line, bytes | bytearray) and line.startswith(b"/"):
                answer = problem(414, error_body("too_large", "the address is too long", remedy="Ask for less"))
            else:
                answer = problem(431, error_body("too_large", "a line of the request is too long", remedy=_REMEDY))
        else:
            answer = problem(status, error_body("invalid", "the request was not understood"))
        answer.force_close()
        return answer
