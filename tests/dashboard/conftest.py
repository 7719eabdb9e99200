"""A gate without visitors' servers: an owner's API over a real store, with folders on a disk of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sharegate import app, config
from sharegate.upstream.model import Credential, Upstream
from tests.conftest import Clock
from tests.real.mail import MailServerHere, running_mail

SERVER = "srv2345678"
# A mail server that nobody runs: links may ask for an address, and no code can be sent.
NO_MAIL_YET = {"smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_security": "none", "mail_from": "share@example.org"}
SECRET = "raw-server-token-that-nobody-may-see"


@dataclass
class Office:
    """`folder` is the server's root, with `week3/` and `notes.md` in it."""

    running: app.RunningGate
    folder: Path
    clock: Clock

    async def call(self, method: str, path: str, body: Any = None, /, **query: str) -> dict[str, Any]:
        """Fails the test on an error."""
        status, answer = await self.ask(method, path, body, **query)
        assert status == 200, answer
        return answer

    async def ask(self, method: str, path: str, body: Any = None, /, **query: str) -> tuple[int, dict[str, Any]]:
        """Fails the test for an answer that is not as the API's description has it."""
        status, answer = await self.running.api.call(method, "/api/v1/" + path, query, body)
        if status == 200:
            route, _ = self.running.api.find(method, "/api/v1/" + path)
            assert route is not None
            msgspec.json.decode(json.dumps(answer), type=route.answer)
        return status, answer

    async def token(self, *can: str, days: float = 1) -> str:
        """What a program shows."""
        body = {"name": "CI", "capabilities": list(can), "expires": self.clock() + days * 86400}
        return str((await self.call("POST", "tokens", body))["secret"])

    async def share(self, path: str = "week3", **more: Any) -> dict[str, Any]:
        return await self.call("POST", "shares", {"path": str(self.folder / path), **more})

    async def actions(self) -> list[str]:
        return [event["action"] for event in (await self.call("GET", "audit"))["events"]]

    async def everything(self) -> dict[str, Any]:
        """All records as the API shows them."""
        return {
            "shares": (await self.call("GET", "shares", all="1"))["shares"],
            "visits": (await self.call("GET", "visits"))["visits"],
            "knocks": (await self.call("GET", "knocks"))["knocks"],
            "servers": (await self.call("GET", "servers"))["servers"],
        }


async def silent_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every question with an empty model. Its version has no known hole: what is installed is read from this
    process where that was started by a full path, and else from here."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            body = b'{"version": "2.99.0"}'
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@pytest.fixture
def mail() -> Iterator[MailServerHere]:
    with running_mail() as running:
        yield running


@pytest.fixture
async def mailing(
    tmp_path: Path, clock: Clock, mail: MailServerHere, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    """An office whose mail goes out."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    monkeypatch.setitem(NO_MAIL_YET, "smtp_port", mail.port)
    async with opened(tmp_path, clock) as running:
        yield running


@pytest.fixture
async def office(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """A running gate that knows one server, on a clock that only the test moves."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    async with opened(tmp_path, clock) as office:
        yield office


@contextlib.asynccontextmanager
async def opened(home: Path, clock: Clock, **settings: Any) -> AsyncIterator[Office]:
    """An office with its gate and its server's root below `home`."""
    folder = home / "root"
    for name in ("week3", "week4"):
        (folder / name).mkdir(parents=True)
    (folder / "notes.md").write_text("notes")
    server = await asyncio.start_server(silent_server, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    values = {"data_dir": str(home / "gate"), "gate_port": 0, "dashboard_port": 0, "owner": "Olga"}
    values |= NO_MAIL_YET | settings
    async with app.running(config.load(None, {}, values), now=clock) as running:
        await running.gate._store.put_upstream(  # type: ignore[attr-defined]  # as `up` records what it found
            Upstream(
                id=SERVER,
                name="main",
                owner="Olga",
                url=url,
                root_dir=str(folder.resolve()),
                pid=os.getpid(),
                uid=os.getuid(),
                token=Credential(SECRET),
            )
        )
        yield Office(running, folder, clock)
    server.close()
