"""What the settings say about notifications: addresses are secrets, and only services of the list are used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sharegate import config
from sharegate.errors import Faults
from sharegate.notify.model import CHOICES, Kind

SECRET = "SECRETSECRETSECRET"
GOOD = f"jsons://chat.example.org/{SECRET}"


def loaded(tmp_path: Path, text: str = "", **more: Any) -> config.Config:
    file = tmp_path / "notify"
    file.write_text(text)
    file.chmod(0o600)
    values = {"data_dir": str(tmp_path), "notify_file": str(file) if text else None, **more}
    environ = values.pop("environ", {})
    return config.load(None, environ, values)


def faults(tmp_path: Path, text: str, **more: Any) -> str:
    with pytest.raises(Faults) as caught:
        loaded(tmp_path, text, **more)
    return str(caught.value)


def test_nothing_is_told_unless_it_is_set(tmp_path: Path) -> None:
    """And then everything, every ten minutes."""
    notices = loaded(tmp_path).notices
    assert (notices.on, notices.about, notices.quiet) == (False, frozenset(CHOICES), 600.0)


def test_addresses_come_from_a_file_or_the_environment(tmp_path: Path) -> None:
    """One on each line, with remarks; from one place only."""
    assert loaded(tmp_path, f"# chat\n{GOOD}\n\n{GOOD}2\n").notices.owner == (GOOD, GOOD + "2")
    assert loaded(tmp_path, environ={"SHAREGATE_NOTIFY": GOOD}).notices.owner == (GOOD,)
    assert loaded(tmp_path, environ={"SHAREGATE_NOTIFY_ADMINS": GOOD}).notices.admins == (GOOD,)
    assert "Leave one of them" in faults(tmp_path, GOOD, environ={"SHAREGATE_NOTIFY": GOOD})


def test_no_address_is_shown(tmp_path: Path) -> None:
    """Not by the settings, not by their repr."""
    made = loaded(tmp_path, GOOD)
    assert SECRET not in repr(made) and SECRET not in str(made.as_dict()) and SECRET not in repr(made.notices)


@pytest.mark.parametrize(
    "url",
    [
        f"file:///tmp/{SECRET}",
        f"syslog://{SECRET}",
        f"dbus://{SECRET}",
        f"macosx://{SECRET}",
        f"windows://{SECRET}",
        f"glib://{SECRET}",
        f"custom://{SECRET}",
        f"https://example.org/{SECRET}",
        f"apprise://example.org/{SECRET}",
        f"json://chat.example.org/{SECRET}",
        f"mailto://ann:{SECRET}@example.org",
        f"mailtos://ann:{SECRET}@example.org?mode=insecure",
        f"jsons://chat.example.org/{SECRET}?verify=no",
        f"jsons://chat.example.org/{SECRET}?redirect=yes",
        f"slack://{SECRET}",
        f"mailtos://ann:{SECRET}@example.org?pgp=yes&pgpkey=/etc/passwd",
        f"workflows://example.org/{SECRET}/a/b?template=/etc/passwd",
        f"jsons://chat.example.org/{SECRET}?attach=/etc/passwd",
        f"{SECRET}",
        "jsons://" + SECRET * 200,
        f"jsons://chat.example.org/{SECRET}\x07",
    ],
)
def test_attack_addresses_that_are_none_of_ours(tmp_path: Path, url: str) -> None:
    """Files, programs, buses, plain text to other computers, loosened checks: refused without repeating a secret."""
    said = faults(tmp_path, url)
    assert "notify_file" in said and SECRET not in said


def test_plain_text_is_for_this_computer_or_accepted(tmp_path: Path) -> None:
    """As for mail."""
    assert loaded(tmp_path, "json://127.0.0.1:8080/x").notices.on
    assert loaded(tmp_path, "json://chat.example.org/x", insecure=True).notices.on


def test_kinds_are_chosen(tmp_path: Path) -> None:
    """A word that is none is told with those that are."""
    made = loaded(tmp_path, GOOD, notify_about="knock,alarm", notify_quiet=1)
    assert made.notices.about == {Kind.KNOCK, Kind.ALARM} and made.notices.quiet == 60
    assert "'everything'" in faults(tmp_path, GOOD, notify_about="everything")
    assert "more" not in faults(tmp_path, GOOD, notify_about="more").split("Choose of")[1].split(",")
    assert "more than 10" in faults(tmp_path, "\n".join([GOOD] * 11))


def test_a_file_that_others_can_read(tmp_path: Path) -> None:
    """It holds secrets."""
    file = tmp_path / "open"
    file.write_text(GOOD)
    file.chmod(0o644)
    with pytest.raises(Faults) as caught:
        config.load(None, {}, {"data_dir": str(tmp_path), "notify_file": str(file)})
    assert "chmod 600" in str(caught.value) and SECRET not in str(caught.value)
