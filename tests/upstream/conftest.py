"""Fixtures for tests that send to a server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sharegate.upstream.forward import AiohttpForwarder, Timeouts
from sharegate.upstream.model import Credential, Upstream
from tests.real.jupyter import JupyterServer


@pytest.fixture
async def forwarder() -> AsyncIterator[AiohttpForwarder]:
    """With more patience than a test that goes well needs on any machine."""
    async with AiohttpForwarder(timeouts=Timeouts(connect=20, first_byte=20, idle=20, closing=20)) as one:
        yield one


@pytest.fixture
async def hasty() -> AsyncIterator[AiohttpForwarder]:
    """With short time-outs, for tests that wait for them."""
    async with AiohttpForwarder(timeouts=Timeouts(connect=2, first_byte=0.3, idle=0.3, closing=0.3)) as one:
        yield one


@pytest.fixture
async def patient() -> AsyncIterator[AiohttpForwarder]:
    """With the product's time-outs, for the real server."""
    async with AiohttpForwarder() as one:
        yield one


def record_of(server: JupyterServer, id: str = "u1") -> Upstream:
    """The record of a real server, as `server add` would make it."""
    import os

    return Upstream(
        id=id,
        name="real",
        owner="ann",
        url=server.url,
        root_dir=str(server.root.resolve()),
        pid=server.process.pid,
        uid=os.getuid(),
        token=Credential(server.token),
    )


@pytest.fixture
def real(jupyter: JupyterServer) -> Upstream:
    return record_of(jupyter)
