"""A message: what may stand in it, and how it is written."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from email.header import decode_header, make_header
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Invalid
from sharegate.mail.model import MailServer, Message, Security, Sender, check_mailbox, masked

SERVER = MailServer("mail.example.org", 465, Security.TLS, Sender("share@example.org", "Shares"), "gate.example.org")
NOON = 1_800_000_000.0
HIDDEN = ("\r\nBcc: eve@example.org", "\n", "\r", "\0", "\x1b[31m", "\u202egnp", "\u2028", "\u200b", "\ud800", "\x85")


@pytest.mark.parametrize(
    "address",
    ["ann@example.org", "a@b", "A.b+tag@sub.example.org", "o'neil@example.org", "x" * 64 + "@example.org"],
)
def test_plain_addresses_are_taken(address: str) -> None:
    """As they are, letter by letter."""
    assert check_mailbox(address, "email") == address


@pytest.mark.parametrize(
    "address",
    [
        *("", "ann", "@example.org", "ann@", "ann@@example.org", "ann@example..org", ".ann@example.org"),
        *("ann.@example.org", "a..b@example.org", '"a b"@example.org', "ann@[127.0.0.1]", "ann@-example.org"),
        *("ann@example.org,eve@example.org", "ann@example.org>", "<ann@example.org", "ann @example.org", "a@ex ample"),
        *("@relay:ann@example.org ", "ann%eve@relay@example.org", "x" * 65 + "@example.org", "a@" + "b." * 130 + "org"),
        *("ann(comment)@example.org", "ann@example.org\n", "ann@example.org\r\nRCPT TO:<eve@x.org>", "ann\0@x.org"),
        *("änn@example.org", "ann@exämple.org", "ann@example.org\u202e", "\u212aelly@example.org"),
    ],
)
def test_whatever_is_no_plain_address_is_refused(address: str) -> None:
    """Attack: a second recipient, a command, a comment, a route, a quoted part; and letters that servers read
    differently. The error names the field and does not repeat what was given."""
    with pytest.raises(Invalid) as caught:
        check_mailbox(address, "email")
    assert caught.value.field == "email" and caught.value.remedy
    assert len(address) < 15 or address not in str(caught.value)


@pytest.mark.parametrize("text", ["Shares <share@example.org>", " share@example.org ", "Бюро <share@example.org>"])
def test_a_sender_may_have_a_name(text: str) -> None:
    """Which any script may be written in."""
    sender = Sender.parse(text)
    assert sender.address == "share@example.org" and sender.name in ("Shares", "", "Бюро")


@pytest.mark.parametrize("text", ["Shares <share@example.org", "A <a@b> <c@d>", 'x"y <a@b.org>', "<>", "A\nB <a@b.c>"])
def test_a_sender_that_is_none_is_refused(text: str) -> None:
    """With the setting to mend."""
    with pytest.raises(Invalid) as caught:
        Sender.parse(text)
    assert caught.value.field == "mail_from"


@pytest.mark.parametrize("evil", HIDDEN)
def test_attack_nothing_slips_into_a_header(evil: str) -> None:
    """Line breaks, controls and what hides or reorders text are refused in every field."""
    with pytest.raises(Invalid):
        Message("ann@example.org", f"Hello{evil}", ("x",))
    with pytest.raises(Invalid):
        Message(f"ann{evil}@example.org", "Hello", ("x",))
    with pytest.raises(Invalid):
        Sender.parse(f"Sha{evil}res <share@example.org>")
    if evil != "\n":
        with pytest.raises(Invalid):
            Message("ann@example.org", "Hello", ("x" + evil,))


@pytest.mark.parametrize(
    "evil",
    [
        "=?utf-8?q?a=0D=0ABcc:_eve@example.org?=",
        "Week =?utf-8?q?a=0D=0ABcc:_eve@example.org?= 3",
        "=?utf-8?b?YQ0KQmNjOiBldmVAZXhhbXBsZS5vcmc=?= hi",
        "=?utf-8?q?=E2=80=AE?= x",
        "“=?utf-8?q?a=0A?=”",
    ],
)
def test_attack_an_encoded_word_is_words(evil: str) -> None:
    """Line breaks that hide in one (RFC 2047) are no line breaks, and who reads the mail sees what was typed: as its
    subject and as the sender's name."""
    server = replace(SERVER, sender=Sender("share@example.org", evil))
    data = Message("ann@example.org", evil, ("x",)).written(server, NOON)
    head = data.partition(b"\r\n\r\n")[0]
    mail = email.message_from_bytes(data)
    assert b"eve" not in head and len(mail.keys()) == 10 and "Bcc" not in mail
    assert str(make_header(decode_header(mail["Subject"]))) == evil
    assert str(make_header(decode_header(mail["From"]))) == f"{evil} <share@example.org>"


def test_how_a_message_is_written() -> None:
    """Plain text; each header once; automatic, and with an id in the gate's own domain."""
    data = Message("ann@example.org", "Für dich: “Woche 3”", ("Grüße.", "    " + "x" * 300)).written(SERVER, NOON)
    mail = email.message_from_bytes(data, policy=default)
    assert mail.defects == [] and mail.get_content_type() == "text/plain" and not mail.is_multipart()
    assert len(mail.keys()) == len(set(mail.keys()))
    assert mail["From"] == "Shares <share@example.org>" and mail["To"] == "ann@example.org"
    assert mail["Subject"] == "Für dich: “Woche 3”"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Fri, 15 Jan 2027 08:00:00 +0000"
    assert re.fullmatch(r"<[0-9a-f]{32}@gate\.example\.org>", mail["Message-ID"])
    assert mail.get_content().replace("\r\n", "\n") == "Grüße.\n\n    " + "x" * 300 + "\n"
    assert data.isascii() and all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"") and b"\r" not in data.replace(b"\r\n", b"")


@given(st.text(max_size=160), st.text(max_size=300))
def test_whatever_is_taken_reads_back_the_same(subject: str, paragraph: str) -> None:
    """Any text is refused, or arrives as one message with one recipient and this subject."""
    try:
        message = Message("ann@example.org", subject, (paragraph,))
    except Invalid:
        return
    mail = email.message_from_bytes(message.written(SERVER, NOON), policy=default)
    assert len(mail.keys()) == 10 and mail.get_all("To") == ["ann@example.org"]
    assert " ".join(str(mail["Subject"]).split()) == " ".join(subject.split())


def test_what_is_shown_of_a_message_tells_nothing() -> None:
    """Neither whom it is for nor what it says: it holds a code, or a link."""
    message = Message("ann@example.org", "K7F2 9BCD is your code", ("K7F2 9BCD",))
    assert repr(message) == "<Message to a…@example.org>"
    assert masked("b@x.org") == "b…@x.org"


def test_a_server_is_shown_without_its_password() -> None:
    """In its repr, and as people read it."""
    server = MailServer("::1", 25, Security.NONE, Sender("a@b.org"), "g", "user", "very secret")
    assert "very" not in repr(server) and str(server) == "[::1]:25"


def test_a_message_of_megabytes_is_refused() -> None:
    """As a whole, before anything is written."""
    with pytest.raises(Invalid):
        Message("ann@example.org", "Hello", ("x" * 10_000_000,))
