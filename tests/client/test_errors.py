"""Refusals of a gate as exceptions."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sharegate.client import errors
from sharegate.errors import MEANINGS, Reason
from sharegate.visits.pages import refusal as told

KINDS = {
    "link_revoked": errors.Ended,
    "share_expired": errors.Ended,
    "clients_off": errors.Ended,
    "no_access": errors.Ended,
    "places_taken": errors.Ended,
    "not_allowed": errors.NotAllowed,
    "runs_by_itself": errors.NotAllowed,
    "not_found": errors.NotFound,
    "conflict": errors.Conflict,
    "document_open": errors.Conflict,
    "body_too_large": errors.TooMuch,
    "too_many": errors.TooMuch,
    "update_refused": errors.EditRefused,
    "server_away": errors.Unreachable,
    "server_slow": errors.Unreachable,
    "gate_restarting": errors.Unreachable,
    "bad_request": errors.ShareError,
}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_of_the_gate_becomes_an_error_with_its_code(reason: Reason) -> None:
    """The sentence is the gate's; the id is the one that the owner's history has."""
    meaning = MEANINGS[reason]
    body = told(meaning, "r4nd0m", html=False).body
    assert isinstance(body, bytes)
    error = errors.refusal(meaning.status, body)

    assert (error.reason, error.id) == (meaning.public, "r4nd0m")
    assert error.message.startswith(meaning.sentence)
    assert str(error).endswith(f"({meaning.public})")
    assert type(error) is KINDS.get(meaning.public, type(error))


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[]", b'{"error": "x"}', b'{"message": "x"}'])
def test_an_answer_of_something_else_is_an_error_too(body: bytes) -> None:
    """A proxy in front may answer in its own way."""
    assert type(errors.refusal(502, body)) is errors.Unreachable
    assert type(errors.refusal(404, body)) is errors.NotFound
    assert errors.refusal(418, body).reason == "http_418"


def test_the_package_needs_nothing_of_the_gate() -> None:
    """Importing it loads no other module of sharegate."""
    script = "import sys, sharegate.client; print(*sorted(n for n in sys.modules if n.startswith('sharegate')))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "sharegate.client.room" in loaded
    assert {name for name in loaded if not name.startswith("sharegate.client")} == {"sharegate"}
