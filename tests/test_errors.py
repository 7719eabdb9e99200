"""The closed list of reasons: each has a meaning, and what strangers may not tell apart is one answer."""

from __future__ import annotations

import ast
import os
from collections import defaultdict
from pathlib import Path

import pytest

from sharegate.errors import MEANINGS, Meaning, Reason, Unsent, Why
from sharegate.visits.pages import refusal
from sharegate.visits.pages.reasons import EXPLAINED, documentation

HERE = Path(__file__).parent
SOURCES = HERE.parent / "sharegate"
REFERENCE = HERE.parent / "docs" / "reference" / "reasons.md"

BY_PUBLIC: dict[str, list[Reason]] = defaultdict(list)
for _reason, _meaning in MEANINGS.items():
    BY_PUBLIC[_meaning.public].append(_reason)
SHARED = {public: reasons for public, reasons in BY_PUBLIC.items() if len(reasons) > 1}


def test_every_reason_has_a_meaning_and_a_status_of_a_refusal() -> None:
    """No reason is without status, public code and sentence."""
    assert set(MEANINGS) == set(Reason)
    for reason, meaning in MEANINGS.items():
        assert 400 <= meaning.status < 600 and meaning.public.isidentifier(), reason
        assert meaning.sentence.endswith(".") and meaning.sentence.isprintable(), reason


@pytest.mark.parametrize("public", sorted(SHARED))
def test_reasons_with_one_public_code_share_status_and_sentence(public: str) -> None:
    """Whoever is told `not_found` cannot tell a hidden file from a missing one by status or words."""
    meanings = {(MEANINGS[reason].status, MEANINGS[reason].sentence) for reason in SHARED[public]}
    assert len(meanings) == 1


def test_what_must_not_be_told_apart_shares_a_public_code() -> None:
    """Outside, hidden, linked out and missing are one answer; so is everything that we did not sign."""
    assert {MEANINGS[reason].public for reason in (Reason.OUTSIDE_ROOT, Reason.HIDDEN_PATH, Reason.LINK_OUT)} == {
        MEANINGS[Reason.NOT_FOUND].public
    }
    strangers = (Reason.NO_CREDENTIAL, Reason.BAD_CREDENTIAL, Reason.AMBIGUOUS_CREDENTIAL, Reason.OTHER_VISIT)
    assert {MEANINGS[reason].public for reason in strangers} == {"no_access"}


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("public", sorted(SHARED))
def test_one_public_code_is_answered_byte_for_byte_alike(public: str, html: bool) -> None:
    """The page and the JSON of two reasons that share a code differ in nothing but the random id."""
    answers = [refusal(MEANINGS[reason], "r4nd0m", html, 10) for reason in SHARED[public]]
    assert len({(one.status, one.headers, one.body) for one in answers}) == 1
    other = refusal(MEANINGS[SHARED[public][0]], "0th3r1", html, 10)
    assert isinstance(other.body, bytes) and isinstance(answers[0].body, bytes)
    assert other.body.replace(b"0th3r1", b"r4nd0m") == answers[0].body


@pytest.mark.parametrize("html", [False, True])
def test_a_refusal_never_names_its_true_reason_when_that_is_not_public(html: bool) -> None:
    """The word `outside_root` stands in the trail and in no answer."""
    for reason, meaning in MEANINGS.items():
        if reason.value != meaning.public and reason.value not in BY_PUBLIC:
            body = refusal(meaning, "r4nd0m", html).body
            assert isinstance(body, bytes)
            assert reason.value.encode() not in body


def test_every_reason_is_given_somewhere() -> None:
    """A reason that nothing raises is documentation of nothing; those for later capabilities are named here."""
    later = {
        Reason.KNOCK_REFUSED,  # told on the door's page by the knock's state
    }
    used: set[str] = set()
    for source in SOURCES.rglob("*.py"):
        if source.name in ("errors.py", "reasons.py"):
            continue
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason":
                used.add(node.attr)
    missing = {reason for reason in Reason if reason.name not in used}
    assert missing <= later, sorted(missing - later)


def test_the_reference_of_reasons_is_up_to_date() -> None:
    """docs/reference/reasons.md is generated; `SHAREGATE_UPDATE_DOCS=1 pytest tests/test_errors.py` writes it anew."""
    text = documentation()
    if os.environ.get("SHAREGATE_UPDATE_DOCS"):
        REFERENCE.parent.mkdir(parents=True, exist_ok=True)
        REFERENCE.write_text(text)
    assert REFERENCE.read_text() == text
    for reason in Reason:
        assert f"| `{reason.value}` | {EXPLAINED[reason]} |" in text


def test_a_meaning_is_plain_data() -> None:
    """Two meanings of the same words are equal, so that reasons can share one."""
    assert Meaning(404, "not_found", "There is nothing here.") == MEANINGS[Reason.NOT_FOUND]


def test_what_a_mail_server_says_is_for_owners_and_is_not_kept() -> None:
    """It may repeat the address: what stands in the history tells why, and the code, alone."""
    unsent = Unsent(Why.RECIPIENT, "mail.example.org", "<ann@example.org>: User unknown", code=550)
    assert "ann@example.org" in str(unsent)
    assert "550" in unsent.brief and "ann" not in unsent.brief
