"""The door of a link that has conditions: what is told, what is asked, and who comes in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sharegate.errors import Denied, Reason, Refused, StoreUnavailable
from sharegate.shares.conditions import Need, fingerprint
from sharegate.shares.issue import NewLink
from sharegate.shares.model import KnockState, Link, Share, VisitKind
from sharegate.shares.passphrases import hashed
from sharegate.visits.entry import Comer, Entry
from sharegate.visits.knocking import room
from sharegate.visits.proving import NOTHING, Proofs, Shown
from sharegate.visits.told import outside
from tests.conftest import Clock
from tests.house import ANN, EVE, House, house
from tests.stores.records import a_link

WORDS = "green bicycle 7"
RIGHT, WRONG = Shown(passphrase=WORDS), Shown(passphrase="blue bicycle 7")
HIDDEN = {"name": "", "kind": "directory", "folder": "", "message": ""}


@cache
def encoded() -> str:
    return hashed(WORDS)


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


async def given(home: House, *, anyone: bool = False, **conditions: Any) -> tuple[Share, Link, str]:
    """A share with one link that asks for this, and its token."""
    new = NewLink(anyone=True) if anyone else NewLink(name="Ann")
    share, (link,) = await home.share(new, message="Look at nb.ipynb")
    link = await home.store.change_link(link.id, **conditions)
    return share, link, home.token(link)


async def refused(work: Any) -> Reason:
    with pytest.raises(Denied) as caught:
        await work
    return caught.value.reason


async def inside(home: House, entry: Entry, peer: str = ANN.address) -> bool:
    try:
        await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie], peer)
    except Denied:
        return False
    return True


def reasons(home: House) -> list[tuple[str, str, int]]:
    return [(event.action.value, event.reason, event.count) for event in home.notes.events]


# -- passphrase -------------------------------------------------------------------------------------------------------


async def test_a_passphrase_is_asked_for_and_what_is_shared_is_not_told_before(home: House) -> None:
    """Who shares, and the role; neither folder nor message nor whom it is for."""
    _, _, token = await given(home, passphrase=encoded())
    told = await home.door.about(token, ANN)
    assert (told["state"], told["needs"], told["owner"]) == ("open", ["passphrase"], "Olga")
    assert (told["share"], told["link"]) == (HIDDEN, {"name": "", "kind": "person"})
    assert told["role_sentence"] == "can view" and told["ask_name"] is False
    assert home.notes.events == []


async def test_the_right_passphrase_opens_and_is_not_asked_for_again(home: House) -> None:
    """The visit keeps that it was proved: the same browser comes back without it."""
    _, link, token = await given(home, passphrase=encoded())
    assert await refused(home.door.open(token, "", ANN)) is Reason.PASSPHRASE_NEEDED
    assert await refused(home.door.open(token, "", ANN, WRONG)) is Reason.PASSPHRASE_WRONG
    assert await home.store.visits(link.share) == []
    entry = await home.door.open(token, "", ANN, RIGHT)
    assert entry.visit.passphrase == fingerprint(encoded()) and await inside(home, entry)
    ann = replace(ANN, browser=entry.browser)
    assert (await home.door.about(token, ann))["needs"] == []
    assert (await home.door.open(token, "", ann)).visit.id == entry.visit.id
    # Another browser is asked, and then told that the link is in use.
    assert await refused(home.door.open(token, "", EVE)) is Reason.PASSPHRASE_NEEDED
    assert await refused(home.door.open(token, "", EVE, RIGHT)) is Reason.LINK_IN_USE


async def test_wrong_attempts_are_recorded_and_do_not_fill_the_trail(home: House) -> None:
    """The first one at once, those that follow as a number; the passphrase is in none of them."""
    _, _, token = await given(home, passphrase=encoded())
    for _ in range(5):
        assert await refused(home.door.open(token, "", ANN, WRONG)) is Reason.PASSPHRASE_WRONG
    home.clock.forward(11)
    assert await refused(home.door.open(token, "", ANN, WRONG)) is Reason.PASSPHRASE_WRONG
    assert reasons(home) == [("link.refused", "passphrase_wrong", 1), ("link.refused", "passphrase_wrong", 5)]
    assert "bicycle" not in repr(home.notes.events)


async def test_a_refusal_that_the_door_recorded_is_not_recorded_twice(home: House) -> None:
    """It says so; a limit is left to the gate, which records limits."""
    _, _, token = await given(home, passphrase=encoded())
    with pytest.raises(Denied) as caught:
        await home.door.open(token, "", ANN, WRONG)
    assert caught.value.recorded
    for _ in range(9):
        assert await refused(home.door.open(token, "", ANN, WRONG)) is Reason.PASSPHRASE_WRONG
    with pytest.raises(Denied) as caught:
        await home.door.open(token, "", ANN, WRONG)
    assert caught.value.reason is Reason.JOIN_LIMIT and not caught.value.recorded and caught.value.wait


async def test_where_it_cannot_be_recorded_the_right_passphrase_opens_nothing(home: House) -> None:
    """Nor does the wrong one say that it was wrong."""
    share, _, token = await given(home, passphrase=encoded())
    home.notes.broken = True
    for shown in (RIGHT, WRONG):
        with pytest.raises(StoreUnavailable):
            await home.door.open(token, "", ANN, shown)
    assert await home.store.visits(share.id, open_only=True) == []


async def test_a_passphrase_that_is_set_or_changed_is_asked_of_whoever_is_in(home: House) -> None:
    """They come back into the same visit by showing it, each time that it is another one."""
    _, link, token = await given(home)
    entry = await home.door.open(token, "", ANN)
    ann = replace(ANN, browser=entry.browser)
    other = hashed("another green bicycle")
    for words, stored in ((WORDS, encoded()), ("another green bicycle", other)):
        await home.store.change_link(link.id, passphrase=stored)
        assert not await inside(home, entry)
        told = await home.door.about(token, ann)
        assert (told["state"], told["needs"], told["share"]) == ("reenter", ["passphrase"], HIDDEN)
        assert await refused(home.door.open(token, "", ann)) is Reason.PASSPHRASE_NEEDED
        again = await home.door.open(token, "", ann, Shown(passphrase=words))
        assert again.visit.id == entry.visit.id and await inside(home, again)
        entry = again
    detail = [event.detail for event in home.notes.events if event.action.value == "link.reentered"]
    assert detail == ["proved passphrase"] * 2


async def test_coming_back_that_cannot_be_recorded_proves_nothing(home: House) -> None:
    """The visit's record is as it was."""
    _, link, token = await given(home)
    entry = await home.door.open(token, "", ANN)
    await home.store.change_link(link.id, passphrase=encoded())
    home.notes.broken = True
    with pytest.raises(StoreUnavailable):
        await home.door.open(token, "", replace(ANN, browser=entry.browser), RIGHT)
    visit = await home.store.visit(entry.visit.id)
    assert visit is not None and visit.passphrase == "" and visit.cookie_hash == entry.visit.cookie_hash


async def test_a_link_without_a_passphrase_does_not_look_at_one(home: House) -> None:
    """Whatever is sent with a click on Open."""
    _, _, token = await given(home)
    assert (await home.door.open(token, "", ANN, WRONG)).visit.passphrase == ""


# -- approval ---------------------------------------------------------------------------------------------------------


async def test_where_everybody_knocks_the_owner_lets_in(home: House) -> None:
    """Open is refused, a knock leads in, and the folder may be seen before: there is nothing to prove."""
    _, _, token = await given(home, anyone=True, ask=True)
    told = await home.door.about(token, ANN)
    assert (told["state"], told["needs"]) == ("open", ["approval"])
    assert told["share"]["folder"] == "shared"  # type: ignore[index]
    assert await refused(home.door.open(token, "Ann", ANN)) is Reason.APPROVAL_NEEDED
    waiting = await home.door.knock_by_link(token, "Ann", False, ANN)
    await home.knocks.admit(waiting.knock, None)
    ann = replace(ANN, browser=waiting.browser)
    arrived = await home.door.knock_state(waiting.knock, ann)
    assert arrived.entry is not None and await inside(home, arrived.entry)
    assert (await home.door.about(token, ann))["needs"] == []
    assert (await home.door.open(token, "", ann)).visit.id == arrived.entry.visit.id


async def test_a_knock_where_everybody_knocks_is_no_passing_on(home: House) -> None:
    """At an open link it is the way in. At one person's link the second browser is a sign, as ever."""
    _, _, anyones = await given(home, anyone=True, ask=True)
    first = await home.door.knock_by_link(anyones, "Ann", False, ANN)
    await home.knocks.admit(first.knock, None)
    await home.door.knock_by_link(anyones, "Bo", False, EVE)
    assert home.notes.actions() == ["knock.made", "knock.made"]

    _, _, anns = await given(home, ask=True)
    first = await home.door.knock_by_link(anns, "Ann", True, ANN)
    _, visit = await home.knocks.admit(first.knock, None)
    await home.door.knock_by_link(anns, "Bo", False, EVE)
    passed = [event for event in home.notes.events if event.action.value == "link.passed_on"]
    assert [event.came_from for event in passed] == [visit.id]


async def test_when_asking_is_switched_on_who_is_let_in_comes_back_as_one_person(home: House) -> None:
    """The visit that they had is over then: its seat is free, and the owner sees them once."""
    share, link, token = await given(home, anyone=True)
    entry = await home.door.open(token, "Ann", ANN)
    ann = replace(ANN, browser=entry.browser)
    await home.store.change_link(link.id, ask=True)
    assert not await inside(home, entry)
    told = await home.door.about(token, ann)
    assert (told["state"], told["needs"]) == ("reenter", ["approval"])
    assert await refused(home.door.open(token, "", ann)) is Reason.APPROVAL_NEEDED
    waiting = await home.door.knock_by_link(token, "Ann", False, ann)
    await home.knocks.admit(waiting.knock, None)
    arrived = await home.door.knock_state(waiting.knock, ann)
    assert arrived.entry is not None and await inside(home, arrived.entry)
    assert [visit.id for visit in await home.store.visits(share.id, open_only=True)] == [arrived.entry.visit.id]
    assert [event.visit for event in home.notes.events if event.action.value == "visit.ended"] == [entry.visit.id]


async def test_a_class_can_wait_where_everybody_knocks(home: House) -> None:
    """As many as the link lets in, from one address; elsewhere eight, and four from one network."""
    _, _, token = await given(home, anyone=True, ask=True, visits=30)
    for number in range(30):
        waiting = await home.door.knock_by_link(token, f"N{number}", False, ANN)
        assert waiting.state is KnockState.WAITING
        home.clock.forward(1)
    assert await refused(home.door.knock_by_link(token, "one more", False, ANN)) is Reason.JOIN_LIMIT


async def test_where_everybody_knocks_with_a_passphrase_the_owner_hears_only_of_who_has_it(home: House) -> None:
    """It comes with the knock, and the knock's record and the visit's have that it was shown."""
    _, _, token = await given(home, anyone=True, ask=True, passphrase=encoded())
    assert (await home.door.about(token, ANN))["needs"] == ["passphrase", "approval"]
    assert await refused(home.door.open(token, "Ann", ANN, RIGHT)) is Reason.APPROVAL_NEEDED
    for shown, reason in ((NOTHING, Reason.PASSPHRASE_NEEDED), (WRONG, Reason.PASSPHRASE_WRONG)):
        assert await refused(home.door.knock_by_link(token, "Ann", False, ANN, shown)) is reason
    assert await home.store.knocks() == []
    waiting = await home.door.knock_by_link(token, "Ann", False, ANN, RIGHT)
    (knock,) = await home.store.knocks()
    assert knock.passphrase == fingerprint(encoded()) and knock.passphrase not in repr(knock)
    _, visit = await home.knocks.admit(waiting.knock, None)
    assert visit.passphrase == knock.passphrase
    arrived = await home.door.knock_state(waiting.knock, replace(ANN, browser=waiting.browser))
    assert arrived.entry is not None and await inside(home, arrived.entry)


async def test_attack_a_knock_is_no_way_around_a_passphrase_while_there_is_room(home: House) -> None:
    """Whoever could come in with it shows it first, and so does whoever has the link of a link that asks for everybody;
    who knocks at a link that is full, or ended, need not: nothing that they could show would let them in."""
    _, link, token = await given(home, anyone=True, passphrase=encoded(), visits=1)
    assert await refused(home.door.knock_by_link(token, "Eve", False, EVE)) is Reason.PASSPHRASE_NEEDED
    assert await refused(home.door.knock_by_link(token, "Eve", False, EVE, WRONG)) is Reason.PASSPHRASE_WRONG
    assert await home.store.knocks() == []
    await home.door.open(token, "Ann", ANN, RIGHT)
    assert (await home.door.knock_by_link(token, "Eve", False, EVE)).state is KnockState.WAITING
    await home.store.change_link(link.id, visits=2)
    fay = replace(EVE, address="203.0.113.9")
    assert await refused(home.door.knock_by_link(token, "Fay", False, fay)) is Reason.PASSPHRASE_NEEDED
    await home.store.change_link(link.id, paused=True)
    assert (await home.door.knock_by_link(token, "Fay", False, fay)).state is KnockState.WAITING


@pytest.mark.parametrize("ask", [True, False])
async def test_attack_the_address_of_a_page_is_no_way_around_a_passphrase(home: House, ask: bool) -> None:
    """Nobody hears a knock there, and whoever knocks waits as at an address that leads nowhere: at a link that asks for
    everybody, and at one that has room."""
    _, link, token = await given(home, anyone=True, visits=2)
    entry = await home.door.open(token, "Ann", ANN)
    await home.store.change_link(link.id, passphrase=encoded(), ask=ask)
    waiting = await home.door.knock_by_address(entry.location, "Eve", False, EVE)
    state = await home.door.knock_state(waiting.knock, replace(EVE, browser=waiting.browser))
    assert waiting.state is state.state is KnockState.WAITING and await home.store.knocks() == []
    await home.store.change_link(link.id, passphrase="")
    again = await home.door.knock_by_address(entry.location, "Eve", False, replace(EVE, browser=waiting.browser))
    assert again.knock == waiting.knock and [knock.id for knock in await home.store.knocks()] == [waiting.knock]


async def test_who_is_in_knocks_with_what_they_proved_before(home: House) -> None:
    """Asking was switched on: only the owner's word is lacking, and the knock has the rest."""
    _, link, token = await given(home, anyone=True, passphrase=encoded())
    entry = await home.door.open(token, "Ann", ANN, RIGHT)
    await home.store.change_link(link.id, ask=True)
    ann = replace(ANN, browser=entry.browser)
    assert (await home.door.about(token, ann))["needs"] == ["approval"]
    waiting = await home.door.knock_by_link(token, "Ann", False, ann)
    (knock,) = await home.store.knocks()
    assert (knock.id, knock.passphrase) == (waiting.knock, fingerprint(encoded()))


async def test_another_passphrase_is_asked_of_whoever_was_admitted_with_the_one_before(home: House) -> None:
    """They show it into the same visit. Whoever was admitted without one is not asked: the owner vouched for them."""
    share, link, token = await given(home, anyone=True, ask=True, passphrase=encoded())
    with_it = await home.door.knock_by_link(token, "Ann", False, ANN, RIGHT)
    await home.knocks.admit(with_it.knock, None)
    ann = replace(ANN, browser=with_it.browser)
    first = (await home.door.knock_state(with_it.knock, ann)).entry
    await home.store.change_link(link.id, passphrase="")
    without = await home.door.knock_by_link(token, "Eve", False, EVE)
    await home.knocks.admit(without.knock, None)
    second = (await home.door.knock_state(without.knock, replace(EVE, browser=without.browser))).entry
    assert first is not None and second is not None
    await home.store.change_link(link.id, passphrase=hashed("another green bicycle"))
    assert not await inside(home, first) and await inside(home, second, EVE.address)
    told = await home.door.about(token, ann)
    assert (told["state"], told["needs"]) == ("reenter", ["passphrase"])
    assert await refused(home.door.open(token, "", ann, RIGHT)) is Reason.PASSPHRASE_WRONG
    again = await home.door.open(token, "", ann, Shown(passphrase="another green bicycle"))
    assert again.visit.id == first.visit.id and await inside(home, again)
    assert len(await home.store.visits(share.id, open_only=True)) == 2


async def test_what_was_proved_with_a_knock_is_compared_when_the_owner_answers(home: House) -> None:
    """The passphrase was changed while they waited: the owner is told, and lets in nobody by mistake."""
    _, link, token = await given(home, anyone=True, ask=True, passphrase=encoded())
    waiting = await home.door.knock_by_link(token, "Ann", False, ANN, RIGHT)
    await home.store.change_link(link.id, passphrase=hashed("another green bicycle"))
    with pytest.raises(Refused, match="proved"):
        await home.knocks.admit(waiting.knock, None)
    assert (await home.knocks.refuse(waiting.knock)).state is KnockState.REFUSED
    ann = replace(ANN, browser=waiting.browser)
    again = await home.door.knock_by_link(token, "Ann", False, ann, Shown(passphrase="another green bicycle"))
    await home.knocks.admit(again.knock, None)


async def test_attack_one_holder_does_not_fill_the_door_where_everybody_knocks(home: House) -> None:
    """From one network, with a new browser each time, all at once: a class's places, and no more. Others find room."""
    _, link, token = await given(home, anyone=True, ask=True, visits=10)
    assert room(link) == (40, 10)
    work = [home.door.knock_by_link(token, f"E{number}", False, EVE) for number in range(30)]
    results = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(one, Denied) for one in results) == 20
    assert len(await home.store.knocks()) == 10
    assert (await home.door.knock_by_link(token, "Ann", False, ANN)).state is KnockState.WAITING


async def test_a_class_that_waits_behind_one_address_does_not_shut_its_own_door(home: House) -> None:
    """Sixty pages ask every two seconds how their knocks stand, for minutes; the last of the class comes in."""
    _, _, token = await given(home, anyone=True, ask=True)
    knocks = [await home.door.knock_by_link(token, f"N{number}", False, ANN) for number in range(59)]
    for _ in range(90):
        for waiting in knocks:
            await home.door.knock_state(waiting.knock, replace(ANN, browser=waiting.browser))
        home.clock.forward(2)
    assert (await home.door.knock_by_link(token, "late", False, ANN)).state is KnockState.WAITING


# -- from where and from when -----------------------------------------------------------------------------------------


async def test_outside_its_networks_a_link_tells_who_shares_and_nothing_else(home: House) -> None:
    """Not what, not until when, not from where it would open; nothing opens, and nobody is disturbed."""
    share, link, token = await given(home, networks=("10.0.0.0/8",), passphrase=encoded())
    told = await home.door.about(token, ANN)
    assert (told["state"], told["owner"], told["share"], told["expires"]) == ("outside", "Olga", HIDDEN, 0.0)
    assert (told["needs"], told["recorded"], told["role_sentence"]) == ([], [], "")
    assert "10.0" not in repr(told) and "Ann" not in repr(told)
    assert await refused(home.door.open(token, "", ANN, RIGHT)) is Reason.OUTSIDE_NETWORKS
    assert await refused(home.door.knock_by_link(token, "Ann", False, ANN)) is Reason.OUTSIDE_NETWORKS
    await home.store.change_link(link.id, paused=True)
    assert (await home.door.about(token, ANN))["state"] == "outside"
    assert await home.store.knocks() == [] and await home.store.visits(share.id) == []
    assert {event.reason for event in home.notes.events} == {"outside_networks"}


async def test_attack_from_outside_every_state_of_link_and_share_is_one_answer(home: House) -> None:
    """Whoever knocked from inside and asks from elsewhere, and whoever has a device's code, too."""
    states: list[tuple[str, dict[str, Any]]] = [
        ("share", {}),
        *(("share", {name: value}) for name, value in (("paused", True), ("suspended", True), ("expires", 1.0))),
        ("share", {"revoked": 1.0}),
        *(("link", {name: value}) for name, value in (("paused", True), ("revoked", 1.0), ("expires", 1.0))),
        *(("link", {name: value}) for name, value in (("serial", 2), ("ask", True), ("not_before", 4e9))),
        *(("link", {name: value}) for name, value in (("passphrase", "$x"), ("domain", "example.org"))),
        ("link", {"visits": 1}),
    ]
    for kind, fields in states:
        share, link, token = await given(home, anyone=True, networks=("192.0.2.0/24",))
        entry = await home.door.open(token, "Ann", ANN)
        grant = await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie], ANN.address)
        code, _ = await home.door.device_code(grant)
        waiting = await home.door.knock_by_link(token, "Cy", False, ANN)
        await (home.store.change_share if kind == "share" else home.store.change_link)(
            share.id if kind == "share" else link.id, **fields
        )
        cy = replace(EVE, browser=waiting.browser)
        assert await home.door.about(token, EVE) == outside(share)
        for work in (
            home.door.open(token, "Eve", EVE),
            home.door.send_code(token, "eve@example.org", EVE),
            home.door.knock_by_link(token, "Eve", False, EVE),
            home.door.knock_state(waiting.knock, cy),
            home.door.open_device(code, EVE),
        ):
            assert await refused(work) is Reason.OUTSIDE_NETWORKS, (fields, work)


async def test_inside_its_networks_a_link_opens_as_ever(home: House) -> None:
    """The visit is judged by where each request comes from."""
    _, _, token = await given(home, networks=("192.0.2.0/24",))
    assert (await home.door.about(token, ANN))["state"] == "open"
    entry = await home.door.open(token, "", ANN)
    assert await inside(home, entry) and not await inside(home, entry, EVE.address)
    elsewhere = Comer(entry.browser, EVE.address, ANN.agent)
    assert await refused(home.door.open(token, "", elsewhere)) is Reason.OUTSIDE_NETWORKS


async def test_who_was_admitted_comes_in_from_where_the_link_opens_only(home: House) -> None:
    """The owner's word counts for the person, not for the place."""
    _, link, token = await given(home)
    await home.door.open(token, "", ANN)
    waiting = await home.door.knock_by_link(token, "Eve", False, EVE)
    await home.knocks.admit(waiting.knock, None)
    await home.store.change_link(link.id, networks=("192.0.2.0/24",))
    eve = replace(EVE, browser=waiting.browser)
    assert await refused(home.door.knock_state(waiting.knock, eve)) is Reason.OUTSIDE_NETWORKS
    arrived = await home.door.knock_state(waiting.knock, replace(eve, address=ANN.address))
    assert arrived.entry is not None and await inside(home, arrived.entry)


async def test_attack_knocking_at_an_address_from_outside_is_heard_by_nobody(home: House) -> None:
    """And told nothing: it waits like a knock at an address that leads nowhere."""
    _, link, token = await given(home)
    entry = await home.door.open(token, "", ANN)
    await home.store.change_link(link.id, networks=("192.0.2.0/24",))
    waiting = await home.door.knock_by_address(entry.location, "Eve", False, EVE)
    assert waiting.state is KnockState.WAITING and waiting.browser
    assert await home.store.knocks() == []


async def test_a_link_that_opens_later_says_when(home: House) -> None:
    """What is shared may be seen by its holder; nothing opens and nobody knocks before."""
    _, _, token = await given(home, not_before=home.clock() + 60)
    told = await home.door.about(token, ANN)
    assert (told["state"], told["opens"]) == ("not_yet", home.clock() + 60)
    assert told["share"]["folder"] == "shared"  # type: ignore[index]
    assert await refused(home.door.open(token, "", ANN)) is Reason.NOT_YET
    assert await refused(home.door.knock_by_link(token, "", True, ANN)) is Reason.NOT_YET
    home.clock.forward(60)
    assert (await home.door.about(token, ANN))["state"] == "open"
    assert await inside(home, await home.door.open(token, "", ANN))


async def test_an_end_is_told_before_a_beginning(home: House) -> None:
    """A link that was revoked does not promise to open later."""
    share, link, token = await given(home, not_before=home.clock() + 60)
    await home.store.change_link(link.id, revoked=home.clock())
    assert (await home.door.about(token, ANN))["state"] == "ended"
    await home.store.change_share(share.id, paused=True)
    assert (await home.door.about(token, ANN))["state"] == "paused"


# -- devices ----------------------------------------------------------------------------------------------------------


async def test_a_device_has_what_the_visit_proved_that_it_comes_from(home: House) -> None:
    """It is asked for nothing; when a passphrase is changed, both are asked."""
    _, link, token = await given(home, passphrase=encoded())
    entry = await home.door.open(token, "", ANN, RIGHT)
    grant = await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie], ANN.address)
    code, _ = await home.door.device_code(grant)
    device = await home.door.open_device(code, EVE)
    assert device.visit.kind is VisitKind.DEVICE and await inside(home, device)
    await home.store.change_link(link.id, passphrase=hashed("another green bicycle"))
    assert not await inside(home, device) and not await inside(home, entry)
    again = await home.door.open(
        token, "", replace(EVE, browser=device.browser), Shown(passphrase="another green bicycle")
    )
    assert again.visit.id == device.visit.id and await inside(home, again)


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ({"networks": ("192.0.2.0/24",)}, Reason.OUTSIDE_NETWORKS),
        ({"not_before": 4e9}, Reason.NOT_YET),
        ({"passphrase": "$argon2id$"}, Reason.PASSPHRASE_NEEDED),
        ({"ask": True}, Reason.APPROVAL_NEEDED),
        ({"recipient": "ann@example.org"}, Reason.RECIPIENT_NEEDED),
        ({"domain": "example.org"}, Reason.RECIPIENT_NEEDED),
    ],
)
async def test_attack_a_device_code_is_no_way_around(home: House, conditions: dict[str, Any], reason: Reason) -> None:
    """A code of a visit that lacks what its link asks for by now lets nobody in, and is not spent."""
    _, link, token = await given(home)
    entry = await home.door.open(token, "", ANN)
    grant = await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie], ANN.address)
    code, _ = await home.door.device_code(grant)
    await home.store.change_link(link.id, **conditions)
    assert await refused(home.door.open_device(code, EVE)) is reason
    await home.store.change_link(link.id, **{name: getattr(link, name) for name in conditions})
    assert (await home.door.open_device(code, EVE)).visit.came_from == entry.visit.id


# -- e-mail, and proofs in general ------------------------------------------------------------------------------------


@pytest.mark.parametrize("conditions", [{"recipient": "ann@example.org"}, {"domain": "example.org"}])
async def test_what_nobody_here_can_look_at_is_not_proved(home: House, conditions: dict[str, Any]) -> None:
    """Without a way to send codes an address stays unproved, and what is shared untold; the owner can let in."""
    _, _, token = await given(home, **conditions)
    told = await home.door.about(token, ANN)
    assert (told["needs"], told["share"]) == (["email"], HIDDEN)
    assert "ann@example.org" not in repr(told)
    assert await refused(home.door.open(token, "", ANN, Shown(code="123456"))) is Reason.RECIPIENT_NEEDED


async def test_proofs_are_asked_one_after_the_other(home: House) -> None:
    """Each by who can look at it, with all that was shown; what they say is put into the visit together."""
    asked: list[tuple[str, str, bool]] = []

    class Says:
        def __init__(self, need: Need) -> None:
            self.need = need

        async def prove(self, link: Link, shown: Shown, comer: Comer, *, known: bool) -> dict[str, str]:
            asked.append((self.need.value, shown.code, known))
            return {self.need.value: "proved"}

    proofs = Proofs([Says(Need.PASSPHRASE), Says(Need.EMAIL)])
    both = (Need.PASSPHRASE, Need.EMAIL)
    assert await proofs.prove(a_link(), both, Shown(code="1"), ANN, known=True) == dict.fromkeys(both, "proved")
    assert asked == [("passphrase", "1", True), ("email", "1", True)]
    assert await proofs.prove(a_link(), (), NOTHING, ANN) == {}
    with pytest.raises(Denied, match="approval_needed"):
        await proofs.prove(a_link(), (*both, Need.APPROVAL), NOTHING, ANN)
    assert len(asked) == 2
