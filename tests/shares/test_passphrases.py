"""Passphrases: how they are read, kept and compared."""

from __future__ import annotations

import unicodedata

import pytest

from sharegate.errors import Invalid
from sharegate.shares.passphrases import LEAST, MOST, clean_passphrase, hashed, matches


def test_only_the_right_one_matches_and_the_hash_does_not_hold_it() -> None:
    """In whichever normal form it is typed; nothing else, not even with other cases."""
    words = clean_passphrase("grünes Fahrrad 7")
    encoded = hashed(words)
    assert encoded.startswith("$argon2id$") and "Fahrrad" not in encoded
    assert hashed(words) != encoded
    assert matches(encoded, words) and matches(encoded, unicodedata.normalize("NFD", words))
    assert matches(encoded, f" {words}\n")
    for other in ("", "grünes fahrrad 7", words + "x", words[:-1], "\ud800", "\0", "x" * 100_000):
        assert not matches(encoded, other)


@pytest.mark.parametrize("damaged", ["", "$argon2id$", "$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$", "plain", "\ud800"])
def test_attack_a_damaged_hash_fits_nothing(damaged: str) -> None:
    """Fails closed, whatever is shown."""
    assert not matches(damaged, "") and not matches(damaged, "grünes Fahrrad 7")


@pytest.mark.parametrize(
    "given",
    [
        *("", "short", "x" * (LEAST - 1), "x" * (MOST + 1), "x" * 10**6, " blank before", "blank behind "),
        *("tab\tinside", "\0" * 9, "line\nbreaks!", "half \ud800 character", None, 12345678, ["words"]),
    ],
)
def test_what_cannot_be_a_passphrase_is_told_without_repeating_it(given: object) -> None:
    """With the field and what to do."""
    with pytest.raises(Invalid) as caught:
        clean_passphrase(given)
    assert caught.value.field == "passphrase" and caught.value.remedy
    assert not isinstance(given, str) or not given or given not in str(caught.value)


def test_lengths_count_after_normalising() -> None:
    """Eight letters that come as sixteen code points are eight."""
    assert clean_passphrase(unicodedata.normalize("NFD", "ä" * LEAST)) == "ä" * LEAST
    with pytest.raises(Invalid):
        clean_passphrase(unicodedata.normalize("NFD", "ä" * (LEAST - 1)))
    assert clean_passphrase("ä" * MOST) == "ä" * MOST
