"""Who gets in by a link, and who has to knock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from sharegate.errors import Denied, Invalid, Reason, Refused, StoreUnavailable
from sharegate.limits import Rate
from sharegate.shares.authenticate import secret_hash
from sharegate.shares.issue import NewLink
from sharegate.shares.model import Grant, KnockState, LinkKind, VisitKind
from sharegate.visits.entry import Comer, Entry, badge
from sharegate.visits.join import Door
from tests.conftest import Clock
from tests.house import ADDRESSES, ANN, EVE, House, house


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


async def refused(call) -> Reason:  # type: ignore[no-untyped-def]
    with pytest.raises(Denied) as caught:
        await call
    return caught.value.reason


async def grant_of(home: House, entry: Entry) -> Grant:
    return await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])


async def test_the_first_browser_gets_in_and_its_cookie_opens_the_visit(home: House) -> None:
    """Open makes a visit; its cookie gives a grant with the share's role."""
    share, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)
    grant = await grant_of(home, entry)

    assert (grant.share.id, grant.link.id, grant.visit.id) == (share.id, link.id, entry.visit.id)
    assert grant.visit.name == "Ann"
    assert entry.location == f"/s/{share.id}/~{entry.visit.id}/lab/tree/sub/shared"
    assert home.notes.actions() == ["link.joined"]


async def test_asking_what_a_link_is_creates_and_spends_nothing(home: House) -> None:
    """Mail scanners run scripts: `about` writes neither visit nor event."""
    share, (link,) = await home.share()
    told = await home.door.about(home.token(link), ANN)

    assert told["state"] == "open"
    assert told["owner"] == "Olga"
    assert told["role_sentence"] == "can view"
    assert await home.store.visits(share.id) == []
    assert home.notes.events == []


async def test_the_same_browser_comes_back_into_the_same_visit(home: House) -> None:
    """The browser cookie re-enters; the visit's cookie is new, the former one is dead."""
    _, (link,) = await home.share()
    first = await home.door.open(home.token(link), "", ANN)
    again = await home.door.open(home.token(link), "", replace(ANN, browser=first.browser))

    assert again.visit.id == first.visit.id
    assert await refused(grant_of(home, first)) is Reason.OTHER_VISIT
    assert (await grant_of(home, again)).visit.id == first.visit.id


async def test_attack_a_passed_on_link_does_not_open_in_another_browser(home: House) -> None:
    """One person's link, another browser: in use, recorded; waiting lets nobody in."""
    _, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)

    assert (await home.door.about(home.token(link), EVE))["state"] == "in_use"
    assert await refused(home.door.open(home.token(link), "Eve", EVE)) is Reason.LINK_IN_USE
    assert home.notes.events[-1].action.value == "link.refused"
    waiting = await home.door.knock_by_link(home.token(link), "Eve", False, EVE)
    eve = replace(EVE, browser=waiting.browser)
    home.clock.forward(3 * 3600)
    assert (await home.door.knock_state(waiting.knock, eve)).entry is None


async def test_a_knock_is_recorded_as_passed_on_with_the_visit_it_came_from(home: House) -> None:
    """The trail says whose link it was and what speaks against another person."""
    _, (link,) = await home.share()
    first = await home.door.open(home.token(link), "", ANN)
    await home.door.knock_by_link(home.token(link), "Eve", False, replace(EVE, agent=ANN.agent))
    passed = next(event for event in home.notes.events if event.action.value == "link.passed_on")

    assert passed.came_from == first.visit.id
    assert passed.name == "Eve"
    assert "same kind of browser" in passed.detail
    assert "same network" not in passed.detail


async def test_a_second_knock_comes_from_the_links_holder_again(home: House) -> None:
    """Who was admitted, put out and knocks anew did not get the link from themselves."""
    _, (link,) = await home.share()
    first = await home.door.open(home.token(link), "", ANN)
    waiting = await home.door.knock_by_link(home.token(link), "Eve", False, EVE)
    _, visit = await home.knocks.admit(waiting.knock, None)
    await home.issuer.end_visit(visit.id, "ended by the owner")
    await home.door.knock_by_link(home.token(link), "Eve", False, replace(EVE, browser=waiting.browser))
    again = [event for event in home.notes.events if event.action.value == "link.passed_on"]

    assert [event.came_from for event in again] == [first.visit.id, first.visit.id]


async def test_who_is_admitted_enters_from_their_own_browser_only(home: House) -> None:
    """The owner admits; the knocking browser gets a cookie, any other goes on waiting."""
    _, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    waiting = await home.door.knock_by_link(home.token(link), "Eve", False, EVE)
    _, visit = await home.knocks.admit(waiting.knock, None)
    stranger = await home.door.knock_state(waiting.knock, replace(EVE, browser="guess"))
    eve = await home.door.knock_state(waiting.knock, replace(EVE, browser=waiting.browser))

    assert stranger.state is KnockState.WAITING
    assert stranger.entry is None
    assert eve.entry is not None
    assert eve.entry.visit.id == visit.id
    assert eve.entry.visit.kind is VisitKind.KNOCK
    assert (await grant_of(home, eve.entry)).visit.name == "Eve"


async def test_who_is_refused_is_told_and_cannot_be_admitted_later(home: House) -> None:
    """A decision is made once."""
    _, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    waiting = await home.door.knock_by_link(home.token(link), "Eve", False, EVE)
    await home.knocks.refuse(waiting.knock)

    assert (await home.door.knock_state(waiting.knock, replace(EVE, browser=waiting.browser))).state == "refused"
    with pytest.raises(Refused):
        await home.knocks.admit(waiting.knock, None)


async def test_an_admitted_visit_ends_like_any_other(home: House) -> None:
    """Admitted, then ended by the owner: the cookie opens nothing, and asking again gives none."""
    _, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    waiting = await home.door.knock_by_link(home.token(link), "Eve", False, EVE)
    _, visit = await home.knocks.admit(waiting.knock, None)
    eve = replace(EVE, browser=waiting.browser)
    entry = (await home.door.knock_state(waiting.knock, eve)).entry
    assert entry is not None
    await home.issuer.end_visit(visit.id, "ended by the owner")

    assert await refused(grant_of(home, entry)) is Reason.VISIT_ENDED
    assert (await home.door.knock_state(waiting.knock, eve)).state is KnockState.GONE


async def test_knocking_at_an_address_that_is_nobodys_waits_for_ever(home: House) -> None:
    """Guessing addresses tells nothing: the answer is the one of a real address."""
    share, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)
    real = await home.door.knock_by_address(entry.location, "Eve", False, EVE)
    made_up = await home.door.knock_by_address(f"/s/{share.id}/~zzzzzzzzzz/lab", "Eve", False, EVE)

    assert (real.state, bool(real.browser), len(real.knock)) == (
        made_up.state,
        bool(made_up.browser),
        len(made_up.knock),
    )
    state = await home.door.knock_state(made_up.knock, replace(EVE, browser=made_up.browser))
    assert state.state is KnockState.WAITING
    assert len(await home.store.knocks()) == 1


async def test_attack_a_knock_at_an_address_is_heard_or_not_the_same_way(home: House) -> None:
    """Over another gate, a restart and twelve hours: the same browser is told the same number, and that it waits."""
    _, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)
    eve = replace(EVE, browser="eves-browser")
    places = [entry.location, entry.location.replace(entry.visit.id, "zzzzzzzzzz")]
    told = [await home.door.knock_by_address(place, "Eve", False, eve) for place in places]
    again = Door(home.store, home.authenticator, home.notes, ADDRESSES, home.clock, role_sentence=str, key=b"k" * 32)
    for door, hours in ((again, 0), (home.door, 13)):
        home.clock.forward(hours * 3600)
        for place, first in zip(places, told, strict=True):
            knock = await door.knock_by_address(place, "Eve", False, eve)
            assert (knock.knock, knock.state) == (first.knock, KnockState.WAITING)
            assert (await door.knock_state(first.knock, eve)).state is KnockState.WAITING
    assert len(await home.store.knocks()) == 1
    await home.store.change_link(link.id, revoked=home.clock())
    assert (await home.door.knock_by_address(places[0], "Eve", False, eve)).knock == told[0].knock


async def test_an_open_link_asks_for_a_name_and_has_seats(home: House) -> None:
    """`--anyone --visits 2`: two people with names, the third finds it full; a seat that is left is free again."""
    _, (link,) = await home.share(NewLink(anyone=True, visits=2))
    with pytest.raises(Invalid):
        await home.door.open(home.token(link), " \u200b ", ANN)
    first = await home.door.open(home.token(link), "Bo", ANN)
    second = await home.door.open(home.token(link), "Cy", EVE)

    assert (first.visit.number, second.visit.number) == (1, 2)
    assert await refused(home.door.open(home.token(link), "Di", EVE)) is Reason.SEATS_TAKEN
    await home.store.end_visits([first.visit.id], at=home.clock(), reason="left")
    assert (await home.door.open(home.token(link), "Di", EVE)).visit.number == 3


async def test_attack_a_race_for_the_last_seat_is_won_once(home: House) -> None:
    """Fifty browsers open one person's link at the same moment."""
    share, (link,) = await home.share()

    async def come(number: int) -> bool:
        try:
            await home.door.open(home.token(link), "", Comer("", f"192.0.2.{number}", "agent"))
        except Denied as denied:
            return denied.reason is not Reason.LINK_IN_USE
        return True

    assert sum(await asyncio.gather(*(come(number) for number in range(50)))) == 1
    assert len(await home.store.visits(share.id)) == 1


async def test_a_device_code_adds_an_own_device_once(home: House) -> None:
    """The same person, no knock, no seat; the code works once and says who they are."""
    _, (link,) = await home.share()
    ann = await home.door.open(home.token(link), "", ANN)
    code, _ = await home.door.device_code(await grant_of(home, ann))
    phone = await home.door.open_device(f" {code[:4]} {code[4:].lower()} ", EVE)

    assert phone.visit.kind is VisitKind.DEVICE
    assert phone.visit.name == "Ann"
    assert phone.visit.came_from == ann.visit.id
    assert (await grant_of(home, phone)).role == "view"
    assert await refused(home.door.open_device(code, EVE)) is Reason.DEVICE_CODE_INVALID


async def test_a_device_code_dies_after_five_minutes(home: House) -> None:
    """And with the visit it came from."""
    _, (link,) = await home.share()
    ann = await home.door.open(home.token(link), "", ANN)
    grant = await grant_of(home, ann)
    code, expires = await home.door.device_code(grant)
    assert expires == home.clock() + 300
    home.clock.forward(301)
    assert await refused(home.door.open_device(code, EVE)) is Reason.DEVICE_CODE_INVALID
    code, _ = await home.door.device_code(grant)
    await home.store.end_visits([ann.visit.id], at=home.clock(), reason="left")
    assert await refused(home.door.open_device(code, EVE)) in (Reason.VISIT_ENDED, Reason.DEVICE_CODE_INVALID)


async def test_at_most_three_devices(home: House) -> None:
    """The fourth is refused, and a device cannot make room by adding from itself."""
    _, (link,) = await home.share()
    ann = await home.door.open(home.token(link), "", ANN)
    phones = []
    for number in range(3):
        home.clock.forward(60)
        code, _ = await home.door.device_code(await grant_of(home, ann))
        phones.append(await home.door.open_device(code, Comer("", f"203.0.113.{number}", "phone")))
    home.clock.forward(60)
    code, _ = await home.door.device_code(await grant_of(home, phones[0]))

    assert await refused(home.door.open_device(code, EVE)) is Reason.DEVICES_TAKEN


async def test_attack_guessing_device_codes_is_slowed(home: House) -> None:
    """A network that guesses is refused before its guess is looked at, and the right code is refused to it too."""
    _, (link,) = await home.share()
    ann = await home.door.open(home.token(link), "", ANN)
    reasons = [await refused(home.door.open_device("22222222", EVE)) for _ in range(20)]
    code, _ = await home.door.device_code(await grant_of(home, ann))

    assert Reason.JOIN_LIMIT in reasons
    assert await refused(home.door.open_device(code, EVE)) is Reason.JOIN_LIMIT
    assert (await home.door.open_device(code, Comer("", "203.0.113.1", "phone"))).visit.name == "Ann"


async def test_attack_guessing_tokens_is_slowed_for_that_network_only(home: House) -> None:
    """Bad tokens run into a limit; another network is not touched."""
    _, (link,) = await home.share()
    reasons = [await refused(home.door.about("x.y.z", EVE)) for _ in range(60)]

    assert reasons[0] is Reason.BAD_CREDENTIAL
    assert reasons[-1] in (Reason.CREDENTIAL_LIMIT, Reason.JOIN_LIMIT)
    assert (await home.door.about(home.token(link), ANN))["state"] == "open"


async def test_a_preview_is_for_one_browser_and_holds_no_seat(home: House) -> None:
    """Five minutes, counted nowhere; Ann's seat stays free; it cannot be knocked at."""
    share, (link,) = await home.share()
    preview = await home.issuer.preview(share.id)
    mine = await home.door.open(home.token(preview), "", Comer("", "127.0.0.1", "owner"))

    assert preview.kind is LinkKind.PREVIEW
    assert preview.expires == home.clock() + 300
    assert mine.visit.kind is VisitKind.PREVIEW
    assert await refused(home.door.open(home.token(preview), "", EVE)) is Reason.LINK_IN_USE
    assert await refused(home.door.knock_by_link(home.token(preview), "Eve", False, EVE)) is Reason.LINK_EXPIRED
    assert (await home.door.open(home.token(link), "", ANN)).visit.name == "Ann"


async def test_attack_a_race_for_a_preview_is_won_once(home: House) -> None:
    """Who opens it at the same moment from elsewhere is told that it is in use, and the history has it."""
    share, _ = await home.share()
    token = home.token(await home.issuer.preview(share.id))
    results = await asyncio.gather(
        *(home.door.open(token, "", Comer("", f"192.0.2.{i}", "x")) for i in range(5)), return_exceptions=True
    )

    assert [one.reason for one in results if isinstance(one, Denied)] == [Reason.LINK_IN_USE] * 4
    assert len(await home.store.visits(share.id)) == 1
    assert home.notes.actions().count("link.refused") == 4


@pytest.mark.parametrize(
    ("end", "reason", "why"),
    [
        ("revoke share", Reason.SHARE_REVOKED, "revoked"),
        ("pause share", Reason.SHARE_PAUSED, "paused"),
        ("suspend share", Reason.ROOT_CHANGED, "suspended"),
        ("revoke link", Reason.LINK_REVOKED, "revoked"),
        ("pause link", Reason.LINK_PAUSED, "paused"),
        ("expire", Reason.SHARE_EXPIRED, "expired"),
    ],
)
async def test_what_ended_lets_nobody_in_and_says_so(home: House, end: str, reason: Reason, why: str) -> None:
    """The visit's cookie and the link are refused with the true reason; the door tells what happened."""
    share, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)
    if end == "revoke share":
        await home.issuer.revoke_share(share.id)
    elif end == "pause share":
        await home.issuer.pause_share(share.id, paused=True)
    elif end == "suspend share":
        await home.store.change_share(share.id, suspended=True)
    elif end == "revoke link":
        await home.issuer.revoke_link(link.id)
    elif end == "pause link":
        await home.issuer.pause_link(link.id, paused=True)
    else:
        home.clock.forward(8 * 86400)
    back = replace(ANN, browser=entry.browser)

    assert await refused(grant_of(home, entry)) is reason
    assert await refused(home.door.open(home.token(link), "", back)) is reason
    told = await home.door.about(home.token(link), back)
    assert told["ended_why"] == why
    assert told["state"] in ("ended", "paused")


async def test_pause_and_resume_bring_the_same_visit_back_without_a_new_link(home: House) -> None:
    """Everyone out, links kept: the old cookie works again."""
    share, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)
    await home.issuer.pause_share(share.id, paused=True)
    assert await refused(grant_of(home, entry)) is Reason.SHARE_PAUSED
    await home.issuer.pause_share(share.id, paused=False)

    assert (await grant_of(home, entry)).visit.id == entry.visit.id
    assert (await home.door.about(home.token(link), replace(ANN, browser=entry.browser)))["state"] == "reenter"


async def test_revoking_is_for_ever(home: House) -> None:
    """Nothing resumes, extends, replaces or admits after it."""
    share, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    waiting = await home.door.knock_by_link(home.token(link), "Eve", False, EVE)
    await home.issuer.revoke_share(share.id)
    for call in (
        home.issuer.pause_share(share.id, paused=False),
        home.issuer.change_share(share.id, {"expires": home.clock() + 100}),
        home.issuer.confirm(share.id),
        home.issuer.add_link(share.id, NewLink(name="Bo")),
        home.issuer.preview(share.id),
        home.knocks.admit(waiting.knock, None),
    ):
        with pytest.raises(Refused):
            await call
    assert await refused(home.door.knock_by_link(home.token(link), "Eve", False, EVE)) is Reason.SHARE_REVOKED


async def test_replacing_a_link_stops_the_old_url_and_keeps_who_is_inside(home: House) -> None:
    """The old URL says it was replaced; the new one is in use by the same visit."""
    _, (link,) = await home.share()
    old = home.token(link)
    entry = await home.door.open(old, "", ANN)
    new = home.token(await home.issuer.replace(link.id))

    assert new != old
    assert await refused(home.door.open(old, "", EVE)) is Reason.LINK_REPLACED
    assert (await home.door.about(old, EVE))["ended_why"] == "replaced"
    assert (await home.door.about(new, EVE))["state"] == "in_use"
    assert (await grant_of(home, entry)).visit.id == entry.visit.id


async def test_extending_a_share_keeps_url_and_visit(home: House) -> None:
    """The record decides, the token stays: the visit lives on past the former end."""
    share, (link,) = await home.share(expires=home.clock() + 3600)
    token = home.token(link)
    entry = await home.door.open(token, "", ANN)
    await home.issuer.change_share(share.id, {"expires": home.clock() + 7200})
    home.clock.forward(5000)

    assert (await grant_of(home, entry)).expires == share.expires + 3600
    assert home.token(link) == token
    home.clock.forward(3000)
    assert await refused(grant_of(home, entry)) is Reason.SHARE_EXPIRED


@pytest.mark.parametrize("people", [1, 10])
async def test_attack_opening_again_while_an_expired_share_is_extended(home: House, people: int) -> None:
    """Those inside are back in their own visits, as many as the link has places; a stranger with their link is not."""
    new = NewLink(name="Ann") if people == 1 else NewLink(anyone=True, visits=people)
    share, (link,) = await home.share(new, expires=home.clock() + 60)
    token = home.token(link)
    comers = [Comer("", f"192.0.2.{i}", "x") for i in range(people)]
    entries = [await home.door.open(token, f"P{i}", comer) for i, comer in enumerate(comers)]
    home.clock.forward(100)
    extended = asyncio.Event()

    async def again(comer: Comer) -> Entry | None:
        while True:
            over = extended.is_set()
            try:
                return await home.door.open(token, "Who", comer)
            except Denied:
                if over:
                    return None
            home.clock.forward(0.1)
            await asyncio.sleep(0)

    own = [replace(comer, browser=entry.browser) for comer, entry in zip(comers, entries, strict=True)]
    strangers = [Comer("", f"203.0.113.{i}", "x") for i in range(5)]
    tasks = [asyncio.create_task(again(comer)) for comer in (*strangers, *own)]
    await home.issuer.change_share(share.id, {"expires": home.clock() + 3600})
    extended.set()
    back = [entry.visit.id if entry is not None else None for entry in await asyncio.gather(*tasks)]
    assert back == [None] * 5 + [entry.visit.id for entry in entries]
    assert len(await home.store.visits(share.id)) == people


async def test_shortening_a_share_ends_the_visit_earlier(home: House) -> None:
    """The nearer end counts at once."""
    share, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)
    await home.issuer.change_share(share.id, {"expires": home.clock() + 10})
    home.clock.forward(11)

    assert await refused(grant_of(home, entry)) is Reason.SHARE_EXPIRED


@pytest.mark.parametrize("cookies", [[], ["wrong"], [""], ["a", "b"]])
async def test_attack_wrong_missing_and_doubled_cookies(home: House, cookies: list[str]) -> None:
    """No cookie, a wrong one, two of one name: three reasons for the trail, one answer for the stranger."""
    share, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)

    assert await refused(home.authenticator.by_cookie(share.id, entry.visit.id, cookies)) in (
        Reason.NO_CREDENTIAL,
        Reason.OTHER_VISIT,
        Reason.AMBIGUOUS_CREDENTIAL,
    )


async def test_attack_a_cookie_of_one_visit_opens_no_other(home: House) -> None:
    """Neither another visit of the link's share nor the same visit under another share."""
    share, (ann, bo) = await home.share(NewLink(name="Ann"), NewLink(name="Bo"))
    other, (cy,) = await home.share(NewLink(name="Cy"), path="sub/other")
    first = await home.door.open(home.token(ann), "", ANN)
    second = await home.door.open(home.token(bo), "", EVE)
    third = await home.door.open(home.token(cy), "", EVE)

    for share_id, visit_id, cookie in (
        (share.id, second.visit.id, first.cookie),
        (other.id, first.visit.id, first.cookie),
        (other.id, third.visit.id, first.cookie),
        (share.id, first.visit.id, first.browser),
    ):
        assert await refused(home.authenticator.by_cookie(share_id, visit_id, [cookie])) is Reason.OTHER_VISIT


async def test_attack_an_admitted_visit_without_a_cookie_yet_is_opened_by_no_value(home: House) -> None:
    """Between admission and the browser's next question the visit has no cookie, not an empty one."""
    share, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    waiting = await home.door.knock_by_link(home.token(link), "Eve", False, EVE)
    _, visit = await home.knocks.admit(waiting.knock, None)

    for value in ("", secret_hash("")):
        assert await refused(home.authenticator.by_cookie(share.id, visit.id, [value])) is Reason.OTHER_VISIT


async def test_nobody_gets_in_when_the_trail_cannot_be_written(home: House) -> None:
    """Fails closed, and the seat is free again."""
    _, (link,) = await home.share()
    home.notes.broken = True
    with pytest.raises(StoreUnavailable):
        await home.door.open(home.token(link), "", ANN)
    home.notes.broken = False

    assert (await home.door.about(home.token(link), ANN))["state"] == "open"


async def test_too_many_knocks_at_one_link_are_refused(home: House) -> None:
    """The owner's screen cannot be flooded; a browser that knocks twice knocks once."""
    _, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    first = await home.door.knock_by_link(home.token(link), "E0", False, Comer("", "203.0.100.7", "x"))
    again = await home.door.knock_by_link(home.token(link), "E0", False, Comer(first.browser, "203.0.100.7", "x"))
    assert again.knock == first.knock
    for number in range(1, 8):
        await home.door.knock_by_link(home.token(link), f"E{number}", False, Comer("", f"203.0.{number}.7", "x"))
    late = home.door.knock_by_link(home.token(link), "late", False, Comer("", "203.0.200.7", "x"))

    assert await refused(late) is Reason.JOIN_LIMIT


async def test_one_network_does_not_take_all_the_places_at_the_door(home: House) -> None:
    """The fifth knock from one network waits its turn; another network still gets to the door."""
    _, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    for number in range(4):
        await home.door.knock_by_link(home.token(link), f"E{number}", False, Comer("", f"203.0.113.{number}", "x"))
    fifth = home.door.knock_by_link(home.token(link), "E5", False, Comer("", "203.0.113.99", "x"))

    assert await refused(fifth) is Reason.JOIN_LIMIT
    await home.door.knock_by_link(home.token(link), "Fay", False, EVE)


async def test_only_the_network_of_a_visitor_is_kept(home: House) -> None:
    """What the door promises to record: an address shortened, in visit and knock alike."""
    share, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    await home.door.knock_by_link(home.token(link), "Eve", False, EVE)

    assert [visit.address for visit in await home.store.visits(share.id)] == ["192.0.2.0/24"]
    assert [knock.address for knock in await home.store.knocks()] == ["198.51.100.0/24"]


async def test_the_badge_tells_named_from_typed(home: House) -> None:
    """A link's name is the owner's word, a typed one is in quotes."""
    _, (ann, anyone) = await home.share(NewLink(name="Ann"), NewLink(anyone=True))
    first = await home.door.open(home.token(ann), "Somebody", ANN)
    second = await home.door.open(home.token(anyone), "Bo", EVE)

    assert badge(ann, first.visit) == "Ann · own link"
    assert badge(anyone, second.visit) == 'says "Bo"'


async def test_attack_leaving_and_opening_again_does_not_fill_the_store(home: House) -> None:
    """A link makes so many new visits a day and no more; who is in can still come back."""
    _, (link,) = await home.share()
    rate = Rate(per=3, seconds=86400, burst=3)
    sentence = home.policies.roles.sentence
    door = Door(
        home.store,
        home.authenticator,
        home.notes,
        ADDRESSES,
        home.clock,
        role_sentence=sentence,
        key=b"k" * 32,
        new_visits=rate,
    )
    for _ in range(3):
        entry = await door.open(home.token(link), "", ANN)
        again = await door.open(home.token(link), "", replace(ANN, browser=entry.browser))
        assert again.visit.id == entry.visit.id
        await home.store.end_visits([entry.visit.id], at=home.clock(), reason="left")

    assert await refused(door.open(home.token(link), "", ANN)) is Reason.JOIN_LIMIT
    home.clock.forward(86400)
    assert (await door.open(home.token(link), "", ANN)).visit.number == 4


async def test_attack_a_second_device_of_somebody_who_knocked_has_no_better_badge(home: House) -> None:
    """Whoever was let in by hand under the name of the link's person is not that person on another device."""
    _, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    for same_person, name in ((True, ""), (False, "Ann")):
        eve = replace(EVE, address=f"203.0.113.{len(name)}")
        waiting = await home.door.knock_by_link(home.token(link), name or "Eve", same_person, eve)
        await home.knocks.admit(waiting.knock, None)
        arrived = await home.door.knock_state(waiting.knock, replace(eve, browser=waiting.browser))
        assert arrived.entry is not None
        code, _ = await home.door.device_code(await grant_of(home, arrived.entry))
        phone = await home.door.open_device(code, eve)
        assert phone.visit.name == link.name
        assert badge(link, arrived.entry.visit) == badge(link, phone.visit) == 'says "Ann"'


async def test_attack_at_a_full_link_for_anyone_nobody_takes_anothers_name_or_names_who_passed_it_on(
    home: House,
) -> None:
    """Whoever has such a link has it from anybody: the last one who came in by it is not who they say to be, and is
    not shown as who gave it to them."""
    _, (link,) = await home.share(NewLink(anyone=True, visits=1))
    await home.door.open(home.token(link), "Bo", ANN)
    await home.door.knock_by_link(home.token(link), "Eve", True, EVE)
    (knock,) = await home.store.knocks()
    assert (knock.name, knock.same_person, knock.came_from) == ("Eve", True, "")
    assert home.notes.actions() == ["link.joined", "knock.made"]


async def test_the_door_says_who_else_sees_who_comes(home: House) -> None:
    """Where somebody lets people in for the owner, visitors are told before they open; elsewhere they are not."""
    _, (ann, tia) = await home.share(NewLink(name="Ann"), NewLink(name="Tia"))
    about = await home.door.about(home.token(ann), ANN)
    assert not [line for line in cast("list[str]", about["recorded"]) if "let people in" in line]
    await home.store.change_link(tia.id, coowner=True)
    about = await home.door.about(home.token(ann), ANN)
    assert "let people in for the owner" in cast("list[str]", about["recorded"])[-1]
