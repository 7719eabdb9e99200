"""The owner's API at the dashboard's address: for pages of whoever is signed in there, and for programs with a token.

A page shows the session's cookie, and for whatever changes something the session's own token beside it (origin.py). A
program shows its token and nothing else: a cookie beside it comes from a browser, and who is meant is not certain.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from sharegate.dashboard.api import Api
from sharegate.dashboard.asking import Asker
from sharegate.dashboard.login import Session
from sharegate.dashboard.origin import CSRF, check_csrf
from sharegate.dashboard.refusals import error_body, problem_of, refusal_of
from sharegate.dashboard.routes import Json, Route
from sharegate.dashboard.tags import known, tag, tags, written
from sharegate.dashboard.wire import HEADERS, body_of, fields, is_json, packed
from sharegate.errors import Denied, Invalid, Reason, SharegateError
from sharegate.messages import Headers

PROBLEM = "application/problem+json"
_CHALLENGE = 'Bearer realm="sharegate"'


class Stop(Exception):
    """Refused before the API is asked: status, error, headers."""

    def __init__(self, status: int, body: Json, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.answer = problem(status, body, headers)


class Calls:
    """`session` tells whose cookie a request carries."""

    def __init__(self, api: Api, session: Callable[[web.Request], Session | None]) -> None:
        self._api = api
        self._session = session

    async def answer(self, request: web.Request) -> web.Response:
        try:
            asker = await self._asker(request, fields(request))
            return await self._asked(request, asker)
        except Stop as stop:
            return stop.answer
        except SharegateError as error:
            return problem(*refusal_of(error))

    # -- who asks -------------------------------------------------------------------------------------------------

    async def _asker(self, request: web.Request, said: Headers) -> Asker:
        shown = said.all("Authorization")
        if shown:
            return await self._program(shown, said, request.remote or "")
        session = self._session(request)
        if session is None:
            remedy = "Run: sharegate open. Programs send a token: sharegate token create"
            body = error_body("not_signed_in", "nobody is signed in here", remedy=remedy)
            raise Stop(401, body, {"WWW-Authenticate": _CHALLENGE})
        if request.method not in ("GET", "HEAD") and not check_csrf(said, session):
            body = error_body("cross_site", "this did not come from a page of the dashboard", field=CSRF)
            raise Stop(403, body)
        return session.asker

    async def _program(self, shown: list[str], said: Headers, address: str) -> Asker:
        if len(shown) > 1 or said.all("Cookie"):
            detail = "a token comes alone: without a cookie, and once"
            raise Stop(
                400, error_body("ambiguous_credential", detail, field="Authorization", remedy="Send one of them")
            )
        if said.get("Sec-Fetch-Mode") == "navigate" or said.get("Sec-Fetch-Dest", "empty") not in ("empty", ""):
            detail = "a browser opens no page with a token"
            raise Stop(403, error_body("not_for_browsers", detail, remedy="Run: sharegate open"))
        try:
            return await self._api.tokens.asker(shown[0], address)
        except Denied as denied:
            if denied.reason is Reason.CREDENTIAL_LIMIT:
                wait = str(self._api.tokens.wait(address))
                body = error_body("too_many", "too many wrong tokens", remedy="Wait a moment, then try again")
                raise Stop(429, body, {"Retry-After": wait}) from None
            body = error_body("bad_token", "this token does not count", remedy="Make one: sharegate token create")
            raise Stop(401, body, {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'}) from None

    # -- what they ask --------------------------------------------------------------------------------------------

    async def _asked(self, request: web.Request, asker: Asker) -> web.Response:
        method = "GET" if request.method == "HEAD" else request.method
        route, methods = self._api.find(method, request.path)
        if route is None and methods:
            allowed = sorted({*methods, "HEAD"} if "GET" in methods else methods)
            detail = f"this address knows {', '.join(allowed)}"
            raise Stop(405, error_body("method_not_allowed", detail), {"Allow": ", ".join(allowed)})
        if route is None:
            raise Stop(404, error_body("not_found", "there is nothing here"))
        query = _query(request)
        body = await self._body(request)
        said = fields(request)
        asker = _seeing(asker, route, said)

        async def ask() -> tuple[int, Json]:
            return await self._api.call(method, request.path, query, body, by=asker)

        again = said.all("Idempotency-Key")
        if again and route.creates:
            whole = written([method, request.path, sorted(query.items()), body])
            status, answer = await self._api.once.answer(
                f"{asker.by}:{asker.id}", again, whole, ask, lambda made: len(written(made))
            )
        else:
            status, answer = await ask()
        if status != 200:
            return problem(status, answer)
        return _told(method, answer, said.all("If-None-Match"))

    @staticmethod
    async def _body(request: web.Request) -> Json:
        if request.can_read_body and not is_json(request):
            detail = "the body is to be application/json"
            raise Stop(415, error_body("not_json", detail, field="Content-Type", remedy="Send Content-Type"))
        if packed(request):
            detail = "the body is to come as it is"
            raise Stop(415, error_body("not_json", detail, field="Content-Encoding", remedy="Leave it out"))
        body = await body_of(request)
        if body is None:
            detail = "is no JSON object: of one kind of brackets, each field once, numbers that are some"
            raise Stop(400, error_body("invalid", detail, field="body", remedy="Send an object, or nothing"))
        return body


def _query(request: web.Request) -> dict[str, str]:
    query = dict(request.query)
    if len(query) != len(request.query):
        twice = next(name for name in query if len(request.query.getall(name)) > 1)
        raise Invalid(twice[:80], "is asked for twice", "Send it once")
    return query


def _seeing(asker: Asker, route: Route, said: Headers) -> Asker:
    """With what they saw of that which they want to change. Raises Invalid, also where nothing would look at it: who
    sends a condition relies on it."""
    seen = said.all("If-Match")
    if not seen:
        return asker
    if not route.tagged:
        raise Invalid("If-Match", "is not looked at here", "Leave it out")
    tags(seen, "If-Match")
    return asker.having_seen(",".join(seen))


def _told(method: str, answer: Json, have: list[str]) -> web.Response:
    body = written(answer)
    headers = {**HEADERS, "Content-Type": "application/json; charset=utf-8"}
    if method != "GET":
        return web.Response(body=body, headers=headers)
    mine = tag(body)
    headers["ETag"] = mine
    if known(have, mine):
        del headers["Content-Type"]
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers=headers)


def problem(status: int, body: Json, headers: dict[str, str] | None = None) -> web.Response:
    """A refusal at the dashboard's address (RFC 9457)."""
    said = {**HEADERS, **(headers or {}), "Content-Type": PROBLEM}
    return web.Response(status=status, body=written(problem_of(status, body)), headers=said)
