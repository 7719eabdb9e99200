"""A list of people whose rows say as whom they sign in: each link opens for that person alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import run
from tests.conftest import Clock
from tests.oidc.party import Party
from tests.visits.signer import Desk, signing

ANN = {"sub": "ann-1", "email": "ann@uni.example", "email_verified": True}
BO = {"sub": "bo-2", "email": "bo@uni.example", "email_verified": True}
CY = {"sub": "cy-3", "email": "cy@uni.example", "email_verified": True}
CLASS = "name,email,account\nAnn,ann@mail.example,ann@uni.example\nBo,bo@mail.example,sub:bo-2\n"


@pytest.fixture
async def desk(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with signing(tmp_path, clock, monkeypatch) as desk:
        yield desk


def signs_in(there: Party, person: dict[str, Any]) -> None:
    there.claims.update(person)


def tokens(made: list[dict[str, Any]]) -> dict[str, str]:
    return {link["name"] or link["email"]: link["url"].partition("#")[2] for link in made}


async def check_each(desk: Desk, token: dict[str, str]) -> None:
    """Ann opens hers and not Bo's, Bo opens his and not Ann's, and nobody opens one without signing in."""
    for mine, who, others in (("Ann", ANN, "Bo"), ("Bo", BO, "Ann")):
        person = desk.person()
        assert await person.code(token[mine]) == "account_needed"
        signs_in(desk.there, who)
        await person.sign(token[others])
        assert await person.code(token[others]) == "other_account"
        await person.sign(token[mine])
        visit = await desk.visit(await person.enter(token[mine]))
        assert (visit["name"], visit["account"]) == (mine, who["email"])


async def test_accounts_of_rows_through_the_api(desk: Desk) -> None:
    """The right person gets in, another one of the list does not; nobody is mailed a code besides."""
    body = {"path": str(desk.office.folder / "week3"), "roster": CLASS}
    read = await desk.office.call("POST", "rosters/read", {"roster": CLASS})
    assert [one["account"] for one in read["people"]] == ["ann@uni.example", "sub:bo-2"]
    made = await desk.office.call("POST", "rosters/share", body)
    asks = [(link["account"], link["recipient"]) for link in made["made"]]
    assert asks == [("ann@uni.example", ""), ("sub:bo-2", "")]
    assert not made["proves"] and "account" not in str(made["warnings"])
    await check_each(desk, tokens(made["made"]))
    again = await desk.office.call("POST", "rosters/share", body)
    assert again["made"] == [] and len(again["known"]) == 2


async def test_accounts_of_rows_through_the_terminal(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with `share --roster`, and with `link add --roster --account own` for who came later, whose address is
    that of their account."""
    monkeypatch.setenv("SHAREGATE_DATA_DIR", str(desk.office.running.config.data_dir))
    roster, later = tmp_path / "class.csv", tmp_path / "later.csv"
    roster.write_text(CLASS)
    later.write_text(f"{CLASS}Cy,cy@uni.example,\n")
    made = await asyncio.to_thread(run, "share", str(desk.office.folder / "week3"), "--roster", str(roster), "--json")
    assert made.code == 0, made.err
    await check_each(desk, tokens(made.document["made"]))
    share = made.document["share"]["label"]
    added = await asyncio.to_thread(run, "link", "add", share, "--roster", str(later), "--account", "own", "--json")
    assert added.code == 0, added.err
    assert [link["account"] for link in added.document["made"]] == ["cy@uni.example"]
    token, cy = tokens(added.document["made"])["Cy"], desk.person()
    signs_in(desk.there, BO)
    await cy.sign(token)
    assert await cy.code(token) == "other_account"
    signs_in(desk.there, CY)
    await cy.sign(token)
    await cy.enter(token)


async def test_each_with_the_account_of_their_address(desk: Desk) -> None:
    """`own` needs no column; `prove` asks for the mailed code as well."""
    roster = "name,email\nAnn,ann@uni.example\nBo,bo@uni.example\n"
    body = {"path": str(desk.office.folder / "week3"), "roster": roster, "account": "own"}
    made = await desk.office.call("POST", "rosters/share", body)
    assert [(link["account"], link["recipient"]) for link in made["made"]] == [
        ("ann@uni.example", ""),
        ("bo@uni.example", ""),
    ]
    await check_each(desk, tokens(made["made"]))
    both = await desk.office.call("POST", "rosters/share", {**body, "role": "edit", "prove": True})
    assert [link["recipient"] for link in both["made"]] == ["ann@uni.example", "bo@uni.example"]


async def test_teams_sign_in(desk: Desk) -> None:
    """Each person's own account, in each team's folder."""
    for team in ("red", "blue"):
        (desk.office.folder / "projects" / team).mkdir(parents=True)
    roster = "name,account,team\nAnn,ann@uni.example,red\nBo,sub:bo-2,blue\n"
    body = {"each": str(desk.office.folder / "projects" / "*"), "roster": roster}
    made = await desk.office.call("POST", "rosters/teams", body)
    await check_each(desk, tokens([link for team in made["teams"] for link in team["made"]]))


async def test_who_has_no_account_in_the_list(desk: Desk) -> None:
    """Is told of; with `own` nobody may be left whom nobody could let in, and nothing is made."""
    roster = "name,account\nAnn,ann@uni.example\nBo,\n"
    body = {"path": str(desk.office.folder / "week3"), "roster": roster}
    status, said = await desk.office.ask("POST", "rosters/share", {**body, "account": "own"})
    assert (status, [fault["field"] for fault in said["error"]["faults"]]) == (400, ["roster row 3, account"])
    assert (await desk.office.everything())["shares"] == []
    made = await desk.office.call("POST", "rosters/share", body)
    assert "1 of 2 have no account: their links open without signing in." in made["warnings"]
    await desk.person().enter(tokens(made["made"])["Bo"])


@pytest.mark.parametrize("account", ["ann@uni.example", "sub:ann-1", "group:", "*", "*@uni.example", "OWN"])
async def test_accounts_that_do_not_fit_a_roster(desk: Desk, account: str) -> None:
    """One person's for all of a list, one that is none, and one for all beside rows that name theirs: by its field, and
    nothing is made."""
    body = {"path": str(desk.office.folder / "week3"), "roster": CLASS, "account": account}
    status, said = await desk.office.ask("POST", "rosters/share", body)
    assert (status, said["error"]["field"]) == (400, "account")
    assert (await desk.office.everything())["shares"] == []


@pytest.mark.parametrize("account", ["ann@uni.example", "sub:ann-1"])
async def test_attack_one_person_s_account_for_everybody(desk: Desk, account: str) -> None:
    """That one would open the links of all the others; also where no row names its own."""
    body = {"path": str(desk.office.folder / "week3"), "roster": "name\nAnn\nBo\n", "account": account}
    status, said = await desk.office.ask("POST", "rosters/share", body)
    assert (status, said["error"]["field"]) == (400, "account") and "each person's own" in said["error"]["message"]
    assert (await desk.office.everything())["shares"] == []


async def test_one_account_for_several_goes_for_all(desk: Desk) -> None:
    """Where no row names its own: whoever has an address there opens any of them, as the owner said."""
    body = {"path": str(desk.office.folder / "week3"), "roster": "name\nAnn\nBo\n", "account": "*@uni.example"}
    made = await desk.office.call("POST", "rosters/share", body)
    assert [link["account"] for link in made["made"]] == ["*@uni.example"] * 2
    eve = desk.person()
    signs_in(desk.there, {**ANN, "email": "eve@else.example"})
    await eve.sign(tokens(made["made"])["Bo"])
    assert await eve.code(tokens(made["made"])["Bo"]) == "other_account"
