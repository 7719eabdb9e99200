"""Lines for other programs: to a new file or to stdout, all pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import run
from tests.cli.scripted import ScriptedGate

CALLS = {
    "audit/export": ("audit", "export"),
    "audit/passed-on/export": ("audit", "passed-on", "--format", "csv"),
    "search/export": ("search", "ann", "--format", "csv"),
}


@pytest.mark.parametrize("path", CALLS)
def test_all_pages_are_written(scripted: ScriptedGate, home: Path, path: str) -> None:
    """To stdout as they come; to a file that only its owner can read, and no file is written over."""
    last = {"lines": ["c\n"], "events": 1, "next": ""}
    scripted.turns[f"GET /api/v1/{path}"] = [{"lines": ["a\n", "b\n"], "events": 2, "next": "x"}, last]
    ran = run(*CALLS[path])
    assert (ran.code, ran.out) == (0, "a\nb\nc\n") and "3 " in ran.err
    file = home / "lines"
    ran = run(*CALLS[path], "--output", str(file), "--json")
    assert ran.document["file"] == str(file) and file.read_text() == "c\n"
    assert file.stat().st_mode & 0o777 == 0o600
    again = run(*CALLS[path], "--output", str(file))
    assert again.code == 2 and "exists already" in again.err and file.read_text() == "c\n"
    asked = [query for call, query, _ in scripted.calls if call.endswith(path)]
    assert [query.get("cursor", "") for query in asked[:2]] == ["", "x"]
    assert {query["format"] for query in asked} == {"jsonl" if path == "audit/export" else "csv"}


@pytest.mark.parametrize("path", CALLS)
def test_two_documents_on_one_stdout_are_refused(scripted: ScriptedGate, path: str) -> None:
    """`--json` promises one document; the lines go to a file then."""
    scripted.say(f"GET {path}", {"lines": ["a\n"], "events": 1, "next": ""})
    ran = run(*CALLS[path], "--json")
    assert ran.code == 2 and ran.document["error"]["field"] == "--output"
