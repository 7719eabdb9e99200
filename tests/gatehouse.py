"""A real gate in front of a real Jupyter server, and visitors who ask it anything, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sharegate import app, config
from sharegate.demo.visitor import RobotVisitor
from sharegate.shares.addresses import GateAddresses, ShareAddresses
from sharegate.upstream.discover import FoundServer
from sharegate.upstream.model import Credential, Upstream
from tests.real.jupyter import JupyterServer


@dataclass
class Reply:
    """`phrase` are the words behind the status."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    phrase: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def public(self) -> str:
        """The public code of a refusal; empty when it was none."""
        try:
            return str(self.json["error"]["code"])
        except (ValueError, TypeError, KeyError):
            return ""


@dataclass
class Inside:
    """A visitor who is in, with the cookie in hand."""

    gate: Gatehouse
    share: dict[str, Any]
    link: dict[str, Any]
    base: str
    cookie: str
    browser: str = ""

    @property
    def addresses(self) -> ShareAddresses:
        return self.gate.addresses.of(self.share["id"])

    @property
    def origin(self) -> str:
        return self.addresses.origin

    @property
    def host(self) -> str:
        """As it stands in a Host field."""
        return self.origin.partition("://")[2]

    @property
    def cookie_name(self) -> str:
        return self.addresses.visit_cookie(self.base.rpartition("~")[2].rstrip("/")).name

    async def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
        """Send exactly this target below the visit, with the visit's cookie and a page's own headers."""
        return await self.gate.raw(method, self.base + path, {**self.manners(method), **(headers or {})}, body)

    def manners(self, method: str) -> dict[str, str]:
        manners = {
            "Host": self.host,
            "Cookie": f"{self.cookie_name}={self.cookie}",
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "cors",
        }
        if method not in ("GET", "HEAD"):
            manners["Origin"] = self.origin
        return manners

    async def upgrade(self, path: str, *, headers: dict[str, str] | None = None) -> int:
        """Ask for a WebSocket and return the status; 101 means that it was opened (and is closed again)."""
        asked = {
            **self.manners("GET"),
            "Origin": self.origin,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            **(headers or {}),
        }
        return (await self.gate.raw("GET", self.base + path, asked)).status


@dataclass
class Program(Inside):
    """A program with the share token of a link, at the address for programs. `cookie` is the token."""

    def manners(self, method: str) -> dict[str, str]:
        return {"Host": self.host, **({"Authorization": f"Bearer {self.cookie}"} if self.cookie else {})}

    async def upgrade(self, path: str, *, headers: dict[str, str] | None = None) -> int:
        asked = {**self.manners("GET"), **HANDSHAKE, **(headers or {})}
        return (await self.gate.raw("GET", self.base + path, asked)).status


# What asks for a WebSocket, as a program does that sends nothing of a browser's.
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class Front:
    """What stands in front of a gate and speaks TLS: its port of the loopback address, and what a client trusts."""

    port: int
    trusted: ssl.SSLContext


@dataclass
class Gatehouse:
    """`front`: where visitors come to; without it, to the gate itself."""

    running: app.RunningGate
    jupyter: JupyterServer
    data_dir: Path
    robots: list[RobotVisitor] = field(default_factory=list)
    front: Front | None = None

    @property
    def origin(self) -> str:
        return self.running.gate_url

    @property
    def addresses(self) -> GateAddresses:
        return GateAddresses.at(self.running.gate_url, self.running.config.share_hosts)

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None, **query: str) -> dict[str, Any]:
        """The owner's API; fails the test on an error."""
        status, answer = await self.running.api.call(method, "/api/v1/" + path, query, body)
        assert status == 200, answer
        return answer

    async def find(self) -> Upstream:
        """Record the Jupyter server as one that runs."""
        jupyter = self.jupyter
        found = FoundServer(
            jupyter.url, Credential(jupyter.token), str(jupyter.root.resolve()), jupyter.process.pid, os.getuid()
        )
        return await self.running.servers.record(found)

    async def share(self, path: str = "sub/shared", **more: Any) -> dict[str, Any]:
        """`{"share", "links", …}` for a folder or file below the server's root."""
        return await self.call("POST", "shares", {"path": str(self.jupyter.root / path), **more})

    async def visit(self, made: dict[str, Any] | None = None, number: int = 0, name: str = "Ann") -> Inside:
        """Enter by a link of a share (a new one of `sub/shared` when none is given)."""
        made = made or await self.share(**{"for": [name]})
        link = made["links"][number]
        token = urlsplit(link["url"]).fragment
        reply = await self.post("/join", {"token": token, "name": name}, self.door(made["share"]["id"]))
        assert reply.status == 200, reply.body
        return self.inside(reply, made["share"], link)

    def inside(self, reply: Reply, share: dict[str, Any], link: dict[str, Any]) -> Inside:
        """Who has just been let in, as the door's answer says."""
        cookies = dict(
            value.partition(";")[0].split("=", 1) for key, value in reply.headers if key.lower() == "set-cookie"
        )
        addresses = self.addresses.of(share["id"])
        found = self.addresses.visit_in(reply.json["location"], share["id"])
        assert found is not None and found[0] == share["id"]
        cookie = cookies[addresses.visit_cookie(found[1]).name]
        return Inside(self, share, link, addresses.visit(found[1]), cookie, cookies[addresses.browser_cookie.name])

    def door(self, share: str) -> dict[str, str]:
        """What a page of a share's door says with what it posts."""
        origin = self.addresses.of(share).origin
        return {"Host": origin.partition("://")[2], "Origin": origin}

    async def program(self, made: dict[str, Any] | None = None, number: int = 0, **more: Any) -> Program:
        """A program by a link of a share (a new one of `sub/shared`, with `clients`, when none is given)."""
        made = made or await self.share(clients=True, **{"for": ["Ann"], **more})
        link = made["links"][number]
        base = self.addresses.of(made["share"]["id"]).programs
        return Program(self, made["share"], link, base, urlsplit(link["url"]).fragment)

    async def robot(self, made: dict[str, Any], number: int = 0, name: str = "Robo") -> RobotVisitor:
        robot = RobotVisitor(name, made["links"][number]["url"])
        self.robots.append(robot)
        return robot

    async def post(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Reply:
        manners = {"Origin": self.origin, "Content-Type": "application/json", **(headers or {})}
        return await self.raw("POST", path, manners, json.dumps(body).encode())

    @property
    def nearest(self) -> str:
        """Where a visitor's connection leads, without any name: to be used with the Host of the gate or of a share."""
        return f"https://127.0.0.1:{self.front.port}" if self.front is not None else self.origin

    async def raw(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
        """One request to the gate on a connection of its own, the target sent as it is."""
        if self.front is not None:
            return await raw(self.front.port, method, target, headers, body, self.front.trusted)
        return await raw(self.running.config.gate_port, method, target, headers, body)

    async def events(self, **query: str) -> list[dict[str, Any]]:
        return list((await self.call("GET", "audit", None, **query))["events"])

    async def denials(self, share: str = "", **query: str) -> list[str]:
        """The reasons of all refusals so far of this share's visitors."""
        return [event["reason"] for event in await self.events(outcome="denied", share=share, **query)]


async def raw(
    port: int,
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    trusted: ssl.SSLContext | None = None,
) -> Reply:
    """One request to whoever listens on this port of the loopback address, the target sent as it is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26, ssl=trusted)
    try:
        fields = {"Host": f"127.0.0.1:{port}", "Connection": "close", **(headers or {})}
        if body or method in ("POST", "PUT", "PATCH"):
            fields.setdefault("Content-Length", str(len(body)))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
        writer.write(head.encode("utf-8", "surrogateescape") + body)
        async with asyncio.timeout(60):
            return await _read(reader, method)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader, method: str) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = head.split("\r\n")
    number, _, phrase = lines[0].partition(" ")[2].partition(" ")
    status = int(number)
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)]
    found = {name.lower(): value for name, value in headers}
    if status == 101 or method == "HEAD" or status in (204, 304):
        return Reply(status, headers, b"", phrase)
    if found.get("transfer-encoding") == "chunked":
        body = b""
        while size := int((await reader.readline()).strip() or b"0", 16):
            body += (await reader.readexactly(size + 2))[:-2]
        return Reply(status, headers, body, phrase)
    if "content-length" in found:
        return Reply(status, headers, await reader.readexactly(int(found["content-length"])), phrase)
    return Reply(status, headers, await reader.read(), phrase)


@contextlib.asynccontextmanager
async def gatehouse(
    folder: Path,
    jupyter: JupyterServer,
    *,
    now: Callable[[], float] = time.time,
    front: Front | None = None,
    **settings: Any,
) -> AsyncIterator[Gatehouse]:
    """A gate on free ports with its data below `folder`, which knows `jupyter`."""
    # A mail server that nobody runs, where a test has none of its own.
    mail = {"smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_security": "none", "mail_from": "share@example.org"}
    values = {"data_dir": str(folder / "gate"), "gate_port": 0, "dashboard_port": 0, "owner": "Olga"}
    values |= {**mail, **settings}
    loaded = config.load(None, {}, values)
    async with app.running(loaded, now=now) as running:
        house = Gatehouse(running, jupyter, folder / "gate", front=front)
        await house.find()
        try:
            yield house
        finally:
            for robot in house.robots:
                await robot.close()
