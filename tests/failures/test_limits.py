"""How often and how much: what is too much is refused in the right words, and others are not touched."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from urllib.parse import urlsplit

from sharegate.visits.threshold import AT_A_LINK
from tests.failures.server import FILE, Fake, at_door, gate_before, shared, until
from tests.gatehouse import Gatehouse, Reply
from tests.plainsocket import PlainSocket
from tests.upstream.scripted import Recorder


async def test_a_visit_has_so_many_requests_a_minute(tmp_path: Path, server: tuple[Fake, Recorder]) -> None:
    """429 with Retry-After, the reason in the history, and another visit is not touched."""
    async with gate_before(tmp_path, server[1], requests_per_minute=5) as gate:
        made = await shared(gate, **{"for": ["Ann", "Bo"]})
        ann, bo = await gate.visit(made, 0), await gate.visit(made, 1)
        replies = [await ann.ask("GET", "api/me") for _ in range(7)]
        assert [reply.status for reply in replies] == [200] * 5 + [429] * 2
        assert replies[-1].public == "too_many" and int(replies[-1].header("Retry-After")) > 0
        assert (await bo.ask("GET", "api/me")).status == 200
        assert set(await gate.denials(made["share"]["id"])) == {"request_limit"}


async def test_a_visit_has_so_many_requests_at_once(tmp_path: Path, server: tuple[Fake, Recorder]) -> None:
    """The next one is refused, and room is made when one is over, also when it was given up."""
    fake, record = server
    async with gate_before(tmp_path, record, requests_at_once=2) as gate:
        made = await shared(gate, **{"for": ["Ann"]})
        ann = await gate.visit(made)
        fake.behaviour = "held"
        waiting = [asyncio.create_task(ann.ask("GET", FILE)) for _ in range(2)]
        await until(lambda: fake.asked == 2)
        assert (await ann.ask("GET", FILE)).public == "too_many"
        assert await gate.denials(made["share"]["id"]) == ["request_limit"]
        waiting[0].cancel()
        fake.behaviour = "fine"
        with contextlib.suppress(asyncio.CancelledError):
            await waiting[0]

        async def room() -> bool:
            return (await ann.ask("GET", FILE)).status == 200

        await until(room)
        fake.go.set()
        assert (await waiting[1]).status == 200


async def test_a_visit_has_so_many_channels_and_rooms(tmp_path: Path, server: tuple[Fake, Recorder]) -> None:
    """Refused with 429 instead of 101; closing one makes room."""
    async with gate_before(tmp_path, server[1], channels_per_visit=2) as gate:
        made = await shared(gate, **{"for": ["Ann"]})
        ann = await gate.visit(made)
        first = await PlainSocket.open(ann, "-/live")
        second = await PlainSocket.open(ann, "api/events/subscribe")
        assert (first.status, second.status) == (101, 101)
        for path in ("-/live", "api/events/subscribe", "api/collaboration/room/JupyterLab:globalAwareness"):
            assert await ann.upgrade(path) == 429
        assert set(await gate.denials(made["share"]["id"])) == {"channel_limit"}
        first.send(b"\x03\xe8", 8)
        await first.gone()

        async def room() -> bool:
            return await ann.upgrade("-/live") == 101

        await until(room)


async def test_a_visit_has_so_many_bytes_a_minute(tmp_path: Path, server: tuple[Fake, Recorder]) -> None:
    """After a large answer the next request waits for the debt to be paid."""
    fake, record = server
    async with gate_before(tmp_path, record, megabytes_per_minute=1) as gate:
        made = await shared(gate, **{"for": ["Ann"]})
        ann = await gate.visit(made)
        fake.behaviour = "large"
        assert len((await ann.ask("GET", FILE)).body) == 3_000_000
        assert (await ann.ask("GET", FILE)).public == "too_many"
        assert await gate.denials(made["share"]["id"]) == ["bytes_limit"]


async def test_strangers_are_refused_so_often(tmp_path: Path, server: tuple[Fake, Recorder]) -> None:
    """Then they hear `too_many`, one line of the history counts them, and who has a cookie is not touched."""
    async with gate_before(tmp_path, server[1], strangers_per_minute=4) as gate:
        ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
        replies = [await gate.raw("GET", ann.base + "api/me") for _ in range(8)]
        assert [reply.status for reply in replies] == [401] * 4 + [429] * 4
        assert (await ann.ask("GET", "api/me")).status == 200
        assert (await gate.raw("GET", "/join")).status == 200


async def test_bad_tokens_are_tried_so_often(patient: Gatehouse) -> None:
    """429 after that; a good link still opens from the same network."""
    made = await shared(patient, **{"for": ["Ann"]})
    codes = [(await at_door(patient, "/join/about", b'{"token": "x"}')).public for _ in range(40)]
    assert codes[0] == "no_access" and codes[-1] == "too_many"
    assert (await patient.visit(made)).cookie


async def test_a_link_is_opened_so_often(patient: Gatehouse) -> None:
    """Joins of one link from one network have a limit of their own, above what a class needs, with its reason in the
    history."""
    made = await shared(patient, anyone=True)
    token = urlsplit(made["links"][0]["url"]).fragment
    body = {"token": token, "name": "N"}
    codes: list[int] = []
    while 429 not in codes and len(codes) < 2 * AT_A_LINK.burst:
        codes.append((await patient.post("/join", body)).status)
    assert set(codes[:180]) == {200} and codes[-1] == 429

    async def recorded() -> bool:
        return "join_limit" in {event["reason"] for event in await patient.events(outcome="denied")}

    await until(recorded)


async def test_device_codes_cannot_be_guessed(patient: Gatehouse) -> None:
    """After a few wrong ones every code is refused for a while, the right one too."""
    ann = await patient.visit(await shared(patient, **{"for": ["Ann"]}))
    code = (await ann.ask("POST", "-/device")).json["code"]
    wrong = [(await patient.post("/join/device", {"code": "ABCDEFGH"})).public for _ in range(30)]
    assert wrong[0] == "device_code_invalid" and wrong[-1] == "too_many"
    assert (await patient.post("/join/device", {"code": code})).public == "too_many"


async def test_layouts_are_bounded(patient: Gatehouse) -> None:
    """Twenty workspaces, then `overlay_limit`; a large one is refused."""
    ann = await patient.visit(await shared(patient, **{"for": ["Ann"]}))

    async def put(name: str, size: int = 10) -> Reply:
        body = json.dumps({"data": {"x": "y" * size}, "metadata": {"id": name}}).encode()
        return await ann.ask(
            "PUT", f"lab/api/workspaces/{name}", headers={"Content-Type": "application/json"}, body=body
        )

    assert [(await put(f"w{number}")).status for number in range(20)] == [204] * 20
    assert (await put("w20")).public == "overlay_limit"
    assert (await put("w0", 2_000_000)).status == 413
