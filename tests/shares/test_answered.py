"""Answers that are kept sealed."""

from __future__ import annotations

import os

import pytest

from sharegate.shares.answered import LONGEST, SealedAnswers

SAID = {"links": [{"url": "https://gate.example/join#secret"}], "number": 1, "none": None}
SEALED = SealedAnswers(b"k" * 32)


def test_an_answer_opens_for_who_asked() -> None:
    """As it was, at any gate that has the secret; what is stored shows nothing of it."""
    sealed = SEALED.close(SAID, who="w", key="k1")
    assert SealedAnswers(b"k" * 32).open(sealed, who="w", key="k1") == SAID
    assert b"secret" not in sealed and sealed != SEALED.close(SAID, who="w", key="k1")


@pytest.mark.parametrize(("secret", "who", "key"), [(b"k", "w", "k2"), (b"k", "x", "k1"), (b"o", "w", "k1")])
def test_attack_another_opens_it(secret: bytes, who: str, key: str) -> None:
    """Who has the store and the secret of the gates, but not the key that the asker chose, has nothing."""
    assert SealedAnswers(secret * 32).open(SEALED.close(SAID, who="w", key="k1"), who=who, key=key) is None


def test_attack_an_altered_answer() -> None:
    """It does not open, whatever was done to it."""
    whole = SEALED.close(SAID, who="w", key="k1")
    for broken in (b"", whole[:12], whole[:-1], whole + b"x", whole[:-1] + bytes([whole[-1] ^ 1])):
        assert SEALED.open(broken, who="w", key="k1") is None


def test_what_is_too_long_is_not_kept() -> None:
    """However it is packed."""
    assert SEALED.close({"made": os.urandom(LONGEST).hex()}, who="w", key="k1") == b""
    assert SEALED.close({"made": "a" * (9 << 20)}, who="w", key="k1") == b""
    assert 0 < len(SEALED.close({"made": "a" * (1 << 20)}, who="w", key="k1")) < LONGEST
