"""Command lines that cannot mean anything, for programs: one JSON document, a code, and never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import run


@pytest.mark.parametrize(
    "arguments",
    [
        ("replace", "--json"),
        ("list", "--more", "--json"),
        ("list", "--json", "more"),
        ("share", "--json", "--visits", "many", "x"),
        ("nothing", "--json"),
        ("policy", "nothing", "--json"),
        ("dismiss", "--json", "\udcff"),
        ("search", "--json", "\udcff"),
    ],
)
def test_what_is_refused_before_anything_is_asked_is_json_too(home: Path, arguments: tuple[str, ...]) -> None:
    """Its code is 2, and the sentence says what is wrong."""
    ran = run(*arguments)
    error = json.loads(ran.out)["error"]
    assert ran.code == 2 and error["code"] in ("usage", "invalid") and error["message"]
    assert "Traceback" not in ran.err


def test_json_behind_dashes_is_an_argument(home: Path) -> None:
    """And nobody asked for a document."""
    ran = run("list", "--", "--json")
    assert (ran.code, ran.out) == (2, "")


def test_attack_what_reorders_text_is_escaped_in_json(home: Path) -> None:
    """It is the same document, and a terminal shows it in its order."""
    ran = run("replace", "--json", "--qr", "\u202e\x9bxü.gif", "zzzz")
    assert "\u202e" not in ran.out and "\x9b" not in ran.out and "ü" in ran.out
    assert "\u202e\x9bxü.gif" in json.loads(ran.out)["error"]["message"]


def test_a_name_that_the_disk_does_not_take_is_told(home: Path) -> None:
    """As what the system says; and what was typed is not said back without end."""
    ran = run("policy", "check", "--json", "--policy-dir", "x" * 5000)
    error = json.loads(ran.out)["error"]
    assert ran.code == 1 and "too long" in error["message"] and "unexpected" not in ran.err
    ran = run("replace", "--json", "--qr", "x" * 50_000, "zzzz")
    assert len(ran.out) < 3000
