"""One sign-in: where the browser is sent, and what its coming back is worth.

The authorization code flow (OpenID Connect Core 1.0, section 3.1) with PKCE (RFC 7636, S256), `state`, `nonce`, and the
issuer in the answer (RFC 9207). What was asked stays with the browser that asked, sealed; an answer without it, or for
the second time, is nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from sharegate.errors import Denied, Reason
from sharegate.oidc.fetch import Answered, Away
from sharegate.oidc.model import EMAIL, Person
from sharegate.oidc.provider import Endpoints, Known
from sharegate.oidc.token import Forged, checked, read
from sharegate.oidc.userinfo import about, filled, lacking

SECONDS = 600.0
_MOST_REMEMBERED = 10_000
_LONGEST_CODE = 4096
# What servers take of an address is 8,000 bytes or so (RFC 9110 section 4.1).
_LONGEST_HINT = 6000
# What a provider may answer with (RFC 6749 section 4.1.2, RFC 9207); more is not looked at.
ANSWER = ("code", "state", "iss", "error")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of the provider. Secrets: in no repr."""

    state: str
    nonce: str
    verifier: str
    at: float

    def __repr__(self) -> str:
        return "<Asked>"


class Flow:
    """Sign-ins at one provider. `back` is the address that it sends browsers back to, and knows."""

    def __init__(self, known: Known, back: str, now: Callable[[], float]) -> None:
        self._known = known
        self._back = back
        self._now = now
        self._spent: OrderedDict[str, float] = OrderedDict()

    @property
    def name(self) -> str:
        """What buttons call the provider."""
        return self._known.provider.name

    @property
    def issuer(self) -> str:
        return self._known.provider.issuer

    async def begin(self, *, mark: str = "", again: bool = False) -> tuple[str, Asked]:
        """Where to send the browser, and what it has to keep. `mark` begins the state; `again`: the person may want
        another account than the one they are signed in with there. Denied(`sign_in_unavailable`)."""
        provider = self._known.provider
        try:
            endpoint = (await self._known.endpoints()).authorization
        except Away as away:
            raise _away(away) from None
        asked = Asked(
            state=mark + secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            at=self._now(),
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": self._back,
            "scope": " ".join(provider.scopes),
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **({"prompt": "select_account"} if again else {}),
        }
        return endpoint + ("&" if "?" in endpoint else "?") + urlencode(query), asked

    async def finish(
        self, asked: Asked | None, answer: Mapping[str, str], needs: frozenset[str] = frozenset()
    ) -> Person:
        """Who came back with this answer, to the browser that keeps `asked`. `needs`: what is of no use unknown (EMAIL,
        GROUPS). Denied: `sign_in_failed`, one and the same for whatever is wrong with it; `sign_in_unavailable` where
        the provider is away, or cannot say what is needed at the moment."""
        now = self._now()
        given = answer.get("state", "").encode("utf-8", "surrogatepass")
        if asked is None or not hmac.compare_digest(given, asked.state.encode()):
            raise _failed("an answer that this browser did not ask for")
        if not asked.at <= now <= asked.at + SECONDS:
            raise _failed("asked for too long ago")
        self._spend(asked.state, now)
        try:
            endpoints = await self._known.endpoints()
            said = answer.get("iss")
            if said != self.issuer if said is not None else endpoints.names_itself:
                raise Forged("another provider's answer")
            if "error" in answer or not answer.get("code") or len(answer["code"]) > _LONGEST_CODE:
                raise Forged("the provider let nobody in")
            tokens = await self._exchange(endpoints.token, answer["code"], asked.verifier, endpoints.by_header)
            claims = await checked(tokens.get("id_token"), self._known, nonce=asked.nonce, now=self._now())
            claims = await self._whole(claims, tokens, endpoints, needs)
            return read(claims, self._known.provider, tokens["id_token"])
        except Forged as forged:
            raise _failed(str(forged)) from None
        except Away as away:
            raise _away(away) from None

    async def _whole(
        self, claims: dict[str, Any], tokens: Mapping[str, Any], endpoints: Endpoints, needs: frozenset[str]
    ) -> dict[str, Any]:
        """The claims with what the ID token leaves open. An address is asked for in any case: others see it."""
        provider = self._known.provider
        lacks = lacking(claims, provider) & (needs | {EMAIL})
        if not lacks or not endpoints.userinfo:
            return claims
        try:
            said = await about(self._known, endpoints.userinfo, tokens, claims.get("sub"), self._now())
        except Away:
            if lacks & needs:
                raise
            return claims  # who it is, is known; what is not needed is not waited for twice
        return filled(claims, said, lacks, provider.groups_claim)

    async def leave(self, token: str, back: str) -> str:
        """Where to send a browser that signs out, so that it is signed out at the provider too; "" where the provider
        has no such address, or is away. `back` is where it may send the browser afterwards, and has to know."""
        try:
            endpoint = (await self._known.endpoints()).ending
        except Away:
            return ""  # signed out here it is all the same
        if not endpoint:
            return ""
        said = {"client_id": self._known.provider.client_id, "post_logout_redirect_uri": back}
        if token and len(token) <= _LONGEST_HINT:
            said["id_token_hint"] = token
        return endpoint + ("&" if "?" in endpoint else "?") + urlencode(said)

    def _spend(self, state: str, now: float) -> None:
        """An answer is looked at once."""
        while self._spent and (len(self._spent) > _MOST_REMEMBERED or next(iter(self._spent.values())) < now - SECONDS):
            self._spent.popitem(last=False)
        if state in self._spent:
            raise _failed("an answer that was given before")
        self._spent[state] = now

    async def _exchange(self, endpoint: str, code: str, verifier: str, by_header: bool) -> dict[str, Any]:
        provider = self._known.provider
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": verifier,
        }
        login = None
        if provider.secret and by_header:
            login = quote(provider.client_id, safe=""), quote(provider.secret, safe="")
        else:
            form["client_id"] = provider.client_id
            if provider.secret:
                form["client_secret"] = provider.secret
        try:
            return await self._known.fetch.post(endpoint, form, login)
        except Answered as answered:
            if answered.status in (400, 401, 403):
                raise Forged(f"a code that the provider does not take ({answered.status})") from None
            raise


def _failed(detail: str) -> Denied:
    return Denied(Reason.SIGN_IN_FAILED, detail)


def _away(away: Away) -> Denied:
    return Denied(Reason.SIGN_IN_UNAVAILABLE, str(away))
