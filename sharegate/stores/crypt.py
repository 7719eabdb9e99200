"""Upstream credentials at rest: AES-256-GCM (NIST SP 800-38D), a random nonce each, bound to their server."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sharegate.errors import StoreUnavailable

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"


class CredentialBox:
    """Seals and opens with one key of 32 bytes, which comes from outside the store."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the store's key has {len(key)} bytes and must have {KEY_BYTES}")
        self._cipher = AESGCM(key)

    def seal(self, secret: str, *, upstream: str, url: str) -> bytes:
        """Version byte, nonce, ciphertext and tag. Moved to another server's row or address it does not open."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret.encode(), _bound_to(upstream, url))

    def open(self, sealed: bytes, *, upstream: str, url: str) -> str:
        """Raises StoreUnavailable for a wrong key, an altered value, or a value of another server."""
        nonce = sealed[1 : 1 + _NONCE_BYTES]
        if sealed[:1] != _VERSION or len(nonce) != _NONCE_BYTES:
            raise StoreUnavailable(f"the stored credential of server {upstream} is damaged")
        try:
            return self._cipher.decrypt(nonce, sealed[1 + _NONCE_BYTES :], _bound_to(upstream, url)).decode()
        except (InvalidTag, UnicodeDecodeError):  # fails closed
            raise StoreUnavailable(
                f"the stored credential of server {upstream} does not open: another key, or an altered store"
            ) from None

    def __repr__(self) -> str:
        return "<CredentialBox>"


def _bound_to(upstream: str, url: str) -> bytes:
    return b"sharegate upstream\x00" + upstream.encode() + b"\x00" + url.encode()
