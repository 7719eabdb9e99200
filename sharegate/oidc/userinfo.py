"""What a provider says of a person when it is asked (OpenID Connect Core 1.0, section 5.3), where the ID token does not
say it: an address with whether it was checked, and groups. Nothing else is taken from there.

The ID token says who signed in; the answer has to be about the same subject.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sharegate.oidc.fetch import Away
from sharegate.oidc.model import EMAIL, GROUPS, Provider
from sharegate.oidc.provider import ALGORITHMS, Known
from sharegate.oidc.token import LEEWAY, Forged, moment, verified

# RFC 6750 section 2.1, and no longer than a head may be.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,7000}=*\Z")


def lacking(claims: Mapping[str, Any], provider: Provider) -> frozenset[str]:
    """Of EMAIL and GROUPS, what an ID token leaves open. An address without a word on whether it was checked is open;
    one that was not checked is not."""
    missing = set()
    if EMAIL in provider.scopes and not ("email" in claims and "email_verified" in claims):
        missing.add(EMAIL)
    if provider.groups_claim not in claims:
        missing.add(GROUPS)
    return frozenset(missing)


def filled(claims: Mapping[str, Any], said: Mapping[str, Any], lacks: frozenset[str], groups: str) -> dict[str, Any]:
    """The claims with what they lack. An address and whether it was checked come from the same place."""
    names = {*(("email", "email_verified") if EMAIL in lacks else ()), *((groups,) if GROUPS in lacks else ())}
    return {
        **{name: value for name, value in claims.items() if name not in names},
        **{name: said[name] for name in names if name in said},
    }


async def about(known: Known, address: str, tokens: Mapping[str, Any], subject: object, now: float) -> dict[str, Any]:
    """What the provider says of whoever `tokens` (its answer to the code) are of. Raises Away, and Forged for an answer
    that is about somebody else, or signed and not by the provider for us."""
    token, kind = tokens.get("access_token"), tokens.get("token_type")
    if not isinstance(token, str) or not _TOKEN.match(token) or not isinstance(kind, str) or kind.lower() != "bearer":
        raise Away("it gave no access token to ask for more with")
    said = await known.fetch.about(address, token)
    if isinstance(said, str):
        said = await verified(said.strip(), known, ALGORITHMS)
        audience = said.get("aud")
        ends = said.get("exp", now + LEEWAY)
        if said.get("iss") != known.provider.issuer:
            raise Forged("another issuer's word on a person")
        if known.provider.client_id not in (audience if isinstance(audience, list) else [audience]):
            raise Forged("a word on a person for another client")
        if moment(ends) is None or ends + LEEWAY <= now:
            raise Forged("a word on a person that has expired")
    if not isinstance(subject, str) or said.get("sub") != subject:
        raise Forged("a word on another person")
    return said
