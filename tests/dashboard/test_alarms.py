"""Alarms for the owner's live screen."""

from __future__ import annotations

from typing import Any

from sharegate.audit.events import Action, AuditEvent, Outcome
from tests.dashboard.conftest import Office

DETAIL = "collapsed: 900 characters in 3 cells became 0 in 0 within a minute"


async def happen(office: Office, action: Action, path: str, **more: Any) -> None:
    await office.running.api._trail.record(AuditEvent(action=action, actor="gate", path=path, **more))


async def alarms(office: Office) -> list[dict[str, Any]]:
    return list((await office.call("GET", "alarms"))["alarms"])


async def test_the_newest_alarm_of_each_document_is_listed(office: Office) -> None:
    """One for each document, the newest first; a version or visit that is no more is not offered."""
    for path in ("week3/a.ipynb", "week3/b.ipynb", "week3/a.ipynb"):
        gone = f"{DETAIL}; the version before is n4kdxxxxxx"
        await happen(office, Action.DOCUMENT_ALARM, path, detail=gone, visit="gone")
    listed = await alarms(office)
    assert [one["path"] for one in listed] == ["week3/a.ipynb", "week3/b.ipynb"]
    assert (listed[0]["what"], listed[0]["sentence"]) == tuple(DETAIL.split(": "))
    assert (listed[0]["version"], listed[0]["visit"], listed[0]["name"]) == ("", "", "")


async def test_an_alarm_tells_when_it_was(office: Office) -> None:
    """The moment that the history has for it."""
    office.clock.forward(60)
    await happen(office, Action.DOCUMENT_ALARM, "week3/a.ipynb", detail=DETAIL)
    at = office.clock()
    office.clock.forward(60)
    [one] = await alarms(office)
    assert one["at"] == at


async def test_an_alarm_ends_when_the_document_is_mended(office: Office) -> None:
    """By a restore or an undo that was done, in that document; not by one that failed."""
    for action in (Action.DOCUMENT_RESTORED, Action.DOCUMENT_UNDONE):
        for path in ("week3/a.ipynb", "week3/b.ipynb"):
            await happen(office, Action.DOCUMENT_ALARM, path, detail=DETAIL)
        await happen(office, action, "week3/a.ipynb", outcome=Outcome.FAILED)
        assert len(await alarms(office)) == 2
        await happen(office, action, "week3/a.ipynb")
        assert [one["path"] for one in await alarms(office)] == ["week3/b.ipynb"]


async def test_an_alarm_ends_when_its_document_is_mended_under_another_name(office: Office) -> None:
    """By the version to go back to, which the alarm names."""
    for name, version in (("a", "n4kdxxxxxx"), ("b", "p7xzxxxxxx")):
        detail = f"{DETAIL}; the version before is {version}"
        await happen(office, Action.DOCUMENT_ALARM, f"week3/{name}.ipynb", detail=detail)
    await happen(office, Action.DOCUMENT_UNDONE, "week3/renamed.ipynb")
    await happen(office, Action.DOCUMENT_RESTORED, "week3/renamed.ipynb", detail="to n4kdxxxxxx, cells a b")
    assert [one["path"] for one in await alarms(office)] == ["week3/b.ipynb"]


async def test_an_alarm_is_dismissed_by_its_id(office: Office) -> None:
    """An id that is no more, also of an older alarm of the same document, is not found and dismisses nothing."""
    await happen(office, Action.DOCUMENT_ALARM, "week3/a.ipynb", detail=DETAIL)
    [old] = await alarms(office)
    await happen(office, Action.DOCUMENT_ALARM, "week3/a.ipynb", detail=DETAIL)
    status, _ = await office.ask("POST", f"alarms/{old['id']}/dismiss")
    assert status == 404
    [one] = await alarms(office)
    assert (await office.call("POST", f"alarms/{one['id']}/dismiss"))["alarm"]["path"] == "week3/a.ipynb"
    assert await alarms(office) == []
