"""When nothing can be written, nobody gets in, nothing is half done, and all goes on when it can be again."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from sharegate.audit.events import Action, AuditEvent
from sharegate.errors import StoreUnavailable
from tests.failures.server import CONTENTS, FILE, SECRET, Fake, shared, standing, until
from tests.gatehouse import Gatehouse, Reply
from tests.plainsocket import PlainSocket


@dataclass
class Store:
    """The gate's database, which a test can make unwritable."""

    gate: Gatehouse
    _lock: sqlite3.Connection | None = None

    @property
    def writer(self) -> Any:
        return self.gate.running.gate._store._writer  # type: ignore[attr-defined]

    async def fail(self, how: str) -> None:
        if how == "locked":
            self._lock = sqlite3.connect(self.gate.running.config.database, isolation_level=None)
            self._lock.execute("BEGIN IMMEDIATE")
            return
        # Full: what is there can be changed, and nothing can be added.
        pages = await self.writer.run(lambda connection, _: connection.execute("PRAGMA page_count").fetchone()[0])
        await self.writer.run(lambda connection, _: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        trail = self.gate.running.gate._trail
        with contextlib.suppress(StoreUnavailable):
            while True:
                await trail.record(AuditEvent(action=Action.GATE_STARTED, actor="gate", detail="x" * 400))

    async def mend(self) -> None:
        if self._lock is not None:
            self._lock.execute("ROLLBACK")
            self._lock.close()
            self._lock = None
        await self.writer.run(lambda connection, _: connection.execute("PRAGMA max_page_count = 1000000").fetchone())


HOW = ["locked", "full"]


@pytest.mark.parametrize("how", HOW)
async def test_nobody_joins_while_nothing_can_be_written(gate: Gatehouse, how: str) -> None:
    """503 `gate_fault`; no seat is taken, and the same link lets the same person in afterwards."""
    made = await shared(gate, **{"for": ["Ann"]})
    token = urlsplit(made["links"][0]["url"]).fragment
    before = await standing(gate)
    store = Store(gate)
    await store.fail(how)
    for _ in range(3):
        reply = await gate.post("/join", {"token": token, "name": "Ann"})
        assert (reply.status, reply.public) == (503, "gate_fault")
        assert not reply.header("Set-Cookie")
    await store.mend()
    assert (await gate.visit(made)).cookie
    after = await standing(gate)
    assert len(after["visits"]) == len(before["visits"]) + 1


@pytest.mark.parametrize("how", HOW)
async def test_nobody_knocks_while_nothing_can_be_written(gate: Gatehouse, how: str) -> None:
    """No knock waits that the owner would see and the history would not."""
    made = await shared(gate, **{"for": ["Ann"]})
    await gate.visit(made)
    token = urlsplit(made["links"][0]["url"]).fragment
    store = Store(gate)
    await store.fail(how)
    body = {"token": token, "name": "Eve", "same_person": False}
    for _ in range(3):
        reply = await gate.post("/join/knock", body)
        assert (reply.status, reply.public) == (503, "gate_fault")
    await store.mend()
    reply = await gate.post("/join/knock", body)
    assert reply.status == 200
    assert (await standing(gate))["knocks"] == [reply.json["knock"]]


@pytest.mark.parametrize("how", HOW)
async def test_no_device_is_added_while_nothing_can_be_written(gate: Gatehouse, how: str) -> None:
    """Neither a code nor a visit by one."""
    ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
    code = (await ann.ask("POST", "-/device")).json["code"]
    before = await standing(gate)
    store = Store(gate)
    await store.fail(how)
    assert (await gate.post("/join/device", {"code": code})).public == "gate_fault"
    assert (await ann.ask("POST", "-/device")).public == "gate_fault"
    await store.mend()
    await gate.post("/join/knock/state", {"knock": "x"})
    made = await gate.post("/join/device", {"code": (await ann.ask("POST", "-/device")).json["code"]})
    assert made.status == 200
    assert len((await standing(gate))["visits"]) == len(before["visits"]) + 1


@pytest.mark.parametrize("how", HOW)
async def test_no_verb_of_the_owner_is_half_done(gate: Gatehouse, how: str) -> None:
    """Each answers 503 `store_unavailable`; what opens did not happen, and what closes is tried again as it was."""
    made = await shared(gate, **{"for": ["Ann"]})
    share, link = made["share"]["id"], made["links"][0]["id"]
    await gate.visit(made)
    paused = (await shared(gate))["share"]["id"]
    await gate.call("POST", f"shares/{paused}/pause")
    token = urlsplit(made["links"][0]["url"]).fragment
    knock = (await gate.post("/join/knock", {"token": token, "name": "Eve", "same_person": False})).json["knock"]
    before = await standing(gate)
    store = Store(gate)
    await store.fail(how)
    opening = [
        ("POST", "shares", {"path": "week3", "server": "fake234567"}),
        ("POST", f"shares/{paused}/resume", None),
        ("POST", f"shares/{share}/links", {"name": "Bo"}),
        ("POST", f"links/{link}/replace", None),
        ("POST", f"shares/{share}/preview", None),
        ("PATCH", f"shares/{share}", {"role": "edit", "clients": True, "runnable_files": True, "name": "Other"}),
        ("PATCH", f"shares/{share}", {"expires": made["share"]["expires"] + 60}),
        ("PATCH", f"links/{link}", {"devices": 9}),
        ("POST", f"knocks/{knock}/admit", None),
        ("POST", "servers", {"url": "http://127.0.0.1:1/", "token": "x"}),
    ]
    for method, path, body in opening:
        status, answer = await gate.running.api.call(method, "/api/v1/" + path, {}, body)
        assert (status, answer["error"]["code"]) in ((503, "store_unavailable"), (503, "unreachable")), (path, answer)
    await store.mend()
    await gate.call("PATCH", f"links/{link}", {"name": "Ann"})  # the next act settles what is owed
    after = await standing(gate)
    if how == "full":
        # An admitted visit that could not be recorded is over again; its knock stays answered.
        before["knocks"] = after["knocks"] = []
    assert after == before
    assert (await gate.call("POST", f"shares/{share}/revoke"))["share"]["state"] == "revoked"
    assert (await gate.call("GET", "audit/verify"))["intact"]


@pytest.mark.parametrize("how", HOW)
async def test_reading_stops_while_the_trail_cannot_be_written_and_comes_back(
    gate: Gatehouse, fake: Fake, how: str
) -> None:
    """An existing visit is refused before the server is asked; open pages are told to come back, and do."""
    ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
    assert (await ann.ask("GET", FILE)).status == 200
    live = await PlainSocket.open(ann, "-/live")
    store = Store(gate)
    await store.fail(how)
    replies: list[Reply] = []

    async def refused() -> bool:
        replies.append(await ann.ask("GET", FILE))
        return replies[-1].status == 503

    await until(refused)
    assert replies[-1].public == "gate_fault" and replies[-1].header("Retry-After")
    assert (await live.closed())[0] == 1013, "a page that may come back, not the end of a visit"
    asked = fake.asked
    for path in (FILE, CONTENTS, "lab", "api/me"):
        assert (await ann.ask("GET", path)).public == "gate_fault", path
    assert await ann.upgrade("-/live") == 503
    assert await ann.upgrade("api/events/subscribe") == 503
    assert fake.asked == asked
    page = await ann.ask("GET", FILE, headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
    assert page.status == 503 and b"keep its records" in page.body and SECRET.encode() not in page.body
    await store.mend()
    assert (await ann.ask("GET", FILE)).status == 200
    assert (await PlainSocket.open(ann, "-/live")).status == 101
    assert "trail.gap" in {event["action"] for event in await gate.events()}
    assert (await gate.call("GET", "audit/verify"))["intact"]


async def test_a_revocation_that_cannot_be_written_says_so_and_works_afterwards(gate: Gatehouse) -> None:
    """503, and nobody is told that it is done."""
    made = await shared(gate, **{"for": ["Ann"]})
    ann = await gate.visit(made)
    store = Store(gate)
    await store.fail("locked")
    status, answer = await gate.running.api.call("POST", f"/api/v1/shares/{made['share']['id']}/revoke", {}, None)
    assert (status, answer["error"]["code"]) == (503, "store_unavailable")
    await store.mend()
    assert (await ann.ask("GET", FILE)).status == 200
    await gate.call("POST", f"shares/{made['share']['id']}/revoke")
    assert (await ann.ask("GET", FILE)).public == "share_revoked"
