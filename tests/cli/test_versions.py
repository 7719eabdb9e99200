"""`snapshot …` against a scripted gate: what is asked, shown and returned."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from sharegate.versions.diff import difference
from sharegate.versions.model import Content
from tests.cli import scripted as views
from tests.cli.conftest import run
from tests.cli.scripted import NOW, ScriptedGate
from tests.versions.notebooks import code, notebook

NOTEBOOK = notebook([code("a", "x = 1")])
CHANGE = difference(Content.of_notebook(NOTEBOOK), Content.of_notebook(notebook([code("a", "x = 2")]))).to_json()
NOTHING = difference(Content.of_text(""), Content.of_text("")).to_json()


def snapshot(**more: Any) -> views.Json:
    return {
        "id": "n4kdxxxxxx", "label": "n4kd", "server": "srv", "path": "week3/intro.ipynb", "room": "json:notebook",
        "kind": "notebook", "taken": NOW, "cause": "first_write", "visit": "v1", "link": "", "share": "", "digest": "",
        "size": 100, "stored": 80, "cells": 1, "characters": 5, "by": "Ann (k7f2.a1)",
    } | more  # fmt: skip


def restored(**more: Any) -> views.Json:
    return {
        "snapshot": snapshot(), "path": "week3/intro.ipynb", "missing": False, "difference": CHANGE, "restored": False,
        "before": None,
    } | more  # fmt: skip


def undone(*documents: views.Json, done: bool = False) -> views.Json:
    return {"visit": views.visit(), "documents": list(documents), "undone": done, "digest": "d1"}


def document(**more: Any) -> views.Json:
    cells = [{"id": "a", "became": "kept", "others": ["v2", ""], "at": 0}]
    report = {"since": NOW, "cells": cells, "difference": CHANGE}
    return {
        "path": "week3/intro.ipynb", "server": "srv", "report": report, "before": None, "problem": "",
        "names": {"v2": "Bo (k7f2.b1)"},
    } | more  # fmt: skip


def test_list(scripted: ScriptedGate) -> None:
    """One line per version; a path is made absolute; --json is the answer."""
    scripted.say("GET snapshots", {"snapshots": [snapshot()]})
    ran = run("snapshot", "list", "intro.ipynb", "--limit", "5")
    assert ran.code == 0 and "n4kd" in ran.out and "before the first change" in ran.out and "Ann (k7f2.a1)" in ran.out
    assert scripted.calls[-1][1] == {"path": str(Path("intro.ipynb").absolute()), "limit": "5"}
    assert run("snapshot", "list", "--json").document == {"snapshots": [snapshot()]}
    scripted.say("GET snapshots", {"snapshots": []})
    assert "No version is kept yet." in run("snapshot", "list").out


def test_show_and_write_a_file(scripted: ScriptedGate, home: Path) -> None:
    """Cells to read, or a new private file that is a notebook again."""
    scripted.say("GET snapshots/n4kd", {"snapshot": snapshot(), "notebook": NOTEBOOK, "text": None})
    ran = run("snapshot", "show", "n4kd")
    assert ran.code == 0 and "[1] code  a\n    x = 1" in ran.out
    target = home / "before.ipynb"
    assert run("snapshot", "show", "n4kd", "--output", str(target)).code == 0
    assert json.loads(target.read_text()) == NOTEBOOK and stat.S_IMODE(target.stat().st_mode) == 0o600
    assert run("snapshot", "show", "n4kd", "--output", str(target)).code == 2
    data = base64.b64encode(bytes(range(256))).decode()
    scripted.say("GET snapshots/bin", {"snapshot": snapshot(), "notebook": None, "text": None, "data": data})
    assert "A file of 100 bytes." in run("snapshot", "show", "bin").out
    assert run("snapshot", "show", "bin", "--output", str(home / "new")).code == 0
    assert (home / "new").read_bytes() == bytes(range(256))
    scripted.say("GET snapshots/txt", {"snapshot": snapshot(), "notebook": None, "text": "é\r\n\ud800", "data": None})
    assert run("snapshot", "show", "txt", "--output", str(home / "words")).code == 0
    assert (home / "words").read_bytes() == b"\xc3\xa9\r\n\xed\xa0\x80"


def test_diff(scripted: ScriptedGate) -> None:
    """With the present or with another version."""
    scripted.say("GET snapshots/n4kd/difference", {"before": snapshot(), "after": None, "difference": CHANGE})
    ran = run("snapshot", "diff", "n4kd", "p7xz")
    assert ran.code == 0 and "    -x = 1\n    +x = 2\n" in ran.out
    assert scripted.calls[-1][1] == {"with": "p7xz"}


def test_take(scripted: ScriptedGate) -> None:
    """The answer names the version."""
    scripted.say("POST snapshots", {"snapshot": snapshot(cause="asked")})
    ran = run("snapshot", "take", "week3/intro.ipynb", "--server", "srv")
    assert ran.out == "Kept week3/intro.ipynb as version n4kd.\n"
    assert scripted.sent("POST snapshots") == [{"path": "week3/intro.ipynb", "server": "srv"}]


def test_restore_asks_nobody_in_a_pipe(scripted: ScriptedGate) -> None:
    """Without --yes only a preview is asked for, and the exit code says that nothing was done."""
    scripted.say("POST snapshots/n4kd/restore", restored())
    ran = run("snapshot", "restore", "n4kd")
    assert ran.code == 2 and "-x = 1" in ran.out and "--yes" in ran.err
    assert scripted.sent("POST snapshots/n4kd/restore") == [{"cells": None, "preview": True}]


def test_restore_with_yes(scripted: ScriptedGate) -> None:
    """The cells that were named are sent, and the way back is told."""
    scripted.say("POST snapshots/n4kd/restore", restored(restored=True, before=snapshot(label="p7xz")))
    ran = run("snapshot", "restore", "n4kd", "--cell", "a", "--cell", "b", "--yes")
    assert ran.code == 0 and ran.out == "Restored week3/intro.ipynb.\n"
    assert "sharegate snapshot restore p7xz" in ran.err
    assert scripted.sent("POST snapshots/n4kd/restore") == [{"cells": ["a", "b"], "preview": False}]


def test_restore_of_what_was_renamed(scripted: ScriptedGate) -> None:
    """Both names are told."""
    scripted.say("POST snapshots/n4kd/restore", restored(restored=True, path="week3/renamed.ipynb"))
    ran = run("snapshot", "restore", "n4kd", "--yes")
    assert ran.out == "Restored week3/renamed.ipynb (which was week3/intro.ipynb).\n"


@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_restore_of_what_is_there(scripted: ScriptedGate, yes: tuple[str, ...]) -> None:
    """Nothing to do is no question and no failure."""
    scripted.say("POST snapshots/n4kd/restore", restored(difference=NOTHING))
    ran = run("snapshot", "restore", "n4kd", *yes)
    assert ran.code == 0 and "Nothing was changed." in ran.out


def test_undo_says_where_others_are_concerned(scripted: ScriptedGate) -> None:
    """Cell by cell, with their names; nothing is done before yes."""
    scripted.knows("visit", "v1", "k7f2.a1", "Eve")
    scripted.say("POST visits/v1/undo", undone(document()))
    ran = run("snapshot", "undo", "k7f2.a1")
    assert ran.code == 2 and "-x = 1" in ran.out
    assert "Cell 1 (a) stays as it is; it was changed afterwards by Bo (k7f2.b1), you. Look at it." in ran.err
    assert scripted.sent("POST visits/v1/undo") == [{"path": "", "preview": True}]
    scripted.say("POST visits/v1/undo", undone(document(before=snapshot(label="p7xz")), done=True))
    ran = run("snapshot", "undo", "Eve", "--yes")
    assert ran.code == 0 and "Undone in week3/intro.ipynb." in ran.out and "snapshot restore p7xz" in ran.err
    assert scripted.sent("POST visits/v1/undo")[-1] == {"path": "", "preview": False}


def test_undo_that_fails_somewhere(scripted: ScriptedGate) -> None:
    """The document and the problem are named, and the exit code is 1."""
    scripted.knows("visit", "v1", "k7f2.a1", "Eve")
    failed = document(report=None, problem="the server is away")
    scripted.say("POST visits/v1/undo", undone(document(), failed, done=True))
    ran = run("snapshot", "undo", "Eve", "--yes")
    assert ran.code == 1 and "! week3/intro.ipynb: the server is away" in ran.err
    assert run("snapshot", "undo", "Eve", "--yes", "--json").code == 1


def test_undo_of_nothing(scripted: ScriptedGate) -> None:
    """Is told and asked about no further."""
    scripted.knows("visit", "v1", "k7f2.a1", "Eve")
    nothing = {"since": NOW, "cells": [], "difference": NOTHING}
    scripted.say("POST visits/v1/undo", undone(document(report=nothing)))
    ran = run("snapshot", "undo", "Eve")
    assert ran.code == 0 and "nothing to take back" in ran.err


@pytest.mark.parametrize("arguments", [("take", "a"), ("restore", "n4kd"), ("undo", "Eve"), ("diff", "n4kd")])
def test_without_a_gate(home: Path, arguments: tuple[str, ...]) -> None:
    """What needs an open document says what to start; exit code 5."""
    ran = run("snapshot", *arguments)
    assert ran.code == 5 and "sharegate up" in ran.err


def test_list_without_a_gate(home: Path) -> None:
    """The records alone are enough."""
    assert run("snapshot", "list", "--json").document == {"snapshots": []}
    assert run("snapshot", "show", "nothing").code == 4


NOT_IDS = ["", "../..", "..", ".", "zz?x", "n4kd/restore", "n4 kd", "x" * 41, "x" * 5000, "n4kd\n", "ü"]


@pytest.mark.parametrize("ref", NOT_IDS, ids=range(len(NOT_IDS)))
def test_attack_what_is_no_versions_id(scripted: ScriptedGate, ref: str) -> None:
    """It is said that no version is called so, in few words, and the gate is asked nothing."""
    for arguments in (("show", ref), ("diff", ref), ("diff", "n4kd", ref), ("restore", ref, "--yes")):
        ran = run("snapshot", *arguments)
        assert ran.code == 4 and ran.err.startswith("Error: no version is called "), (arguments, ran.err)
        assert len(ran.err) < 200 and "/api/" not in ran.err
        assert run("snapshot", *arguments, "--json").document["error"]["code"] == "not_found"
    assert not [name for name, _, _ in scripted.calls if "snapshots" in name or "restore" in name]


@pytest.mark.parametrize("path", ["", "  "])
@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("share", "PATH", "--edit"), "path"),
        (("share", "PATH", "--server", "lab"), "path"),
        (("snapshot", "take", "PATH"), "path"),
        (("snapshot", "take", "PATH", "--server", "lab"), "path"),
        (("snapshot", "list", "PATH"), "path"),
        (("snapshot", "undo", "Eve", "--path", "PATH", "--yes"), "path"),
        (("audit", "show", "--path", "PATH"), "--path"),
        (("audit", "export", "--path", "PATH"), "--path"),
        (("up", "PATH"), "path"),
        (("server", "add", "http://127.0.0.1:8888/", "--root-dir", "PATH"), "--root-dir"),
        (("list", "--data-dir", "PATH"), "--data-dir"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_attack_a_path_that_is_empty(scripted: ScriptedGate, path: str, arguments: tuple[str, ...], field: str) -> None:
    """A shell variable that is not set means no folder, least of all the one that the owner is in."""
    scripted.knows("visit", "v1", "k7f2.a1", "Eve")
    ran = run(*(path if each == "PATH" else each for each in arguments))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"Error: {field}: is empty\n  Name a file or a folder; the folder that you are in is `.`\n"
    assert not [name for name, _, _ in scripted.calls if not name.startswith("GET /api/v1/resolve")]


def test_versions_of_a_server_that_is_none(home: Path) -> None:
    """A server's name is read also where no path is given."""
    ran = run("snapshot", "list", "--server", "nope")
    assert (ran.code, ran.err) == (4, "Error: no server is called 'nope'\n")
