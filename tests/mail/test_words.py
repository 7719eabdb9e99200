"""What the gate's mails say."""

from __future__ import annotations

import pytest

from sharegate.mail import words
from sharegate.mail.model import Message

GATE = "https://share.example.org:8443"
CODE = words.code_message("ann@example.org", "K7F29BCD", owner="Olga", share="Week 3", gate=GATE, minutes=10)
TEST = words.test_message("ann@example.org", owner="Olga", gate=GATE)


def test_a_code_says_whose_link_it_is_for_and_what_to_do() -> None:
    """The code in groups, in the subject too; how long it works; what to do when somebody else asked for it."""
    text = "\n\n".join(CODE.body)
    assert CODE.subject == "K7F2 9BCD is your code"
    for part in ("    K7F2 9BCD\n", "Olga shares “Week 3”", "within 10 minutes", "If it is not you", "to nobody"):
        assert part in text


@pytest.mark.parametrize("message", [CODE, TEST], ids=["code", "test"])
def test_every_mail_says_which_gate_sent_it_and_leads_nowhere_else(message: Message) -> None:
    """By its host; no address, no markup."""
    text = "\n".join(message.body)
    assert message.body[-1] == "Sent by sharegate at share.example.org:8443. Nobody reads answers to this mail."
    assert "://" not in text and "<" not in text
