"""The records as pages look after them: looked through and copied, with how far it is."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.conftest import Office


async def over(office: Office) -> dict[str, Any]:
    """The work on the records, once it is over."""
    while True:
        work: dict[str, Any] = (await office.call("GET", "store/work"))["work"]
        if work["state"] != "running":
            return work
        await asyncio.sleep(0.01)


async def test_a_check_is_begun_and_told(office: Office) -> None:
    """The request does not wait for it."""
    assert (await office.call("GET", "store/work"))["work"] is None
    begun = (await office.call("POST", "store/check"))["work"]
    assert begun["kind"] == "check" and begun["ended"] is None
    work = await over(office)
    assert work["state"] == "done" and work["checked"]["sound"] and work["checked"]["counts"]["upstreams"] == 1
    assert (await office.call("GET", "store/check"))["sound"]


async def test_a_copy_goes_where_the_settings_say(office: Office) -> None:
    """For nobody else to read, recorded, and never over another one."""
    await office.call("POST", "store/copies", {"name": "2027-01-15", "with_keys": True})
    work = await over(office)
    assert work["state"] == "done", work
    folder = Path((await office.call("GET", "store/work"))["folder"])
    assert work["copied"]["to"] == str(folder / "2027-01-15") and work["copied"]["with_keys"]
    assert sorted(path.name for path in (folder / "2027-01-15").iterdir()) == ["keys", "sharegate.db"]
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE((folder / "2027-01-15").stat().st_mode) == 0o700
    events = (await office.call("GET", "audit", action="store.copied"))["events"]
    assert [event["detail"] for event in events] == ["2027-01-15 with the keys"]
    await office.call("POST", "store/copies", {"name": "2027-01-15"})
    work = await over(office)
    assert work["state"] == "failed" and "exists already" in work["problem"] and work["remedy"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc/x", "a/b", ".hidden", "a\n", "a.", "ä", "x" * 61, "-x"])
async def test_attack_a_copy_that_leaves_its_folder(office: Office, name: str) -> None:
    """A name is one plain segment; nothing is written or recorded."""
    status, said = await office.ask("POST", "store/copies", {"name": name})
    assert status == 400 and said["error"]["field"] == "name" and said["error"]["remedy"]
    assert not (office.folder.parent / "gate" / "backups").exists()
    assert "store.copied" not in await office.actions()


async def test_who_comes_second_is_told(office: Office) -> None:
    """409, for pages and for who waits for an answer; and nothing is recorded of a copy that was not begun."""
    await office.call("POST", "store/check")
    for method, path, body in (
        ("POST", "store/check", None),
        ("GET", "store/check", None),
        ("POST", "store/copies", {"name": "x"}),
    ):
        status, said = await office.ask(method, path, body)
        assert (status, said["error"]["code"]) == (409, "work_running"), path
    await over(office)
    assert "store.copied" not in await office.actions()


async def test_copies_are_never_shared(office: Office) -> None:
    """The folder for copies is one of those that no share may hold."""
    config = office.running.config
    assert (config.backup_dir or config.data_dir) in config.own_files
