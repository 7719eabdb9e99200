"""A gate with a class in it: Olga's share, Tia who helps, and visitors. The server behind it is never asked."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp

from sharegate import app, config
from sharegate.visits.coowners.page import SUBPROTOCOL
from tests.conftest import Clock
from tests.dashboard.conftest import NO_MAIL_YET, SERVER, silent_server
from tests.gatehouse import Gatehouse, Inside, Reply

# What a browser says when a person opens a page.
OPENING = {
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-User": "?1",
    "Accept": "text/html",
}


@dataclass
class Tab:
    """A co-owner's page that is open."""

    socket: aiohttp.ClientWebSocketResponse
    states: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False
    _number: int = 0

    async def hear(self) -> dict[str, Any] | None:
        """The next word; None when the gate has closed."""
        async with asyncio.timeout(25):
            message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return None
        word: dict[str, Any] = json.loads(message.data)
        if word["type"] == "state":
            self.states.append(word)
        self.over = self.over or word["type"] == "over"
        return word

    async def ask(self, what: str, id: str = "", **more: Any) -> dict[str, Any]:
        """What became of an act; `{}` when the page was over instead."""
        self._number += 1
        await self.socket.send_json({"type": what, "n": self._number, **({"id": id} if id else {}), **more})
        while (word := await self.hear()) is not None:
            if word["type"] == "answer" and word["n"] == self._number:
                return word
        return {}

    async def until(self, wanted: Any) -> dict[str, Any]:
        """The first state for which `wanted` holds, counting from the last one."""
        if self.states and wanted(self.states[-1]):
            return self.states[-1]
        while (word := await self.hear()) is not None:
            if word["type"] == "state" and wanted(word):
                return word
        raise AssertionError("the page is over")

    async def ended(self) -> int:
        """Hear until the gate closes; its code."""
        while await self.hear() is not None:
            pass
        return self.socket.close_code or 0


@dataclass
class School:
    """`gate.share("week3")` and the like are Olga's doings."""

    gate: Gatehouse
    clock: Clock

    async def share(self, *people: str, **more: Any) -> dict[str, Any]:
        return await self.gate.share("week3", **{"for": list(people or ("Tia", "Ann"))}, **more)

    async def coowner(self, made: dict[str, Any], number: int = 0) -> Inside:
        """Somebody who opened their link and was then named."""
        inside = await self.gate.visit(made, number)
        await self.gate.call("POST", f"links/{inside.link['id']}/coowner")
        return inside

    async def knock(self, link: dict[str, Any], name: str = "Eve", browser: str = "") -> str:
        """Knock at a link that is in use; the knock's id."""
        reply = await self.knocked(link, name, browser)
        assert reply.status == 200, reply.body
        return str(reply.json["knock"])

    async def knocked(self, link: dict[str, Any], name: str = "Eve", browser: str = "") -> Reply:
        body = {"token": urlsplit(link["url"]).fragment, "name": name}
        place = self.gate.addresses.of(link["share"]).browser_cookie.name
        cookie = {"Cookie": f"{place}={browser}"} if browser else {}
        return await self.gate.post("/join/knock", body, {**self.gate.door(link["share"]), **cookie})

    async def admitted(self, knock: str, link: dict[str, Any], browser: str) -> Inside:
        """Whoever knocked with this browser and was let in."""
        place = self.gate.addresses.of(link["share"]).browser_cookie.name
        headers = {**self.gate.door(link["share"]), "Cookie": f"{place}={browser}"}
        reply = await self.gate.post("/join/knock/state", {"knock": knock}, headers)
        assert reply.json["state"] == "admitted", reply.body
        return self.gate.inside(reply, {"id": link["share"]}, link)

    async def reenter(self, inside: Inside) -> Inside:
        """Open the link again in the same browser: the visit has another cookie."""
        share = {"id": inside.link["share"]}
        place = self.gate.addresses.of(share["id"]).browser_cookie.name
        body = {"token": urlsplit(inside.link["url"]).fragment, "name": ""}
        headers = {**self.gate.door(share["id"]), "Cookie": f"{place}={inside.browser}"}
        reply = await self.gate.post("/join", body, headers)
        assert reply.status == 200, reply.body
        return self.gate.inside(reply, share, inside.link)

    async def page(self, inside: Inside, address: str = "-/coowner", **headers: str | None) -> Reply:
        """`GET -/coowner` as a person's browser asks for it; a header of None is left out."""
        said = {**inside.manners("GET"), **OPENING, **{key.replace("_", "-"): value for key, value in headers.items()}}
        return await self.gate.raw("GET", inside.base + address, {k: v for k, v in said.items() if v is not None})

    async def key(self, inside: Inside) -> str:
        reply = await self.page(inside)
        assert reply.status == 200, reply.body
        return key_of(reply)

    @contextlib.asynccontextmanager
    async def tab(self, inside: Inside, key: str | None = None) -> AsyncIterator[Tab]:
        """The page, opened by a person. Raises WSServerHandshakeError when it is not let in."""
        key = await self.key(inside) if key is None else key
        async with aiohttp.ClientSession() as session, self.channel(session, inside, key) as socket:
            tab = Tab(socket)
            await tab.hear()
            yield tab

    def channel(self, session: aiohttp.ClientSession, inside: Inside, key: str, **headers: str) -> Any:
        """The WebSocket of a page, as its browser opens it: from an opaque origin, without a cookie."""
        said = {"Origin": "null", "Host": inside.host, **headers}
        url = self.gate.origin.replace("http", "ws", 1) + inside.base + "-/coowner"
        return session.ws_connect(url, protocols=(SUBPROTOCOL, key), headers=said)

    async def handshake(self, inside: Inside, key: str, **headers: str) -> int:
        """The status with which that is answered; 101 is let in."""
        async with aiohttp.ClientSession() as session:
            try:
                async with self.channel(session, inside, key, **headers):
                    return 101
            except aiohttp.WSServerHandshakeError as refused:
                return refused.status

    async def events(self, action: str = "", **query: str) -> list[dict[str, Any]]:
        found = await self.gate.events(**({"action": action} if action else {}), **query)
        return sorted(found, key=lambda event: event["seq"])


def key_of(reply: Reply) -> str:
    found = re.search(r'data-key="([^"]+)"', reply.body.decode())
    assert found is not None, reply.body
    return html.unescape(found[1])


@contextlib.asynccontextmanager
async def school(folder: Path, clock: Clock, **settings: Any) -> AsyncIterator[School]:
    root = folder / "root"
    (root / "week3").mkdir(parents=True)
    (root / "week4").mkdir()
    server = await asyncio.start_server(silent_server, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    values = {"data_dir": str(folder / "gate"), "gate_port": 0, "dashboard_port": 0, "owner": "Olga", **NO_MAIL_YET}
    async with app.running(config.load(None, {}, {**values, **settings}), now=clock) as running:
        await running.gate._store.put_upstream(upstream(url, root))  # type: ignore[attr-defined]  # as `up` records it
        jupyter = cast("Any", SimpleNamespace(root=root))
        yield School(Gatehouse(running, jupyter, folder / "gate"), clock)
    server.close()


def upstream(url: str, root: Path) -> Any:
    import os

    from sharegate.upstream.model import Credential, Upstream

    return Upstream(
        id=SERVER,
        name="main",
        owner="Olga",
        url=url,
        root_dir=str(root.resolve()),
        pid=os.getpid(),
        uid=os.getuid(),
        token=Credential("raw-server-token"),
    )
