"""What a provider says of itself and of its keys: asked for when it is needed, kept for an hour.

A key that is not known is looked for anew, but not more often than every half minute: whoever sends tokens with made-up
key names must not have the gate ask its provider without end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sharegate.oidc.fetch import Away, Fetch
from sharegate.oidc.model import Provider

KEPT_SECONDS = 3600.0
AGAIN_SECONDS = 30.0
MOST_KEYS = 50
# Signatures that only who has the provider's private key can make: never `none`, never one with a secret that we have,
# too, or with the public key taken for one.
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"},
)
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
# A larger one only costs time, for each token that is looked at.
_RSA_BITS = range(2048, 8193)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Of OpenID Connect Discovery 1.0, section 3, what a sign-in needs. `by_header`: how the client shows its secret.
    `names_itself`: the provider's answers say whose they are (RFC 9207). What it may do without: `userinfo` (Core 1.0,
    section 5.3) and `ending` (RP-Initiated Logout 1.0), "" where it has none, or one that is not asked."""

    authorization: str
    token: str
    keys: str
    by_header: bool
    names_itself: bool
    algorithms: frozenset[str]
    userinfo: str = ""
    ending: str = ""


class Known:
    """One provider's endpoints and keys. `pace` is a clock that only goes on."""

    def __init__(self, provider: Provider, fetch: Fetch, pace: Callable[[], float]) -> None:
        self.provider = provider
        self.fetch = fetch
        self._pace = pace
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: tuple[float, tuple[dict[str, Any], ...]] | None = None
        self._one = asyncio.Lock()
        self._failed: Away | None = None

    async def endpoints(self) -> Endpoints:
        """Raises Away."""
        async with self._turn():
            now = self._pace()
            if self._endpoints is None or now - self._endpoints[0] >= KEPT_SECONDS:
                said = await self.fetch.get(self.fetch.check(self.provider.discovery))
                self._endpoints = now, self._read(said)
            return self._endpoints[1]

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One asks at a time. Who waited while it was in vain is told the same: a class that signs in at a provider
        that hangs does not wait one after the other."""
        before = self._failed
        async with self._one:
            if self._failed is not None and self._failed is not before:
                raise Away(str(self._failed))
            try:
                yield
            except Away as away:
                self._failed = away
                raise

    def _read(self, said: dict[str, Any]) -> Endpoints:
        if said.get("issuer") != self.provider.issuer:
            raise Away("its discovery names another issuer than oidc_issuer")

        def url(name: str) -> str:
            value = said.get(name)
            if not isinstance(value, str):
                raise Away(f"its discovery has no {name}")
            return self.fetch.check(value)

        def perhaps(name: str) -> str:
            value = said.get(name)
            with contextlib.suppress(Away):  # fails closed: who signs in has what the token says, and no more
                return self.fetch.check(value) if isinstance(value, str) else ""
            return ""

        def words(name: str, usual: list[str]) -> list[object]:
            value = said.get(name, usual)
            return value if isinstance(value, list) else []

        algorithms = ALGORITHMS & {each for each in words("id_token_signing_alg_values_supported", ["RS256"])}
        if not algorithms:
            raise Away("it signs in no way that can be relied on")
        methods = words("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Endpoints(
            authorization=url("authorization_endpoint"),
            token=url("token_endpoint"),
            keys=url("jwks_uri"),
            by_header="client_secret_basic" in methods or "client_secret_post" not in methods,
            names_itself=said.get("authorization_response_iss_parameter_supported") is True,
            algorithms=frozenset(map(str, algorithms)),
            userinfo=perhaps("userinfo_endpoint"),
            ending=perhaps("end_session_endpoint"),
        )

    async def key(self, kid: str, algorithm: str) -> Any:
        """The public key of that name ("" where the token names none) and for that algorithm; None for none. Raises
        Away."""
        endpoints = await self.endpoints()
        async with self._turn():
            now = self._pace()
            age = now - self._keys[0] if self._keys is not None else KEPT_SECONDS
            found = _fitting(self._keys[1], kid, algorithm) if self._keys is not None else None
            if age >= KEPT_SECONDS or (found is None and age >= AGAIN_SECONDS):
                said = (await self.fetch.get(endpoints.keys)).get("keys")
                listed = said if isinstance(said, list) else []
                if len(listed) > MOST_KEYS:
                    raise Away("it has more keys than any provider has")
                self._keys = now, tuple(each for each in listed if isinstance(each, dict))
                found = _fitting(self._keys[1], kid, algorithm)
            return found


def _fitting(keys: tuple[dict[str, Any], ...], kid: str, algorithm: str) -> Any:
    """A token that names no key has to be of the only one that fits."""
    fitting = [each for each in keys if _fits(each, algorithm) and (not kid or each.get("kid") == kid)]
    if len(fitting) != 1:
        return None
    with contextlib.suppress(jwt.PyJWTError, ValueError, TypeError, KeyError):  # fails closed: a key that is none
        key = jwt.PyJWK.from_dict(fitting[0], algorithm=algorithm).key
        if not isinstance(key, RSAPublicKey) or key.key_size in _RSA_BITS:
            return key
    return None


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    operations = key.get("key_ops", ["verify"])
    return (
        key.get("kty") == _KINDS[algorithm[:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in key  # a private key that everybody can read is nobody's
    )
