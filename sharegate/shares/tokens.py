"""Share tokens: the signed JWT in a link. Nothing else touches PyJWT.

Claims: `iss`, `aud` (what the token is for), `sub` (share id), `jti` (link id), `ser` (the link's serial), `iat`,
`exp`. `exp` is the outer limit only; the link's record decides. `cod` is in one that a short code gave: it names the
code, and the token is good as long as that is. The algorithm is pinned: EdDSA over Ed25519
(RFC 8037).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from sharegate.errors import Denied, Reason
from sharegate.shares.keys import KID, KeyRing
from sharegate.shares.model import OPEN_ENDED, Link

ISSUER = "sharegate"
AUDIENCE = "share"
MAX_LENGTH = 1024
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_ID = re.compile(r"[a-z0-9]{4,40}\Z")
_CLAIMS = {"iss": str, "aud": str, "sub": str, "jti": str, "ser": int, "iat": int, "exp": int}
_CODE = "cod"
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Claims:
    """What a share token says, once its signature was found good."""

    share: str
    link: str
    serial: int
    expires: float
    code: str = ""

    def current(self, link: Link, now: float) -> bool:
        """Whether the token is the link's: not from before it was replaced, nor of a code that is over."""
        if self.serial != link.serial:
            return False
        if not self.code:
            return True
        stands = bool(link.code_hash) and now < link.code_expires
        return stands and hmac.compare_digest(self.code, code_name(link))


def code_name(link: Link) -> str:
    """What a token says of the code that gave it: which of the link's it was, and nothing by which to find it."""
    return hashlib.sha256(link.code_hash.encode()).hexdigest()[:32]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _segment(text: str) -> dict[str, Any]:
    """One base64url part as a JSON object; a name that stands twice is refused, for readers disagree which counts."""
    if len(text) % 4 == 1:
        raise ValueError("not base64url")
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    # Two spellings of one token would be two cache entries: only the canonical one passes.
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not canonical base64url")
    read = json.loads(data, object_pairs_hook=_object)
    if not isinstance(read, dict):
        raise ValueError("not an object")
    return read


class ShareTokens:
    """Mints and verifies. A verified token is remembered by digest, for a signature check costs more than a request;
    whether link and share still stand is asked every time, elsewhere."""

    def __init__(self, ring: KeyRing, now: Callable[[], float]) -> None:
        self._ring = ring
        self._now = now
        self._seen: OrderedDict[bytes, tuple[str, Claims]] = OrderedDict()

    def mint(self, link: Link) -> str:
        """The token of a link: the same record and key always give the same text."""
        return self._signed(link, {"exp": int(link.created + OPEN_ENDED)})

    def mint_for_code(self, link: Link) -> str:
        """That of whoever typed the link's short code."""
        return self._signed(link, {"exp": math.ceil(link.code_expires), _CODE: code_name(link)})

    def _signed(self, link: Link, more: dict[str, Any]) -> str:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": link.share,
            "jti": link.id,
            "ser": link.serial,
            "iat": int(link.created),
            **more,
        }
        return jwt.encode(claims, self._ring.signing_key(), algorithm="EdDSA", headers={"kid": self._ring.active})

    def verify(self, token: str) -> Claims:
        """Denied(`bad_credential`) for whatever we did not sign, Denied(`link_expired`) past the outer limit."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._seen.get(digest)
        if known is None:
            known = self._seen[digest] = self._check(token)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        kid, claims = known
        if self._ring.public(kid) is None:
            # Its key was refused since.
            raise Denied(Reason.BAD_CREDENTIAL, "refused key")
        if claims.expires <= self._now():
            raise Denied(Reason.LINK_EXPIRED, "outer limit")
        return claims

    def _check(self, token: str) -> tuple[str, Claims]:
        if len(token) > MAX_LENGTH or not _SHAPE.match(token):
            raise Denied(Reason.BAD_CREDENTIAL, "not a token")
        head, body, signature = token.split(".")
        try:
            header, payload = _segment(head), _segment(body)
            base64.b64decode(signature + "=" * (-len(signature) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error, RecursionError):  # fails closed
            raise Denied(Reason.BAD_CREDENTIAL, "unreadable token") from None
        if set(header) != {"alg", "kid", "typ"} or header["alg"] != "EdDSA" or header["typ"] != "JWT":
            raise Denied(Reason.BAD_CREDENTIAL, "header")
        kid = header["kid"]
        key = self._ring.public(kid) if isinstance(kid, str) and KID.match(kid) else None
        if key is None:
            raise Denied(Reason.BAD_CREDENTIAL, "unknown or refused key")
        try:
            jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "strict_aud": True},
            )
        except jwt.PyJWTError as error:  # fails closed; InvalidKeyError is no InvalidTokenError, hence the base class
            raise Denied(Reason.BAD_CREDENTIAL, type(error).__name__) from None
        code = payload.pop(_CODE, "")
        if set(payload) != set(_CLAIMS) or any(type(payload[name]) is not kind for name, kind in _CLAIMS.items()):
            raise Denied(Reason.BAD_CREDENTIAL, "claims")
        if type(code) is not str:
            raise Denied(Reason.BAD_CREDENTIAL, "claims")
        if not _ID.match(payload["sub"]) or not _ID.match(payload["jti"]):
            raise Denied(Reason.BAD_CREDENTIAL, "ids")
        return kid, Claims(payload["sub"], payload["jti"], payload["ser"], float(payload["exp"]), code)
