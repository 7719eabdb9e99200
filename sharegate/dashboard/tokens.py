"""Tokens with which programs ask the owner's API: made, shown once, listed, revoked, and recognised.

A token is `sgt_<id>_<secret>`. The id is a public handle; of the secret, 256 random bits, the store keeps the hash.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from typing import Any

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.asking import Asker, By, Only, Who
from sharegate.dashboard.bodies import NewTokenBody
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import gate
from sharegate.errors import Denied, Invalid, NotFound, Reason, Refused, StoreUnavailable
from sharegate.limits import Buckets, Rate, network
from sharegate.names import MAX_NAME, clean_name
from sharegate.shares.api_tokens import ApiCapability, ApiToken
from sharegate.shares.authenticate import new_secret, secret_hash
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import own_words
from sharegate.shares.model import new_id

PREFIX = "sgt_"
DAY = 86400.0
LONGEST_SECONDS = 366 * DAY
MOST = 100
WRONG = Rate(per=20, seconds=60, burst=20)
_TOKEN = re.compile(r"[Bb]earer +sgt_([a-z0-9]{10})_([A-Za-z0-9_-]{43})\Z")
_NOBODY = "0" * 64


class ApiTokens:
    """`tokens`, and who shows one."""

    def __init__(
        self, *, acts: Acts, store: ShareStore, trail: Recorder, now: Callable[[], float], pace: Callable[[], float]
    ) -> None:
        self._acts = acts
        self._store = store
        self._trail = trail
        self._now = now
        self._wrong = Buckets(WRONG, pace)

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "tokens",
                self._listed,
                "Tokens of the API, without their secrets",
                Only.PERSON,
                gate.Tokens,
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "tokens",
                self._create,
                "A token for a program; it is told this once",
                Only.PERSON,
                gate.TokenMade,
                body=NewTokenBody,
                creates=True,
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "tokens/{id}/{verb:revoke}",
                self._revoke,
                "End a token for ever",
                Only.PERSON,
                gate.OneToken,
                who=Who.ADMIN,
            ),
        ]

    # -- who asks -------------------------------------------------------------------------------------------------

    async def asker(self, authorization: str, address: str) -> Asker:
        """Whose token the header shows. Unknown, expired, revoked and misspelled ones are one refusal:
        Denied(`bad_credential`); past a number of those from one address, Denied(`credential_limit`). Who shows a
        right one is never kept waiting by others."""
        match = _TOKEN.match(authorization)
        found = await self._store.api_token(match[1]) if match is not None else None
        given = secret_hash(match[2]) if match is not None else _NOBODY
        right = hmac.compare_digest(given, found.secret_hash if found is not None else _NOBODY)
        now = self._now()
        if match is None or found is None or not right or not found.stands(now):
            self._wrong.take(network(address), 1, Reason.CREDENTIAL_LIMIT)
            raise Denied(Reason.BAD_CREDENTIAL)
        await self._use(found, now)
        return Asker(By.TOKEN, found.id, found.name, found.may(), found.expires)

    def wait(self, address: str) -> int:
        """Seconds until a wrong token from there is looked at again."""
        return self._wrong.wait(network(address))

    async def _use(self, token: ApiToken, now: float) -> None:
        """Noted to the day: one write for each token and day."""
        today = now - now % DAY
        if token.used is None or token.used < today:
            try:
                await self._store.change_api_token(token.id, used=today)
            except (StoreUnavailable, NotFound):
                pass  # fails open: the token stands by what was read; what it does is recorded, or refused, itself

    # -- verbs ----------------------------------------------------------------------------------------------------

    async def _listed(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"tokens": [self._view(token) for token in await self._store.api_tokens()]}

    async def _create(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, NewTokenBody)
        now = self._now()
        secret = new_secret()
        token = ApiToken(
            id=new_id(),
            name=own_words("name", asked.name, MAX_NAME, clean_name),
            secret_hash=secret_hash(secret),
            capabilities=_capabilities(asked.capabilities),
            created=now,
            expires=_expires(asked.expires, now),
        )
        if not token.name:
            raise Invalid("name", "is empty", "Say what the token is for")
        try:
            await self._store.add_api_token(token, limit=MOST, at=now)
        except Denied:
            raise Refused("too_many_tokens", f"{MOST} tokens stand already", "Revoke those not in use") from None
        async with self._acts.taken_back(lambda: self._store.change_api_token(token.id, revoked=now)):
            await self._record(Action.TOKEN_CREATED, token, ", ".join(token.capabilities))
        return {"token": self._view(token), "secret": f"{PREFIX}{token.id}_{secret}"}

    async def _revoke(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """Revoking what is revoked already is no fault: the first moment stays."""
        token = await self._store.api_token(parts["id"])
        if token is None:
            raise NotFound("token", parts["id"])
        if token.revoked is None:
            token = await self._store.change_api_token(token.id, revoked=self._now())
            await self._record(Action.TOKEN_REVOKED, token, "")
        return {"token": self._view(token)}

    async def _record(self, action: Action, token: ApiToken, more: str) -> None:
        detail = f"{token.id} {token.name}" + (f": {more}" if more else "")
        await self._trail.record(AuditEvent(action=action, actor="owner", detail=detail[:300]))

    def _view(self, token: ApiToken) -> dict[str, Any]:
        state = "revoked" if token.revoked is not None else "active" if token.stands(self._now()) else "expired"
        return {
            "id": token.id,
            "name": token.name,
            "capabilities": list(token.capabilities),
            "created": token.created,
            "expires": token.expires,
            "state": state,
            "revoked": token.revoked,
            "used": token.used,
        }


def _capabilities(asked: list[str]) -> tuple[str, ...]:
    known = [each.value for each in ApiCapability]
    wrong = [each for each in asked if each not in known]
    if wrong or not asked:
        problem = f"{wrong[0][:40]!r} is nothing that a token can do" if wrong else "a token that may nothing"
        raise Invalid("capabilities", problem, f"Choose from {', '.join(known)}")
    return tuple(each for each in known if each in asked)


def _expires(asked: float, now: float) -> float:
    if not asked > now:
        raise Invalid("expires", "lies in the past", "Choose a later moment")
    if asked > now + LONGEST_SECONDS:
        raise Invalid("expires", "is more than a year away", "Choose an earlier moment, and make a new one then")
    return asked
