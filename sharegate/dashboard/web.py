"""The dashboard's address: pages and API for browsers that are signed in, and health, numbers and keys for anybody on
this computer.

Every request is checked to come from here (origin.py). Whatever changes something needs the session's own token beside
its cookie. Nothing is served to somebody who is not signed in but the page that says how to sign in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from sharegate import __version__
from sharegate.dashboard.api import Api
from sharegate.dashboard.calls import Calls, problem
from sharegate.dashboard.downloads import downloads
from sharegate.dashboard.health import OK
from sharegate.dashboard.login import LONGEST_SECONDS, Logins, Session
from sharegate.dashboard.origin import check_csrf, foreign, host_of, own
from sharegate.dashboard.pages.site import Pages
from sharegate.dashboard.refusals import error_body
from sharegate.dashboard.signing import SignIn
from sharegate.dashboard.wire import HEADERS, KNOWN, MAX_BODY, Handler, body_of, fields
from sharegate.errors import MEANINGS, Denied, Invalid, Reason, StoreUnavailable
from sharegate.limits import CONTROL, Buckets
from sharegate.messages import Response
from sharegate.oidc.flow import ANSWER, SECONDS
from sharegate.oidc.sealed import LONGEST
from sharegate.oidc.ways import DASHBOARD
from sharegate.shares.keys import KeyRing
from sharegate.visits import cookies

log = logging.getLogger("sharegate.dashboard")

COOKIE = "sharegate-dashboard"
# What waits while somebody signs in with an account.
SIGNING = "sharegate-dashboard-signing"
# So many cookies of one name are looked at.
MOST_OF_A_NAME = 10
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LOOK_SECONDS = 20.0
CLOSING_SECONDS = 1.0
# What anybody on this computer may ask for, by whatever name of it.
FOR_ALL = frozenset({"/health", "/ready", "/metrics", "/.well-known/jwks.json"})

SignedIn = Callable[[web.Request, Session], Awaitable[web.StreamResponse]]


class Dashboard:
    """`ready` gives each check's word, `metrics` the exposition. `url` is the dashboard's own address. `account` says
    which account of this computer has the client's end of a connection, given both ends (address, port)."""

    def __init__(
        self,
        *,
        api: Api,
        logins: Logins,
        pages: Pages,
        ring: KeyRing,
        ready: Callable[[], Awaitable[dict[str, str]]],
        metrics: Callable[[], Awaitable[bytes]],
        url: str,
        account: Callable[[tuple[str, int], tuple[str, int]], int | None],
        share_hosts: str = "",
        sign_in: SignIn | None = None,
    ) -> None:
        self._sign_in = sign_in
        self._api = api
        self._logins = logins
        self._pages = pages
        self._ring = ring
        self._ready = ready
        self._metrics = metrics
        self._url = url
        self._account_connected = account
        self._share_hosts = share_hosts
        # Each live page, with its session and what it came by.
        self._live: dict[web.WebSocketResponse, tuple[Session, web.Request]] = {}
        self._closing: set[asyncio.Task[object]] = set()
        logins.subscribe(self._ended)
        self._calls = Calls(api, self._session)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[_as_problems, self._from_here])
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._is_ready)
        app.router.add_get("/metrics", self._numbers)
        app.router.add_get("/.well-known/jwks.json", self._jwks)
        app.router.add_get("/static/{digest}/{name}", self._static)
        app.router.add_get("/login", self._login_page)
        app.router.add_post("/login", self._login)
        app.router.add_post("/login/sign", self._sign)
        app.router.add_get(DASHBOARD, self._signed, allow_head=False)
        app.router.add_post("/logout", self._signed_in(self._logout))
        app.router.add_get("/live", self._signed_in(self._watch))
        for address, handler in downloads(self._api, self._logins.stands):
            app.router.add_get(address, self._signed_in(handler))
        app.router.add_route("*", "/api/v1/{tail:.*}", self._calls.answer)
        app.router.add_get("/{tail:.*}", self._signed_in(self._page))
        return app

    def close(self) -> None:
        """The gate stops: live pages are told to come back."""
        for socket in list(self._live):
            self._close(socket, WSCloseCode.SERVICE_RESTART)

    # -- who asks -------------------------------------------------------------------------------------------------

    @web.middleware
    async def _from_here(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        said = fields(request)
        # The page that signs in is the same for everybody, and `sharegate open` leads there from a file.
        if foreign(said, self._share_hosts, arriving=request.method == "GET" and request.path in ("/login", DASHBOARD)):
            return refused(421, "bad_host", "this address is for this computer")
        # A cookie is for all ports of its host name, and another name of this computer may be the gate's.
        if request.path not in FOR_ALL and host_of(said) != urlsplit(self._url).hostname:
            if request.method == "GET" and said.get("Sec-Fetch-Dest") == "document":
                return web.Response(status=302, headers={**HEADERS, "Location": self._url})
            return refused(421, "bad_host", "the dashboard has another name", remedy=f"Open {self._url}")
        return await handler(request)

    def _session(self, request: web.Request) -> Session | None:
        # A page at another port of this name can set more of that name, which stay whatever is done here. What is none
        # of ours counts for nothing; of two that both are, nobody knows which is meant.
        shown = cookies.values(fields(request), COOKIE)[:MOST_OF_A_NAME]
        account = self._account(request) if shown else None
        found = {each.id: each for value in shown if (each := self._logins.session(value, account)) is not None}
        return next(iter(found.values())) if len(found) == 1 else None

    def _account(self, request: web.Request) -> int | None:
        if request.transport is None:
            return None
        client, server = (request.transport.get_extra_info(name) for name in ("peername", "sockname"))
        return self._account_connected(client[:2], server[:2]) if client and server else None

    def _signed_in(self, handler: SignedIn) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            session = self._session(request)
            if session is None:
                if request.method == "GET" and request.headers.get("Sec-Fetch-Dest", "document") == "document":
                    return self._login_answer(401)
                return refused(401, "not_signed_in", "nobody is signed in here", remedy="Run: sharegate open")
            if request.method not in ("GET", "HEAD") and not check_csrf(fields(request), session):
                return refused(403, "cross_site", "this did not come from a page of the dashboard")
            return await handler(request, session)

        return checked

    async def _login_page(self, request: web.Request) -> web.Response:
        return self._login_answer(200)

    def _login_answer(self, status: int, problem: str = "", *, entered: bool = False) -> web.Response:
        provider = self._sign_in.name if self._sign_in is not None else ""
        return _sent(self._pages.login(status=status, provider=provider, problem=problem, entered=entered))

    async def _login(self, request: web.Request) -> web.Response:
        """Spend a one-time code. The code comes in the body: the address bar's fragment never leaves the browser."""
        if not own(fields(request)):
            return refused(403, "cross_site", "this did not come from a page of the dashboard")
        body = await body_of(request)
        code = (body or {}).get("code")
        if not isinstance(code, str) or set(body or {}) != {"code"}:
            return refused(400, "invalid", "is not a one-time code", field="code", remedy="Run: sharegate open")
        try:
            value = self._logins.enter(code, request.remote or "", self._account(request))
        except Denied as denied:
            if denied.reason is Reason.JOIN_LIMIT:
                answer = refused(429, "too_many", MEANINGS[denied.reason].sentence)
                answer.headers["Retry-After"] = str(self._logins.wait(request.remote or ""))
                return answer
            remedy = "Run sharegate open again"
            return refused(403, "code_used", "this address works once, for two minutes", remedy=remedy)
        answer = web.json_response({"location": "/"}, headers=HEADERS)
        # Strict: no other site's link opens a signed-in page. No `Secure`: this is http, on this computer only.
        answer.set_cookie(COOKIE, value, max_age=int(LONGEST_SECONDS), path="/", httponly=True, samesite="Strict")
        return answer

    async def _sign(self, request: web.Request) -> web.Response:
        """Leave for the provider of accounts."""
        if not own(fields(request)):
            return refused(403, "cross_site", "this did not come from a page of the dashboard")
        try:
            if self._sign_in is None:
                raise Denied(Reason.SIGN_IN_UNAVAILABLE)
            url, waiting = await self._sign_in.begin()
        except Denied as denied:
            log.warning("nobody can sign in to the dashboard: %s", denied.detail)
            meaning = MEANINGS[denied.reason]
            return refused(meaning.status, meaning.public, "nobody can sign in so at the moment", remedy="Try it later")
        answer = web.json_response({"location": url}, headers=HEADERS)
        # Lax: it has to be there when the browser comes back from the provider.
        answer.set_cookie(SIGNING, waiting, max_age=int(SECONDS), path="/login", httponly=True, samesite="Lax")
        return answer

    async def _signed(self, request: web.Request) -> web.Response:
        """A browser comes back from the provider, by a navigation of its own."""
        if request.headers.get("Sec-Fetch-Dest", "document") != "document" or self._sign_in is None:
            return refused(403, "cross_site", "this did not come from a provider of accounts")
        waiting = cookies.values(fields(request), SIGNING, LONGEST)
        answer = {name: request.query[name] for name in ANSWER if name in request.query}
        twice = any(len(request.query.getall(name)) > 1 for name in answer)
        try:
            if twice:
                raise Denied(Reason.SIGN_IN_FAILED, "one thing said twice")
            account = self._account(request)
            value = await self._sign_in.finish(waiting[:MOST_OF_A_NAME], answer, request.remote or "", account)
        except Denied as denied:
            other = "This account is neither the owner's nor an admin's here."
            problem = other if denied.reason is Reason.OTHER_ACCOUNT else MEANINGS[denied.reason].sentence
            return self._login_answer(403, problem)
        except StoreUnavailable:  # fails closed: what cannot be recorded does not happen
            return self._login_answer(503, "Nobody can sign in while the records cannot be written.")
        before = self._session(request)
        if before is not None:
            self._logins.leave(before)
        entered = self._login_answer(200, entered=True)
        # Strict, and so not sent with what a redirect from another site would ask for: the page's script goes on.
        entered.set_cookie(COOKIE, value, max_age=int(LONGEST_SECONDS), path="/", httponly=True, samesite="Strict")
        entered.del_cookie(SIGNING, path="/login")
        return entered

    async def _logout(self, request: web.Request, session: Session) -> web.Response:
        self._logins.leave(session)
        elsewhere = await self._sign_in.leave(session) if self._sign_in is not None else ""
        answer = web.json_response({"location": elsewhere or "/login"}, headers=HEADERS)
        answer.del_cookie(COOKIE, path="/")
        return answer

    # -- what they ask --------------------------------------------------------------------------------------------

    async def _page(self, request: web.Request, session: Session) -> web.Response:
        return _sent(await self._pages.answer(request.path, dict(request.query), session))

    async def _static(self, request: web.Request) -> web.Response:
        found = self._pages.assets.answer(request.match_info["digest"], request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return _sent(found)

    async def _watch(self, request: web.Request, session: Session) -> web.StreamResponse:
        """What happens, as it happens: each message names a kind and an id, and a page asks for what it shows."""
        if not own(fields(request)):
            return refused(403, "cross_site", "this did not come from a page of the dashboard")
        # Nothing is asked to be compressed: a page says nothing that could be.
        socket = web.WebSocketResponse(heartbeat=30.0, max_msg_size=1024, compress=False, autoping=False)
        await socket.prepare(request)
        self._live[socket] = session, request
        told = asyncio.create_task(self._tell(socket, session))
        try:
            await _until_it_speaks(socket)
        finally:
            del self._live[socket]
            told.cancel()
            await asyncio.gather(told, return_exceptions=True)
        await _closed(socket, request, WSCloseCode.POLICY_VIOLATION)
        return socket

    async def _tell(self, socket: web.WebSocketResponse, session: Session) -> None:
        changes = self._api.changes()
        try:
            with contextlib.suppress(ConnectionError):
                pending = asyncio.ensure_future(anext(changes))
                while self._logins.stands(session):
                    done, _ = await asyncio.wait([pending], timeout=LOOK_SECONDS)
                    if done:
                        change = pending.result()
                        pending = asyncio.ensure_future(anext(changes))
                        said = {name: change[name] for name in ("kind", "id", "share", "at")}
                        if change.get("missed"):
                            # What of theirs was among it, nobody knows: whatever the page shows is asked for anew.
                            said |= {"kind": "hello", "id": "", "share": ""}
                        if said["kind"] == "hello":
                            said["mark"] = self._api.mark()
                        theirs = await self._api.tells(session.asker, said["share"], said["kind"], said["id"])
                        if not self._logins.stands(session):
                            break
                        if theirs:
                            await socket.send_str(json.dumps(said))
                await socket.close(code=WSCloseCode.POLICY_VIOLATION)
        finally:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
            await changes.aclose()

    def _ended(self, session: str) -> None:
        """What a session had open ends with it."""
        for socket, (owner, _) in list(self._live.items()):
            if owner.id == session:
                self._close(socket, WSCloseCode.POLICY_VIOLATION)

    def _close(self, socket: web.WebSocketResponse, code: WSCloseCode) -> None:
        task = asyncio.get_running_loop().create_task(_closed(socket, self._live[socket][1], code))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # -- for anybody on this computer -----------------------------------------------------------------------------

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "version": __version__}, headers=HEADERS)

    async def _is_ready(self, request: web.Request) -> web.Response:
        checks = await self._ready()
        ready = all(said == OK for said in checks.values())
        said = {"status": "ready" if ready else "not ready", "checks": checks}
        return web.json_response(said, status=200 if ready else 503, headers=HEADERS)

    async def _numbers(self, request: web.Request) -> web.Response:
        return web.Response(body=await self._metrics(), headers={**HEADERS, "Content-Type": METRICS_TYPE})

    async def _jwks(self, request: web.Request) -> web.Response:
        try:
            keys = self._ring.jwks()
        except Invalid:  # fails closed; what is wrong with which file is for the log and `doctor`
            log.exception("the keys cannot be read")
            return refused(503, "keys_unreadable", "the keys cannot be read now")
        return web.json_response(keys, headers=HEADERS)


async def _until_it_speaks(socket: web.WebSocketResponse) -> None:
    """A page says nothing: until it does, is closed, or its browser sends more than browsers send by themselves."""
    control = Buckets(CONTROL, time.monotonic, remembered=1)
    with contextlib.suppress(Denied, ConnectionError):
        async for message in socket:
            if message.type not in (WSMsgType.PING, WSMsgType.PONG):
                return
            control.take("", 1, Reason.REQUEST_LIMIT)
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)


async def _closed(socket: web.WebSocketResponse, request: web.Request, code: WSCloseCode) -> None:
    """Whoever does not read, or does not answer the word, is dropped."""
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await socket.close(code=code)
    except (TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()


def refused(status: int, code: str, message: str, **more: Any) -> web.Response:
    return problem(status, error_body(code, message, **more))


@web.middleware
async def _as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the library refuses by itself has the same shape as what is refused here."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return problem(error.status, error_body(KNOWN.get(error.status, "failed"), error.reason), allow)


def _sent(answer: Response) -> web.Response:
    assert isinstance(answer.body, bytes)
    return web.Response(status=answer.status, headers=list(answer.headers), body=answer.body)
