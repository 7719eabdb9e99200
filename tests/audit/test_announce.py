"""What is written about a visit whose person was forgotten, maybe at another gate."""

from __future__ import annotations

import pytest

from sharegate.audit.announce import Announcing
from sharegate.audit.chain import opened, verify
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.strangers import WINDOW
from sharegate.audit.trail import Trail
from sharegate.errors import Reason, StoreUnavailable
from sharegate.shares.model import Visit
from tests.audit.test_trail import Disk
from tests.conftest import Clock


class Visits:
    """The records as this gate knows them."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    async def visit(self, id: str) -> Visit | None:
        return self._visit if id == self._visit.id else None


BARE = {"id": "v", "share": "s", "link": "l", "number": 1, "created": 1.0, "expires": 9.0}
KNOWN = {"name": "Zoe", "address": "192.0.2.0/24", "agent": "curl/8"}


@pytest.mark.parametrize(
    ("visit", "kept"),
    [
        (Visit(**BARE, **KNOWN), True),
        (Visit(**BARE, **KNOWN, ended=2.0, ended_reason="left"), True),
        (Visit(**BARE, **KNOWN, ended=2.0, ended_reason="erased"), False),
        (Visit(**BARE, ended=2.0, ended_reason="left"), False),
        (Visit(**BARE), True),
    ],
    ids=["open", "over", "erased", "over and erased", "open without a name"],
)
async def test_nothing_is_written_about_who_was_forgotten(clock: Clock, visit: Visit, kept: bool) -> None:
    """The event stays, and what identifies them goes, also from what the owner's screen is told."""
    disk, told = Disk(), []
    trail = Announcing(Trail(disk, writer="b", clock=clock), Visits(visit))
    trail.announce(told.append)
    await trail.open()
    try:
        await trail.record(AuditEvent(action=Action.CHANNEL_CLOSED, actor="visitor", visit="v", path="a.txt", **KNOWN))
        await trail.record(AuditEvent(action=Action.CHANNEL_CLOSED, actor="visitor", visit="w", **KNOWN))
    finally:
        await trail.close()
    mine, other = (opened(sealed) for sealed in disk.events)

    assert [bool(each.name or each.address or each.agent) for each in (mine, other)] == [kept, True]
    assert [bool(each.name) for each in told] == [kept, True]
    assert [each.at for each in told] == [mine.at, other.at] == [clock(), clock()]
    assert mine.path == "a.txt"


async def test_attack_what_waited_when_somebody_was_forgotten_is_written_without_them(clock: Clock) -> None:
    """Also what could not be written for a while, and only then."""
    disk, visits = Disk(), Visits(Visit(**BARE, **KNOWN))
    trail = Announcing(Trail(disk, writer="b", clock=clock), visits)
    await trail.open()
    try:
        disk.fail = "before"
        late = AuditEvent(action=Action.CHANNEL_SUMMARY, actor="visitor", visit="v", path="a.txt", **KNOWN)
        await trail.record(late, durable=False)
        with pytest.raises(StoreUnavailable):
            await trail.flush()
        visits._visit = Visit(**BARE, ended=2.0, ended_reason="erased")
        disk.fail = ""
    finally:
        await trail.close()
    (written,) = [opened(sealed) for sealed in disk.events if opened(sealed).path]
    assert not (written.name or written.address or written.agent)
    assert verify(disk.events).intact


async def test_an_address_that_somebody_else_opened_is_told_with_it(clock: Clock) -> None:
    """The first from each network at once, what follows as one count, both with the visit whose page it was; where
    there is no such visit, or the person is known, it is a refusal like any other."""
    disk = Disk()
    trail = Announcing(Trail(disk, writer="b", clock=clock), Visits(Visit(**BARE, **KNOWN)))
    await trail.open()
    try:
        for page in (("s", "v"), ("s", "v"), ("s", "v"), ("other", "v"), ("s", "unknown"), None):
            await trail.stranger_denied(Reason.NO_CREDENTIAL, "203.0.113.9", "curl", page=page)
        await trail.stranger_denied(Reason.VISIT_ENDED, "203.0.113.9", page=("s", "v"))
        clock.forward(WINDOW)
        await trail._trail.tick()
    finally:
        await trail.close()
    told = [(one.reason, one.share, one.link, one.came_from, one.count) for one in map(opened, disk.events)]
    assert told == [
        ("no_credential", "s", "l", "v", 1),
        ("no_credential", "", "", "", 1),
        ("visit_ended", "", "", "", 1),
        ("no_credential", "s", "l", "v", 2),
        ("no_credential", "", "", "", 2),
    ]
