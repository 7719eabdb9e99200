"""Who asks: what was worked out for a visit is kept, and never longer than what it was worked out from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sharegate.errors import Denied, Reason
from sharegate.shares.authenticate import Authenticator
from sharegate.shares.model import Role
from sharegate.visits.entry import Entry
from tests.conftest import Clock
from tests.house import ANN, House, house


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


async def entered(home: House) -> Entry:
    _, (link,) = await home.share(role=Role.EDIT)
    return await home.door.open(home.token(link), "", ANN)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"networks": ("10.0.0.0/8",)}, Reason.OUTSIDE_NETWORKS),
        ({"not_before": 4e9}, Reason.NOT_YET),
        ({"passphrase": "$argon2id$"}, Reason.PASSPHRASE_NEEDED),
        ({"ask": True}, Reason.APPROVAL_NEEDED),
        ({"recipient": "ann@example.org"}, Reason.RECIPIENT_NEEDED),
        ({"domain": "example.org"}, Reason.RECIPIENT_NEEDED),
        ({"account": "*", "issuer": "https://login.example.org"}, Reason.ACCOUNT_NEEDED),
    ],
)
async def test_attack_a_condition_that_is_set_is_asked_for_at_once(
    home: House, change: dict[str, object], reason: Reason
) -> None:
    """By the next request and by what is being answered; when it is taken away the same visit goes on."""
    entry = await entered(home)
    asked = entry.share.id, entry.visit.id, [entry.cookie], "192.0.2.7"
    grant = await home.authenticator.by_cookie(*asked)
    await home.store.change_link(grant.link.id, **change)
    for asking in (home.authenticator.again(grant), home.authenticator.by_cookie(*asked)):
        with pytest.raises(Denied) as caught:
            await asking
        assert caught.value.reason is reason
    with pytest.raises(Denied, match="other_visit"):  # without the cookie nothing is learnt of it
        await home.authenticator.by_cookie(*asked[:2], ["x" * 43], "10.0.0.1")
    await home.store.change_link(grant.link.id, **{name: getattr(grant.link, name) for name in change})
    assert (await home.authenticator.again(grant)).visit.id == entry.visit.id


async def test_attack_a_cookie_that_is_taken_elsewhere_is_judged_from_there(home: House) -> None:
    """One cookie from two networks, also with everything worked out for the other: each is asked for its own."""
    entry = await entered(home)
    await home.store.change_link(entry.visit.link, networks=("192.0.2.0/24",))
    asked = entry.share.id, entry.visit.id, [entry.cookie]
    inside = await home.authenticator.by_cookie(*asked, "192.0.2.7")
    for peer in ("198.51.100.9", "::1", "", "no address"):
        with pytest.raises(Denied, match="outside_networks"):
            await home.authenticator.by_cookie(*asked, peer)
    assert inside.peer == "192.0.2.7"
    assert (await home.authenticator.by_cookie(*asked, "::ffff:192.0.2.7")).peer == "::ffff:192.0.2.7"
    assert (await home.authenticator.again(inside)).peer == "192.0.2.7"


async def test_a_clock_that_goes_back_before_the_first_moment_closes_again(home: House) -> None:
    """What was worked out does not outlive that."""
    entry = await entered(home)
    await home.store.change_link(entry.visit.link, not_before=home.clock() - 5)
    asked = entry.share.id, entry.visit.id, [entry.cookie]
    grant = await home.authenticator.by_cookie(*asked)
    assert await home.authenticator.by_cookie(*asked) is grant
    home.clock.forward(-10)
    with pytest.raises(Denied, match="not_yet"):
        await home.authenticator.by_cookie(*asked)


async def test_nothing_is_worked_out_twice_for_the_same_records(home: House) -> None:
    """The grant is the very same while nothing changed."""
    entry = await entered(home)
    asked = entry.share.id, entry.visit.id, [entry.cookie]
    grant = await home.authenticator.by_cookie(*asked)
    assert await home.authenticator.by_cookie(*asked) is grant
    assert await home.authenticator.again(grant) is grant


@pytest.mark.parametrize(
    ("record", "change", "reason"),
    [
        ("share", {"paused": True}, Reason.SHARE_PAUSED),
        ("share", {"suspended": True}, Reason.ROOT_CHANGED),
        ("share", {"revoked": 1.0}, Reason.SHARE_REVOKED),
        ("share", {"expires": 1.0}, Reason.SHARE_EXPIRED),
        ("link", {"paused": True}, Reason.LINK_PAUSED),
        ("link", {"revoked": 1.0}, Reason.LINK_REVOKED),
        ("link", {"expires": 1.0}, Reason.LINK_EXPIRED),
        ("visit", {"expires": 1.0}, Reason.VISIT_ENDED),
    ],
)
async def test_attack_a_change_of_any_record_is_seen_at_once(
    home: House, record: str, change: dict[str, object], reason: Reason
) -> None:
    """By the next request and by what is being answered, whatever was worked out before."""
    entry = await entered(home)
    grant = await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])
    ids = {"share": grant.share.id, "link": grant.link.id, "visit": grant.visit.id}
    await getattr(home.store, f"change_{record}")(ids[record], **change)
    for asking in (
        home.authenticator.again(grant),
        home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie]),
    ):
        with pytest.raises(Denied) as denied:
            await asking
        assert denied.value.reason is reason


async def test_attack_an_ended_visit_is_refused_at_once(home: House) -> None:
    """Also with its own cookie, and while it is answered."""
    entry = await entered(home)
    grant = await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])
    await home.store.end_visits([grant.visit.id], at=home.clock(), reason="left")
    with pytest.raises(Denied) as denied:
        await home.authenticator.again(grant)
    assert denied.value.reason is Reason.VISIT_ENDED


async def test_time_ends_what_was_worked_out(home: House) -> None:
    """No record changes when a link expires."""
    entry = await entered(home)
    grant = await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])
    home.clock.forward(grant.expires - home.clock() - 1)
    assert await home.authenticator.again(grant) is grant
    home.clock.forward(1)
    with pytest.raises(Denied):
        await home.authenticator.again(grant)


async def test_a_smaller_role_counts_from_the_next_request(home: House) -> None:
    """What was worked out for the greater one is not used."""
    entry = await entered(home)
    grant = await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])
    await home.store.change_share(grant.share.id, role=Role.VIEW)
    assert (grant.role, (await home.authenticator.again(grant)).role) == (Role.EDIT, Role.VIEW)


async def test_the_cookie_is_asked_for_each_time(home: House) -> None:
    """A visit that is known opens to nobody else."""
    entry = await entered(home)
    await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])
    with pytest.raises(Denied) as denied:
        await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie + "x"])
    assert denied.value.reason is Reason.OTHER_VISIT


async def test_what_is_remembered_is_bounded(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many visits there were."""
    monkeypatch.setattr("sharegate.shares.authenticate._REMEMBERED", 2)
    for _ in range(5):
        entry = await entered(home)
        await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])
    assert isinstance(home.authenticator, Authenticator)
    assert len(home.authenticator._worked_out) <= 2


async def test_who_was_forgotten_is_not_kept_beside(home: House) -> None:
    """What was worked out goes with the record, not when that visit asks again."""
    entry = await entered(home)
    await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])
    assert entry.visit.id in home.authenticator._worked_out
    await home.store.change_visit(entry.visit.id, name="")
    assert not home.authenticator._worked_out
