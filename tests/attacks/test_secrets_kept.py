"""Every kind of secret that the gate ever has, used once, and then looked for wherever something is written down or
shown to somebody who is not meant to have it.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from sharegate.mail.smtp import Smtp
from tests.conftest import Clock
from tests.dashboard.client import Program, Signed
from tests.dashboard.conftest import SECRET as SERVER_TOKEN
from tests.oidc.party import SECRET as CLIENT_SECRET
from tests.real.mail import running_mail
from tests.visits.signer import Desk, signing
from tests.visits.test_mailed import code_in

PASSPHRASE, WRONG = "green bicycle 7 of mine", "wrong bicycle 8 of mine"
SMTP_PASSWORD = "what only the mail server knows"


def shown(root: object) -> Iterator[str]:
    """How each object of ours shows itself that can be reached from `root`."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, ModuleType | FunctionType | type):
            continue
        seen.add(id(one))
        if type(one).__module__.startswith("sharegate"):
            yield repr(one)
        waiting += gc.get_referents(one)


async def everything(desk: Desk, secrets: dict[str, str]) -> None:
    """One of each: what is secret of it is put in."""
    office = desk.office
    gate: Any = office.running.gate
    # An account, a mailed code with a passphrase, a short code, a knock, a device.
    _, token = await desk.link(**{"for": ["Ann"]}, account="ann@uni.example")
    ann = desk.person()
    address = await ann.leave(token)
    asked = dict(parse_qsl(urlsplit(address).query))
    back = desk.there.sent_back(address)
    answer = dict(parse_qsl(urlsplit(back).query))
    secrets |= {"share token": token, "state": asked["state"], "nonce": asked["nonce"], "their code": answer["code"]}
    assert (await ann.come(back))[0] == 200
    secrets["verifier"] = str(desk.there.forms[0]["code_verifier"])
    visit = await ann.enter(token)
    with running_mail() as mail:
        mailed = gate._doorstep._door._mailed
        there = replace(office.running.config, smtp_port=mail.port, smtp_user="", smtp_password="").mail
        mailed._mailer = Smtp(there, lambda: 0.0)
        link, mine = await desk.link(**{"for": ["Bo"]}, recipient="bo@uni.example", passphrase=PASSPHRASE)
        bo = desk.person()
        assert (await bo.post("/join/code", {"token": mine, "passphrase": WRONG}))[0] == 403
        status, said = await bo.post("/join/code", {"token": mine, "passphrase": PASSPHRASE})
        assert status == 200, said
        code = code_in((await mail.next()).text)
        await mailed.finished()
    assert (await bo.open(mine, code="2345 6789", passphrase=PASSPHRASE))[0] == 403
    await bo.enter(mine, code=code, passphrase=PASSPHRASE)
    secrets |= {"mailed code": code, "mailed code, plain": code.replace(" ", ""), "link": mine}
    secrets |= {"passphrase": PASSPHRASE, "wrong passphrase": WRONG}
    anyone, _ = await desk.link(anyone=True)
    short = (await office.call("POST", f"links/{anyone}/code", {}))["code"]
    eve = desk.person()
    status, said = await eve.post("/code", {"code": short})
    given = str(said["location"]).partition("#")[2]
    secrets |= {"short code": short, "short code, plain": short.replace(" ", ""), "what a code gave": given}
    await eve.enter(given, name="Eve")
    stranger = desk.person()
    assert (await stranger.post("/join/knock", {"token": token, "name": "Eve"}))[0] == 200
    # The co-owner's page, whose key stands in it alone.
    await office.call("POST", f"links/{link}/coowner")
    # The dashboard: the address that opens it, its cookie and its pages' token; a program.
    page = Signed(office)
    opened = (await office.call("POST", "logins"))["url"]
    secrets["code of the dashboard's address"] = opened.partition("#")[2]
    async with page.http.post(
        "/login", json={"code": opened.partition("#")[2]}, headers={"Origin": office.running.dashboard_url}
    ) as reply:
        assert reply.status == 200
        secrets["session"] = reply.headers["Set-Cookie"].partition(";")[0].partition("=")[2]
    await page.enter()
    secrets["session's own token"] = page.headers()["X-CSRF-Token"]
    api = await office.token("shares:read")
    program = Program(office, api)
    assert (await program.ask("GET", "/api/v1/shares"))[0] == 200
    async with program.http.get(f"/api/v1/shares?token={api}", headers={"Authorization": f"Bearer {api}x"}) as reply:
        assert reply.status == 401
    secrets["token of the API"] = api.rpartition("_")[2] if "_" not in api[15:] else api[15:]
    for number, person in enumerate((ann, bo, eve, stranger)):
        for cookie in person.http.cookie_jar:
            secrets[f"{cookie.key} of {number}"] = cookie.value
    assert visit
    await page.close()
    await program.close()


async def test_attack_whoever_reads_what_is_written_down(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log with all that libraries say, unscrubbed; the history; what lists tell; how anything of ours shows itself;
    the store's files."""
    caplog.set_level(logging.DEBUG)
    password = tmp_path / "smtp password"
    password.write_text(SMTP_PASSWORD, encoding="utf-8")
    password.chmod(0o600)
    mail = {"smtp_user": "gate", "smtp_password_file": str(password)}
    secrets = {"server's token": SERVER_TOKEN, "client secret": CLIENT_SECRET, "mail password": SMTP_PASSWORD}
    async with signing(tmp_path, clock, monkeypatch, **mail) as desk:
        await everything(desk, secrets)
        secrets = {name: secret for name, secret in secrets.items() if secret}
        assert len(secrets) >= 24
        office = desk.office
        formatted = logging.Formatter()
        # Without the mail server of this test, which logs what it is told.
        log = [formatted.format(record) for record in caplog.records if not record.name.startswith("mail.log")]
        written = {"the log": "\n".join(log), "objects": "\n".join(shown(office.running))}
        for verb in ("audit", "shares", "visits", "knocks", "servers", "tokens", "gate", "keys", "settings"):
            status, said = await office.ask("GET", verb)
            written[verb] = str(said) if status == 200 else ""
        assert len(written["objects"]) > 10_000 and "Ann" in written["visits"]
    for file in (tmp_path / "gate").rglob("*"):
        if file.is_file() and "keys" not in file.parts:
            written[file.name] = file.read_bytes().decode("latin-1")
    found = [(name, where) for name, secret in secrets.items() for where, text in written.items() if secret in text]
    assert found == []
