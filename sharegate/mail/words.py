"""What the gate's mails say. Nothing that a visitor typed stands in them but the address itself: whoever asks for a
code must not be able to write to somebody else through us."""

from __future__ import annotations

from urllib.parse import urlsplit

from sharegate.mail.model import Message


def grouped(code: str) -> str:
    """`K7F2 9BCD`: as it is read and typed."""
    return f"{code[:4]} {code[4:]}"


def code_message(to: str, code: str, *, owner: str, share: str, gate: str, minutes: int) -> Message:
    """The code that shows that whoever opens the link reads this mailbox. `gate` is the gate's own address."""
    what = f"“{share}”" if share else "a folder"
    return Message(
        to,
        # The code comes first: it can be read where only the beginning is shown.
        f"{grouped(code)} is your code",
        (
            f"Somebody opens a link by which {owner} shares {what}, and says that this is their address.",
            "If it is you, type this code on the page that is open in your browser:",
            f"    {grouped(code)}",
            f"It works once, within {minutes} minutes, and only in the browser that asked for it. Nobody else needs "
            "it: give it to nobody, and type it on no other page.",
            "If it is not you, there is nothing to do. Without the code nobody gets in.",
            _foot(gate),
        ),
    )


def test_message(to: str, *, owner: str, gate: str) -> Message:
    """That mail arrives."""
    return Message(
        to,
        "Mail from your gate arrives",
        (f"{owner} tried out whether this gate can send mail. It can.", "There is nothing to do.", _foot(gate)),
    )


def link_message(
    to: str, url: str, *, name: str, owner: str, share: str, may: str, said: str, until: str, proves: bool, gate: str
) -> Message:
    """A link, for the one person whom it is for. `may` is the role as a sentence, `said` the owner's own words, `until`
    a moment in words."""
    alone = "The link is for you alone. In another browser it asks first."
    asked = "When you open it, a code is mailed to this address: so nobody else can use it." if proves else ""
    return Message(
        to,
        f"{owner} shares “{share}” with you",
        tuple(
            paragraph
            for paragraph in (
                f"Hello {name}," if name else "Hello,",
                f"{owner} shares “{share}” with you. You {may}, until {until}.",
                said,
                "    " + url,
                f"{alone} {asked}".strip(),
                _foot(gate),
            )
            if paragraph
        ),
    )


def _foot(gate: str) -> str:
    return f"Sent by sharegate at {urlsplit(gate).netloc}. Nobody reads answers to this mail."
