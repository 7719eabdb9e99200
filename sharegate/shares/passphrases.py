"""Passphrases of links: read, hashed (argon2id, RFC 9106), compared. Slow on purpose: call it in a thread."""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sharegate.errors import Invalid

LEAST, MOST = 8, 200
# RFC 9106 section 4, second recommendation, for one core: 64 MiB, three passes.
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 << 10, parallelism=1, hash_len=32, salt_len=16)


def clean_passphrase(given: object) -> str:
    """NFC, so that it does not matter on which keyboard it is typed; nothing else is changed. Raises Invalid, which
    does not repeat it."""
    if not isinstance(given, str):
        raise Invalid("passphrase", "is not text", "Write it as text")
    text = unicodedata.normalize("NFC", given) if len(given) <= 4 * MOST else given
    if not LEAST <= len(text) <= MOST:
        raise Invalid("passphrase", f"is not {LEAST} to {MOST} characters long", "Take a few words")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise Invalid("passphrase", "holds a character that nobody can type", "Take a few words")
    if text != text.strip():
        raise Invalid("passphrase", "begins or ends with a blank, which nobody sees", "Leave it away")
    return text


def hashed(passphrase: str) -> str:
    """What is stored of a clean passphrase. Takes a tenth of a second and 64 MiB."""
    return _HASHER.hash(passphrase)


def matches(encoded: str, given: str) -> bool:
    """Whether this is the passphrase. As slow as `hashed`; a blank around it is forgiven."""
    if len(given) > 4 * MOST:
        return False
    text = unicodedata.normalize("NFC", given).strip()
    try:
        return _HASHER.verify(encoded, text)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):  # fails closed: a damaged hash fits nothing
        return False
