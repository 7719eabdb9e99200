"""Another signing key while people are inside: what goes on, what stops, and who is out when a key was stolen."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from sharegate import app
from sharegate.audit.events import AuditEvent
from sharegate.errors import StoreUnavailable
from sharegate.shares.keys import KeyRing
from sharegate.shares.tokens import ShareTokens
from tests.conftest import Clock
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.plainsocket import PlainSocket, drop_all
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio]


@pytest.fixture
def moving() -> Clock:
    return Clock(time.time())


@pytest_asyncio.fixture
async def gate(tmp_path: Path, jupyter: JupyterServer, moving: Clock) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path, jupyter, now=moving) as house:
        yield house
        await drop_all()


def token(made: dict[str, Any], number: int = 0) -> str:
    return str(made["links"][number]["url"]).partition("#")[2]


async def rotate(gate: Gatehouse, **body: Any) -> dict[str, Any]:
    return await gate.call("POST", "keys/rotate", body)


async def reads(who: Inside) -> int:
    return (await who.ask("GET", "api/contents/sub/shared")).status


async def opens(gate: Gatehouse, text: str) -> int:
    return (await gate.post("/join", {"token": text, "name": "Ann"})).status


async def about(gate: Gatehouse, text: str) -> int:
    return (await gate.post("/join/about", {"token": text})).status


def jwks(gate: Gatehouse) -> set[str]:
    request = urllib.request.Request(f"{gate.running.dashboard_url}/.well-known/jwks.json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return {key["kid"] for key in json.loads(answer.read())["keys"]}


async def fetched(gate: Gatehouse) -> set[str]:
    return await asyncio.to_thread(jwks, gate)


async def test_a_rotation_ends_nothing(gate: Gatehouse, moving: Clock) -> None:
    """The old link opens, whoever is in stays with their page, new links have the new key, and both are published."""
    made = await gate.share(**{"for": ["Ann", "Bo"]})
    ann = await gate.visit(made)
    live = await PlainSocket.open(ann, "-/live")
    (before,) = (await gate.call("GET", "keys"))["keys"]

    answer = await rotate(gate)
    assert answer["key"]["kid"] != before["kid"] and answer["ends"] == []
    assert await reads(ann) == 200 and await opens(gate, token(made, 1)) == 200
    live.send(b'{"type":"active"}', 1)
    assert (await PlainSocket.open(ann, "-/live")).status == 101
    moving.forward(1)
    later = await gate.share(**{"for": ["Cy"]})
    assert await opens(gate, token(later)) == 200
    assert await fetched(gate) == {before["kid"], answer["key"]["kid"]}
    old, new = (await gate.call("GET", "keys"))["keys"]
    assert (old["state"], new["state"], old["links"]) == ("retired", "active", 2)
    assert old["needed_until"] == pytest.approx(made["share"]["expires"])
    actions = [event["action"] for event in await gate.events()]
    assert actions.count("key.retired") == actions.count("key.added") == 1


async def test_a_stolen_keys_links_stop_at_once_and_whoever_is_inside_stays(gate: Gatehouse) -> None:
    """No token of it opens, tells or knocks, also one that was verified before; the visit with its cookie goes on."""
    made = await gate.share(**{"for": ["Ann", "Bo"]})
    ann = await gate.visit(made)
    live = await PlainSocket.open(ann, "-/live")
    assert await about(gate, token(made, 1)) == 200  # remembered from here on
    await rotate(gate)  # a retired key is refused as well
    between = await gate.share(**{"for": ["Di"]})
    seen = await rotate(gate, compromised=True, dry_run=True)
    assert len(seen["links"]) == 3 and seen["inside"] == 1 and seen["ends"] == []
    assert await about(gate, token(made, 1)) == 200, "a preview refuses nothing"

    done = await rotate(gate, compromised=True)
    for text in (token(made), token(made, 1), token(between)):
        assert await opens(gate, text) == 401 and await about(gate, text) == 401
        knock = await gate.post("/join/knock", {"token": text, "name": "Eve", "same_person": False})
        assert knock.status == 401
    assert await reads(ann) == 200
    assert (await PlainSocket.open(ann, "-/live")).status == 101
    live.send(b'{"type":"active"}', 1)
    assert await fetched(gate) == {done["key"]["kid"]}
    url = (await gate.call("GET", f"links/{made['links'][1]['id']}/url"))["url"]
    assert await opens(gate, url.partition("#")[2]) == 200, "the same link has a new address"
    assert "key.refused" in [event["action"] for event in await gate.events()]


async def test_attack_tokens_made_with_the_stolen_key(gate: Gatehouse, tmp_path: Path, moving: Clock) -> None:
    """A thief's own token for a real link opens before the rotation and never after it; the visit that it opened ends
    with --since, and an older one stays."""
    stolen = tmp_path / "stolen"
    stolen.mkdir()
    for file in (gate.running.config.keys_dir).iterdir():
        (stolen / file.name).write_bytes(file.read_bytes())
    made = await gate.share(anyone=True, visits=9)
    ann = await gate.visit(made)
    moving.forward(60)
    theft = moving()
    moving.forward(60)
    thief = ShareTokens(KeyRing.open(stolen, moving()), moving)
    link = await gate.running.gate._store.link(made["links"][0]["id"])
    assert link is not None
    forged = dict(made, links=[dict(made["links"][0], url="x#" + thief.mint(link))])
    eve = await gate.visit(forged, name="Eve")
    eve_live, ann_live = await PlainSocket.open(eve, "-/live"), await PlainSocket.open(ann, "-/live")

    seen = await rotate(gate, compromised=True, since=theft, dry_run=True)
    assert [each["name"] for each in seen["ends"]] == ["Eve"] and await reads(eve) == 200
    await rotate(gate, compromised=True, since=theft)
    assert (await eve_live.closed())[0] == 4410
    assert (await reads(eve), await reads(ann)) == (403, 200)
    ann_live.send(b'{"type":"active"}', 1)
    again = thief.mint(msgspec.structs.replace(link, serial=2))
    assert [await opens(gate, text) for text in (token(forged), again)] == [401, 401]
    ended = await gate.events(action="visit.ended")
    assert [event["visit"] for event in ended] == [seen["ends"][0]["id"]]


async def test_replacing_prints_every_link_anew(gate: Gatehouse) -> None:
    """Each of the new addresses opens; ended links have none."""
    made = await gate.share(**{"for": ["Ann", "Bo", "Cy"]})
    await gate.call("POST", f"links/{made['links'][2]['id']}/revoke")
    done = await rotate(gate, compromised=True, replace=True)
    assert [link["name"] for link in done["links"]] == ["Ann", "Bo"]
    assert [await opens(gate, link["url"].partition("#")[2]) for link in done["links"]] == [200, 200]
    assert [await opens(gate, token(made, number)) for number in range(3)] == [401] * 3


@pytest.mark.parametrize("answer", ["gone", "admit"])
async def test_knocks_that_are_answered_and_links_that_end_meanwhile(
    gate: Gatehouse, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """All the others are gone, whoever was let in is out, and the rotation is recorded and goes on to its end."""
    made = await gate.share(anyone=True, visits=9)
    for name in ("Eve", "Mallory", "Trudy"):
        body = {"token": token(made), "name": name, "same_person": False}
        assert (await gate.post("/join/knock", body)).status == 200
    revoked = (await gate.share(**{"for": ["Bo"]}))["links"][0]["id"]
    store = gate.running.gate._store
    decide = store.decide_knock
    _, second, _ = await store.knocks()

    async def meanwhile(id: str, **how: Any) -> Any:
        monkeypatch.undo()
        if answer == "admit":
            await gate.call("POST", f"knocks/{second.id}/admit")
        else:
            await decide(second.id, state="gone", at=second.created)
        await gate.call("POST", f"links/{revoked}/revoke")
        return await decide(id, **how)

    monkeypatch.setattr(store, "decide_knock", meanwhile)
    done = await rotate(gate, compromised=True, since=0.0, replace=True)
    assert await store.knocks() == []
    assert [visit.ended_reason for visit in await store.visits(made["share"]["id"])] == (
        ["its link may have been made with a stolen key"] if answer == "admit" else []
    )
    assert [link["id"] for link in done["links"]] == [made["links"][0]["id"]]
    actions = [event["action"] for event in await gate.events()]
    assert actions.count("key.refused") == actions.count("key.added") == actions.count("link.replaced") == 1


@pytest.mark.parametrize("body", [{"since": 1.0}, {"replace": True}, {"compromised": True, "since": 9e12}, {"x": 1}])
async def test_what_makes_no_sense_changes_nothing(gate: Gatehouse, body: dict[str, Any]) -> None:
    """The field is named, and the key stays."""
    status, answer = await gate.running.api.call("POST", "/api/v1/keys/rotate", {}, body)
    assert status == 400, answer
    assert len((await gate.call("GET", "keys"))["keys"]) == 1


class Full:
    """A history that nothing can be added to."""

    async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
        raise StoreUnavailable("full")


async def test_what_cannot_be_recorded(gate: Gatehouse) -> None:
    """A rotation does not happen; a stolen key is refused all the same, and whoever may be the thief is out."""
    made = await gate.share(anyone=True, visits=5)
    eve = await gate.visit(made, name="Eve")
    gate.running.api.keys._trail = Full()
    status, _ = await gate.running.api.call("POST", "/api/v1/keys/rotate", {}, {})
    assert status == 503 and len((await gate.call("GET", "keys"))["keys"]) == 1
    status, _ = await gate.running.api.call("POST", "/api/v1/keys/rotate", {}, {"compromised": True, "since": 0.0})
    assert status == 503
    assert [key["state"] for key in (await gate.call("GET", "keys"))["keys"]] == ["refused", "active"]
    assert await opens(gate, token(made)) == 401 and await reads(eve) == 403


async def test_without_a_gate_and_after_a_restart(tmp_path: Path, jupyter: JupyterServer) -> None:
    """Rotated while no gate runs: the next one refuses the old links and lets who was inside go on."""
    async with gatehouse(tmp_path, jupyter) as gate:
        made = await gate.share(**{"for": ["Ann", "Bo"]})
        ann, config = await gate.visit(made), gate.running.config
    async with app.offline(config) as api:
        assert (await api.call("POST", "/api/v1/keys/rotate", {}, {"compromised": True}))[0] == 200
    async with gatehouse(tmp_path, jupyter, gate_port=config.gate_port) as gate:
        ann.gate = gate
        assert await reads(ann) == 200
        assert await opens(gate, token(made, 1)) == 401
