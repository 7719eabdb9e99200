"""What a browser keeps for the gate."""

from __future__ import annotations

import msgspec
import pytest

from sharegate.oidc.sealed import LONGEST, Seal

KEY = b"k" * 32


class Note(msgspec.Struct, frozen=True):
    text: str


class Other(msgspec.Struct, frozen=True):
    number: int


def test_what_was_sealed_is_read_by_any_gate_with_the_key() -> None:
    """And is nothing to whoever has it but not the key."""
    sealed = Seal(KEY, "a").close(Note("secret words"))
    assert Seal(KEY, "a").open(sealed, Note) == Note("secret words")
    assert "secret" not in sealed and sealed != Seal(KEY, "a").close(Note("secret words"))


@pytest.mark.parametrize("text", ["", "x", "AAAA", "é", "!" * 40, "A" * 5000, "A" * 100])
def test_attack_what_we_did_not_seal(text: str) -> None:
    """Is nothing."""
    assert Seal(KEY, "a").open(text, Note) is None


def test_attack_a_seal_moved_or_altered() -> None:
    """To another purpose, another key, another kind of thing; with a letter changed anywhere."""
    sealed = Seal(KEY, "a").close(Note("words"))
    assert Seal(KEY, "b").open(sealed, Note) is None
    assert Seal(b"other key", "a").open(sealed, Note) is None
    assert Seal(KEY, "a").open(sealed, Other) is None
    for at in range(len(sealed) - 1):
        changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        assert Seal(KEY, "a").open(changed, Note) is None, at


def test_more_than_a_browser_keeps_is_refused() -> None:
    """Rather than cut off."""
    with pytest.raises(ValueError, match="cookie"):
        Seal(KEY, "a").close(Note("x" * LONGEST))
