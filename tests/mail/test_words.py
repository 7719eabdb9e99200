"""What the gate's mails say."""

from __future__ import annotations

import pytest

from sharegate.mail import words
from sharegate.mail.model import Message

GATE = "https://share.example.org:8443"
CODE = words.code_message("ann@example.org", "K7F29BCD", owner="Olga", share="Week 3", gate=GATE, minutes=10)
URL = GATE + "/join#aaaa.bbbb.cccc"
LINK = words.link_message(
    "ann@example.org", URL, owner="Olga", share="", message="Read this.", until="Friday, 17:00 UTC", gate=GATE
)
TEST = words.test_message("ann@example.org", owner="Olga", gate=GATE)


def test_a_code_says_whose_link_it_is_for_and_what_to_do() -> None:
    """The code in groups, in the subject too; how long it works; what to do when somebody else asked for it."""
    text = "\n\n".join(CODE.body)
    assert CODE.subject == "K7F2 9BCD is your code"
    for part in ("    K7F2 9BCD\n", "Olga shares “Week 3”", "within 10 minutes", "If it is not you", "to nobody"):
        assert part in text


def test_a_link_stands_on_a_line_of_its_own() -> None:
    """In one piece, with the owner's words and the end."""
    text = "\n\n".join(LINK.body)
    assert f"\n    {URL}\n" in text and "Read this." in text and "until Friday, 17:00 UTC" in text
    assert LINK.subject == "Olga shares a folder with you"


@pytest.mark.parametrize("message", [CODE, LINK, TEST], ids=["code", "link", "test"])
def test_every_mail_says_which_gate_sent_it_and_leads_nowhere_else(message: Message) -> None:
    """By its host; no address but the link itself, no markup."""
    text = "\n".join(message.body)
    assert message.body[-1] == "Sent by sharegate at share.example.org:8443. Nobody reads answers to this mail."
    assert text.replace(URL, "").count("://") == 0 and "<" not in text


def test_a_long_name_still_makes_a_subject() -> None:
    """Cut, not refused."""
    made = words.link_message("a@b.org", URL, owner="O" * 60, share="S" * 200, message="", until="then", gate=GATE)
    assert len(made.subject) == 150
