"""The owner acts in each moment in which somebody comes in: before every single step that a door takes to its records
and its history. No two tasks race: each order that a race could have is gone through, one after the other.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sharegate.errors import Denied, Refused, SharegateError
from sharegate.shares.authenticate import Authenticator, secret_hash
from sharegate.shares.coowners import Marks, unbind
from sharegate.shares.issue import NewLink
from sharegate.shares.model import Link, Share, Visit
from sharegate.visits.entry import Entry, Waiting
from sharegate.visits.join import Door
from sharegate.visits.knocks import Knocks
from sharegate.visits.passphrase import PassphraseProof
from tests.conftest import Clock
from tests.house import ADDRESSES, ANN, EVE, House, house, rules


@dataclass
class Moment:
    """Before step `at` of a door, `act` is done. `steps` are those that were taken."""

    at: int
    act: Callable[[], Awaitable[object]]
    steps: list[str] = field(default_factory=list)

    async def step(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) - 1 == self.at:
            await self.act()

    @property
    def missed(self) -> bool:
        """Whether the door was done before."""
        return len(self.steps) <= self.at


class Stepped:
    """A store or a recorder, as real as `inner`, that tells of each step."""

    def __init__(self, inner: Any, moment: Moment) -> None:
        self._inner, self._moment = inner, moment

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def stepped(*arguments: Any, **named: Any) -> Any:
            await self._moment.step(name)
            return await found(*arguments, **named)

        return stepped


def door_of(home: House, moment: Moment) -> Door:
    store: Any = Stepped(home.store, moment)
    notes: Any = Stepped(home.notes, moment)
    return Door(
        store,
        Authenticator(store, home.tokens, home.policies.roles, ADDRESSES, home.clock),
        notes,
        ADDRESSES,
        home.clock,
        role_sentence=home.policies.roles.sentence,
        key=b"k" * 32,
        proofs=[PassphraseProof(home.clock)],
    )


@pytest.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


@dataclass
class Case:
    """A link of a share of its own, and somebody in by it (None: nobody)."""

    home: House
    share: Share
    link: Link
    inside: Entry | None = None

    async def open_visits(self) -> list[Visit]:
        return await self.home.store.visits(self.share.id, open_only=True)


Come = Callable[[Door], Awaitable[Entry | Waiting]]
Deed = Callable[[Case], Awaitable[Come]]


async def opens(case: Case) -> Come:
    token = case.home.token(case.link)
    return lambda door: door.open(token, "", ANN)


async def opens_by_a_code(case: Case) -> Come:
    expires = case.home.clock() + 3600
    case.link = await case.home.store.change_link(case.link.id, code_hash="c" * 64, code_expires=expires)
    token = case.home.tokens.mint_for_code(case.link)
    return lambda door: door.open(token, "", ANN)


async def comes_back(case: Case) -> Come:
    token = case.home.token(case.link)
    case.inside = entry = await case.home.door.open(token, "", ANN)
    return lambda door: door.open(token, "", replace(ANN, browser=entry.browser))


async def adds_a_device(case: Case) -> Come:
    home = case.home
    case.inside = entry = await home.door.open(home.token(case.link), "", ANN)
    grant = await home.authenticator.by_cookie(case.share.id, entry.visit.id, [entry.cookie], ANN.address)
    code, _ = await home.door.device_code(grant)
    return lambda door: door.open_device(code, EVE)


async def was_let_in(case: Case) -> Come:
    home = case.home
    token = home.token(case.link)
    case.inside = await home.door.open(token, "", ANN)
    waiting = await home.door.knock_by_link(token, "Eve", False, EVE)
    await home.knocks.admit(waiting.knock, None)
    return lambda door: door.knock_state(waiting.knock, replace(EVE, browser=waiting.browser))


async def knocks_as_the_same(case: Case) -> Come:
    token = case.home.token(case.link)
    case.inside = await case.home.door.open(token, "", ANN)
    return lambda door: door.knock_by_link(token, "", True, EVE)


async def mark(case: Case) -> None:
    await Marks(case.home.store, rules(), case.home.clock).add(case.link.id)


async def put_out(case: Case) -> None:
    for visit in await case.open_visits():
        await case.home.issuer.end_visit(visit.id, "ended by the owner")


async def revoke(case: Case) -> None:
    await case.home.issuer.revoke_link(case.link.id)


async def revoke_all(case: Case) -> None:
    await case.home.issuer.revoke_share(case.share.id)


async def forget(case: Case) -> None:
    """What an erasure does to the records of the person whose link it is."""
    store, now = case.home.store, case.home.clock()
    await case.home.issuer.revoke_link(case.link.id)
    visits = [visit.id for visit in await store.visits(case.share.id)]
    knocks = [knock.id for knock in await store.knocks(share=case.share.id, waiting_only=False)]
    await store.end_visits(visits, at=now, reason="erased")
    await store.forget(visits=visits, links=[case.link.id], knocks=knocks)


async def each_moment(
    home: House, deed: Deed, act: Callable[[Case], Awaitable[object]]
) -> AsyncIterator[tuple[Case, str, Entry | Waiting | SharegateError, list[str]]]:
    """The case, the step before which the owner acted, what came of it, and who was in just after the act."""
    at = 0
    while True:
        share, (link,) = await home.share(NewLink(name="Ann", devices=2))
        case = Case(home, share, link)
        come = await deed(case)
        inside: list[str] = []

        async def acted(case: Case = case, inside: list[str] = inside) -> None:
            inside += [visit.id for visit in await case.open_visits()]
            await act(case)

        moment = Moment(at, acted)
        try:
            came: Entry | Waiting | SharegateError = await come(door_of(home, moment))
        except SharegateError as error:
            came = error
        if moment.missed:
            assert at >= 5, "every step was looked at"
            return
        yield case, moment.steps[at], came, inside
        await home.issuer.revoke_share(share.id)
        home.clock.forward(120)
        at += 1


async def test_race_a_link_is_marked_for_a_co_owner_while_somebody_opens_it_by_a_code(home: House) -> None:
    """Whoever is in by a code in the moment of the mark has it, as the owner is told, and is in. A mark that was bound
    to somebody who is not let in after all is for whoever opens the link itself."""
    bound = 0
    async for case, step, came, _ in each_moment(home, opens_by_a_code, mark):
        link = await home.store.link(case.link.id)
        assert link is not None and link.coowner and link.code_hash == ""
        browsers = [visit.browser_hash for visit in await case.open_visits()]
        assert link.coowner_browser in ("", *browsers), step
        assert isinstance(came, Entry) == bool(browsers), step
        bound += bool(link.coowner_browser)
        if not browsers:
            tia = await home.door.open(home.token(link), "", EVE)
            link = await home.store.link(link.id)
            assert link is not None and link.coowner_browser == secret_hash(tia.browser), step
    assert bound


async def test_race_a_link_is_marked_for_a_co_owner_while_its_person_opens_it(home: House) -> None:
    """In each moment they are in, and the mark is theirs."""
    async for case, step, came, _ in each_moment(home, opens, mark):
        link = await home.store.link(case.link.id)
        assert isinstance(came, Entry) and link is not None, step
        assert link.coowner_browser == secret_hash(came.browser), step


async def test_race_a_co_owner_is_put_out_while_they_open_their_link(home: House) -> None:
    """A mark that nobody had is not bound to a browser that is out."""

    async def opens_what_is_marked(case: Case) -> Come:
        await mark(case)
        return await opens(case)

    async for case, step, came, inside in each_moment(home, opens_what_is_marked, put_out):
        link = await home.store.link(case.link.id)
        assert link is not None and isinstance(came, Entry), step
        out = came.visit.id in inside
        assert link.coowner_browser == ("" if out else secret_hash(came.browser)), step


async def test_race_who_is_in_goes_while_the_link_is_marked(home: House) -> None:
    """Whoever was in when the owner named them and is not by the end has no mark: it is for who opens the link."""
    for at in count():
        _, (link,) = await home.share(NewLink(name="Tia"))
        gone = (await home.door.open(home.token(link), "", ANN)).visit

        async def goes(gone: Visit = gone) -> None:
            """As at the door, where somebody is not let in after all."""
            await home.store.end_visits([gone.id], at=home.clock(), reason="replaced")
            await unbind(home.store, gone)

        moment = Moment(at, goes)
        store: Any = Stepped(home.store, moment)
        _, named = await Marks(store, rules(), home.clock).add(link.id)
        marked = await home.store.link(link.id)
        assert marked is not None and marked.coowner
        assert marked.coowner_browser == (gone.browser_hash if moment.missed else ""), moment.steps[at:]
        assert moment.missed or named is None or named.id == gone.id
        await home.issuer.revoke_share(link.share)
        if moment.missed:
            assert at >= 3
            break


async def test_race_a_link_is_revoked_while_somebody_is_let_in(home: House) -> None:
    """The owner is told in words, nobody is in, and the knock waits to be refused."""
    for at in count():
        share, (link,) = await home.share(NewLink(anyone=True, ask=True))
        waiting = await home.door.knock_by_link(home.token(link), "Eve", False, EVE)
        moment = Moment(at, lambda link=link: home.issuer.revoke_link(link.id))  # type: ignore[misc]
        store: Any = Stepped(home.store, moment)
        said = ""
        try:
            await Knocks(store, rules(), home.clock).admit(waiting.knock, None)
        except Refused as refused:
            said = refused.code
        if moment.missed:
            assert at >= 4
            break
        if "decide_knock" not in moment.steps[:at]:  # else they were in before
            assert (said, await home.store.visits(share.id)) == ("link_revoked", []), moment.steps
            await home.knocks.refuse(waiting.knock)
        await home.issuer.revoke_share(share.id)
        home.clock.forward(60)


async def test_race_a_replaced_link_takes_no_mark_from_its_co_owner(home: House) -> None:
    """Who is a co-owner, left, and comes back by an address that is replaced in that moment, is refused; the mark stays
    with their browser and is nobody else's."""

    async def comes_again(case: Case) -> Come:
        token = home.token(case.link)
        case.inside = entry = await home.door.open(token, "", ANN)
        await mark(case)
        await home.store.end_visits([entry.visit.id], at=home.clock(), reason="left")
        return lambda door: door.open(token, "", replace(ANN, browser=entry.browser))

    refused = 0
    async for case, step, came, _ in each_moment(home, comes_again, lambda case: home.issuer.replace(case.link.id)):
        link = await home.store.link(case.link.id)
        assert link is not None and case.inside is not None
        assert link.coowner_browser == secret_hash(case.inside.browser), step
        refused += isinstance(came, Denied)
    assert refused > 3


@pytest.mark.parametrize("act", [revoke, revoke_all, forget])
@pytest.mark.parametrize("deed", [opens, opens_by_a_code, comes_back, adds_a_device, was_let_in, knocks_as_the_same])
async def test_race_what_is_over_for_ever_while_somebody_comes(home: House, deed: Deed, act: Any) -> None:
    """Nobody comes in, and nobody waits, who was not there already: what is revoked or erased gets no new records."""
    async for case, step, came, inside in each_moment(home, deed, act):
        stays = [] if act is forget else inside
        assert [visit.id for visit in await case.open_visits()] == stays, (step, came)
        for entry in filter(None, (case.inside, came if isinstance(came, Entry) else None)):
            with pytest.raises(Denied):
                await home.authenticator.by_cookie(case.share.id, entry.visit.id, [entry.cookie], ANN.address)
        if act is forget:
            waiting = await home.store.knocks(share=case.share.id, waiting_only=False)
            names = {one.name for one in (*await home.store.visits(case.share.id), *waiting)}
            assert "Ann" not in names, (step, came)


@pytest.mark.parametrize("deed", [comes_back, adds_a_device, was_let_in])
async def test_race_the_owner_puts_out_who_comes_in_just_now(home: House, deed: Deed) -> None:
    """Who was in, or was let in, is out for good, and so is whoever would come by them."""
    async for case, step, came, _ in each_moment(home, deed, put_out):
        entry = came.entry if isinstance(came, Waiting) else came
        again = [visit.id for visit in await case.open_visits()]
        if not isinstance(entry, Entry):
            assert again == [], step
            continue
        # One who opens a link anew when the visit before has ended has another visit.
        assert again in ([], [entry.visit.id]), step
        if deed is not comes_back or entry.visit.id == (case.inside and case.inside.visit.id):
            assert again == [], step
