"""A provider of accounts that does what a test tells it to: a real server, real keys, honest until told otherwise."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sharegate.oidc.fetch import Fetch
from sharegate.oidc.model import Provider
from sharegate.oidc.provider import Known

CLIENT, SECRET = "gate", "what only the gate and its provider know: 100% ü"
BACK = "http://127.0.0.1:1/join/signed"
Json = dict[str, Any]


@cache
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """The same in all tests: making one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str, algorithm: str = "RS256") -> Json:
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, "kid": kid, "use": "sig", "alg": algorithm}


class Party:
    """`claims`, `discovery` and `tokens` are laid over what an honest one says; None leaves a name out. `more` is what
    it says of a person when it is asked (`telling`). `sign` makes a token of head and claims. `answer` are the fields
    with which browsers are sent back."""

    def __init__(self) -> None:
        self.url = ""
        self.kid = "first"
        self.keys: list[Json] = [jwk(rsa_key(), "first")]
        self.claims: Json = {"sub": "ann-1", "email": "ann@uni.example", "email_verified": True}
        self.head: Json = {}
        self.discovery: Json = {}
        self.tokens: Json = {}
        self.answer: Json = {}
        self.more: Json = {}
        self.bearers: list[str] = []
        self.sign: Callable[[Json, Json], str] | None = None
        self.asked: list[str] = []
        self.forms: list[Json] = []
        self.logins: list[str] = []
        self.codes: dict[str, Json] = {}
        self.once = True
        self.instead: dict[str, Callable[[web.Request], Any]] = {}
        self.now: Callable[[], float] = time.time

    # -- the server -----------------------------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path in self.instead:
            made = self.instead[request.path](request)
            found: web.StreamResponse = await made if asyncio.iscoroutine(made) else made
            return found
        handler = {
            "/.well-known/openid-configuration": self._discovery,
            "/authorize": self._authorize,
            "/token": self._token,
            "/keys": self._keys,
            "/userinfo": self._userinfo,
        }.get(request.path)
        return await handler(request) if handler is not None else web.Response(status=404)

    async def _discovery(self, request: web.Request) -> web.Response:
        said = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return web.json_response(_over(said, self.discovery))

    async def _keys(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": self.keys})

    async def _authorize(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": self.sent_back(str(request.url))})

    async def _token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        self.forms.append(form)
        self.logins.append(request.headers.get("Authorization", ""))
        code = str(form.get("code", ""))
        known = self.codes.pop(code, None) if self.once else self.codes.get(code)
        verifier = str(form.get("code_verifier", "")).encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).decode().rstrip("=")
        right = known and known["code_challenge"] == challenge and known["redirect_uri"] == form.get("redirect_uri")
        if not known or not right:
            return web.json_response({"error": "invalid_grant"}, status=400)
        said = {"access_token": "a", "token_type": "Bearer", "id_token": self.token(known["nonce"])}
        return web.json_response(_over(said, self.tokens))

    async def _userinfo(self, request: web.Request) -> web.Response:
        self.bearers.append(request.headers.get("Authorization", ""))
        return web.json_response(_over({"sub": self.claims["sub"]}, self.more))

    # -- what it says ---------------------------------------------------------------------------------------------

    def telling(self, **more: Any) -> None:
        """From now on the ID token says who it is, and no more: the rest is told to whoever asks."""
        self.discovery = {**self.discovery, "userinfo_endpoint": f"{self.url}/userinfo"}
        self.claims = {"sub": self.claims["sub"]}
        self.more = more

    def sent_back(self, address: str) -> str:
        """What a browser does there whose person says yes at once: the address to which it is sent back."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        said = _over({"code": code, "state": asked["state"], "iss": self.url}, self.answer)
        return f"{asked['redirect_uri']}?{urlencode(said)}"

    def token(self, nonce: str) -> str:
        now = int(self.now())
        said = {"iss": self.url, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce}
        claims = _over(said, self.claims)
        head = _over({"alg": "RS256", "kid": self.kid}, self.head)
        if self.sign is not None:
            return self.sign(head, claims)
        return jwt.encode(claims, rsa_key(), algorithm=head.pop("alg"), headers=head)


def _over(said: Json, more: Json) -> Json:
    return {name: value for name, value in {**said, **more}.items() if value is not None}


def raw(head: Json, claims: Json, signature: bytes = b"") -> str:
    """A token as nobody makes it."""
    parts = [json.dumps(head).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@contextlib.asynccontextmanager
async def party() -> AsyncIterator[Party]:
    made = Party()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def provider(at: Party, **more: Any) -> Provider:
    return Provider(at.url, CLIENT, "Uni", SECRET, near=True, **more)


def known(at: Party, pace: Callable[[], float] = time.monotonic, *, seconds: float = 10.0, **more: Any) -> Known:
    return Known(provider(at, **more), Fetch(near=True, seconds=seconds), pace)
