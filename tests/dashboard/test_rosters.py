"""Rosters through the owner's API: links for everybody, shares for teams, and nothing twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened

CLASS = "name,email\nAnn Lee,ann@example.org\nBo,bo@example.org\n"
TEAMS = "name,team\nAnn,red\nBo,blue\nCy,red\n"


def folders(office: Office, *names: str) -> str:
    for name in names:
        (office.folder / "projects" / name).mkdir(parents=True)
    return str(office.folder / "projects" / "*")


async def test_a_roster_is_read_and_nothing_is_made(office: Office) -> None:
    """People with their rows, or all faults with theirs."""
    read = await office.call("POST", "rosters/read", {"roster": CLASS})
    assert [(one["row"], one["name"], one["email"]) for one in read["people"]] == [
        (2, "Ann Lee", "ann@example.org"),
        (3, "Bo", "bo@example.org"),
    ]
    assert read["faults"] == [] and read["columns"] == ["name", "email"]
    bad = await office.call("POST", "rosters/read", {"roster": "name,email\nAnn,nowhere\n=1,bo@example.org\n"})
    assert [(each["row"], each["field"]) for each in bad["faults"]] == [(2, "email"), (3, "name")]
    assert (await office.everything())["shares"] == []


async def test_a_roster_makes_one_link_for_each_person(office: Office) -> None:
    """In one share; with a mail server each asks for its person's address."""
    made = await office.call("POST", "rosters/share", {"path": str(office.folder / "week3"), "roster": CLASS})
    assert made["fresh"] and made["proves"] and made["known"] == []
    assert [(link["name"], link["email"], link["recipient"], link["kind"]) for link in made["made"]] == [
        ("Ann Lee", "ann@example.org", "ann@example.org", "person"),
        ("Bo", "bo@example.org", "bo@example.org", "person"),
    ]
    assert len({link["url"] for link in made["made"]}) == 2
    assert (await office.actions()).count("link.created") == 2


async def test_who_would_get_a_link_is_told_and_nothing_is_made(office: Office) -> None:
    """Of a folder and of a share: everybody of the list, and by their rows those who have none yet."""
    body = {"path": str(office.folder / "week3"), "roster": CLASS}
    tried = await office.call("POST", "rosters/share", body | {"dry_run": True})
    assert (tried["done"], tried["share"], tried["made"], tried["known"]) == (False, None, [], [])
    assert [one["name"] for one in tried["people"]] == ["Ann Lee", "Bo"] and tried["new"] == [2, 3]
    assert (await office.everything())["shares"] == [] and "link.created" not in await office.actions()
    made = await office.call("POST", "rosters/share", body)
    assert made["done"] and made["new"] == [2, 3]
    more = {"roster": "name,email\nCy,cy@example.org\nann LEE,ann@example.org\n", "dry_run": True}
    for path, asked in (("rosters/share", body | more), (f"shares/{made['share']['id']}/roster", more)):
        tried = await office.call("POST", path, asked)
        assert (tried["done"], tried["fresh"], tried["share"]["id"]) == (False, False, made["share"]["id"])
        assert tried["new"] == [2] and [link["name"] for link in tried["known"]] == ["Ann Lee"]
    assert len((await office.everything())["shares"][0]["links"]) == 2


async def test_the_same_roster_again_adds_only_who_is_new(office: Office) -> None:
    """Also whose link was revoked is let alone: that was meant."""
    body = {"path": str(office.folder / "week3"), "roster": CLASS, "prove": False}
    first = await office.call("POST", "rosters/share", body)
    assert first["made"][0]["recipient"] == "" and first["made"][0]["email"] == "ann@example.org"
    await office.call("POST", f"links/{first['made'][1]['id']}/revoke")
    again = await office.call("POST", "rosters/share", body | {"roster": CLASS + "Cy,cy@example.org\n"})
    assert not again["fresh"] and again["share"]["id"] == first["share"]["id"]
    assert [link["name"] for link in again["made"]] == ["Cy"]
    assert [(link["name"], link["state"]) for link in again["known"]] == [("Ann Lee", "active"), ("Bo", "revoked")]
    added = await office.call("POST", f"shares/{first['share']['id']}/roster", {"roster": "name\nann lee\nDi\n"})
    assert [link["name"] for link in added["made"]] == ["Di"]


async def test_attack_the_same_roster_many_times_at_once(office: Office) -> None:
    """One share and one link for each person, whoever clicks how often."""
    body = {"path": str(office.folder / "week3"), "roster": CLASS}
    await asyncio.gather(*(office.call("POST", "rosters/share", body) for _ in range(5)))
    (share,) = (await office.everything())["shares"]
    assert [link["name"] for link in share["links"]] == ["Ann Lee", "Bo"]


async def test_nothing_is_made_of_a_roster_with_faults(office: Office) -> None:
    """Every fault is told with its row, and neither share nor link is there."""
    bad = "name,email\nAnn,ann@example.org\nBo,\nann,x\n"
    status, answer = await office.ask("POST", "rosters/share", {"path": str(office.folder / "week3"), "roster": bad})
    assert status == 400
    assert [fault["field"] for fault in answer["error"]["faults"]] == ["roster row 4, email"]
    assert (await office.everything())["shares"] == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"recipient": "ann@example.org"}, "recipient"),
        ({"domain": "example.com"}, "domain"),
        ({"devices": -1}, "devices"),
    ],
)
async def test_what_does_not_fit_a_roster(office: Office, more: dict[str, object], field: str) -> None:
    """It is told by its field, and nothing is made."""
    body = {"path": str(office.folder / "week3"), "roster": CLASS} | more
    status, answer = await office.ask("POST", "rosters/share", body)
    assert (status, answer["error"]["field"]) == (400, field)
    assert (await office.everything())["shares"] == []


async def test_a_link_for_anyone_is_sent_to_nobody(office: Office) -> None:
    """An address is for a link for one person."""
    share = (await office.share(anyone=True))["share"]
    status, answer = await office.ask(
        "POST", f"shares/{share['id']}/links", {"anyone": True, "email": "ann@example.org"}
    )
    assert (status, answer["error"]["field"]) == (400, "email")
    status, answer = await office.ask("PATCH", f"links/{share['links'][0]['id']}", {"email": "ann@example.org"})
    assert (status, answer["error"]["field"]) == (400, "email")


async def test_each_team_gets_its_folder(office: Office) -> None:
    """One share for each, with links for its people alone."""
    each = folders(office, "red", "blue")
    tried = await office.call("POST", "rosters/teams", {"each": each, "roster": TEAMS, "dry_run": True})
    assert not tried["done"] and [(one["team"], one["path"]) for one in tried["teams"]] == [
        ("red", "projects/red"),
        ("blue", "projects/blue"),
    ]
    assert (await office.everything())["shares"] == []
    made = await office.call("POST", "rosters/teams", {"each": each, "roster": TEAMS, "role": "edit"})
    assert [[link["name"] for link in one["made"]] for one in made["teams"]] == [["Ann", "Cy"], ["Bo"]]
    assert {one["share"]["role"] for one in made["teams"]} == {"edit"}
    again = await office.call("POST", "rosters/teams", {"each": each, "roster": TEAMS + "Di,blue\n", "role": "edit"})
    assert [[link["name"] for link in one["made"]] for one in again["teams"]] == [[], ["Di"]]
    assert len((await office.everything())["shares"]) == 2


async def test_teams_and_folders_that_do_not_match_are_named_first(office: Office) -> None:
    """Nothing is made unless the owner says that the rest will do."""
    each = folders(office, "red", "green")
    status, answer = await office.ask("POST", "rosters/teams", {"each": each, "roster": TEAMS})
    assert status == 400
    assert [fault["message"] for fault in answer["error"]["faults"]] == [
        "there is no folder 'blue'",
        "nobody is in the folder 'green'",
    ]
    assert (await office.everything())["shares"] == []
    made = await office.call("POST", "rosters/teams", {"each": each, "roster": TEAMS, "partial": True})
    assert [one["team"] for one in made["teams"]] == ["red"]
    assert made["left"] == ["green"] and made["missing"] == [{"team": "blue", "row": 3}]


async def test_teams_are_made_all_or_none(office: Office) -> None:
    """What is refused for one leaves nothing of the others open."""
    each = folders(office, "red", "blue")
    body = {"each": each, "roster": TEAMS, "role": "view", "networks": ["nowhere"]}
    status, answer = await office.ask("POST", "rosters/teams", body)
    assert (status, answer["error"]["field"]) == (400, "networks")
    assert (await office.everything())["shares"] == []


@pytest.mark.parametrize("each", ["projects", "pro*/x*", "projects/.*", ""])
async def test_what_is_no_pattern_of_folders(office: Office, each: str) -> None:
    """A clear fault, no traceback."""
    status, answer = await office.ask("POST", "rosters/teams", {"each": each, "roster": TEAMS})
    assert status == 400 and answer["error"]["field"] in ("each", "")


async def test_what_is_refused_for_the_last_team_ends_what_the_first_were_given(office: Office) -> None:
    """Nobody has a link of a list that was refused: a team of more people than a share has links."""
    each = folders(office, "red", "blue")
    roster = "name,team\nAnn,red\n" + "".join(f"P{at},blue\n" for at in range(501))
    status, answer = await office.ask("POST", "rosters/teams", {"each": each, "roster": roster})
    assert (status, answer["error"]["code"]) == (403, "too_many_links")
    shares = (await office.call("GET", "shares", all="1"))["shares"]
    assert [(one["root"], one["state"]) for one in shares] == [("projects/red", "revoked")]


async def test_attack_a_pattern_that_fits_what_cannot_be_shared(tmp_path: Path, clock: Clock) -> None:
    """The gate's own folder among the teams': all that fit are named, and nothing is made."""
    async with opened(tmp_path, clock, data_dir=str(tmp_path / "root" / "projects" / "blue")) as office:
        (office.folder / "projects" / "red").mkdir()
        body = {"each": str(office.folder / "projects" / "*"), "roster": TEAMS}
        status, answer = await office.ask("POST", "rosters/teams", body)
        assert (status, [fault["field"] for fault in answer["error"]["faults"]]) == (400, ["each"])
        assert answer["error"]["faults"][0]["message"].startswith("projects/blue: ")
        assert (await office.everything())["shares"] == []


async def test_attack_more_folders_than_are_looked_at(office: Office) -> None:
    """Those that were not looked at would be left out in silence."""
    each = folders(office, *(f"t{at}" for at in range(1001)))
    roster = "name,team\nAnn,t0\n"
    status, answer = await office.ask("POST", "rosters/teams", {"each": each, "roster": roster, "partial": True})
    assert (status, answer["error"]["code"]) == (403, "too_many")
    assert (await office.everything())["shares"] == []
