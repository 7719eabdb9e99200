"""Who is probed: how an address, an upload and a channel are spelled there, and the server behind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.probes.back import Back
from tests.probes.talk import Reply, Talk

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SHAKE = (f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13")


@dataclass
class Peer:
    """A proxy on loopback with `back` behind it.

    `reading` and `writing` are the addresses (ending in a slash) below which a GET and a PUT go to the server;
    `manners` the fields that every request has there, `upload` a body that it takes. `can` says what kinds of probes
    make sense; `cannot` why others do not. A program of its own needs a moment to hear that its visitors have gone:
    `settles` seconds.
    """

    name: str
    port: int
    back: Back
    reading: str = "/"
    writing: str = "/"
    channel: str = "/channel"
    manners: tuple[str, ...] = ()
    upload: bytes = b"hello from a visitor"
    content_type: str = "text/plain"
    version: str = ""
    settles: float = 0.0
    can: frozenset[str] = frozenset()
    cannot: dict[str, str] = field(default_factory=dict)
    open: list[Talk] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def head(
        self,
        name: str = "a.csv",
        *lines: str,
        method: str = "GET",
        host: str | None = None,
        version: str = "HTTP/1.1",
        target: str | None = None,
    ) -> bytes:
        """A request head with its empty line. `host` "" leaves the field out."""
        base = self.reading if method in ("GET", "HEAD", "OPTIONS") else self.writing
        fields = [f"{method} {target if target is not None else base + name} {version}"]
        if host != "":
            fields.append(f"Host: {host or self.host}")
        return "\r\n".join((*fields, *self.manners, *lines, "", "")).encode("latin-1")

    def put(self, *lines: str, name: str = "up.txt") -> bytes:
        """The head of an upload; its framing is among `lines`."""
        return self.head(name, f"Content-Type: {self.content_type}", *lines, method="PUT")

    def shake(self, *lines: str, path: str | None = None, method: str = "GET") -> bytes:
        """A WebSocket handshake; `lines` come in place of the usual ones."""
        usual = ("Upgrade: websocket", "Connection: Upgrade", *SHAKE)
        named = {line.partition(":")[0].lower() for line in lines}
        kept = [line for line in usual if line.partition(":")[0].lower() not in named]
        sent = [line for line in lines if line.partition(":")[2].strip()]
        return self.head("", *kept, *sent, method=method, target=path or self.channel)

    def change(self, method: str) -> bytes:
        """A POST or DELETE that goes on to the server."""
        return self.head("up.txt", "Content-Length: 0", "Connection: close", method=method)

    async def room(self) -> str:
        """The address of a channel that goes on to the server, and that no probe has used before."""
        return self.channel

    async def talk(self) -> Talk:
        talk = await Talk.to(self.port)
        self.open.append(talk)
        return talk

    async def ask(self, data: bytes, method: str = "GET") -> tuple[Talk, Reply]:
        """Say it on a connection of its own and read the answer."""
        talk = await self.talk()
        await talk.say(data)
        return talk, await talk.answer(method)

    async def fresh(self) -> None:
        """Nothing of an earlier probe is left."""
        while self.open:
            self.open.pop().abort()
            if not self.open and self.settles:
                await asyncio.sleep(self.settles)
        await self.back.fresh()
