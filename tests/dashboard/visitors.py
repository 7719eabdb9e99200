"""Visitors of an office: who opens links and asks the gate's own addresses, byte for byte, without a Jupyter server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.dashboard.conftest import Office
from tests.gatehouse import Reply, raw

JSON = "application/json"


@dataclass
class Outside:
    """Somebody with a link (or without). `cookies` are the browser's."""

    office: Office
    token: str = ""
    visit: str = ""
    cookies: str = ""

    @property
    def base(self) -> str:
        return self.visit

    async def post(self, path: str, body: Any, **headers: str) -> Reply:
        manners = {"Origin": self.office.running.gate_url, "Content-Type": JSON, "Sec-Fetch-Site": "same-origin"}
        if self.cookies:
            manners["Cookie"] = self.cookies
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        port = self.office.running.config.gate_port
        kept = {name: value for name, value in {**manners, **named}.items() if value}
        return await raw(port, "POST", path, kept, data)

    async def get(self, path: str) -> Reply:
        port = self.office.running.config.gate_port
        manners = {"Cookie": self.cookies} if self.cookies else {}
        browser = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        return await raw(port, "GET", path, {**manners, **browser})

    async def about(self) -> dict[str, Any]:
        reply = await self.post("/join/about", {"token": self.token})
        assert reply.status == 200, reply.body
        return dict(reply.json)


async def comes(office: Office, made: dict[str, Any], name: str = "Ann", number: int = 0) -> Outside:
    """Opens a link of a share that was made."""
    who = holder(made, office, number)
    reply = await who.post("/join", {"token": who.token, "name": name})
    assert reply.status == 200, reply.body
    pairs = [value.partition(";")[0] for key, value in reply.headers if key.lower() == "set-cookie"]
    place = reply.json["location"].split("/~")
    return Outside(office, who.token, f"{place[0]}/~{place[1].split('/')[0]}/", "; ".join(pairs))


def holder(made: dict[str, Any], office: Office, number: int = 0) -> Outside:
    """Has the link, and has not opened it."""
    return Outside(office, made["links"][number]["url"].partition("#")[2])
