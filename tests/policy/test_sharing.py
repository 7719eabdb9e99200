"""What owners may hand out."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharegate.errors import Faults
from sharegate.policy.load import builtin_policies, load_policies
from sharegate.policy.sharing import Sharing
from sharegate.shares.model import Role


def load(tmp_path: Path, old: str, new: str) -> Sharing:
    text = (builtin_policies() / "sharing.yaml").read_text()
    assert old in text
    (tmp_path / "sharing.yaml").write_text(text.replace(old, new))
    return load_policies(extra=tmp_path).sharing


def test_the_built_in_limits() -> None:
    """A week by default, a year at most, and only what this version can keep."""
    sharing = load_policies().sharing
    assert sharing.default_expires_seconds == 7 * 86400
    assert sharing.max_expires_seconds == 365 * 86400
    assert sharing.roles == (Role.VIEW, Role.EDIT)
    assert not sharing.dotfiles


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("12h", 43200), ("30d", 2592000)])
def test_durations_are_minutes_hours_or_days(tmp_path: Path, text: str, seconds: float) -> None:
    """The unit is a letter behind a whole number."""
    assert load(tmp_path, "default_expires: 7d", f"default_expires: {text}").default_expires_seconds == seconds


def test_what_links_have_to_ask_for(tmp_path: Path) -> None:
    """Nothing in the built-in rules, nor where an older file says nothing of it."""
    built_in = load_policies().sharing
    assert (built_in.edit_asks_for, built_in.anyone_asks_for) == ((), ())
    text = (builtin_policies() / "sharing.yaml").read_text()
    older = [line for line in text.splitlines() if "asks_for" not in line and "anyone_max" not in line]
    (tmp_path / "sharing.yaml").write_text("\n".join(older))
    assert load_policies(extra=tmp_path).sharing == built_in
    more = load(tmp_path, "edit_asks_for: []", "edit_asks_for: [recipient, passphrase]")
    assert more.edit_asks_for == ("recipient", "passphrase")
    assert load(tmp_path, "anyone_max_expires: 365d", "anyone_max_expires: 3d").anyone_max_expires_seconds == 3 * 86400


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("default_expires: 7d", "default_expires: 7 days", "is no duration"),
        ("default_expires: 7d", "default_expires: 0d", "is no duration"),
        ("default_expires: 7d", "default_expires: 366d", "longer than max_expires"),
        ("max_expires: 365d", "max_expires: 401d", "longer than 400d"),
        ("roles: [view, edit]", "roles: [view, boss]", "no role 'boss'"),
        ("roles: [view, edit]", "roles: [view, run]", "'run' is not available"),
        ("roles: [view, edit]", "roles: [view, view]", "'view' twice"),
        ("roles: [view, edit]", "roles: []", "no role at all"),
        ("anyone: true", "anyone: 1", "true or false"),
        ("max_visits: 500", "max_visits: 0", "whole number"),
        ("max_visits: 500", "max_visits: 10001", "larger than 10000"),
        ("max_devices: 10", "max_devices: ten", "whole number"),
        ("dotfiles: false", "dotfiles: true", "hidden files cannot be shared"),
        ("edit_asks_for: []", "edit_asks_for: [password]", "no condition 'password'"),
        ("edit_asks_for: []", "edit_asks_for: [ask, ask]", "'ask' twice"),
        ("anyone_asks_for: []", "anyone_asks_for: [recipient]", "has no recipient"),
        ("anyone_max_expires: 365d", "anyone_max_expires: never", "is no duration"),
        ("clients: true", "client: true", "has no 'client'"),
        ("clients: true", "", "lacks 'clients'"),
        ("clients: true", "clients: true\n  clients: false", "stands here twice"),
    ],
)
def test_faults_are_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """Wrong, missing, unknown and contradicting limits are refused with file and line."""
    with pytest.raises(Faults, match=sentence) as raised:
        load(tmp_path, old, new)
    assert all(fault.field.startswith(f"{tmp_path}/sharing.yaml:") for fault in raised.value.faults)
