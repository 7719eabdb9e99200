"""People and shares in a reader's words."""

from __future__ import annotations

import pytest

from sharegate.dashboard.pages.people import at_most, initials, whom


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ann Lee", "AL"), ("Bo", "B"), ("", "?"), ("Émile 🎓", "É"), ("🎓", "🎓"), ("ann van lee", "AL")],
)
def test_initials_are_at_most_two_letters(name: str, letters: str) -> None:
    """Of the first and the last word."""
    assert initials(name) == letters


def test_somebody_is_let_in_for_at_most_what_the_link_is_for() -> None:
    """The least first."""
    assert [role for role, _ in at_most("edit")] == ["view", "edit"]
    assert [role for role, _ in at_most("view")] == ["view"]


def test_whom_a_link_is_for() -> None:
    """A person, somebody, or so many."""
    assert whom({"kind": "open", "name": "", "visits_max": 60}) == "Anyone, at most 60 people"
    assert whom({"kind": "person", "name": "", "visits_max": 1}) == "One person"
