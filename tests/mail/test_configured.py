"""The settings of mail: what is wrong is told by name, all together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sharegate.config import load
from sharegate.mail.model import Security
from tests.test_config import faults

GOOD = {"smtp_host": "smtp.example.org", "mail_from": "Shares <share@example.org>"}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("very secret\n")
    file.chmod(0o600)
    return file


def test_without_a_server_the_gate_sends_no_mail() -> None:
    """That is the default."""
    assert load(None, {}).mail is None


@pytest.mark.parametrize(("security", "port"), [("tls", 465), ("starttls", 587)])
def test_a_server_has_the_usual_port(security: str, port: int) -> None:
    """Of its kind of protection, unless another is named; the gate calls itself by its public name there."""
    mail = load(None, {}, {**GOOD, "smtp_security": security, "public_url": "https://share.example.org"}).mail
    assert mail is not None
    assert (mail.port, mail.security, mail.name) == (port, Security(security), "share.example.org")
    assert (mail.sender.name, mail.sender.address) == ("Shares", "share@example.org")
    other = load(None, {}, {**GOOD, "smtp_port": 2525}).mail
    assert other is not None and (other.port, other.name) == (2525, "[127.0.0.1]")


def test_the_password_is_shown_nowhere(secret: Path) -> None:
    """It comes from a file or from the environment, and is in no repr and no listing."""
    for environ, more in (({"SHAREGATE_SMTP_PASSWORD": "very secret"}, {}), ({}, {"smtp_password_file": str(secret)})):
        config = load(None, environ, {**GOOD, "smtp_user": "gate", **more})
        assert config.mail is not None and config.mail.password == "very secret"
        assert "very" not in repr(config) + repr(config.as_dict()) + repr(config.mail)


def test_no_protection_is_for_this_computer_only() -> None:
    """Or it is accepted as such."""
    here = load(None, {}, {"smtp_host": "127.0.0.1", "smtp_security": "none", "mail_from": "a@b.org"}).mail
    assert here is not None and here.port == 25
    assert list(faults(None, {}, **GOOD, smtp_security="none")) == ["smtp_security"]
    assert load(None, {}, {**GOOD, "smtp_security": "none", "insecure": True}).mail is not None


@pytest.mark.parametrize(
    ("environ", "values", "fields"),
    [
        ({}, {"smtp_host": "smtp.example.org"}, ["mail_from"]),
        ({}, {**GOOD, "mail_from": "nobody"}, ["mail_from"]),
        ({}, {**GOOD, "mail_from": "ann@exämple.org"}, ["mail_from"]),
        ({}, {**GOOD, "smtp_host": "smtp example"}, ["smtp_host"]),
        ({}, {**GOOD, "smtp_security": "ssl"}, ["smtp_security"]),
        ({}, {**GOOD, "smtp_port": 65536}, ["smtp_port"]),
        ({}, {**GOOD, "smtp_user": "gate"}, ["smtp_user"]),
        ({}, {**GOOD, "smtp_user": "gate\n", "smtp_ca_file": " "}, ["smtp_ca_file", "smtp_user", "smtp_user"]),
        ({"SHAREGATE_SMTP_PASSWORD": "x"}, GOOD, ["smtp_user"]),
        ({"SHAREGATE_SMTP_PASSWORD": "x"}, {}, ["SHAREGATE_SMTP_PASSWORD"]),
        ({}, {**GOOD, "smtp_user": "gate", "smtp_password_file": "/nowhere"}, ["smtp_password_file", "smtp_user"]),
        ({}, {"smtp_user": "gate", "mail_from": "a@b.org"}, ["smtp_user", "mail_from"]),
        ({}, {"smtp_host": "::1", "smtp_security": "none", "smtp_ca_file": "/x", "mail_from": "a@b"}, ["smtp_ca_file"]),
    ],
)
def test_settings_that_cannot_be(environ: dict[str, str], values: dict[str, Any], fields: list[str]) -> None:
    """Each fault names its setting and says what to do."""
    found = faults_in_order(environ, values)
    assert found == fields


def faults_in_order(environ: dict[str, str], values: dict[str, Any]) -> list[str]:
    from sharegate.errors import Faults

    with pytest.raises(Faults) as caught:
        load(None, environ, values)
    assert all(fault.problem and fault.remedy for fault in caught.value.faults)
    return [fault.field for fault in caught.value.faults]


def test_two_passwords_are_one_too_many(secret: Path) -> None:
    """Nobody has to guess which one counts."""
    more = {"smtp_user": "gate", "smtp_password_file": str(secret)}
    found = faults(None, {"SHAREGATE_SMTP_PASSWORD": "another"}, **GOOD, **more)
    assert list(found) == ["smtp_password_file and SHAREGATE_SMTP_PASSWORD"]
    assert "another" not in str(found) and "very" not in str(found)
