"""`sharegate mail test`, through a gate's socket and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import run
from tests.cli.scripted import ScriptedGate
from tests.real.mail import running_mail


def test_a_test_mail_without_a_gate(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent, and the result is clear: who took it, that it may still not arrive, and what was refused."""
    with running_mail() as mail:
        for name, value in (
            *(("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", str(mail.port)), ("SMTP_SECURITY", "none")),
            ("MAIL_FROM", "share@example.org"),
        ):
            monkeypatch.setenv(f"SHAREGATE_{name}", value)
        done = run("mail", "test", "you@example.org")
        assert done.code == 0 and done.out == f"127.0.0.1:{mail.port} took a test mail for you@example.org.\n"
        assert "spam" in done.err
        assert mail.taken.pop().recipients == ["you@example.org"]
        mail.refuses["you@example.org"] = "550 no such mailbox"
        refused = run("mail", "test", "you@example.org")
        assert refused.code == 5 and "550 no such mailbox" in refused.err and "Check the address" in refused.err


def test_without_a_mail_server_the_setting_is_named(home: Path) -> None:
    """A refusal, with exit code 3."""
    refused = run("mail", "test", "you@example.org")
    assert refused.code == 3 and "smtp_host" in refused.err


def test_the_running_gate_is_asked(scripted: ScriptedGate) -> None:
    """Its own answer is printed as it is."""
    scripted.say("POST mail/test", {"address": "a@b.org", "server": "s:25", "sender": "c@d.org"})
    done = run("mail", "test", "a@b.org", "--json")
    assert done.document == {"address": "a@b.org", "server": "s:25", "sender": "c@d.org"}
    assert scripted.sent("POST mail/test") == [{"address": "a@b.org"}]
