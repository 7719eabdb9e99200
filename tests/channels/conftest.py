"""A room, and the server that it is connected to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sharegate.channels import link as links
from sharegate.channels.room import Room
from tests.channels.rooms import Server, made


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest_asyncio.fixture
async def room(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    monkeypatch.setattr(links, "RETRY_PAUSE", 0.005)
    monkeypatch.setattr(links, "RETRY_MOST", 0.02)
    monkeypatch.setattr(links, "RETRY_SECONDS", 0.2)
    room = made(server)
    yield room
    for member in list(room._members):
        member.abort()
    await room.closed()
