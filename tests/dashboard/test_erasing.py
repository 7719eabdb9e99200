"""Forgetting somebody who is inside: they are out, and nothing that says who they were is left."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sharegate.stores.retention import KNOCKS_KEPT
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.plainsocket import PlainSocket, drop_all
from tests.real.jupyter import JupyterServer
from tests.stores.records import a_device
from tests.stores.sqlite.files import other_program

pytestmark = [pytest.mark.real, pytest.mark.asyncio]

NAME = "Zwetlana Xylander"
AGENT = "Netscape-Navigator-of-Zwetlana"


@pytest_asyncio.fixture
async def gate(tmp_path: Path, jupyter: JupyterServer) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path, jupyter) as house:
        yield house
        await drop_all()


async def erase(gate: Gatehouse, **body: Any) -> dict[str, Any]:
    return await gate.call("POST", "audit/erase", body)


async def reads(who: Inside, agent: str = AGENT) -> int:
    headers = {"User-Agent": agent}
    return (await who.ask("GET", "api/contents/sub/shared", headers=headers)).status


def visit_of(who: Inside) -> str:
    return who.base.split("~")[1].strip("/")


async def traces(gate: Gatehouse, *words: str) -> list[str]:
    """Where these (or the name or agent) still stands: answers of the API, and the files of the store."""
    found, words = [], words or (NAME, AGENT)
    for path in ("audit", "visits", "knocks", "audit/export", "audit/passed-on"):
        answer = json.dumps(await gate.call("GET", path), ensure_ascii=False)
        found += [path for word in words if word in answer]
    found += ["shares" for word in words if word in json.dumps(await gate.call("GET", "shares", None, all="1"))]
    for file in gate.running.config.database.parent.iterdir():
        data = file.read_bytes()
        found += [file.name for word in words if word.encode() in data]
    return found


async def knocks(gate: Gatehouse, made: dict[str, Any], name: str) -> str:
    token = made["links"][0]["url"].partition("#")[2]
    body = {"token": token, "name": name, "same_person": False}
    answer = await gate.post("/join/knock", body, headers={"User-Agent": AGENT})
    return str(answer.json["knock"])


async def test_a_person_is_shown_ended_and_forgotten(gate: Gatehouse) -> None:
    """Their page closes, their link is revoked, their name is nowhere; others stay inside with theirs, and the history
    is intact."""
    made = await gate.share(**{"for": [NAME, "Bo"]})
    ann, bo = await gate.visit(made, 0, name=NAME), await gate.visit(made, 1, name="Bo")
    assert [await reads(who) for who in (ann, bo)] == [200, 200]
    await knocks(gate, await gate.share(**{"for": ["Cy"]}), NAME)
    ann_live, bo_live = await PlainSocket.open(ann, "-/live"), await PlainSocket.open(bo, "-/live")

    seen = await erase(gate, person=NAME.upper().replace(" ", "  "), dry_run=True)
    assert (seen["visits"], len(seen["links"]), len(seen["ends"]), seen["knocks"]) == (1, 1, 1, 1)
    assert seen["entries"] >= 4 and len(seen["stays"]) == 3
    assert await reads(ann) == 200 and await traces(gate), "a preview erases nothing"

    done = await erase(gate, person=NAME)
    assert done["entries"] >= seen["entries"]
    assert (await ann_live.closed())[0] in (4403, 4410)
    assert await traces(gate) == []
    assert [await reads(who) for who in (ann, bo)] == [401, 200]
    bo_live.send(b'{"type":"active"}', 1)
    assert "Bo" in [visit["name"] for visit in (await gate.call("GET", "visits"))["visits"]]
    verdict = await gate.call("GET", "audit/verify")
    assert verdict["intact"] and verdict["erased"] >= seen["entries"]
    (recorded,) = await gate.events(action="trail.erased")
    assert recorded["name"] == "" and NAME not in recorded["detail"]
    status, _ = await gate.running.api.call("POST", "/api/v1/audit/erase", {}, {"person": NAME})
    assert status == 404, "nothing is left of them"


async def test_a_person_is_forgotten_by_their_address(gate: Gatehouse) -> None:
    """Whose address a link asks for, and who proved it: it is nowhere, and the link, revoked, is for nobody."""
    address = "zwetlana@xylander.example"
    made = await gate.share(**{"for": ["Z", "Bo"]})
    zwetlana, bo = await gate.visit(made, 0, name="Z"), await gate.visit(made, 1, name="Bo")
    await gate.running.gate._store.change_visit(visit_of(zwetlana), email=address)
    await gate.call("PATCH", f"links/{made['links'][0]['id']}", {"recipient": address})
    assert [await reads(who) for who in (zwetlana, bo)] == [200, 200]

    told = await erase(gate, person=address.upper())
    assert (told["visits"], len(told["links"])) == (1, 1)
    assert await traces(gate, address) == []
    kept = await gate.running.gate._store.link(made["links"][0]["id"])
    assert kept is not None and kept.revoked is not None and kept.recipient == "erased"
    assert [await reads(who) for who in (zwetlana, bo)] == [401, 200]


async def test_who_knocked_is_forgotten_by_their_visit(gate: Gatehouse) -> None:
    """Also what was seen before they had a visit; the person at whose link they knocked keeps name and link."""
    made = await gate.share(**{"for": ["Bo"]})
    bo = await gate.visit(made, name="Bo")
    knock = await knocks(gate, made, NAME)
    admitted = await gate.call("POST", f"knocks/{knock}/admit")
    visit = next(v["id"] for v in (await gate.call("GET", "visits"))["visits"] if v["name"] == NAME)
    assert admitted["role"] == "view" and await traces(gate)
    done = await erase(gate, visit=visit)
    assert (done["visits"], done["links"]) == (1, [])
    assert await traces(gate) == []
    assert await reads(bo) == 200
    names = [event["name"] for event in await gate.events(action="link.joined")]
    assert names == ["Bo"]


async def test_who_knocked_long_ago_is_forgotten_by_their_visit(gate: Gatehouse) -> None:
    """Also when the record of the knock is gone, which is kept for 30 days."""
    made = await gate.share(**{"for": ["Bo"]})
    await gate.call("POST", f"knocks/{await knocks(gate, made, NAME)}/admit")
    store = gate.running.gate._store
    await store.prune(time.time() + KNOCKS_KEPT + 60)
    assert await store.knocks(waiting_only=False) == []
    (visit,) = [each for each in await store.visits(made["share"]["id"]) if each.name == NAME]
    await erase(gate, visit=visit.id)
    assert await traces(gate) == []


async def test_a_person_is_forgotten_by_the_name_that_their_link_had_before(gate: Gatehouse) -> None:
    """What was recorded of their link under another name is theirs; who knocked at it is somebody else."""
    made = await gate.share(**{"for": [NAME]})
    await gate.call("PATCH", f"links/{made['links'][0]['id']}", {"name": "Ann Newname"})
    await knocks(gate, made, "Bo")
    await erase(gate, person="Ann Newname")
    assert await traces(gate, NAME, "Ann Newname") == []
    assert {event["name"] for event in await gate.events() if event["link"]} == {"", "Bo"}


async def test_who_was_let_in_by_hand_keeps_their_devices(gate: Gatehouse) -> None:
    """At the link of somebody who is forgotten: they are somebody else, on each of them."""
    made = await gate.share(**{"for": [NAME]})
    await gate.call("POST", f"knocks/{await knocks(gate, made, 'Bo')}/admit")
    (bo,) = (await gate.call("GET", "visits"))["visits"]
    (link,) = made["links"]
    of = {"share": link["share"], "link": link["id"], "name": "Bo", "came_from": bo["id"], "admitted": True}
    await gate.running.gate._store.open_visit(a_device(**of, created=time.time(), expires=link["expires"]), seats=None)
    done = await erase(gate, person=NAME)
    assert (done["visits"], len(done["links"])) == (0, 1)
    assert [visit["name"] for visit in (await gate.call("GET", "visits"))["visits"]] == ["Bo", "Bo"]


async def test_erasing_that_was_interrupted_is_asked_again(gate: Gatehouse) -> None:
    """When the history could not be written: they are out, and the second time nothing is left of them."""
    ann = await gate.visit(await gate.share(**{"for": [NAME]}), name=NAME)
    left = await gate.visit(await gate.share(**{"for": [NAME]}), name=NAME)
    assert [await reads(who) for who in (ann, left)] == [200, 200]
    await gate.call("POST", f"visits/{visit_of(left)}/end")
    with other_program(gate.running.config.database) as connection:
        connection.execute("CREATE TRIGGER full BEFORE UPDATE ON trail BEGIN SELECT raise(ABORT, 'disk full'); END")
        status, _ = await gate.running.api.call("POST", "/api/v1/audit/erase", {}, {"person": NAME})
        assert status >= 500
        connection.execute("DROP TRIGGER full")
    assert await reads(ann, "") == 403 and await traces(gate)
    done = await erase(gate, person=NAME)
    assert done["visits"] == 2
    assert await traces(gate) == []


async def test_attack_somebody_comes_in_while_they_are_erased(gate: Gatehouse) -> None:
    """By an open link, under the same name, after it was looked who there is: they are out too, and not named."""
    await gate.share(**{"for": [NAME]})
    open_link = await gate.share(anyone=True, visits=9)
    erasing: Any = gate.running.api.erasing
    counting, came = erasing._erasure.count, []

    async def count(whose: Any) -> int:
        found = await counting(whose)
        came.append(await gate.visit(open_link, name=NAME))
        assert await reads(came[0]) == 200
        return int(found)

    erasing._erasure.count = count
    done = await erase(gate, person=NAME)
    assert (done["visits"], len(done["ends"])) == (1, 1)
    assert await reads(came[0], "") == 401
    assert await traces(gate) == []


async def test_a_share_is_forgotten_whole(gate: Gatehouse) -> None:
    """It ends for everybody, and nobody of it is named; another share goes on."""
    made = await gate.share(**{"for": [NAME, "Bo"]})
    other = await gate.visit(await gate.share(**{"for": ["Di"]}), name="Di")
    ann = await gate.visit(made, 0, name=NAME)
    live = await PlainSocket.open(ann, "-/live")
    await erase(gate, share=made["share"]["id"])
    assert (await live.closed())[0] in (4403, 4410)
    assert await traces(gate) == []
    assert (await reads(ann), await reads(other)) == (401, 200)
    shown = (await gate.call("GET", f"shares/{made['share']['id']}"))["share"]
    assert shown["state"] == "revoked" and [link["name"] for link in shown["links"]] == ["", ""]
    assert {event["name"] for event in await gate.events(share=made["share"]["id"])} == {""}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"person": " "}, 400),
        ({"person": "A", "visit": "v"}, 400),
        ({"person": "Nobody"}, 404),
        ({"visit": "nowhere"}, 404),
        ({"share": "nowhere"}, 404),
        ({"name": "x"}, 400),
    ],
)
async def test_what_names_nobody_erases_nothing(gate: Gatehouse, body: dict[str, Any], status: int) -> None:
    """A person without any trace, and no or several things to erase."""
    made = await gate.share(**{"for": ["Ann"]})
    ann = await gate.visit(made)
    before = await gate.events()
    assert (await gate.running.api.call("POST", "/api/v1/audit/erase", {}, body))[0] == status
    assert await reads(ann) == 200
    assert [event["name"] for event in before] == [event["name"] for event in await gate.events()][: len(before)]


async def test_an_erased_cookie_opens_nothing(gate: Gatehouse) -> None:
    """Neither the old cookie nor an empty one, though the hash is blank now."""
    ann = await gate.visit()
    live = await PlainSocket.open(ann, "-/live")
    await erase(gate, visit=visit_of(ann))
    assert (await live.closed())[0] == 4410
    for cookie in (ann.cookie, ""):
        ann.cookie = cookie
        assert (await ann.ask("GET", "api/contents/sub/shared")).status in (401, 403)
    assert await gate.running.gate._store.visit(visit_of(ann))
