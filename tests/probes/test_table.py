"""docs/http.md has every probe, and what it says of the gate is good."""

from __future__ import annotations

import re
from pathlib import Path

from tests.probes.model import Mark, Probe, Verdict, all_probes, bad, doubtful, not_applicable, ok
from tests.probes.peer import Peer
from tests.probes.table import BEGIN, END, PAGE, Results, tables, write


async def _never(peer: Peer) -> Verdict:
    raise AssertionError


PROBES = [Probe("one | two", "First", "Asks <b>.", _never), Probe("three", "Second", "Asks.", _never)]


def results() -> Results:
    return Results(
        "2027-01-31",
        {"sharegate": "1.0", "other": "2.0"},
        {
            "one | two": {"sharegate": ok("fine"), "other": doubtful("so so")},
            "three": {"sharegate": ok("fine"), "other": bad("wrong | worse")},
        },
    )


def test_tables_count_and_tell() -> None:
    """A line per topic, one for all, and each probe with its sentences; nothing breaks the table."""
    text = tables(results(), PROBES)

    assert "| First | 1 / 0 / 0 | 0 / 1 / 0 |" in text
    assert "| **all** | **2 / 0 / 0** | **0 / 1 / 1** |" in text
    assert "| **one \\| two**. Asks &lt;b>. | ok: fine | **doubtful**: so so |" in text
    assert "**bad**: wrong \\| worse" in text


def test_only_what_stands_between_the_marks_is_written(tmp_path: Path) -> None:
    """The page around it is written by hand."""
    page = tmp_path / "http.md"
    page.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write(results(), PROBES, page)
    text = page.read_text()

    assert text.startswith("# Title\n") and text.endswith("after\n")
    assert "old" not in text and "2027-01-31" in text


def test_a_gate_with_one_doubt_is_not_clean() -> None:
    """Neither is one to which a probe did not apply."""
    given = results()
    assert given.clean("sharegate") and not given.clean("other")
    for verdict in (doubtful("hm"), bad("no"), not_applicable("none")):
        given.verdicts["three"]["sharegate"] = verdict
        assert not given.clean("sharegate")
    assert given.as_json(PROBES)["counts"]["sharegate"] == {"ok": 1, Mark.NOT_APPLICABLE.value: 1}


def test_the_page_is_of_these_probes() -> None:
    """Write it anew with scripts/probes."""
    text = PAGE.read_text()
    rows = re.findall(r"^\| \*\*(.+?)\*\*\. .*? \| (ok|\*\*doubtful\*\*|\*\*bad\*\*|–)", text, re.MULTILINE)

    assert [name for name, _ in rows] == [probe.name.replace("|", "\\|") for probe in all_probes()]
    assert {mark for _, mark in rows} == {"ok"}
