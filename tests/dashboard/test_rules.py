"""Rules that change while people are inside: what ends is shown before, and ends at once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sharegate import app
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.trail import Trail
from sharegate.policy.load import builtin_policies
from tests.conftest import Clock
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.plainsocket import PlainSocket, drop_all
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio]

USUAL = (builtin_policies() / "sharing.yaml").read_text()


def write(folder: Path, **changed: str) -> None:
    """The rules of the house, with some lines changed."""
    folder.mkdir(exist_ok=True)
    lines = []
    for line in USUAL.splitlines():
        name = line.strip().partition(":")[0]
        lines.append(f"  {name}: {changed.pop(name)}" if name in changed else line)
    assert not changed
    (folder / "sharing.yaml").write_text("\n".join(lines) + "\n")


@pytest.fixture
def moving() -> Clock:
    return Clock(time.time())


@pytest_asyncio.fixture
async def gate(tmp_path: Path, jupyter: JupyterServer, moving: Clock) -> AsyncIterator[Gatehouse]:
    write(tmp_path / "policies")
    async with gatehouse(tmp_path, jupyter, now=moving, policy_dir=str(tmp_path / "policies")) as house:
        yield house
        await drop_all()


async def reload(gate: Gatehouse, *, dry: bool = False) -> dict[str, Any]:
    return await gate.call("POST", "rules/reload", {"dry_run": dry})


async def opened(who: Inside) -> PlainSocket:
    live = await PlainSocket.open(who, "-/live")
    assert live.status == 101
    assert json.loads((await live.receive())[1])["type"] == "hello"
    return live


async def told(live: PlainSocket, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(25):
        while True:
            opcode, data = await live.receive()
            assert opcode == 1, (opcode, data)
            word: dict[str, Any] = json.loads(data)
            if word["type"] == kind:
                return word


async def reads(who: Inside) -> int:
    return (await who.ask("GET", "api/contents/sub/shared")).status


async def test_a_preview_changes_nothing_and_the_reload_does_what_it_said(gate: Gatehouse, tmp_path: Path) -> None:
    """A link for anyone is shown, then paused: its open page is closed and its visitor out; a link for a person, and
    whoever is in by it, goes on."""
    ann = await gate.visit()
    many = await gate.share(anyone=True, visits=5)
    bo = await gate.visit(many, name="Bo")
    ann_live, bo_live = await opened(ann), await opened(bo)
    write(tmp_path / "policies", anyone="false")

    seen = await reload(gate, dry=True)
    assert [(each["kind"], each["stops"], each["link"]) for each in seen["consequences"]] == [
        ("link", True, many["links"][0]["id"])
    ]
    assert seen["changed"] and [await reads(who) for who in (ann, bo)] == [200, 200]
    await gate.share(anyone=True, visits=1)  # the old rules are in force still

    done = await reload(gate)
    assert done["stops"] == 2 and {each["link"] for each in done["consequences"]} >= {many["links"][0]["id"]}
    assert (await bo_live.closed())[0] == 4403
    assert [await reads(who) for who in (ann, bo)] == [200, 403]
    assert (await opened(ann)).status == 101
    ann_live.send(b'{"type":"active"}', 1)

    body = {"path": str(gate.jupyter.root / "sub/shared"), "anyone": True}
    status, refused = await gate.running.api.call("POST", "/api/v1/shares", {}, body)
    assert (status, refused["error"]["code"]) == (403, "anyone_off")
    status, refused = await gate.running.api.call("POST", f"/api/v1/links/{many['links'][0]['id']}/resume")
    assert (status, refused["error"]["code"]) == (403, "rules"), "what the rules paused, nobody resumes"
    recorded = await gate.events(link=many["links"][0]["id"])
    assert ("link.paused", "owner") in {(event["action"], event["actor"]) for event in recorded}
    assert [event["detail"] for event in await gate.events(action="rules.applied")] == ["2 stopped, 0 changed"]

    write(tmp_path / "policies")
    assert (await reload(gate))["consequences"] == []
    await gate.call("POST", f"links/{many['links'][0]['id']}/resume")
    assert await reads(bo) == 200, "the same visit and cookie"


async def test_a_role_is_lowered_in_the_open_page(gate: Gatehouse, tmp_path: Path) -> None:
    """The page of an editor hears of its new role, and writing is over from that moment on."""
    made = await gate.share(role="edit", **{"for": ["Ann"]})
    ann = await gate.visit(made)
    live = await opened(ann)
    body = json.dumps({"type": "file", "format": "text", "content": "mine"}).encode()
    manners = {"Content-Type": "application/json"}
    assert (await ann.ask("PUT", "api/contents/sub/shared/new.txt", headers=manners, body=body)).status == 201
    write(tmp_path / "policies", roles="[view]")
    await reload(gate)
    assert (await told(live, "role"))["role"] == "view"
    reply = await ann.ask("PUT", "api/contents/sub/shared/new.txt", headers=manners, body=body)
    assert reply.status == 403 and await reads(ann) == 200
    (gate.jupyter.root / "sub/shared/new.txt").unlink()


async def test_an_end_is_moved_nearer_in_the_open_page_and_comes(
    gate: Gatehouse, tmp_path: Path, moving: Clock
) -> None:
    """Whoever is inside is told the new end, and is out when it comes."""
    ann = await gate.visit()
    live = await opened(ann)
    write(tmp_path / "policies", max_expires="2h", default_expires="1h")
    done = await reload(gate)
    assert (done["stops"], done["shrinks"]) == (0, 2)
    assert (await told(live, "expiring"))["expires"] == pytest.approx(moving() + 7200)
    moving.forward(7201)
    assert (await live.closed())[0] == 4408
    assert await reads(ann) == 403


async def test_whoever_came_last_is_out_when_fewer_may_be_in(gate: Gatehouse, tmp_path: Path, moving: Clock) -> None:
    """The first stay; the newest is closed at once, and nobody takes the seat."""
    made = await gate.share(anyone=True, visits=3)
    people = []
    for name in ("Ann", "Bo", "Cy"):
        people.append(await gate.visit(made, name=name))
        moving.forward(1)
    lives = [await opened(who) for who in people]
    write(tmp_path / "policies", max_visits="2")
    done = await reload(gate)
    assert [each["person"] for each in done["consequences"] if each["stops"]] == ["Cy"]
    assert (await lives[2].closed())[0] == 4410
    assert [await reads(who) for who in people] == [200, 200, 403]
    assert (await gate.post("/join", {"token": made["links"][0]["url"].partition("#")[2], "name": "Di"})).status == 409


async def test_pages_with_the_owners_extensions_load_again(gate: Gatehouse, tmp_path: Path) -> None:
    """What may not run in visitors' pages any more is gone from those that are open."""
    ann = await gate.visit(await gate.share(own_extensions=True, **{"for": ["Ann"]}))
    live = await opened(ann)
    write(tmp_path / "policies", own_extensions="false")
    await reload(gate)
    assert await told(live, "role") == {"type": "role", "role": "view", "again": True}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("sharing: {", 1),
        (USUAL.replace("[view, edit]", "[look]").replace("365d", "for ever").replace("500", "0"), 4),
        ("", 1),
    ],
    ids=["no YAML", "four faults", "empty"],
)
async def test_a_faulty_file_changes_nothing_and_tells_all_faults(
    gate: Gatehouse, tmp_path: Path, text: str, faults: int
) -> None:
    """Whoever is in stays, the rules before stay in force, and each fault has its line."""
    many = await gate.share(anyone=True, visits=5)
    bo = await gate.visit(many, name="Bo")
    live = await opened(bo)
    (tmp_path / "policies" / "sharing.yaml").write_text(text)
    for dry in (True, False):
        status, answer = await gate.running.api.call("POST", "/api/v1/rules/reload", {}, {"dry_run": dry})
        assert status == 400 and len(answer["error"]["faults"]) >= faults, answer
        assert all("sharing.yaml" in fault["field"] for fault in answer["error"]["faults"])
    assert await reads(bo) == 200
    live.send(b'{"type":"active"}', 1)
    await gate.share(anyone=True, visits=5)
    assert await gate.events(action="rules.applied") == []


async def test_each_start_applies_the_rules_and_tells(tmp_path: Path, jupyter: JupyterServer, moving: Clock) -> None:
    """What was given under other rules does not outlive a restart under these; started again, nothing more changes."""
    write(tmp_path / "policies")
    settings = {"now": moving, "policy_dir": str(tmp_path / "policies"), "gate_port": 0}
    async with gatehouse(tmp_path, jupyter, **settings) as gate:
        many = await gate.share(anyone=True, visits=5, role="edit")
        bo = await gate.visit(many, name="Bo")
        settings["gate_port"] = gate.running.config.gate_port
        assert gate.running.applied == []
    write(tmp_path / "policies", anyone="false", roles="[view]")
    async with gatehouse(tmp_path, jupyter, **settings) as gate:
        assert len(gate.running.applied) == 2 and "can view instead of edit" in gate.running.applied[0]
        bo.gate = gate
        assert await reads(bo) == 403
        recorded = [event for event in await gate.events(share=many["share"]["id"]) if event["actor"] == "gate"]
        assert {"share.changed", "link.paused"} <= {event["action"] for event in recorded}
    async with gatehouse(tmp_path, jupyter, **settings) as gate:
        assert gate.running.applied == []


async def test_an_event_dated_ahead_hides_nobody(gate: Gatehouse, tmp_path: Path, moving: Clock) -> None:
    """Another gate's clock is a year ahead, and its mark is in the history. Whoever is beyond the rules is out all the
    same, and a second reload finds nothing that the first left."""
    made = await gate.share(anyone=True, visits=3)
    people = []
    for name in ("Ann", "Bo"):
        people.append(await gate.visit(made, name=name))
        moving.forward(1)
    other = Trail(gate.running.api.rules._store, writer="other", clock=lambda: moving.now + 366 * 86400)
    await other.open()
    await other.record(AuditEvent(action=Action.SHARE_CHANGED, actor="gate", share=made["share"]["id"]))
    await other.close()
    write(tmp_path / "policies", max_visits="1")
    done = await reload(gate)
    assert [each["person"] for each in done["consequences"] if each["kind"] == "visit"] == ["Bo"]
    assert [await reads(who) for who in people] == [200, 403]
    assert (await reload(gate))["consequences"] == []


async def test_a_clock_that_was_set_back_shortens_nothing(tmp_path: Path, jupyter: JupyterServer) -> None:
    """A computer that starts in 1970 keeps every link as long as it was given for."""
    clock = Clock(time.time())
    async with gatehouse(tmp_path, jupyter, now=clock) as gate:
        made = await gate.share(**{"for": ["Ann"]})
    clock.now = 1000.0
    async with gatehouse(tmp_path, jupyter, now=clock) as gate:
        assert gate.running.applied == []
        shown = await gate.call("GET", f"shares/{made['share']['id']}")
        assert shown["share"]["expires"] == made["share"]["expires"]


async def test_a_reload_without_a_gate_is_applied_to_the_records(tmp_path: Path, jupyter: JupyterServer) -> None:
    """The command works on the records alone, and the next start finds them fitting."""
    write(tmp_path / "policies")
    settings = {"policy_dir": str(tmp_path / "policies")}
    async with gatehouse(tmp_path, jupyter, **settings) as gate:
        made, config = await gate.share(anyone=True, visits=5), gate.running.config
    write(tmp_path / "policies", anyone="false")
    async with app.offline(config) as api:
        status, answer = await api.call("POST", "/api/v1/rules/reload", {}, {})
        assert (status, answer["stops"]) == (200, 1)
        _, shown = await api.call("GET", f"/api/v1/shares/{made['share']['id']}")
        assert shown["share"]["links"][0]["state"] == "paused"
