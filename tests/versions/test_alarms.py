"""Alarms: collapses and doublings of a minute, named with the version to go back to, and nothing else."""

from __future__ import annotations

import pytest

from sharegate.versions.alarms import Alarm, Happened, Seen, alarm, told
from sharegate.versions.model import Content, Facts, facts
from tests.versions.notebooks import code, notebook


def seen(at: float, cells: int, characters: int, repeated: int = 0, *, visits: tuple[str, ...] = ("v1",)) -> Seen:
    return Seen(at, Facts(cells, characters, repeated), f"n{at:.0f}", visits)


def test_most_of_it_is_gone() -> None:
    """Four fifths of the characters within a minute; the version named is the one before."""
    found = alarm([seen(0, 10, 1000), seen(30, 10, 900), seen(50, 10, 200)])
    assert found is not None and found.what is Happened.COLLAPSED
    assert (found.snapshot, found.before.characters, found.visits) == ("n0", 1000, ("v1",))
    assert "1000 characters in 10 cells became 200 in 10" in found.sentence and "n0" in found.sentence
    assert alarm([seen(0, 10, 1000), seen(50, 10, 201)]) is None


def test_all_cells_are_gone() -> None:
    """Even of a short notebook; the one empty cell that a page puts in counts as none."""
    for left in (0, 1):
        assert alarm([seen(0, 5, 50), seen(10, left, 0)]) is not None
    assert alarm([seen(0, 1, 50), seen(10, 1, 0)]) is None


def test_a_slow_rewrite_is_no_alarm() -> None:
    """Over more than a minute people may delete what they like."""
    assert alarm([seen(0, 10, 1000), seen(61, 10, 100)]) is None
    assert alarm([seen(0, 10, 1000), seen(40, 10, 500), seen(80, 10, 180)]) is None


def test_twice_the_same() -> None:
    """What happens when two histories of one document are merged: every cell stands there twice."""
    cells = [code(str(at), f"line {at} of the lecture" * 3) for at in range(8)]
    once, twice = (facts(Content.of_notebook(notebook(cells * times))) for times in (1, 2))
    found = alarm([Seen(0, once, "n0"), Seen(2, twice, "n0", ("v1",))])
    assert found is not None and (found.what, found.snapshot) == (Happened.DOUBLED, "n0")


def test_much_that_is_new_is_no_doubling() -> None:
    """A pasted chapter is not repeated."""
    assert alarm([seen(0, 5, 500), seen(5, 10, 1500)]) is None
    assert alarm([seen(0, 5, 500), seen(5, 10, 1500, 400)]) is None


def test_the_owner_alone_raises_none() -> None:
    """Where no visitor wrote it is the owner's own business."""
    assert alarm([seen(0, 10, 1000), seen(5, 0, 0, visits=())]) is None
    found = alarm([seen(0, 10, 1000), seen(5, 10, 900, visits=("v2",)), seen(6, 0, 0, visits=())])
    assert found is not None and found.visits == ("v2",)


def test_nothing_to_compare() -> None:
    """One look is no change."""
    assert alarm([]) is None and alarm([seen(0, 0, 0)]) is None


@pytest.mark.parametrize("snapshot", ["n4kd", ""])
def test_what_the_history_says_is_read_again(snapshot: str) -> None:
    """What happened, the sentence, and the version to go back to, if there is one."""
    found = Alarm(Happened.COLLAPSED, Facts(3, 900), Facts(0, 0), snapshot, ("v",))
    what, sentence, version = told(found.detail)
    assert (what, version) == ("collapsed", snapshot)
    assert sentence == "900 characters in 3 cells became 0 in 0 within a minute"
