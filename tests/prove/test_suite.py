"""The rows of the suite: each is filled or left out as the ground has it, and none can cost an owner anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sharegate.prove import suite, writing
from sharegate.prove.ground import Ground
from sharegate.prove.model import SENTENCES, Answer, Check, Probe
from sharegate.prove.writing import probes as writes
from tests.attacks.ground import GROUND

ORIGIN = "http://127.0.0.1:8870"
ALONE = Ground(root="a.txt", mark="sgprove1234", directory=False, file="a.txt", there="x/y.txt", there_folder="x")


def asked(ground: Ground = GROUND, *, edits: bool = True, quick: bool = False) -> list[Probe]:
    return suite.probes(ground, ORIGIN, edits=edits, quick=quick)


@pytest.mark.parametrize("ground", [GROUND, ALONE], ids=["folder", "one file at the top"])
def test_every_template_is_filled(ground: Ground) -> None:
    """No brace is left in what goes out, and nothing begins where a visit does not."""
    for probe in asked(ground):
        assert "{" not in probe.target and "{" not in probe.missing, probe
        assert probe.answer not in (Answer.GONE, Answer.ALIKE) or probe.missing, probe
        assert not probe.body or (b"{mark}" not in probe.body and b"{there}" not in probe.body), probe


def test_names_tell_probes_apart() -> None:
    """A receipt that names a probe of a check names one."""
    names = [(probe.check, probe.name) for probe in asked()]
    assert len(names) == len(set(names))


def test_what_is_not_there_is_left_out() -> None:
    """Without a link that leads out, nothing asks for one; all the rest is asked all the same."""
    without = asked(replace(GROUND, link_file="", link_folder="", link_below=""))
    assert not [probe for probe in without if probe.check is Check.LINKS]
    assert {probe.check for probe in asked()} - {probe.check for probe in without} == {Check.LINKS}


def test_quick_is_a_part_of_each() -> None:
    """Every check that rows make is made quickly too, with a third of the probes at most."""
    quick, whole = asked(quick=True), asked()
    assert set(quick) < set(whole) and len(quick) * 3 < len(whole) * 2
    assert {probe.check for probe in quick} >= {probe.check for probe in whole} - {Check.CONDITIONS}


def test_nothing_that_exists_can_be_lost() -> None:
    """No probe deletes; what one writes, makes or moves bears the run's own mark, or is made by the server's own choice
    of a name; whoever only views is asked to write nothing inside."""
    known = {GROUND.there, GROUND.file, GROUND.notebook, GROUND.beside, GROUND.hidden, GROUND.link_file}
    for probe in asked():
        assert probe.method != "DELETE", probe
        if probe.target.startswith("api/contents") and probe.method in ("PUT", "PATCH"):
            assert GROUND.mark in probe.target, probe
            assert probe.target.removeprefix("api/contents/") not in known
    views = [probe for probe in writes(GROUND, edits=False)]
    inside = f"api/contents/{GROUND.root}/"
    assert views and not [probe for probe in views if probe.target.startswith(inside) and ".." not in probe.target
                          and "%" not in probe.target and "link_dir" not in probe.target]  # fmt: skip


def test_nothing_stops_or_starts_anything() -> None:
    """What would end the server, install into it or start a program on it is named as not covered, and never asked."""
    dangerous = ("api/shutdown", "lab/api/build", "api/terminals", "api/kernels", "api/sessions", "lab/api/extensions")
    for probe in asked():
        assert not (probe.method in ("POST", "DELETE") and probe.target.startswith(dangerous)), probe
    assert "api/shutdown" in " ".join(suite.NEVER_TRIED)


def test_what_would_be_made_is_looked_for() -> None:
    """Every plain write names where its file would stand."""
    plain = [name for name, (_, made) in writing.ELSEWHERE.items() if made]
    assert {"plain path at the top", "plain path outside", "dot segments"} <= set(plain)
    for probe in writes(GROUND, edits=True):
        assert all(GROUND.mark in place for place in probe.made), probe


def test_the_page_names_every_check() -> None:
    """docs/prove.md has the sentence of each check."""
    page = (Path(__file__).parents[2] / "docs" / "prove.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| `") and "--" not in line] == [
        f"| `{check.value}` | {sentence} |" for check, sentence in SENTENCES.items()
    ]
