"""Notifications in the owner's API: how the services do, trying them out, and a running gate that tells."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from sharegate import app, config
from tests.dashboard.client import Program
from tests.dashboard.conftest import Office
from tests.notify.services import Chat, chat

SECRET = "SECRETSECRET"


@pytest_asyncio.fixture
async def room() -> AsyncIterator[Chat]:
    async with chat() as made:
        yield made


async def test_nobody_is_told_unless_it_is_set(office: Office) -> None:
    """And there is nothing to try."""
    shown = await office.call("GET", "notifications")
    assert (shown["on"], shown["services"], len(shown["about"])) == (False, [], 9)
    status, said = await office.ask("POST", "notifications/test")
    assert (status, said["error"]["code"]) == (403, "notify_off")


async def test_notifications_are_for_admins_in_person(office: Office) -> None:
    """No token looks at them, or sends."""
    program = Program(office, await office.token("gate:read", "people:read"))
    try:
        for method, path in (("GET", "notifications"), ("POST", "notifications/test")):
            status, said = await program.ask(method, f"/api/v1/{path}", {} if method == "POST" else None)
            assert (status, said["code"]) == (403, "person_only")
    finally:
        await program.close()


async def test_a_gate_tells_its_owner_of_a_visitor(office: Office, room: Chat, tmp_path: Path) -> None:
    """With the settings as they are written; the address is in no answer, record, or finding."""
    file = tmp_path / "notify"
    file.write_text(room.url)
    file.chmod(0o600)
    data = tmp_path / "told"
    settings: dict[str, Any] = {"data_dir": str(data), "owner": "Olga", "gate_port": 0, "dashboard_port": 0}
    made = config.load(None, {}, settings | {"notify_file": str(file), "notify_about": "knock"})
    async with app.running(made, now=office.clock) as running:
        told = Office(running, office.folder, office.clock)
        tried = await told.call("POST", "notifications/test")
        assert tried == {"results": [{"audience": "owner", "name": "json", "taken": True}]}
        shown = await told.call("GET", "notifications")
        assert shown["services"][0]["sent"] == 1 and [one["kind"] for one in shown["about"] if one["told"]] == ["knock"]
        findings = (await told.call("GET", "doctor"))["findings"]
        assert [one["level"] for one in findings if "Notifications to you go out by json" in one["what"]] == ["ok"]
        everything = json.dumps([shown, findings, await told.call("GET", "audit"), await told.call("GET", "config")])
        assert SECRET not in everything and SECRET not in repr(running.config)
    assert room.got[0]["title"] == "sharegate: a test"
