"""Sentences of the history in parts, and the list of actions that people choose from."""

from __future__ import annotations

import pytest

from sharegate.audit.events import Action, Outcome
from sharegate.dashboard.pages.sentences import GROUPS, OUTCOMES, parts


def test_every_action_can_be_chosen_once() -> None:
    """Whatever the trail can record, the filter can ask for."""
    listed = [action for _, actions in GROUPS for action, _ in actions]
    assert len(set(listed)) == len(listed)
    assert {action.value for action in Action} <= set(listed)
    assert {outcome.value for outcome in Outcome} == {outcome for outcome, _ in OUTCOMES}


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("Ann asked for week3/data.csv.", "Ann", "week3/data.csv"),
        ("Eve knocked and waits.", "eve", ""),
        ("A link seems to have been passed on to שרה (x).", "שרה", ""),
        ("The visit of <b> was ended.", "<b>", ""),
        ("ǰ opened a.", "ǰ", "a"),
        ("İstanbul opened İstanbul/x.", "İstanbul", "İstanbul/x"),
        ("Nobody is named here.", "Ann", "week3"),
    ],
)
def test_names_and_paths_are_set_apart(text: str, name: str, path: str) -> None:
    """Nothing of the sentence is lost or doubled by that."""
    found = parts({"text": text, "name": name, "path": path})
    assert "".join(piece for _, piece in found) == text
    for kind, value in (("name", name), ("path", path)):
        if value and value in text:
            assert (kind, value) in found
