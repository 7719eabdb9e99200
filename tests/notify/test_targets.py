"""A service behind the library: what it may be, and what it does not tell."""

from __future__ import annotations

import pytest

from sharegate.notify.model import Message
from sharegate.notify.targets import PLAIN, SECURE, fault, scheme_of, targets

SECRET = "SECRETSECRETSECRET"


def test_services_are_named_without_their_address() -> None:
    """Two of one kind are told apart by a number."""
    made = targets(
        (f"jsons://a.example.org/{SECRET}", f"jsons://b.example.org/{SECRET}", f"ntfys://c.example.org/{SECRET}")
    )
    assert [one.name for one in made] == ["jsons 1", "jsons 2", "ntfys"]
    assert SECRET not in repr(made)


def test_nobody_listens() -> None:
    """Not taken, and nothing raised."""
    (one,) = targets(("json://127.0.0.1:1/x",))
    assert one.send(Message("t", "b")) is False


@pytest.mark.parametrize("scheme", sorted(PLAIN - {"mailto"}))
def test_the_encrypted_one_of_each_is_accepted(scheme: str) -> None:
    """With an `s` behind; without it, only on this computer."""
    rest = {"matrix": "user:pass@h.example.org/#room", "rocket": "user:pass@h.example.org/#room"}
    where = rest.get(scheme, "h.example.org/" + "a" * 24)
    assert fault(f"{scheme}s://{where}", "notify_file", insecure=False) is None
    assert f"{scheme}s" in SECURE
    assert fault(f"{scheme}://{where}", "notify_file", insecure=False) is not None


def test_schemes() -> None:
    """Whatever case and blanks."""
    assert (scheme_of(" SLACK://x"), scheme_of("no address"), scheme_of("")) == ("slack", "", "")


@pytest.mark.parametrize("between", [", ", " ", "  ,  "])
def test_attack_two_addresses_in_one_line(between: str) -> None:
    """Only the first one would be looked at; the second would go in plain text to another computer."""
    line = f"json://127.0.0.1:1/{SECRET}{between}json://h.example.org/{SECRET}"
    said = fault(line, "notify_file", insecure=False)
    assert said is not None and SECRET not in str(said)
    assert targets((line,)) == []
