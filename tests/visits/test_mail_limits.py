"""How many mails may be asked for, by whom."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from sharegate.errors import Denied, Reason
from sharegate.tally import OwnTally
from sharegate.visits import mail_limits as module
from sharegate.visits.mail_limits import MAILBOX_WAIT, MailLimits, mailbox
from tests.conftest import Clock

ANN = "ann@berkeley.edu"


@pytest.fixture
def limits(clock: Clock) -> MailLimits:
    return MailLimits(OwnTally(clock))


async def asked(
    limits: MailLimits,
    *,
    email: Callable[[int], str] = lambda n: f"n{n}@berkeley.edu",
    link: Callable[[int], str] = lambda n: "one link",
    address: Callable[[int], str] = lambda n: "192.0.2.1",
) -> tuple[int, int]:
    """How many mails may be asked for, until one is refused; and how long to wait then."""
    for number in range(10_000):
        try:
            await limits.take(email(number), link(number), address(number))
        except Denied as denied:
            return number, denied.wait if denied.reason is Reason.MAIL_LIMIT else -1
    raise AssertionError("no end")


async def test_one_network_asks_for_few_mails_to_a_mailbox(limits: MailLimits, clock: Clock) -> None:
    """Three at once, then one in ten minutes; other networks and other links do not notice."""
    assert await asked(limits, email=lambda n: ANN) == (3, MAILBOX_WAIT)
    await limits.take(ANN, "one link", "198.51.100.1")
    await limits.take(ANN, "another link", "192.0.2.1")
    clock.forward(MAILBOX_WAIT)
    assert await asked(limits, email=lambda n: ANN) == (1, MAILBOX_WAIT)


async def test_attack_a_links_holder_with_some_networks_does_not_keep_others_from_their_mail(
    limits: MailLimits, clock: Clock
) -> None:
    """They go on asking from five networks for hours: whoever asks from elsewhere gets their code by the same link."""
    for number in range(12 * 60):
        for place in range(5):
            with contextlib.suppress(Denied):
                await limits.take(ANN, "one link", f"10.0.{place}.1")
        if number % 60 == 30:
            await limits.take(ANN, "one link", f"192.0.{number // 60}.1")
        clock.forward(60)


async def test_attack_a_links_holder_with_very_many_networks_does_not_use_up_a_mailbox(limits: MailLimits) -> None:
    """What one link can have sent to a mailbox is a part of what the mailbox takes."""
    most = module.TO_A_MAILBOX_ANEW.burst + module.TO_A_MAILBOX_AGAIN.burst
    assert await asked(limits, email=lambda n: ANN, address=lambda n: f"10.{n}.0.1") == (most, MAILBOX_WAIT)
    assert most * 3 <= module.TO_A_MAILBOX.burst
    await limits.take(ANN, "another link", "192.0.2.1")


async def test_attack_the_wait_does_not_tell_how_often_others_asked_for_a_mailbox(
    limits: MailLimits, clock: Clock
) -> None:
    """However much was asked for, and whenever: one and the same number."""
    await asked(limits, email=lambda n: ANN, link=lambda n: f"link {n}", address=lambda n: f"10.0.{n}.1")
    waits = set()
    for _ in range(5):
        waits.add((await asked(limits, email=lambda n: ANN, link=lambda n: "mine", address=lambda n: "192.0.2.9"))[1])
        clock.forward(7)
    assert waits == {MAILBOX_WAIT}


async def test_attack_a_network_uses_up_neither_a_link_nor_the_gate(limits: MailLimits) -> None:
    """A quarter of a link at most, a sixth of the gate; a link a third of the gate."""
    from_one, _ = await asked(limits)
    assert from_one == module.BY_A_LINK_FROM_A_NETWORK.burst >= 60 * 1.5
    await limits.take(ANN, "one link", "198.51.100.1")
    more, _ = await asked(limits, link=lambda n: f"link {n}")
    assert from_one + more == module.FROM_A_NETWORK.burst
    assert module.BY_A_LINK_FROM_A_NETWORK.burst * 3 < module.BY_A_LINK.burst
    assert module.FROM_A_NETWORK.burst * 5 < module.OF_ALL.burst
    assert module.BY_A_LINK.burst * 3 <= module.OF_ALL.burst


async def test_a_link_and_a_gate_have_an_end(limits: MailLimits) -> None:
    """From networks without number; and over links without number."""
    count, wait = await asked(limits, address=lambda n: f"10.{n}.0.1")
    assert count == module.BY_A_LINK.burst and 0 < wait <= 8
    rest, _ = await asked(limits, link=lambda n: f"link {n}", address=lambda n: f"10.{n // 200}.{n % 200}.2")
    assert count + rest == module.OF_ALL.burst


async def test_what_is_refused_is_counted_nowhere(limits: MailLimits) -> None:
    """Whoever goes on asking for one mailbox takes nothing of the link."""
    for _ in range(1000):
        await asked(limits, email=lambda n: ANN)
    assert (await asked(limits))[0] == module.BY_A_LINK_FROM_A_NETWORK.burst - 3


async def test_what_is_given_back_is_given_back_everywhere_and_once(limits: MailLimits) -> None:
    """Nobody could be written to: as if it had not been asked for."""
    for _ in range(1000):
        taken = await limits.take(ANN, "one link", "192.0.2.1")
        await taken.give_back()
    await limits.take(ANN, "one link", "192.0.2.1")
    await taken.give_back()
    assert (await asked(limits, email=lambda n: ANN))[0] == 2
    assert (await asked(limits))[0] == module.BY_A_LINK_FROM_A_NETWORK.burst - 3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ann@berkeley.edu", "ann+x@berkeley.edu", True),
        ("ann@gmail.com", "a.n.n+y@gmail.com", True),
        ("ann@gmail.com", "ann@googlemail.com", True),
        ("a.nn@berkeley.edu", "ann@berkeley.edu", False),
        ("ann@berkeley.edu", "ann@cs.berkeley.edu", False),
    ],
)
def test_what_counts_as_one_mailbox(one: str, other: str, same: bool) -> None:
    """What follows a plus does not count, dots do not at Gmail; nothing can be read from what is kept."""
    assert (mailbox(one) == mailbox(other)) is same
    assert "ann" not in mailbox(one)
