"""Handing in mail: to real servers, and to servers that do what none should."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sharegate.errors import Unsent, Why
from sharegate.mail.model import MailServer, Message, Security, Sender
from sharegate.mail.smtp import Smtp
from tests.mail.scripted import Script, says, serving
from tests.real.certificates import Authority
from tests.real.jupyter import free_port
from tests.real.mail import MailServerHere, running_mail

MESSAGE = Message("ann@example.org", "A word", ("Hello.", ".", ". and a dot"))
PASSWORD = "s3cret words\u20ac"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def at(port: int, security: Security = Security.NONE, **more: Any) -> MailServer:
    host = "localhost" if security is not Security.NONE else "127.0.0.1"
    fields = {"host": host, "port": port, "security": security, "name": "share.example.org"}
    return MailServer(**{**fields, "sender": Sender("share@example.org", "Olga’s gate"), **more})


def smtp(server: MailServer, **more: Any) -> Smtp:
    return Smtp(server, lambda: 1_800_000_000.0, **more)


async def unsent(server: MailServer, message: Message = MESSAGE, **more: Any) -> Unsent:
    with pytest.raises(Unsent) as caught:
        await smtp(server, **more).send(message)
    for words in (str(caught.value), repr(caught.value), caught.value.remedy, repr(server)):
        assert PASSWORD not in words
    assert caught.value.remedy
    return caught.value


@pytest.fixture(params=[Security.TLS, Security.STARTTLS])
def secured(request: pytest.FixtureRequest, authority: Authority) -> Iterator[tuple[MailServerHere, MailServer]]:
    """A real server that wants TLS and a login, and how to reach it."""
    with running_mail(request.param, authority.leaf(), ("gate", PASSWORD)) as running:
        yield running, at(running.port, request.param, user="gate", password=PASSWORD, ca_file=authority.ca)


async def test_a_message_arrives_over_tls_with_a_login(secured: tuple[MailServerHere, MailServer]) -> None:
    """As it was written, once, from and to whom it says; the server is told the gate's name and not the computer's."""
    running, server = secured
    await smtp(server).send(MESSAGE)
    taken = running.taken.pop()
    assert running.taken == [] and running.logins == 1
    assert (taken.sender, taken.recipients) == ("share@example.org", ["ann@example.org"])
    assert taken.text == "Hello.\n\n.\n\n. and a dot\n"
    assert taken.mail["From"] == "Olga’s gate <share@example.org>"
    assert taken.mail["Message-ID"].endswith("@share.example.org>")
    assert set(running.hello) == {"share.example.org"}


async def test_a_wrong_password_is_told_without_it(
    secured: tuple[MailServerHere, MailServer], caplog: pytest.LogCaptureFixture
) -> None:
    """`login`, with the setting to look at; neither error nor log hold the password."""
    caplog.set_level(logging.DEBUG)
    running, server = secured
    running.login = ("gate", "another")
    error = await unsent(server)
    assert error.why is Why.LOGIN and "smtp_password_file" in error.remedy
    assert PASSWORD not in caplog.text
    assert running.taken == []


async def test_a_certificate_of_somebody_else_gets_no_mail(secured: tuple[MailServerHere, MailServer]) -> None:
    """Attack: somebody on the way. An unknown authority, and a name that is not the server's; no login is tried."""
    running, server = secured
    unknown = at(server.port, server.security, user="gate", password=PASSWORD)
    assert (await unsent(unknown)).why is Why.CERTIFICATE
    assert running.taken == [] and running.logins == 0


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_a_certificate_for_another_name_gets_no_mail(security: Security, authority: Authority) -> None:
    """Attack: a certificate of the right authority, for another host."""
    with running_mail(security, authority.leaf("other", ("mail.other.org",)), ("gate", PASSWORD)) as running:
        server = at(running.port, security, user="gate", password=PASSWORD, ca_file=authority.ca)
        assert (await unsent(server)).why is Why.CERTIFICATE
        assert running.logins == 0


async def test_a_server_without_starttls_gets_no_login(authority: Authority) -> None:
    """Attack: STARTTLS is taken out of what the server offers. Nothing is said in the clear after that."""
    heard: list[str] = []
    async with serving(says({}, heard=heard)) as port:
        server = at(port, Security.STARTTLS, user="gate", password=PASSWORD, ca_file=authority.ca)
        assert (await unsent(server)).why is Why.TLS
    assert [line.split()[0] for line in heard] == ["EHLO"]


async def test_an_answer_slipped_in_before_tls_counts_for_nothing(authority: Authority) -> None:
    """Attack: whoever sits between adds answers behind the go-ahead for TLS (CVE-2011-0411). They are thrown away."""
    pair = authority.leaf("injected")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    heard: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.readline()
        writer.write(b"250-hi\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go on\r\n250-hi\r\n250 AUTH PLAIN\r\n235 you are in\r\n")
        await writer.start_tls(context)
        heard.append(await reader.readline())
        writer.write(b"554 not you\r\n")
        heard.append(await reader.readline())

    async with serving(script) as port:
        server = at(port, Security.STARTTLS, user="gate", password=PASSWORD, ca_file=authority.ca)
        assert (await unsent(server)).why in (Why.PROTOCOL, Why.LOGIN, Why.BROKEN)
    assert heard[0].startswith(b"EHLO") and not any(line.startswith(b"AUTH") for line in heard)


@pytest.mark.parametrize(
    ("answers", "why", "told"),
    [
        ({"": "554 no service"}, Why.UNREACHABLE, "554 no service"),
        ({"": "!"}, Why.UNREACHABLE, ""),
        ({"": "hello?"}, Why.PROTOCOL, ""),
        ({"": "220 " + "x" * 100_000}, Why.PROTOCOL, ""),
        ({"EHLO": "550 no"}, Why.PROTOCOL, "550 no"),
        ({"EHLO": "250 hi"}, Why.LOGIN, ""),
        ({"EHLO": "!"}, Why.BROKEN, ""),
        ({"AUTH": "535 cannot say why"}, Why.LOGIN, "535"),
        ({"AUTH": "!"}, Why.BROKEN, ""),
        ({"MAIL": "550 not from you"}, Why.SENDER, "550 not from you"),
        ({"RCPT": "550 no such \x1b[31mmailbox"}, Why.RECIPIENT, "550 no such [31mmailbox"),
        ({"RCPT": "450 later"}, Why.RECIPIENT, "450 later"),
        ({"RCPT": "!"}, Why.BROKEN, ""),
        ({"DATA": "451 no room"}, Why.CONTENT, "451 no room"),
        ({".": "554 looks like spam"}, Why.CONTENT, "554 looks like spam"),
        ({".": "!"}, Why.UNKNOWN, ""),
        ({".": "?"}, Why.PROTOCOL, ""),
    ],
)
async def test_what_a_server_does_wrong_is_one_error(answers: dict[str, str], why: Why, told: str) -> None:
    """Each way to refuse, to break off and to talk nonsense has its word; of the login nothing is repeated."""
    async with serving(says({"AUTH": "235 ok", **answers})) as port:
        error = await unsent(at(port, user="gate", password=PASSWORD))
    assert (error.why, error.told) == (why, told)


@pytest.mark.parametrize("where", ["", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."])
async def test_a_server_that_hangs_is_given_up(where: str) -> None:
    """Wherever it hangs; behind the message nobody knows, before it the message was not sent."""
    async with serving(says({"AUTH": "235 ok", where: ""})) as port:
        error = await unsent(at(port, user="gate", password=PASSWORD), seconds=1.5)
    assert error.why is (Why.UNKNOWN if where in ("DATA", ".") else Why.TIMEOUT)


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_a_server_that_never_finishes_its_handshake_is_given_up(security: Security, authority: Authority) -> None:
    """Plain silence where TLS is expected."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if security is Security.STARTTLS:
            writer.write(b"220 ready\r\n")
            await reader.readline()
            writer.write(b"250-hi\r\n250 STARTTLS\r\n")
            await reader.readline()
            writer.write(b"220 go on\r\n")
        await asyncio.Event().wait()

    async with serving(silent) as port:
        assert (await unsent(at(port, security, ca_file=authority.ca), seconds=0.3)).why is Why.TIMEOUT


def dripping() -> Script:
    """Answers that never end, a byte at a time, never silent for long."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"220-x\r\n"[:1])
            await writer.drain()
            await asyncio.sleep(0.01)

    return script


async def test_a_server_that_drips_is_given_up() -> None:
    """The time is one for all, not one for each byte."""
    async with serving(dripping()) as port:
        assert (await unsent(at(port), seconds=0.3)).why is Why.TIMEOUT


async def test_nobody_listens() -> None:
    """A closed port, and a name that does not exist."""
    assert (await unsent(at(free_port()))).why is Why.UNREACHABLE
    assert (await unsent(at(25, host="nowhere.invalid"))).why is Why.UNREACHABLE


async def test_a_plain_server_where_tls_was_expected() -> None:
    """`tls`, with the settings to look at."""
    async with serving(says({})) as port:
        error = await unsent(at(port, Security.TLS))
    assert error.why is Why.TLS and "smtp_security" in error.remedy


async def test_an_authority_file_that_does_not_read(tmp_path: Path) -> None:
    """No mail goes out, and the setting is named."""
    error = await unsent(at(free_port(), Security.TLS, ca_file=tmp_path / "none.pem"))
    assert error.why is Why.CERTIFICATE and "smtp_ca_file" in str(error)


async def test_a_message_is_handed_in_once(authority: Authority) -> None:
    """When the connection breaks after the message, there is no second one."""
    heard: list[str] = []
    async with serving(says({".": "!"}, heard=heard)) as port:
        assert (await unsent(at(port))).why is Why.UNKNOWN
    assert sum(line.startswith("DATA") for line in heard) == 1
    assert sum(line.startswith("EHLO") for line in heard) == 1


async def test_only_so_many_conversations_run_at_once() -> None:
    """With one place and one waiting, the third is told at once; a place that is left is taken; nobody keeps one."""
    async with serving(says({"MAIL": ""})) as port:
        gate = smtp(at(port), seconds=30, at_once=1, waiting=1)
        first, second = asyncio.create_task(gate.send(MESSAGE)), asyncio.create_task(gate.send(MESSAGE))
        async with asyncio.timeout(25):
            while gate._waiting < 1:
                await asyncio.sleep(0.01)
        with pytest.raises(Unsent) as caught:
            await gate.send(MESSAGE)
        assert caught.value.why is Why.BUSY
        for task in (first, second):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    with running_mail() as running:
        for _ in range(3):
            gate._server = at(running.port)
            await gate.send(MESSAGE)
        assert len(running.taken) == 3


async def test_a_look_sends_nothing() -> None:
    """The server takes mail from us, and gets none."""
    with running_mail() as running:
        await smtp(at(running.port)).look()
        assert running.taken == []
        running.refuses["MAIL"] = "550 no"
        with pytest.raises(Unsent) as caught:
            await smtp(at(running.port)).look()
        assert caught.value.why is Why.SENDER


async def test_a_server_that_repeats_the_password_is_not_quoted() -> None:
    """Attack: a server writes the password into its answers, to have it logged."""
    async with serving(says({"AUTH": "235 ok", "MAIL": f"550 {PASSWORD} is your password"})) as port:
        assert (await unsent(at(port, user="gate", password=PASSWORD))).told == "550"
