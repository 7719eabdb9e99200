"""Files written as a whole: one's own content, and the alarm."""

from __future__ import annotations

from sharegate.versions import wholes as module
from sharegate.versions.alarms import QUIET, WITHIN, Happened
from sharegate.versions.model import Content
from sharegate.versions.wholes import Measured, Wholes, measured

LONG = "a good line\n" * 100


def text(content: str) -> Measured:
    return measured(Content.of_text(content))


def test_ones_own_content_is_known() -> None:
    """By who wrote last and by what; whatever else stands there is somebody's work."""
    wholes = Wholes()
    assert not wholes.own("u", "a", "eve", text("x"))
    wholes.wrote("u", "a", "eve", text("x"), 0)
    assert wholes.own("u", "a", "eve", text("x"))
    assert wholes.own("u", "a", "eve", measured(Content.of_bytes(b"x"))), "the same bytes"
    for path, visit, standing in (("a", "eve", "xy"), ("a", "bo", "x"), ("b", "eve", "x")):
        assert not wholes.own("u", path, visit, text(standing))
    wholes.wrote("u", "a", "bo", text("y"), 1)
    assert not wholes.own("u", "a", "eve", text("x")) and not wholes.own("u", "a", "eve", text("y"))


def test_a_collapse_is_told_once() -> None:
    """With the version from before it and who did it; again only after a while."""
    wholes = Wholes()
    wholes.kept("u", "a", text(LONG), "n1", 0)
    found = wholes.wrote("u", "a", "eve", text("x"), 0)
    assert found is not None
    assert (found.what, found.snapshot, found.visits) == (Happened.COLLAPSED, "n1", ("eve",))
    for at, told in ((1.0, False), (QUIET + 1, True)):
        wholes.kept("u", "a", text(LONG), "n2", at)
        assert (wholes.wrote("u", "a", "eve", text("x"), at) is not None) is told


def test_attack_a_collapse_in_steps() -> None:
    """Each of them small, within a minute; slower ones are ordinary work."""
    for seconds, told in ((1.0, True), (WITHIN, False)):
        wholes = Wholes()
        wholes.kept("u", "a", text(LONG), "n1", 0)
        steps = [wholes.wrote("u", "a", "eve", text(LONG[: 1200 - 300 * at]), seconds * at) for at in range(1, 4)]
        assert steps[:2] == [None, None]
        last = wholes.wrote("u", "a", "eve", text(LONG[:200]), seconds * 4)
        assert (last is not None) is told


def test_files_are_forgotten() -> None:
    """The ones that were written longest ago."""
    wholes = Wholes()
    for at in range(module.MOST + 1):
        wholes.wrote("u", f"{at}", "eve", text("x"), 0)
    assert not wholes.own("u", "0", "eve", text("x"))
    assert wholes.own("u", "1", "eve", text("x"))
