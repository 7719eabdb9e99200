"""What is shown of awareness states: built anew, field by field."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sharegate.channels.frames import AwarenessState
from sharegate.channels.shown import server_key, shown_state


def shown(*states: AwarenessState) -> list[AwarenessState]:
    return [replace(each, state=shown_state(each.state, server_key("up"))) for each in states]


def test_awareness_is_rebuilt_through_an_allow_list() -> None:
    """Name, initials, colour, cursors and autosave; no account name, no picture, no paths, nothing unknown."""
    position = {"type": {"client": 5, "clock": 7, "x": 1}, "tname": None, "item": None, "assoc": 0, "more": "x"}
    state = {
        "user": {
            "username": "ann@berkeley.edu",
            "name": "Ann",
            "display_name": "Ann \u202eB",
            "initials": "AB",
            "color": "var(--jp-collaborator-color1)",
            "avatar_url": "https://tracker.example/ann.png",
            "token": "secret",
        },
        "cursors": [{"anchor": position, "head": position, "primary": True, "empty": False, "path": "/home/ann"}],
        "autosave": True,
        "current": "notebook:secret/private.ipynb",
        "documents": ["secret/private.ipynb"],
    }
    (one,) = shown(AwarenessState(2**53 - 1, 3, state))
    rebuilt = {"type": {"client": 5, "clock": 7}, "tname": None, "item": None, "assoc": 0}
    username = one.state["user"].pop("username")
    assert one == AwarenessState(
        2**53 - 1,
        3,
        {
            "user": {
                "name": "Ann",
                "display_name": "Ann B",
                "initials": "AB",
                "color": "var(--jp-collaborator-color1)",
            },
            "cursors": [{"anchor": rebuilt, "head": rebuilt, "primary": True, "empty": False}],
            "autosave": True,
        },
    )
    assert username and "ann" not in username


def test_account_names_become_one_opaque_word_per_server() -> None:
    """The same person is the same on one server, and cannot be followed to another."""

    def word(upstream: str, name: str) -> str:
        found = shown_state({"user": {"username": name}}, server_key(upstream))["user"]["username"]
        assert isinstance(found, str)
        return found

    assert word("a", "ann") == word("a", "ann") != word("a", "bo")
    assert word("a", "ann") != word("b", "ann")


@pytest.mark.parametrize(
    "state",
    [
        {"user": "ann", "cursors": "x", "autosave": "yes"},
        {"user": {"name": 5, "color": "red;background:url(//evil)", "initials": []}, "cursors": [5, [], None]},
        {"user": {"name": "\u202e\u200b"}, "cursors": [{"anchor": {"type": {"client": "x"}, "item": [], "tname": 7}}]},
        {"cursors": [{"anchor": {"assoc": 1e300}, "head": {"assoc": True}, "primary": 1}] * 500},
    ],
)
def test_attack_states_of_the_wrong_shape_lose_what_is_wrong(state: dict[str, object]) -> None:
    """Types are checked field by field; what does not fit is left out, not passed."""
    (one,) = shown(AwarenessState(1, 1, state))
    user = one.state.get("user", {})
    assert "color" not in user and user.get("name", "") == "" and "initials" not in user
    assert len(one.state.get("cursors", [])) <= 32
    for cursor in one.state.get("cursors", []):
        for position in cursor.values():
            assert all(value in (None, {}) for value in position.values())


def test_names_in_awareness_are_bounded() -> None:
    """Megabytes of name become 60 characters."""
    (one,) = shown(AwarenessState(1, 1, {"user": {"name": "n" * 1_000_000, "initials": "i" * 1000}}))
    assert len(one.state["user"]["name"]) == 60 and len(one.state["user"]["initials"]) == 4
