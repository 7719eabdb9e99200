"""Who is known already, and which folder is which team's."""

from __future__ import annotations

import unicodedata

import pytest

from sharegate.errors import Invalid
from sharegate.rosters.matching import fits, known, match, parted
from sharegate.rosters.model import Person

LINKS = [
    ("a", "Ann", "ann@example.org", ""),
    ("b", "Bo", "", ""),
    ("c", "", "cy@example.org", ""),
    ("d", "Di Doe", "di@example.org", "sub:di"),
]


@pytest.mark.parametrize(
    ("name", "email", "found"),
    [
        ("Anne", "ann@example.org", "a"),
        ("Ann", "other@example.org", ""),
        ("ann", "", "a"),
        ("BO", "bo@example.org", "b"),
        ("", "cy@example.org", "c"),
        ("Di", "", ""),
        ("", "do@example.org", ""),
    ],
)
def test_who_is_known(name: str, email: str, found: str) -> None:
    """By the address where both have one, else by the name; nobody by nothing."""
    assert known(Person(1, name, email), LINKS) == found


@pytest.mark.parametrize(
    ("account", "name", "email", "found"),
    [
        ("sub:di", "Diana", "new@example.org", "d"),
        ("sub:other", "Di Doe", "di@example.org", ""),
        ("", "Diana", "di@example.org", "d"),
        ("sub:ann", "Anne", "ann@example.org", "a"),
        ("sub:bo", "Bo", "", "b"),
    ],
)
def test_who_is_known_by_an_account(account: str, name: str, email: str, found: str) -> None:
    """It decides where both have one, whatever else they are called."""
    assert known(Person(1, name, email, account=account), LINKS) == found


def people(*teams: str) -> list[Person]:
    return [Person(row, f"P{row}", "", team) for row, team in enumerate(teams, 2)]


def test_teams_find_their_folders() -> None:
    """Left over are folders that no row names, and teams without one, with their first row."""
    found = match(people("red", "blue", "red", "Green", "grey"), ["red", "green", "black"])
    assert dict(found.folders) == {"red": "red", "Green": "green"}
    assert found.without_team == ("black",) and found.without_folder == (("blue", 3), ("grey", 6))


def test_letters_are_compared_as_they_look() -> None:
    """A disk may have taken them apart; the folder's own spelling is kept."""
    apart = unicodedata.normalize("NFD", "Köln")
    assert dict(match(people("Köln"), [apart]).folders) == {"Köln": apart}


def test_two_teams_never_get_one_folder() -> None:
    """Where only capitals differ nothing is guessed."""
    found = match(people("Red", "red"), ["red"])
    assert len(found.folders) == 1 and len(found.without_folder) == 1
    assert dict(match(people("ReD"), ["red", "Red"]).folders) == {}


@pytest.mark.parametrize("pattern", ["projects", "pro*/x*", "projects/.*", "", "/", "a/b", "*/"])
def test_what_is_no_pattern(pattern: str) -> None:
    """Only the last part has stars."""
    if pattern == "*/":
        assert parted(pattern) == ("", "*")
        return
    with pytest.raises(Invalid):
        parted(pattern)


def test_a_pattern_fits_names() -> None:
    """Never hidden ones."""
    assert parted("/srv/projects/team-*") == ("/srv/projects", "team-*")
    assert fits("team-a", "team-*") and not fits("Team-a", "team-*") and not fits(".git", "*")
