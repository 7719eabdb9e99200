"""Names and messages that people type."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Invalid
from sharegate.names import MAX_MARKS, MAX_MESSAGE, MAX_NAME, clean_message, clean_name

# All of Unicode, lone surrogates too (JSON can spell them), and more of what hides or reorders than chance would give.
HOSTILE = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from(
            "\u202e\u2066\u200b\u200d\ufeff\u00ad\u0301\u0323\u3164\u2800\u034f\ufe0f✓\"\n\t <>&'\U000e0041\ud800"
        ),
    ),
    max_size=200,
)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  Bo  ", "Bo"),
        ("Ann\tvan\r\n  Dijk", "Ann van Dijk"),
        ("e\u0301va", "éva"),
        ("אבי כהן", "אבי כהן"),
        ("山田太郎", "山田太郎"),
        ("Nguyễn Thị", "Nguyễn Thị"),
        ("O'Neil-Ng & Co", "O'Neil-Ng & Co"),
    ],
)
def test_an_honest_name_is_kept_and_tidied(typed: str, name: str) -> None:
    """Spaces collapse, accents compose, and no script of the world is refused."""
    assert clean_name(typed) == name


@pytest.mark.parametrize(
    ("attack", "name"),
    [
        ("Ann\u202egpj.exe", "Anngpj.exe"),
        ("An\u200bn", "Ann"),
        ("\u2066Ann\u2069", "Ann"),
        ("An\x00n\x1b[2J", "Ann[2J"),
        ("Ann ✓", "Ann"),
        ('Bo" · ✓ ann@berkeley.edu', "Bo' · ann@berkeley.edu"),
        ("A\U000e0041nn\ufe0f", "Ann"),
        ("\u0301Ann", "Ann"),
        ("\ud800Ann", "Ann"),
    ],
)
def test_a_name_cannot_hide_reorder_or_wear_our_badge(attack: str, name: str) -> None:
    """Attack: overrides, zero-width characters, controls, check marks and quotes do not survive."""
    assert clean_name(attack) == name


@pytest.mark.parametrize(
    "typed", ["", "   ", "\u200b\u200d", "\u3164\u2800", "\x00\x01", "\u202e", "✓", "\u0301", "\ud800"]
)
def test_a_name_with_nothing_to_see_is_refused(typed: str) -> None:
    """Attack: an invisible name is no name, and the refusal names field and remedy."""
    with pytest.raises(Invalid) as caught:
        clean_name(typed)
    assert caught.value.field == "name"
    assert caught.value.remedy


@given(HOSTILE)
def test_a_clean_name_is_bounded_visible_and_stable(text: str) -> None:
    """Whatever was typed: 1 to 60 characters, NFC, one line, nothing unseen, and cleaning again changes nothing."""
    try:
        name = clean_name(text)
    except Invalid:
        return
    assert 1 <= len(name) <= MAX_NAME
    assert unicodedata.is_normalized("NFC", name)
    assert name == name.strip() and "  " not in name
    assert not {unicodedata.category(char) for char in name} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert "✓" not in name and '"' not in name
    name.encode()
    assert clean_name(name) == name


@given(HOSTILE)
def test_a_clean_message_is_bounded_and_stable(text: str) -> None:
    """A message has at most 500 characters, keeps only line breaks of all controls, and is stable."""
    message = clean_message(text)
    assert len(message) <= MAX_MESSAGE
    assert not {unicodedata.category(char) for char in message.replace("\n", "")} & {"Cc", "Cf", "Cs", "Co", "Cn"}
    assert "\n\n\n" not in message
    message.encode()
    assert clean_message(message) == message


def test_a_message_keeps_its_paragraphs_but_not_a_wall_of_empty_lines() -> None:
    """Line breaks are the owner's; hundreds of them would push the facts off the page."""
    assert clean_message("Hello Bo,\r\n\r\n\r\n\r\nsee you.\n") == "Hello Bo,\n\nsee you."
    assert clean_message("x\n" * 400).count("\n") == 0


def test_piled_up_marks_are_cut() -> None:
    """Attack: a tower of combining marks stays low enough not to cover the line above."""
    name = clean_name("B" + "\u0489" * 500 + "o")
    marks = sum(unicodedata.category(char) in ("Mn", "Me") for char in name)
    assert 1 <= marks <= MAX_MARKS and name.endswith("o")


def test_megabytes_are_cut_before_they_are_read() -> None:
    """Attack: ten megabytes of combining marks, whose normalising is quadratic, are not looked at to their end."""
    assert clean_name("B" + "\u0316\u0301" * 5_000_000 + "o").startswith("B")
    with pytest.raises(Invalid):
        clean_name(" " * 10_000_000 + "Bo")
    assert clean_message(" " * 10_000_000 + "Bo") == ""
