"""Answers as they lie in the store, for whoever asks the same again at another gate, or after a restart.

They hold addresses of links, and tokens that are shown once. So that nobody reads them who has the store, they are
sealed with a secret of the gates, which is not in the store; and so that nobody reads them who has that, too, the key
that the asker chose is a part of it, of which only a hash is kept.
"""

from __future__ import annotations

import hmac
import os
import zlib
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
# Bytes, sealed. A longer one only the gate that gave it gives again.
LONGEST = 64 << 10
# What is unpacked of one: JSON of links shrinks by a few times, not by hundreds.
_LONGEST_PLAIN = 8 << 20


class SealedAnswers:
    """`key` is a secret of all gates of a store."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"sharegate answers that are kept", "sha256")

    def close(self, said: dict[str, Any], *, who: str, key: str) -> bytes:
        """Nonce, ciphertext and tag; empty for an answer that is too long to be kept."""
        plain = msgspec.json.encode(said)
        packed = zlib.compress(plain) if len(plain) <= _LONGEST_PLAIN else b""
        if not packed or len(packed) > LONGEST - 64:
            return b""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher(who, key).encrypt(nonce, packed, None)

    def open(self, sealed: bytes, *, who: str, key: str) -> dict[str, Any] | None:
        """None for what was not sealed for them and their key, or with another secret."""
        try:
            packed = self._cipher(who, key).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
            plain = zlib.decompressobj().decompress(packed, _LONGEST_PLAIN)
            return msgspec.json.decode(plain, type=dict[str, Any])
        except (ValueError, InvalidTag, zlib.error):  # fails closed: whoever asks is told to look
            return None

    def _cipher(self, who: str, key: str) -> AESGCM:
        return AESGCM(hmac.digest(self._key, f"{who}\n{key}".encode(), "sha256"))
