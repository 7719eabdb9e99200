"""A message, and the server that takes it. Nothing here speaks to the network.

Whatever goes into a header is checked where it is made: there is no text from which a line break or a second recipient
could come into one.
"""

from __future__ import annotations

import re
import secrets
import textwrap
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path

from sharegate.errors import Invalid

# RFC 5321 section 4.5.3.1: the longest mailbox, and the longest of its two parts.
_LONGEST, _LONGEST_LOCAL, _LONGEST_DOMAIN = 254, 64, 253
# RFC 5322 section 3.2.3, dot-atom. The quoted form (`"a b"@…`) is left out: nobody has it, and it is where mail servers
# differ about whose mailbox is meant. So are source routes, comments and address literals.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
# What a person does not see, or what reorders and hides what they see: controls, formats, separators of lines.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LONGEST_SUBJECT = 150
_LONGEST_BODY = 20_000
_LONGEST_LINE = 78
_POLICY = SMTP.clone(cte_type="7bit", max_line_length=_LONGEST_LINE)
WIDTH = 72


class Security(StrEnum):
    """How the way to the mail server is protected."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"

    @property
    def usual_port(self) -> int:
        return {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}[self]


def _plain(text: str) -> bool:
    return not any(unicodedata.category(char) in _UNSEEN for char in text)


def check_mailbox(address: str, field: str) -> str:
    """`address` itself, if it is one mailbox in plain ASCII. Raises Invalid, which does not repeat what was given."""
    local, at, domain = address.rpartition("@")
    if not address.isascii():
        what = "the part before the @" if not local.isascii() else "the domain"
        raise Invalid(
            field,
            f"has letters in {what} that mail servers do not take everywhere",
            "Give the address in plain letters; of an international domain the form that begins with xn--",
        )
    fits = len(address) <= _LONGEST and len(local) <= _LONGEST_LOCAL and len(domain) <= _LONGEST_DOMAIN
    if not (at and fits and _LOCAL.match(local) and _DOMAIN.match(domain)):
        raise Invalid(field, "is no e-mail address", "Give one address, like ann@example.org")
    return address


def masked(address: str) -> str:
    """What may be shown of an address to whoever has the link: `a…@example.org`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose name and address mail bears. `parse` reads `ann@example.org` or `Ann's gate <ann@example.org>`."""

    address: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Sender:
        """Raises Invalid."""
        name, bracket, rest = text.strip().partition("<")
        if not bracket:
            return cls(check_mailbox(name, "mail_from"))
        if not rest.endswith(">") or not _plain(name) or '"' in name or "\\" in name:
            what = "is no address, nor a name and an address"
            raise Invalid("mail_from", what, "Example: Shares <share@example.org>")
        return cls(check_mailbox(rest[:-1], "mail_from"), name.strip())


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. `name` is what the gate calls itself there, and what stands in Message-ID."""

    host: str
    port: int
    security: Security
    sender: Sender
    name: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Message:
    """One plain text to one mailbox. `body` is a list of paragraphs; a line of one that begins with four blanks stays
    as it is. Raises Invalid for what cannot be sent: it is refused, never mended."""

    to: str
    subject: str
    body: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        check_mailbox(self.to, "email")
        if not self.subject or len(self.subject) > _LONGEST_SUBJECT or not _plain(self.subject):
            raise Invalid("subject", "holds what no header may hold", "Use plain words")
        for paragraph in self.body:
            if not all(_plain(line) for line in paragraph.split("\n")):
                raise Invalid("message", "holds characters that hide or reorder text", "Use plain words")
        if sum(map(len, self.body)) > _LONGEST_BODY:
            raise Invalid("message", "is too long for a mail", "Use fewer words")

    def __repr__(self) -> str:
        return f"<Message to {masked(self.to)}>"

    def written(self, server: MailServer, at: float) -> bytes:
        """As it goes over the wire but for the dots (RFC 5321 section 4.5.2). `at` is seconds since the epoch."""
        mail = EmailMessage(policy=_POLICY)
        mail.set_content("\n\n".join(map(_wrapped, self.body)) + "\n", charset="utf-8")
        sender = server.sender
        head = (
            ("From", f"{_phrase(sender.name)} <{sender.address}>" if sender.name else sender.address),
            ("To", self.to),
            ("Subject", _words("Subject", self.subject)),
            ("Date", format_datetime(datetime.fromtimestamp(at, UTC))),
            ("Message-ID", f"<{secrets.token_hex(16)}@{server.name}>"),
            # RFC 3834: nobody's holiday notice answers it.
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
        )
        return "".join(f"{name}: {value}\r\n" for name, value in head).encode("ascii") + mail.as_bytes()


# The library's own headers read encoded words in what they are given, and write line breaks that were hidden in one
# (RFC 2047): so these are written here, and what looks like one is encoded itself.
def _words(name: str, text: str) -> str:
    plain = text.isascii() and "=?" not in text and len(name) + len(text) + 2 <= _LONGEST_LINE
    return text if plain else Header(text, "utf-8", _LONGEST_LINE, name).encode(linesep="\r\n")


def _phrase(name: str) -> str:
    """A name before an address (RFC 5322, section 3.4)."""
    encoded = _words("From", name)
    return f'"{name}"' if encoded == name else encoded


def _wrapped(paragraph: str) -> str:
    lines = paragraph.split("\n")
    return "\n".join(
        line if line.startswith("    ") else textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False)
        for line in lines
    )
