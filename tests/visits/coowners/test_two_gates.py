"""Co-owners where two gates have one store: what is done at one holds at the other, also on pages that are open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from sharegate.dashboard.rules import Reading
from sharegate.policy.load import load_policies
from sharegate.shares.authenticate import secret_hash
from tests.conftest import Clock
from tests.dashboard.test_rules import write
from tests.gatehouse import Gatehouse, Inside
from tests.pair import Pair, two_gates, until
from tests.real.jupyter import JupyterServer
from tests.real.redis import RedisServer, running_redis
from tests.visits.coowners.school import School, Tab

pytestmark = [pytest.mark.real, pytest.mark.redis]


@pytest.fixture(scope="module")
def store() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
async def pair(store: RedisServer, jupyter: JupyterServer, tmp_path: Path) -> AsyncIterator[Pair]:
    async with two_gates(store, jupyter, tmp_path) as both:
        yield both


class Class(School):
    """A share of the server's; the gate that visitors come to is the one that this is of."""

    async def share(self, *people: str, **more: Any) -> dict[str, Any]:
        return await self.gate.share(**{"for": list(people or ("Tia", "Ann"))}, **more)


def schools(pair: Pair) -> tuple[Class, Class]:
    clock = Clock(0.0)
    return Class(pair.a, clock), Class(pair.b, clock)


def moved(inside: Inside, gate: Gatehouse) -> Inside:
    """The same browser, which asks that gate."""
    return Inside(gate, inside.share, inside.link, inside.base, inside.cookie, inside.browser)


def visit_of(inside: Inside) -> str:
    return inside.base.rpartition("~")[2].rstrip("/")


def ids(state: dict[str, Any], what: str) -> list[str]:
    return [one["id"] for one in state[what]]


async def is_coowner(school: School, inside: Inside) -> bool:
    return b"data-key" in (await school.page(moved(inside, school.gate))).body


async def answered(inside: Inside, gate: Gatehouse, status: int) -> bool:
    return (await moved(inside, gate).ask("GET", "files/sub/shared/notes.md")).status == status


async def test_a_mark_set_at_one_counts_at_the_other(pair: Pair) -> None:
    """The page that was no co-owner's is there, opens its line, and lets in who knocked at the other gate; who was let
    in enters at either."""
    at_a, at_b = schools(pair)
    made = await at_a.share()
    tia, ann = await pair.b.visit(made, 0, "Tia"), await pair.a.visit(made, 1, "Ann")
    assert not await is_coowner(at_b, tia)
    await pair.a.call("POST", f"links/{tia.link['id']}/coowner")
    await until(lambda: is_coowner(at_b, tia))
    pair.to(pair.b)
    async with at_b.tab(tia) as tab:
        knock = await at_a.knock(ann.link, "Eve", "eves-browser")
        await tab.until(lambda state: knock in ids(state, "knocks"))
        assert (await tab.ask("admit", knock))["problem"] == ""
        eve = await at_a.admitted(knock, ann.link, "eves-browser")
        for gate in (pair.a, pair.b):
            assert (await moved(eve, gate).ask("GET", "files/sub/shared/notes.md")).status == 200
        await tab.until(lambda state: "Eve" in [one["name"] for one in state["people"]])
        assert (await tab.ask("remove", visit_of(eve)))["problem"] == ""
    for gate in (pair.a, pair.b):
        await until(lambda gate=gate: answered(eve, gate, 403))
    told = {(one["action"], one["actor"]) for one in await pair.a.events(share=made["share"]["id"])}
    tias = f"coowner:{visit_of(tia)}"
    assert {("coowner.added", "owner"), ("knock.admitted", tias), ("visit.ended", tias)} <= told


async def test_a_page_of_one_gate_goes_on_at_the_other(pair: Pair) -> None:
    """Its key is known there, for all gates have one secret; a changed one is not."""
    at_a, at_b = schools(pair)
    tia = await at_a.coowner(await at_a.share())
    key = await at_a.key(tia)
    await until(lambda: is_coowner(at_b, tia))
    pair.to(pair.b)
    async with at_b.tab(tia, key):
        pass
    assert await at_b.handshake(tia, key[:-1] + ("0" if key[-1] != "0" else "1")) == 401


ENDS = {
    "unmarked": ("DELETE", "links/{link}/coowner"),
    "put out": ("POST", "visits/{visit}/end"),
    "link revoked": ("POST", "links/{link}/revoke"),
    "share revoked": ("POST", "shares/{share}/revoke"),
}


@pytest.mark.parametrize("how", ENDS)
async def test_attack_a_page_at_the_other_gate_after_the_end(
    pair: Pair, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page ends by itself, at once: told by the store, not by looking every second. One more that has not been told
    does nothing either, and none is opened again."""
    at_a, at_b = schools(pair)
    made = await at_a.share()
    tia, ann = await at_a.coowner(made), await pair.a.visit(made, 1, "Ann")
    knock = await at_a.knock(ann.link, "Eve")
    await until(lambda: is_coowner(at_b, tia))
    live = pair.b.running.gate._own._coowners._live  # type: ignore[attr-defined]
    monkeypatch.setattr(live, "_look", 3600)
    pair.to(pair.b)
    key = await at_b.key(moved(tia, pair.b))
    async with at_b.tab(tia, key) as told, at_b.tab(tia, key) as untold:
        pages = live._pages
        assert len(pages) == 2
        pages[1].woken.set = lambda: None  # type: ignore[method-assign]
        method, path = ENDS[how]
        where = path.format(link=tia.link["id"], visit=visit_of(tia), share=made["share"]["id"])
        await pair.a.call(method, where)
        assert await told.ended() == 4403 and told.over
        assert await untold.ask("admit", knock) == {} and untold.over
    assert not await is_coowner(at_b, tia)
    assert await at_b.handshake(tia, key) in (401, 403, 404, 410)
    done = [one["action"] for one in await pair.a.events() if one["actor"].startswith("coowner:")]
    assert done == []


async def test_attack_two_browsers_race_for_an_unbound_mark_over_both(pair: Pair) -> None:
    """The link was marked before anybody opened it: of two who open it at once, each at a gate, one gets in by the one
    seat, and is the co-owner at both."""
    at_a, at_b = schools(pair)
    made = await at_a.share()
    link = made["links"][0]
    assert (await pair.a.call("POST", f"links/{link['id']}/coowner"))["visit"] is None
    entered = await asyncio.gather(*(gate.visit(made) for gate in (pair.a, pair.b)), return_exceptions=True)
    (tia,) = [one for one in entered if isinstance(one, Inside)]
    for school in (at_a, at_b):
        await until(lambda school=school: is_coowner(school, tia))
    bound = await pair.b.running.gate._store.link(link["id"])  # type: ignore[attr-defined]
    assert bound.coowner_browser == secret_hash(tia.browser)


async def test_whoever_paused_at_one_opens_it_at_the_other(pair: Pair) -> None:
    """And what the owner paused meanwhile at the first, no co-owner opens at the second."""
    at_a, at_b = schools(pair)
    made = await at_a.share()
    tia = await at_a.coowner(made)
    await until(lambda: is_coowner(at_b, tia))
    key = await at_a.key(tia)
    async with at_a.tab(tia, key) as here:
        pair.to(pair.b)
        async with at_b.tab(tia, key) as there:
            assert (await here.ask("pause"))["problem"] == ""
            await there.until(lambda state: state["state"] == "paused")
            assert (await there.ask("resume"))["problem"] == ""
            await here.until(lambda state: state["state"] == "open")
            await pair.a.call("POST", f"shares/{made['share']['id']}/pause")
            await there.until(lambda state: state["state"] == "paused_by_owner")
            assert (await there.ask("resume"))["code"] == "paused_by_owner"
    share = await pair.b.running.gate._store.share(made["share"]["id"])  # type: ignore[attr-defined]
    assert share.paused


async def test_of_two_pages_at_two_gates_one_answers_a_knock(pair: Pair) -> None:
    """Both click at once: one visit, one entry in the history, and the other is told."""
    at_a, at_b = schools(pair)
    made = await at_a.share()
    tia, ann = await at_a.coowner(made), await pair.a.visit(made, 1, "Ann")
    await until(lambda: is_coowner(at_b, tia))
    key = await at_a.key(tia)
    async with at_a.tab(tia, key) as here:
        pair.to(pair.b)
        async with at_b.tab(tia, key) as there:
            knock = await at_a.knock(ann.link, "Eve")
            tabs: tuple[Tab, Tab] = (here, there)
            for tab in tabs:
                await tab.until(lambda state: knock in ids(state, "knocks"))
            answers = await asyncio.gather(*(tab.ask("admit", knock) for tab in tabs))
    assert sorted(answer["code"] for answer in answers) == ["", "decided"]
    assert len(await pair.a.events(action="knock.admitted")) == 1
    visits = (await pair.b.call("GET", "visits", share=made["share"]["id"]))["visits"]
    assert [one["name"] for one in visits].count("Eve") == 1


async def test_rules_that_forbid_co_owners_at_one_end_their_pages_at_the_other(pair: Pair, tmp_path: Path) -> None:
    """At once, before the other gate has the rules itself; and it marks nobody meanwhile, for its rules differ."""
    at_a, at_b = schools(pair)
    made = await at_a.share()
    tia = await at_a.coowner(made)
    await until(lambda: is_coowner(at_b, tia))
    pair.a.running.api.rules._read = lambda: Reading(load_policies(extra=tmp_path / "policies").sharing)
    write(tmp_path / "policies", coowners="false")
    pair.to(pair.b)
    async with at_b.tab(moved(tia, pair.b)) as tab:
        await pair.a.call("POST", "rules/reload", {})
        assert await tab.ended() == 4403
    assert not await is_coowner(at_b, tia)
    assert (await moved(tia, pair.b).ask("GET", "files/sub/shared/notes.md")).status == 200  # a visitor as before
    api = pair.b.running.api
    status, answer = await api.call("POST", f"/api/v1/links/{tia.link['id']}/coowner", {}, None)
    assert (status, answer["error"]["code"]) == (403, "rules_differ")
    link = await pair.b.running.gate._store.link(tia.link["id"])  # type: ignore[attr-defined]
    assert (link.coowner, link.coowner_browser) == (False, "")
