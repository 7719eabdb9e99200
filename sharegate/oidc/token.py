"""Whether an ID token is what a provider says of one person, to us, in answer to what was asked just now.

OpenID Connect Core 1.0, section 3.1.3.7. Everything that is wrong is one error, whose words are for the owner.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import jwt
from jwt.types import Options

from sharegate.errors import Invalid
from sharegate.oidc.model import LONGEST_GROUP, LONGEST_SUBJECT, MOST_GROUPS, Person, Provider
from sharegate.oidc.provider import Known
from sharegate.shares.conditions import clean_email

# How far the two clocks may be apart.
LEEWAY = 60.0
# How long ago a token may have been made that was asked for a moment ago.
FRESH = 600.0
_LONGEST = 32 << 10
# The claims are looked at here, on our clock, one by one.
_LATER: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class Forged(Exception):
    """An answer that is not the provider's, not for us, not now, or not for what was asked."""


async def checked(text: object, known: Known, *, nonce: str, now: float) -> dict[str, Any]:
    """The claims of an ID token. Raises Forged, and Away where the keys cannot be had."""
    if not isinstance(text, str):
        raise Forged("no ID token")
    claims = await verified(text, known, (await known.endpoints()).algorithms)
    _check(claims, known.provider, nonce, now)
    return claims


async def verified(text: str, known: Known, algorithms: frozenset[str]) -> dict[str, Any]:
    """The claims of a token, if its signature is the provider's; nothing is said of what they are. Raises as above."""
    if not text.isascii() or len(text) > _LONGEST:
        raise Forged("no token")
    try:
        head = jwt.get_unverified_header(text)
    except jwt.PyJWTError:
        raise Forged("not a token") from None
    algorithm, kid = head.get("alg"), head.get("kid", "")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise Forged("signed in a way that is not accepted")
    if not isinstance(kid, str) or "crit" in head:
        raise Forged("a head that asks for more than we know")
    key = await known.key(kid, algorithm)
    if key is None:
        raise Forged("signed with a key that the provider does not have")
    try:
        return jwt.decode(text, key, algorithms=[algorithm], options=_LATER)
    except jwt.PyJWTError:
        raise Forged("a signature that is not the provider's") from None


def _check(claims: Mapping[str, Any], provider: Provider, nonce: str, now: float) -> None:
    if claims.get("iss") != provider.issuer:
        raise Forged("another issuer's")
    audience = claims.get("aud")
    several = audience if isinstance(audience, list) else [audience]
    if provider.client_id not in several:
        raise Forged("for another client")
    if claims.get("azp", provider.client_id) != provider.client_id or (len(several) > 1 and "azp" not in claims):
        raise Forged("asked for by another client")
    expires, made = moment(claims.get("exp")), moment(claims.get("iat"))
    if expires is None or made is None:
        raise Forged("without the times of its beginning and end")
    if expires + LEEWAY <= now:
        raise Forged("expired")
    if not now - FRESH <= made <= now + LEEWAY:
        raise Forged("made long ago, or in the future")
    before = claims.get("nbf", made)
    if moment(before) is None or before > now + LEEWAY:
        raise Forged("not valid yet")
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), nonce.encode()):
        raise Forged("an answer to another question")


def moment(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2e11 else None


def read(claims: Mapping[str, Any], provider: Provider, token: str = "") -> Person:
    """Who it is, by claims that were looked at. Raises Forged."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isascii():
        raise Forged("without a subject")
    if not subject.isprintable():
        raise Forged("with a subject that nobody can read")
    email = ""
    # Some write the truth value as a text; what is not said to be checked, is not.
    proved = claims.get("email_verified")
    if proved is True or proved == "true":
        try:
            email = clean_email(claims.get("email"), "email")
        except Invalid:
            email = ""  # fails closed: no address is no proof
    said = claims.get(provider.groups_claim, [])
    said = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    groups = [one for one in said[:MOST_GROUPS] if isinstance(one, str) and 0 < len(one) <= LONGEST_GROUP]
    return Person(provider.issuer, subject, email, frozenset(groups), token)
