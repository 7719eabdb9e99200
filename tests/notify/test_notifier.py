"""From a recorded act to a message that a real service took; and what becomes of it when none takes it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sharegate.audit.events import Action, AuditEvent
from sharegate.notify.configured import Notices
from sharegate.notify.model import Audience, Kind
from sharegate.notify.notifier import Notifier, services
from sharegate.shares.issue import NewLink
from tests.conftest import Clock
from tests.house import House, house
from tests.notify.services import Chat, chat, mailbox
from tests.real.jupyter import free_port

HERE = "http://localhost:8871"
QUICK = (0.0, 0.0)


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


@pytest_asyncio.fixture
async def room() -> AsyncIterator[Chat]:
    async with chat() as made:
        yield made


def notifier(home: House, *owner: str, admins: tuple[str, ...] = (), **more: Any) -> Notifier:
    known = {"owner": "Olga", "alone": True, "pauses": QUICK, "patience": 5.0} | more
    about = known.pop("about", Notices().about)
    return Notifier(
        Notices(owner, admins, about),
        services,
        home.store,
        home.notes,
        dashboard=HERE,
        now=home.clock,
        pace=home.clock,
        **known,
    )


@contextlib.asynccontextmanager
async def running(made: Notifier) -> AsyncIterator[Notifier]:
    task = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(25):
        while not true():
            await asyncio.sleep(0.02)


async def knocked(home: House, name: str = "Eve", **share: Any) -> AuditEvent:
    made, (link,) = await home.share(**share)
    return AuditEvent(action=Action.KNOCK_MADE, actor="stranger", share=made.id, link=link.id, name=name)


async def test_a_knock_reaches_a_chat(home: House, room: Chat) -> None:
    """With who, where, and an address of the dashboard; by a real service."""
    async with running(notifier(home, room.url)) as made:
        made.happened(await knocked(home))
        await until(lambda: bool(room.got))
        await made.stop()
    (got,) = room.got
    assert "“\u2068Eve\u2069” knocks" in got["message"] and got["message"].endswith(f"See {HERE}/")
    assert "shared" in got["title"] and room.paths == ["/hook-SECRETSECRET"]


async def test_a_mail(home: House) -> None:
    """By a real mail server; a name cannot add a header."""
    port = free_port()
    with mailbox(port) as box:
        url = f"mailto://127.0.0.1:{port}/?from=gate@example.org&to=olga@example.org&mode=insecure"
        async with running(notifier(home, url)) as made:
            made.happened(await knocked(home, "Eve\r\nBcc: all@example.org"))
            await until(lambda: bool(box.mails))
    (mail,) = box.mails
    assert mail["To"] and "Bcc" not in mail and "Eve Bcc all example org" in str(mail.get_body(("html", "plain")))


async def test_ten_thousand_events_are_two_messages(home: House, room: Chat) -> None:
    """And nobody waits for them: hearing one costs next to nothing."""
    event = await knocked(home)
    denied = AuditEvent(action=Action.REQUEST_DENIED, actor="visitor", share=event.share, link=event.link, name="Eve")
    async with running(notifier(home, room.url)) as made:
        for _ in range(100):
            for _ in range(100):
                made.happened(denied)
            await asyncio.sleep(0)
        home.clock.forward(61)
        made.happened(denied)
        await until(lambda: len(room.got) == 1)
        home.clock.forward(601)
        made.happened(denied)
        await until(lambda: len(room.got) == 2)
    assert "attempts were refused" in room.got[0]["message"]


async def test_what_is_not_chosen_is_not_told(home: House, room: Chat) -> None:
    """Nor what is no visitor's act, nor the owner's own preview, nor another owner's share."""
    made = notifier(home, room.url, about=frozenset({Kind.VISIT}), alone=False, owner="Otto")
    async with running(made):
        event = await knocked(home)
        made.happened(event)
        made.happened(AuditEvent(action=Action.LINK_JOINED, actor="visitor", share=event.share, link=event.link))
        made.happened(AuditEvent(action=Action.SHARE_CHANGED, actor="owner", share=event.share))
        await made.stop()
    assert room.got == []
    async with running(notifier(home, room.url)) as mine:
        share, _ = await home.share(NewLink(name="Bo"), path="sub/other")
        preview = await home.issuer.preview(share.id)
        mine.happened(AuditEvent(action=Action.LINK_JOINED, actor="visitor", share=share.id, link=preview.id))
        await mine.stop()
    assert room.got == []


@pytest.mark.parametrize(("alone", "admins"), [(True, False), (True, True), (False, True), (False, False)])
async def test_reports_are_for_admins(home: House, room: Chat, alone: bool, admins: bool) -> None:
    """And for the owner only where one person is both; neither share nor person is told."""
    async with chat() as other:
        made = notifier(home, room.url, admins=(other.url,) if admins else (), alone=alone)
        async with running(made):
            made.happened(AuditEvent(action=Action.REPORT_MADE, actor="visitor", detail="abc phishing"))
            await made.stop()
        assert (len(room.got), len(other.got)) == (int(alone and not admins), int(admins))
        for got in [*room.got, *other.got]:
            assert got["message"] == f"A visitor reported a share.\nSee {HERE}/admin/reports"


@dataclass
class Refusing:
    """A service that refuses so often, and then takes."""

    refuses: int
    name: str = "json"
    tries: int = 0
    took: list[Any] = field(default_factory=list)

    def send(self, message: Any) -> bool:
        self.tries += 1
        if self.tries <= self.refuses:
            return False
        self.took.append(message)
        return True


async def test_a_refusing_service_is_tried_again(home: House, room: Chat) -> None:
    """With pauses; when it takes the message, that is sent once."""
    service = Refusing(2)
    made = notifier(home, "x")
    made = Notifier(
        Notices(("x",)),
        lambda urls: [service] if urls else [],
        *(home.store, home.notes),
        owner="Olga",
        alone=True,
        dashboard=HERE,
        now=home.clock,
        pace=home.clock,
        pauses=QUICK,
    )
    async with running(made):
        made.happened(await knocked(home))
        await until(lambda: bool(service.took))
        await made.stop()
    assert (service.tries, len(service.took)) == (3, 1) and home.notes.actions() == []


async def test_a_message_that_nobody_takes_is_recorded_as_lost(
    home: House, room: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    """Once an hour for each service, without its address, in history, status and log."""
    caplog.set_level("DEBUG")
    room.status = 500
    made = notifier(home, room.url)
    async with running(made):
        for number in range(3):
            made.happened(await knocked(home, path=f"sub/{number}"))
        await until(lambda: made.states()[0][1].lost == 3)
        await made.stop()
    lost = [event for event in home.notes.events if event.action is Action.NOTIFICATION_LOST]
    assert [event.detail for event in lost] == ["json"] and len(room.paths) == 9
    assert "SECRETSECRET" not in caplog.text + repr(made.states()) + repr(lost)
    assert made.states()[0][1].last_lost == home.clock()


async def test_attack_a_redirect_is_not_followed(home: House, room: Chat) -> None:
    """A service that sends elsewhere gets nothing delivered there."""
    async with chat() as elsewhere:
        room.to = f"http://127.0.0.1:{elsewhere.port}/inside"
        made = notifier(home, room.url)
        async with running(made):
            made.happened(await knocked(home))
            await until(lambda: made.states()[0][1].lost == 1)
        assert elsewhere.paths == []


async def test_a_hanging_service_holds_up_nobody(home: House, room: Chat) -> None:
    """Another service gets its message, hearing goes on, and the gate stops."""
    room.hangs = True
    async with chat() as other:
        made = notifier(home, room.url, other.url, patience=60.0)
        async with running(made):
            made.happened(await knocked(home))
            await until(lambda: bool(other.got))
            began = time.monotonic()
            await made.stop(0.1)
            assert time.monotonic() - began < 30  # half the patience with the service
        assert made.states()[0][1].lost == 1 and made.states()[1][1].sent == 1
    assert home.notes.actions() == ["notification.lost"]
    room.hangs = False


async def test_an_end_is_told_once_also_after_a_restart(home: House, room: Chat) -> None:
    """And again when it has moved."""
    share, _ = await home.share(expires=home.clock() + 10 * 86400)
    home.clock.forward(9 * 86400 + 60)
    async with running(notifier(home, room.url)):
        await until(lambda: bool(room.got))
    again = notifier(home, room.url)
    for _ in range(2):
        async with running(again):
            await again._look()
            await again.stop()
    (got,) = room.got
    assert "ends 20" in got["message"] and f"/shares/{share.id}" in got["message"]
    await home.store.change_share(share.id, expires=share.expires + 3600)
    home.clock.forward(7200)
    async with running(notifier(home, room.url)):
        await until(lambda: len(room.got) == 2)


async def test_trying_it_out(home: House, room: Chat) -> None:
    """Each service once, and whether it took it; also where nothing runs."""
    async with chat() as refusing:
        refusing.status = 500
        made = notifier(home, room.url, admins=(refusing.url,))
        assert await made.test() == [(Audience.OWNER, "json", True), (Audience.ADMINS, "json", False)]
    assert [name for name in (got["title"] for got in room.got)] == ["sharegate: a test"]


async def test_without_services_nothing_is_kept(home: House) -> None:
    """No task, no memory of what happened."""
    made = notifier(home)
    made.happened(await knocked(home))
    await made.run()
    await made.stop()
    assert made.states() == [] and not made._heard
