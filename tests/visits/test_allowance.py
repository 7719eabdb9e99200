"""What visits, links and shares may use."""

import pytest

from sharegate.errors import Denied, Reason
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.model import Grant, Link, Role, Share, Visit
from sharegate.visits.allowance import LINK_TIMES, SHARE_TIMES, Allowance, Amounts
from tests.conftest import Clock


def grant(visit: str = "v1", link: str = "l1", share: str = "s1") -> Grant:
    made = {"created": 0.0, "expires": 9e9}
    return Grant(
        share=Share(id=share, upstream="u", owner="Olga", root="x", **made),
        link=Link(id=link, share=share, letter="a", **made),
        visit=Visit(id=visit, share=share, link=link, number=1, **made),
        role=Role.VIEW,
        capabilities=frozenset(),
        expires=9e9,
        addresses=GateAddresses("http://127.0.0.1:8870").of(share),
    )


@pytest.fixture
def allowance(clock: Clock) -> Allowance:
    return Allowance(Amounts(requests=10, at_once=2, bytes=1000), clock)


def until_refused(call, most: int = 10_000) -> tuple[int, Reason]:  # type: ignore[no-untyped-def]
    for count in range(most):
        try:
            call(count)
        except Denied as denied:
            return count, denied.reason
    raise AssertionError("never refused")


def test_a_visit_has_so_many_requests_a_minute(allowance: Allowance, clock: Clock) -> None:
    """Ten, then a refusal, then time gives them back."""
    assert until_refused(lambda _: allowance.ask(grant())) == (10, Reason.REQUEST_LIMIT)
    clock.forward(60)
    allowance.ask(grant())


@pytest.mark.parametrize(
    ("asker", "times"),
    [(lambda n: grant(visit=f"v{n}"), LINK_TIMES), (lambda n: grant(visit=f"v{n}", link=f"l{n}"), SHARE_TIMES)],
    ids=["link", "share"],
)
def test_many_visits_together_have_a_limit_too(allowance: Allowance, asker, times: int) -> None:  # type: ignore[no-untyped-def]
    """Requests a minute and at once, over all visits of a link, and over all links of a share."""
    assert until_refused(lambda n: allowance.ask(asker(n))) == (10 * times, Reason.REQUEST_LIMIT)
    assert until_refused(lambda n: allowance.enter(asker(n))) == (2 * times, Reason.REQUEST_LIMIT)


def test_another_share_is_not_touched(allowance: Allowance) -> None:
    """A flooded share leaves the others alone."""
    until_refused(lambda n: allowance.enter(grant(visit=f"v{n}", link=f"l{n}")))
    allowance.enter(grant(visit="w", link="m", share="s2"))


def test_a_refused_entry_leaves_nothing_behind(allowance: Allowance) -> None:
    """What the visit's limit refuses is not counted for the link and the share."""
    allowance.enter(grant())
    allowance.enter(grant())
    for _ in range(100):
        with pytest.raises(Denied):
            allowance.enter(grant())
    count, _ = until_refused(lambda n: allowance.enter(grant(visit=f"x{n}")))
    assert count == 2 * LINK_TIMES - 2
    allowance.leave(grant())
    allowance.enter(grant())


def test_bytes_are_owed_and_paid_back_by_time(allowance: Allowance, clock: Clock) -> None:
    """What was sent counts afterwards: the next request waits."""
    allowance.ask(grant())
    allowance.sent(grant(), 1500)
    with pytest.raises(Denied) as caught:
        allowance.ask(grant())
    assert caught.value.reason is Reason.BYTES_LIMIT
    with pytest.raises(Denied):
        allowance.check(grant())
    clock.forward(31)
    allowance.ask(grant())
