"""Secrets and contents at rest: AES-256-GCM (NIST SP 800-38D), a random nonce each, bound to where they belong."""

from __future__ import annotations

import hashlib
import hmac
import os
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

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


class ContentBox:
    """Documents at rest: compressed, then sealed, under keys derived from the store's (HKDF, RFC 5869)."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the store's key has {len(key)} bytes and must have {KEY_BYTES}")
        self._cipher = AESGCM(_derived(key, b"sharegate contents"))
        self._naming = _derived(key, b"sharegate content names")

    def name(self, content: bytes, *, upstream: str) -> str:
        """What equal content of one server is stored under. Keyed (HMAC-SHA-256): whoever holds the file without the
        key cannot tell whether it holds a document that they know."""
        return hmac.new(self._naming, upstream.encode() + b"\x00" + content, hashlib.sha256).hexdigest()

    def seal(self, content: bytes, *, place: str) -> bytes:
        """Version byte, nonce, ciphertext and tag. Moved to another place it does not open."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, zlib.compress(content, 6), place.encode())

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Raises StoreUnavailable for a wrong key, an altered value, or a value of another place."""
        nonce = sealed[1 : 1 + _NONCE_BYTES]
        try:
            if sealed[:1] != _VERSION or len(nonce) != _NONCE_BYTES:
                raise InvalidTag
            return zlib.decompress(self._cipher.decrypt(nonce, sealed[1 + _NONCE_BYTES :], place.encode()))
        except (InvalidTag, zlib.error):  # fails closed
            raise StoreUnavailable("a stored version does not open: another key, or an altered store") from None

    def __repr__(self) -> str:
        return "<ContentBox>"


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)
