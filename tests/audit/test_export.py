from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest

from sharegate.audit.chain import seal
from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.export import COLUMNS, csv_lines, describe, json_lines
from sharegate.audit.strangers import TOTAL
from sharegate.errors import Reason


def sealed(**fields: object):  # type: ignore[no-untyped-def]
    event = msgspec.structs.replace(AuditEvent(action=Action.LINK_JOINED, actor="visitor"), **fields)
    return seal(event, writer="gate", seq=1, previous="")


def test_columns_hold_every_field_and_keep_their_order() -> None:
    """Nothing that is recorded is left out, and the first columns do not move."""
    assert set(COLUMNS) >= set(AuditEvent.__struct_fields__)
    assert COLUMNS[:7] == ("writer", "seq", "time", "action", "outcome", "actor", "name")


def test_json_lines_are_one_object_per_line() -> None:
    """Line breaks inside a value do not break a line."""
    text = "".join(json_lines([sealed(name="Ann\n", at=1_800_000_000.25), sealed()]))
    first, second = map(json.loads, text.splitlines())
    assert tuple(first) == COLUMNS
    assert (first["name"], first["time"], first["erased"]) == ("Ann\n", "2027-01-15T08:00:00.250Z", False)
    assert second["name"] == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"])
def test_attack_a_name_that_a_spreadsheet_would_run(start: str) -> None:
    """A text that begins like a formula gets an apostrophe; numbers and other texts stay."""
    text = "".join(csv_lines([sealed(name=start + "cmd|' /C calc'!A0", detail="a=b", bytes_out=5)]))
    header, row = list(csv.reader(io.StringIO(text, newline="")))
    values = dict(zip(header, row, strict=True))
    assert values["name"] == "'" + start + "cmd|' /C calc'!A0"
    assert (values["detail"], values["bytes_out"]) == ("a=b", "5")


def test_an_empty_trail_still_has_a_header() -> None:
    """A program that reads the CSV finds its columns."""
    assert "".join(csv_lines([])) == ",".join(COLUMNS) + "\r\n"


def test_what_was_erased_says_so() -> None:
    """An export after erasure has no name and tells that there was one."""
    gone = msgspec.structs.replace(sealed(name="Ann"), personal=b"")
    row = json.loads(next(json_lines([gone])))
    assert (row["name"], row["erased"]) == ("", True)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("bare", [True, False])
def test_every_action_has_a_sentence(action: Action, bare: bool) -> None:
    """One line that begins with a capital, ends with a full stop and leaves no placeholder, with and without facts."""
    event = AuditEvent(action=action, actor="visitor")
    if not bare:
        event = msgspec.structs.replace(
            event,
            outcome=Outcome.DENIED,
            name="{x} Ann",
            path="project/{y}.ipynb",
            reason=Reason.OUTSIDE_ROOT.value,
            detail="d",
            count=3,
        )
    sentence = describe(event)
    assert sentence.endswith(".") and sentence[0] == sentence[0].upper() and "\n" not in sentence
    assert "{" not in sentence.replace("{x}", "").replace("{y}", "")
    assert ".." not in sentence and "  " not in sentence


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "Ann"}, "Ann opened the link and came in."),
        ({}, "A visitor opened the link and came in."),
        (
            {"action": Action.REQUEST_DENIED, "name": "Robo", "path": "secret.txt", "reason": "outside_root"},
            "Robo was refused at secret.txt: there is nothing here (outside_root).",
        ),
        ({"action": Action.KNOCK_REFUSED, "actor": "owner", "name": "Eve"}, "The owner did not let Eve in."),
        (
            {"action": Action.STRANGER_DENIED, "actor": "stranger", "reason": "no_credential", "count": 12},
            "Somebody without a link was refused 12 more times: "
            "this address needs a link that is in use in this browser (no_credential).",
        ),
        (
            {"action": Action.STRANGER_DENIED, "actor": "stranger", "count": 900, "detail": TOTAL},
            "900 further refusals of people without a link.",
        ),
        ({"action": Action.CHANNEL_CLOSED, "name": "Bo", "path": "a.ipynb"}, "Bo closed a.ipynb."),
        (
            {"action": Action.CHANNEL_CLOSED, "outcome": Outcome.DENIED, "name": "Bo", "path": "a.ipynb"},
            "For Bo a.ipynb was closed.",
        ),
        (
            {"action": Action.CHANNEL_CLOSED, "outcome": Outcome.DENIED, "actor": "gate", "reason": "of tomorrow"},
            "For a visitor a document was closed (of tomorrow).",
        ),
        (
            {"action": Action.DOCUMENT_ALARM, "actor": "gate", "path": "week3/a.ipynb"},
            "The document week3/a.ipynb changed in a way that looks like damage.",
        ),
        ({"action": Action.VISIT_ENDED, "reason": "of tomorrow"}, "The visit of a visitor was ended (of tomorrow)."),
    ],
)
def test_sentences_are_in_peoples_words(fields: dict[str, object], sentence: str) -> None:
    """What a terminal prints reads like what happened."""
    assert (
        describe(msgspec.structs.replace(AuditEvent(action=Action.LINK_JOINED, actor="visitor"), **fields)) == sentence
    )
