"""What limits and ends programs, beside what limits and ends everybody."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import websockets

from tests.conftest import Clock
from tests.gatehouse import Program, gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

EMPTY_ROOM = "api/collaboration/room/JupyterLab:globalAwareness"


def connecting(who: Program) -> websockets.connect:
    address = f"{who.gate.origin}{who.base}{EMPTY_ROOM}".replace("http", "ws", 1)
    return websockets.connect(address, additional_headers={"Authorization": f"Bearer {who.cookie}"})


async def test_programs_have_the_requests_of_one_visit(tmp_path: Path, workshop: JupyterServer) -> None:
    """However many they are, and whatever they are refused."""
    async with gatehouse(tmp_path, workshop, requests_per_minute=10) as gate:
        who = await gate.program()
        told = [(await who.ask("GET", path)).status for path in ("api/me", "api/kernels", "nowhere") * 5]
        assert told[:3] == [200, 200, 403]
        assert told.count(429) == 5
        browser = await gate.visit(await gate.share(**{"for": ["Bo"]}))
        assert (await browser.ask("GET", "api/me")).status == 200


async def test_programs_have_the_live_connections_of_one_visit(tmp_path: Path, workshop: JupyterServer) -> None:
    """A token in many hands does not open more of them."""
    async with gatehouse(tmp_path, workshop, channels_per_visit=2) as gate:
        who = await gate.program()
        async with connecting(who), connecting(who):
            assert await who.upgrade(EMPTY_ROOM) == 429


async def test_a_link_that_expires_closes_what_is_open(tmp_path: Path, workshop: JupyterServer) -> None:
    """With 4408, within a second or so of its end."""
    clock = Clock(time.time())
    async with gatehouse(tmp_path, workshop, now=clock) as gate:
        who = await gate.program()
        async with connecting(who) as socket:
            clock.now = who.share["expires"] + 1
            with pytest.raises(websockets.ConnectionClosed) as caught:
                await socket.recv()
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4408, "share_expired")
        assert (await who.ask("GET", "api/me")).public == "share_expired"


async def test_the_owner_sees_where_a_token_is_used_from(tmp_path: Path, workshop: JupyterServer) -> None:
    """In the visit's record, and as sentences of the history."""
    async with gatehouse(tmp_path, workshop) as gate:
        who = await gate.program()
        for agent in ("one/1", "two/2"):
            await who.ask("GET", "api/me", headers={"User-Agent": agent})
        async with connecting(who):
            (visit,) = (await gate.call("GET", "visits"))["visits"]
            assert (visit["kind"], visit["badge"], visit["here"]) == ("client", "Ann · program", True)
            assert [place["agent"] for place in visit["places"]][:2] == ["one/1", "two/2"]
            (share,) = (await gate.call("GET", "shares"))["shares"]
            assert (share["visits_open"], share["programs"], share["links"][0]["visits_used"]) == (0, 1, 0)
        told = [event["text"] for event in await gate.events(share=who.share["id"]) if "program" in event["action"]]
        assert told[:2] == [
            "A program began to use the link for Ann.",
            "A program uses the link for Ann from elsewhere or under another name (new program).",
        ]
