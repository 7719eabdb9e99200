"""The owner's verb on mail, and what the doctor says of it: with a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sharegate import app, config
from tests.conftest import Clock
from tests.dashboard.conftest import Office
from tests.real.mail import MailServerHere, running_mail


@pytest.fixture
def mail() -> Iterator[MailServerHere]:
    with running_mail() as running:
        yield running


def settings(folder: Path, mail: MailServerHere) -> config.Config:
    values = {
        "data_dir": str(folder / "gate"),
        "gate_port": 0,
        "dashboard_port": 0,
        "owner": "Olga",
        "smtp_host": "127.0.0.1",
        "smtp_port": mail.port,
        "smtp_security": "none",
        "mail_from": "share@example.org",
    }
    return config.load(None, {}, values)


async def ask(api: Any, body: Any) -> tuple[int, dict[str, Any]]:
    status, answer = await api.call("POST", "/api/v1/mail/test", {}, body)
    return status, answer


async def test_a_test_mail_arrives_and_is_recorded(tmp_path: Path, clock: Clock, mail: MailServerHere) -> None:
    """By the running gate; the answer says who took it, the history says to whom it went."""
    async with app.running(settings(tmp_path, mail), now=clock) as running:
        status, answer = await ask(running.api, {"address": " you@example.org "})
        assert status == 200
        assert answer == {
            "address": "you@example.org",
            "server": f"127.0.0.1:{mail.port}",
            "sender": "share@example.org",
        }
        taken = await mail.next()
        assert taken.recipients == ["you@example.org"] and "Olga tried out" in taken.text
        _, told = await running.api.call("GET", "/api/v1/audit", {"action": "mail.tested"})
        (event,) = told["events"]
        assert (event["name"], event["outcome"]) == ("you@example.org", "allowed")
        assert event["text"] == "The owner had a test mail sent to you@example.org."


async def test_what_the_mail_server_objects_to_is_told(tmp_path: Path, clock: Clock, mail: MailServerHere) -> None:
    """With its own words and the remedy, to the owner and in the history; without a gate too."""
    mail.refuses["you@example.org"] = "550 no such mailbox"
    async with app.offline(settings(tmp_path, mail), now=clock) as api:
        status, answer = await ask(api, {"address": "you@example.org"})
        assert (status, answer["error"]["code"]) == (503, "mail_unsent")
        assert "550 no such mailbox" in answer["error"]["message"] and answer["error"]["remedy"] == "Check the address"
        _, told = await api.call("GET", "/api/v1/audit", {"action": "mail.tested"})
        assert told["events"][0]["outcome"] == "failed" and "550" in told["events"][0]["detail"]


@pytest.mark.parametrize("address", ["", "nobody", "a@b.org\r\nRCPT TO:<eve@x.org>", "a@b.c,c@d.e", "ann@exämple.org"])
async def test_attack_an_address_that_is_none(office: Office, address: str) -> None:
    """Refused by name, before a mail server is asked."""
    status, answer = await ask(office.running.api, {"address": address})
    assert (status, answer["error"]["field"]) == (400, "address")


@pytest.mark.parametrize("wanted", [{"recipient": "ann@example.org"}, {"domain": "example.org", "anyone": True}])
async def test_a_gate_without_a_mail_server_says_what_to_set(
    office: Office, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> None:
    """`mail_off`, with the setting: for a test mail, and for a share, a link or a change that asks for an address; what
    asks for none is given. The doctor has nothing to say."""
    made = await office.share(**{"for": ["Ann"]})
    monkeypatch.setattr(office.running.api.mailing, "_mailer", None)
    link = made["links"][0]["id"]
    change = {name: value for name, value in wanted.items() if name != "anyone"}
    for method, path, body in (
        ("POST", "mail/test", {"address": "you@example.org"}),
        ("POST", "shares", {"path": str(office.folder / "week4"), **wanted}),
        ("POST", f"shares/{made['share']['id']}/links", wanted),
        ("PATCH", f"links/{link}", change),
    ):
        status, answer = await office.ask(method, path, body)
        assert (status, answer["error"]["code"]) == (403, "mail_off"), path
        assert "smtp_host" in answer["error"]["remedy"]
    await office.call("PATCH", f"links/{link}", {"recipient": "", "domain": ""})
    findings = (await office.call("GET", "doctor"))["findings"]
    assert not [one for one in findings if "mail" in one["what"].lower().split()]


async def test_the_doctor_looks_whether_mail_can_be_sent(tmp_path: Path, clock: Clock, mail: MailServerHere) -> None:
    """Without sending any: fine, then refused with the remedy."""
    async with app.offline(settings(tmp_path, mail), now=clock) as api:

        async def found() -> dict[str, str]:
            _, answer = await api.call("GET", "/api/v1/doctor")
            return next(one for one in answer["findings"] if "mail" in one["what"].lower().split())

        assert (await found())["level"] == "ok" and mail.taken == []
        mail.refuses["MAIL"] = "550 not you"
        bad = await found()
        assert bad["level"] == "fail" and "550 not you" in bad["what"] and "mail_from" in bad["remedy"]
