"""`sharegate token`: made and shown once, listed, ended; on real records, without a gate."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import run


def made(name: str, *can: str) -> str:
    ran = run("token", "create", name, *(f"--can={each}" for each in can), "--expires", "30d")
    assert ran.code == 0, ran.err
    return ran.out.strip()


def test_a_token_is_made_listed_and_revoked(home: Path) -> None:
    """The token stands alone on stdout, is not listed, and ends by its name, its id or a beginning of that."""
    secret = made("nightly", "trail:read", "shares:read")
    assert secret.startswith("sgt_") and " " not in secret
    listed = run("token", "list")
    assert "nightly" in listed.out and "shares:read trail:read" in listed.out and secret[-20:] not in listed.out
    ran = run("token", "revoke", "nightly")
    assert ran.code == 0 and "not accepted any more" in ran.out
    second = run("token", "create", "other", "--can", "gate:read", "--expires", "1d", "--json").document
    assert run("token", "revoke", second["token"]["id"][:6]).code == 0
    tokens = run("token", "list", "--json").document["tokens"]
    assert [(each["name"], each["state"]) for each in tokens] == [("nightly", "revoked"), ("other", "revoked")]


def test_a_command_line_that_makes_no_token(home: Path) -> None:
    """Without an end, without a capability, with one that is none, or for more than a year: nothing is made."""
    for more in (
        ("--can", "gate:read"),
        ("--expires", "1d"),
        ("--can", "everything", "--expires", "1d"),
        ("--can", "gate:read", "--expires", "yesterday"),
        ("--can", "gate:read", "--expires", "100w"),
    ):
        ran = run("token", "create", "x", *more)
        assert ran.code == 2, (more, ran)
    assert run("token", "list", "--json").document == {"tokens": []}


def test_a_name_that_fits_several_ends_none(home: Path) -> None:
    """They are told, to be named by their ids."""
    made("same", "gate:read")
    made("same", "gate:read")
    ran = run("token", "revoke", "same")
    assert ran.code == 2 and "fits several" in ran.err
    assert run("token", "revoke", "nothing").code == 2
    assert {each["state"] for each in run("token", "list", "--json").document["tokens"]} == {"active"}
