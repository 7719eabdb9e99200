"""Real services that notifications go to, on this computer: one that speaks HTTP, one that speaks SMTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any

from aiohttp import web
from aiosmtpd.controller import Controller


@dataclass
class Chat:
    """Takes what is posted as JSON, and answers as it is told: a status, or silence."""

    port: int = 0
    status: int = 200
    hangs: bool = False
    to: str = ""
    got: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """With a secret in it."""
        return f"json://127.0.0.1:{self.port}/hook-SECRETSECRET"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        if self.hangs:
            assert request.transport is not None
            while not request.transport.is_closing():
                await asyncio.sleep(0.05)
            return web.Response()
        if self.to:
            raise web.HTTPFound(self.to)
        if self.status == 200:
            self.got.append(json.loads(await request.read()))
        return web.Response(status=self.status)


@contextlib.asynccontextmanager
async def chat() -> AsyncIterator[Chat]:
    made = Chat()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.port = runner.addresses[0][1]
        yield made
    finally:
        await runner.cleanup()


class Mailbox:
    """Keeps every mail."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


@contextlib.contextmanager
def mailbox(port: int) -> Any:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
