"""What a browser keeps for the gate between two requests: it can neither read it nor make one.

Sealed with a key that all gates of a store have, so that any of them, also one that was started anew, can go on. The
purpose is part of the seal: what was sealed for one is nothing for another.
"""

from __future__ import annotations

import base64
import hmac
import os
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
# A browser keeps 4,096 bytes of a cookie, name and attributes included (RFC 6265 section 6.1).
LONGEST = 3800
S = TypeVar("S", bound=msgspec.Struct)


class Seal:
    """AES-256-GCM with a random nonce."""

    def __init__(self, key: bytes, purpose: str) -> None:
        self._cipher = AESGCM(hmac.digest(key, b"sharegate signing in", "sha256"))
        self._purpose = purpose.encode()

    def close(self, said: msgspec.Struct) -> str:
        """Of letters that a cookie may hold. Raises ValueError when it is more than a browser keeps."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, msgspec.json.encode(said), self._purpose)
        text = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
        if len(text) > LONGEST:
            raise ValueError("more than a cookie holds")
        return text

    def open(self, text: str, kind: type[S]) -> S | None:
        """None for whatever we did not seal for this purpose."""
        if not text or len(text) > LONGEST or not text.isascii():
            return None
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._purpose)
            return msgspec.json.decode(plain, type=kind)
        except (ValueError, InvalidTag, msgspec.DecodeError):  # fails closed
            return None
