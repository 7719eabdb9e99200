"""Mailing links, with a real mail server: each once, and one that fails keeps none of the others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sharegate.dashboard import handing
from sharegate.dashboard.handing import OF_A_LINK
from sharegate.limits import Rate
from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened
from tests.real.mail import MailServerHere

ROSTER = "name,email\nAnn Lee,ann@example.org\nBo,bo@example.org\nCy,\n"


@pytest.fixture
def office(mailing: Office) -> Office:
    return mailing


async def links(office: Office, **more: Any) -> list[dict[str, Any]]:
    body = {"path": str(office.folder / "week3"), "roster": ROSTER, "message": "Read this first."} | more
    made: list[dict[str, Any]] = (await office.call("POST", "rosters/share", body))["made"]
    return made


async def test_a_link_is_mailed_once(office: Office, mail: MailServerHere) -> None:
    """To whom it is for, with the address, the owner's words and what is asked; asked again nothing goes out."""
    ann, bo, _ = await links(office)
    sent = await office.call("POST", f"links/{ann['id']}/send", {})
    assert sent["outcome"] == "sent" and sent["link"]["sent"] == office.clock()
    taken = await mail.next()
    assert taken.recipients == ["ann@example.org"]
    assert taken.mail["Subject"] == "Olga shares “week3” with you"
    for words in ("Hello Ann Lee,", ann["url"], "Read this first.", "a code is mailed", "can read it, live"):
        assert words in taken.text, words
    assert bo["url"] not in taken.text
    again = await office.call("POST", f"links/{ann['id']}/send", {})
    assert again["outcome"] == "already" and mail.taken == []
    events = (await office.call("GET", "audit", action="link.sent"))["events"]
    assert [(event["link"], event["name"]) for event in events] == [(ann["id"], "ann@example.org")]


async def test_attack_the_same_link_sent_many_times_at_once(office: Office, mail: MailServerHere) -> None:
    """One mail, whoever clicks how often."""
    ann, *_ = await links(office)
    results = await asyncio.gather(*(office.ask("POST", f"links/{ann['id']}/send", {}) for _ in range(3)))
    assert sorted(answer.get("outcome", "") for _, answer in results) == ["already", "already", "sent"]
    await mail.next()
    assert mail.taken == []


async def test_what_was_not_taken_can_be_sent_again(office: Office, mail: MailServerHere) -> None:
    """The reason is told and recorded without the address; the others are sent."""
    ann, bo, _ = await links(office, prove=False)
    mail.refuses["ann@example.org"] = "550 no such mailbox"
    status, failed = await office.ask("POST", f"links/{ann['id']}/send", {})
    assert (status, failed["error"]["code"]) == (503, "mail_unsent")
    assert "550 no such mailbox" in failed["error"]["message"] and failed["error"]["remedy"]
    assert (await office.call("GET", f"links/{ann['id']}"))["link"]["sent"] is None
    assert (await office.call("POST", f"links/{bo['id']}/send", {}))["outcome"] == "sent"
    assert "a code is mailed" not in (await mail.next()).text
    (event,) = (await office.call("GET", "audit", action="link.unsent"))["events"]
    assert event["outcome"] == "failed" and "ann@example.org" not in event["detail"]
    del mail.refuses["ann@example.org"]
    assert (await office.call("POST", f"links/{ann['id']}/send", {}))["outcome"] == "sent"
    assert (await mail.next()).recipients == ["ann@example.org"]


async def test_another_address_makes_it_unsent(office: Office, mail: MailServerHere) -> None:
    """To that one it was not sent."""
    ann, *_ = await links(office)
    await office.call("POST", f"links/{ann['id']}/send", {})
    await mail.next()
    changed = await office.call("PATCH", f"links/{ann['id']}", {"email": "Ann@Example.com", "recipient": ""})
    assert (changed["link"]["email"], changed["link"]["sent"]) == ("ann@example.com", None)
    await office.call("POST", f"links/{ann['id']}/send", {})
    assert (await mail.next()).recipients == ["ann@example.com"]


async def test_what_cannot_be_sent(office: Office, mail: MailServerHere) -> None:
    """No address, or nobody could open it; no mail goes out."""
    ann, bo, cy = await links(office)
    status, answer = await office.ask("POST", f"links/{cy['id']}/send", {})
    assert (status, answer["error"]["code"]) == (403, "no_address")
    await office.call("POST", f"links/{bo['id']}/revoke")
    status, answer = await office.ask("POST", f"links/{bo['id']}/send", {})
    assert (status, answer["error"]["code"]) == (403, "link_over")
    await office.call("POST", f"shares/{ann['share']}/pause")
    status, answer = await office.ask("POST", f"links/{ann['id']}/send", {})
    assert (status, answer["error"]["code"]) == (403, "link_over")
    assert mail.taken == []


async def test_attack_a_link_sent_again_and_again(office: Office, mail: MailServerHere) -> None:
    """The gate is no source of unwanted mail, whoever has a token of it."""
    ann, *_ = await links(office)
    for _ in range(int(OF_A_LINK.burst)):
        assert (await office.call("POST", f"links/{ann['id']}/send", {"again": True}))["outcome"] == "sent"
        await mail.next()
    status, answer = await office.ask("POST", f"links/{ann['id']}/send", {"again": True})
    assert (status, answer["error"]["code"]) == (403, "mail_limit") and "minutes" in answer["error"]["remedy"]
    assert mail.taken == []


async def test_attack_all_links_of_a_gate_mailed(
    tmp_path: Path, clock: Clock, mail: MailServerHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all links together so many an hour, however few go out of each."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    monkeypatch.setattr(handing, "OF_THE_GATE", Rate(per=2, seconds=3600, burst=2))
    async with opened(tmp_path, clock, smtp_port=mail.port) as office:
        made = await links(office, roster=ROSTER.replace("Cy,", "Cy,cy@example.org"))
        for link in made[:2]:
            assert (await office.call("POST", f"links/{link['id']}/send", {}))["outcome"] == "sent"
            await mail.next()
        status, answer = await office.ask("POST", f"links/{made[2]['id']}/send", {})
        assert (status, answer["error"]["code"]) == (403, "mail_limit") and mail.taken == []
        clock.forward(3600)
        assert (await office.call("POST", f"links/{made[2]['id']}/send", {}))["outcome"] == "sent"
        await mail.next()


@pytest.mark.parametrize("meanwhile", ["another address", "a new address of the link", "revoked", "sent"])
async def test_attack_a_link_changes_in_the_moment_in_which_it_is_mailed(
    office: Office, mail: MailServerHere, meanwhile: str
) -> None:
    """What was looked at goes to nobody when it is another by then, and that is told; it can be sent as it is now."""
    ann, *_ = await links(office)
    path, store = f"links/{ann['id']}", office.running.gate._store
    change = store.change_link  # type: ignore[attr-defined]

    async def happens() -> None:
        if meanwhile == "another address":
            await office.call("PATCH", path, {"email": "ann@example.com", "recipient": ""})
        elif meanwhile == "revoked":
            await office.call("POST", f"{path}/revoke")
        elif meanwhile == "sent":
            assert (await office.call("POST", f"{path}/send", {}))["outcome"] == "sent"
            await mail.next()
        else:
            await office.call("POST", f"{path}/replace")

    with pytest.MonkeyPatch.context() as patch:

        async def slow(id: str, **fields: Any) -> Any:
            if fields.get("mailing"):
                patch.undo()
                await happens()
            return await change(id, **fields)

        patch.setattr(store, "change_link", slow)
        status, said = await office.ask("POST", f"{path}/send", {})
    assert mail.taken == []
    link = (await office.call("GET", path))["link"]
    if meanwhile == "sent":
        assert (status, said["outcome"]) == (200, "already") and link["sent"] is not None
        return
    assert (status, said["error"]["code"]) == (409, "changed") and link["sent"] is None
    if meanwhile != "revoked":
        assert (await office.call("POST", f"{path}/send", {}))["outcome"] == "sent"
        address = "ann@example.com" if meanwhile == "another address" else "ann@example.org"
        assert (await mail.next()).recipients == [address]


class Stubborn:
    """A mail server that takes everything up to the message, and then says nothing more until it is told what."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.messages = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        try:
            while line := await reader.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    self.messages += 1
                    self.reached.set()
                    writer.write(await self.told)
                    if not self.told.result():
                        break
                else:
                    writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 yes\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.mark.parametrize("answer", [b"250 taken\r\n", b"451 later\r\n", b""], ids=["taken", "refused", "broken off"])
async def test_a_mail_that_was_begun_and_not_heard_of_is_told_as_that(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """As a gate leaves it that is killed meanwhile: neither mailed nor unmailed, and not sent twice by itself."""
    stubborn = Stubborn()
    server = await asyncio.start_server(stubborn.serve, "127.0.0.1", 0)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    async with opened(tmp_path, clock, smtp_port=server.sockets[0].getsockname()[1]) as office:
        ann, *_ = await links(office)
        path = f"links/{ann['id']}"
        assert (await office.call("GET", path))["link"]["sent_unsure"] is False
        sending = asyncio.create_task(office.ask("POST", f"{path}/send", {}))
        await stubborn.reached.wait()
        assert (await office.call("POST", f"{path}/send", {}))["outcome"] == "already"  # it goes out just now
        clock.forward(60)
        told = await office.call("POST", f"{path}/send", {})
        assert (told["outcome"], told["link"]["sent_unsure"], told["link"]["sent"]) == ("unsure", True, clock() - 60)
        stubborn.told.set_result(answer)
        status, _ = await sending
        link = (await office.call("GET", path))["link"]
        found = status, link["sent"] is not None, link["sent_unsure"]
        assert found == {b"2": (200, True, False), b"4": (503, False, False), b"": (503, True, True)}[answer[:1]]
        if not answer:
            stubborn.told = asyncio.get_running_loop().create_future()
            stubborn.told.set_result(b"250 taken\r\n")
            again = await office.call("POST", f"{path}/send", {"again": True})
            assert (again["outcome"], again["link"]["sent_unsure"]) == ("sent", False)
            changed = await office.call("PATCH", path, {"email": "ann@example.com"})
            assert (changed["link"]["sent"], changed["link"]["sent_unsure"]) == (None, False)
        assert stubborn.messages == (1 if answer else 2)
    server.close()
