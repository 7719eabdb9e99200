"""The same thing decided in two tabs and at the terminal, at the same moment; and what ends while somebody reads."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.audit.events import Action, AuditEvent
from tests.dashboard.client import Program, Signed
from tests.dashboard.conftest import Office
from tests.dashboard.pages.conftest import Scene

DECIDED = {"knock.admitted", "knock.refused"}


@pytest.mark.parametrize("first", ["admit", "refuse"])
async def test_race_a_knock_is_answered_in_two_tabs_and_at_the_terminal(office: Office, first: str) -> None:
    """One answer counts, the others are told so; there is one visit or none, and the history says it once."""
    scene = Scene(office)
    made = await office.share(**{"for": ["Ann"]})
    knock = await scene.knock(made, "Eve")
    tabs = [Signed(office), Signed(office), Program(office, await office.token("people:write"))]
    for tab in tabs[:2]:
        assert isinstance(tab, Signed)
        await tab.enter()
    other = {"admit": "refuse", "refuse": "admit"}[first]
    asked = [tab.ask("POST", f"/api/v1/knocks/{knock}/{verb}", {}) for verb in (first, other) for tab in tabs]
    answers = await asyncio.gather(*asked, office.ask("POST", f"knocks/{knock}/admit", {}))
    for tab in tabs:
        await tab.close()
    statuses = sorted(status for status, _ in answers)
    assert statuses == [200] + [409] * (len(answers) - 1)
    assert {(said.get("error") or said)["code"] for status, said in answers if status == 409} == {"decided"}
    decided = [action for action in await office.actions() if action in DECIDED]
    visits = (await office.call("GET", "visits"))["visits"]
    assert len(decided) == 1 and len(visits) == (decided == ["knock.admitted"])


async def test_a_token_is_revoked_while_its_program_reads_the_history(office: Office) -> None:
    """The next page is refused, and so is one that was asked for with a cursor of before."""
    trail = office.running.api._trail
    for number in range(700):
        await trail.record(AuditEvent(action=Action.GATE_STARTED, actor="gate", detail=str(number)), durable=False)
    program = Program(office, await office.token("trail:read"))
    status, page = await program.ask("GET", "/api/v1/audit/export?action=gate.started")
    assert status == 200 and page["next"]
    id = (await office.call("GET", "tokens"))["tokens"][0]["id"]
    await office.call("POST", f"tokens/{id}/revoke")
    status, said = await program.ask("GET", f"/api/v1/audit/export?action=gate.started&cursor={page['next']}")
    await program.close()
    assert (status, said["code"]) == (401, "bad_token") and "lines" not in said


async def test_attack_an_idempotency_key_of_somebody_else(office: Office) -> None:
    """Neither the answer nor that it was asked is told to another token, a browser or the terminal: with what they
    may not do they are refused, and what they may do is done."""
    maker = Program(office, await office.token("shares:write"))
    reader = Program(office, await office.token("shares:read"))
    tab = Signed(office)
    await tab.enter()
    body = {"path": str(office.folder / "week3"), "for": ["Ann"]}
    key = {"Idempotency-Key": "the-same"}
    status, made = await maker.ask("POST", "/api/v1/shares", body, headers=key)
    assert status == 200
    status, said = await reader.ask("POST", "/api/v1/shares", body, headers=key)
    assert (status, said["code"]) == (403, "capability_missing") and made["links"][0]["url"] not in str(said)
    status, second = await tab.ask("POST", "/api/v1/shares", body, headers=key)
    assert status == 200 and second["share"]["id"] != made["share"]["id"]
    status, again = await maker.ask("POST", "/api/v1/shares", body, headers=key)
    assert (status, again) == (200, made)
    for who in (maker, reader, tab):
        await who.close()
    assert len((await office.call("GET", "shares"))["shares"]) == 2


async def test_race_of_links_added_to_one_share(office: Office) -> None:
    """Each is made, and has a letter of its own."""
    share = (await office.share())["share"]["id"]
    before = len((await office.call("GET", f"shares/{share}"))["share"]["links"])
    asked = [office.ask("POST", f"shares/{share}/links", {"name": f"Person {n}"}) for n in range(20)]
    asked += [office.ask("POST", f"shares/{share}/preview", {}) for _ in range(3)]
    answers = await asyncio.gather(*asked)
    assert [status for status, _ in answers] == [200] * 23, answers
    assert len({said["link"]["id"] for _, said in answers}) == 23
    links = (await office.call("GET", f"shares/{share}"))["share"]["links"]
    assert len({link["label"] for link in links}) == len(links) >= before + 20
