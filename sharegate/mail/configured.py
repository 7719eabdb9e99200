"""What the settings say about mail, and what is wrong with that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sharegate.errors import Invalid
from sharegate.mail.model import MailServer, Security, Sender

_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}\Z|[0-9A-Fa-f:.]{2,45}\Z")
# What is of no use without a server.
_OF_A_SERVER = ("smtp_user", "smtp_ca_file", "mail_from")
_WORDS = {each.value for each in Security}


def faults(values: Mapping[str, Any], *, near: bool, password: str) -> Iterator[Invalid]:
    """`near`: the server is on this computer."""
    host, security = values["smtp_host"], values["smtp_security"]
    if security not in _WORDS:
        yield Invalid("smtp_security", f"{security[:40]!r} is no way to protect mail", "tls, starttls or none")
    if not 0 <= values["smtp_port"] <= 65535:
        yield Invalid("smtp_port", "is no port", "Choose 465 (tls), 587 (starttls) or what your mail server says")
    if not host:
        for name in _OF_A_SERVER:
            if values[name]:
                yield Invalid(name, "is for a mail server, and none is named", "Set smtp_host, or leave it out")
        return
    if not _HOST.match(host):
        yield Invalid("smtp_host", f"{host[:80]!r} is no host name or address", "Example: smtp.example.org")
    elif security == "none" and not near and not values["insecure"]:
        yield Invalid(
            "smtp_security",
            "is none, and the mail server is on another computer: who listens in reads codes and passwords",
            "Use tls or starttls, or accept it with --insecure",
        )
    if security == "none" and values["smtp_ca_file"]:
        yield Invalid("smtp_ca_file", "is of no use without TLS", "Set smtp_security to tls or starttls, or drop it")
    user = values["smtp_user"]
    if len(user) > 254 or not user.isprintable():
        yield Invalid("smtp_user", "is not a name of visible characters", "Write it as your mail server wants it")
    if user and not password:
        yield Invalid("smtp_user", "has no password", "Set smtp_password_file or SHAREGATE_SMTP_PASSWORD")
    if password and not user:
        yield Invalid("smtp_user", "is missing, there is a password for it", "Set it, or leave out the password")
    if not values["mail_from"]:
        yield Invalid("mail_from", "is missing: mail needs a sender", "Example: Shares <share@example.org>")
        return
    try:
        Sender.parse(values["mail_from"])
    except Invalid as fault:
        yield fault


def mail_server(values: Mapping[str, Any], *, name: str, password: str, ca_file: Path | None) -> MailServer | None:
    """Of values without faults; None where the gate sends no mail. `name` is the host name or address of the gate."""
    if not values["smtp_host"]:
        return None
    security = Security(values["smtp_security"])
    literal = f"[IPv6:{name}]" if ":" in name else f"[{name}]" if re.fullmatch(r"[0-9.]+", name) else name
    return MailServer(
        values["smtp_host"],
        values["smtp_port"] or security.usual_port,
        security,
        Sender.parse(values["mail_from"]),
        literal,
        values["smtp_user"],
        password,
        ca_file,
    )
