"""A link for an address, through a real gate before a real Jupyter server, with a real mail server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sharegate.stores.retention import KNOCKS_KEPT
from tests.gatehouse import Reply, gatehouse
from tests.real.jupyter import JupyterServer
from tests.real.mail import MailServerHere, running_mail
from tests.visits.test_mailed import code_in

pytestmark = pytest.mark.real

TO = "ann@berkeley.edu"


@pytest.fixture
def mail() -> Iterator[MailServerHere]:
    with running_mail() as running:
        yield running


def browser_of(reply: Reply) -> dict[str, str]:
    """The cookie by which the browser is known from now on."""
    found = next(value for name, value in reply.headers if name.lower() == "set-cookie")
    assert "HttpOnly" in found and "SameSite=Strict" in found
    return {"Cookie": found.partition(";")[0]}


async def test_a_person_shows_their_address_and_is_put_out_when_it_is_another_ones(
    tmp_path: Path, jupyter: JupyterServer, mail: MailServerHere
) -> None:
    """By the code that was mailed they are in, with their address for a badge. The owner changes whom the link is for:
    the next request, a document's room and the page's own line end at once; proved anew, it is the same visit."""
    async with gatehouse(tmp_path, jupyter, smtp_port=mail.port) as gate:
        made = await gate.share(recipient=TO, **{"for": ["Ann"]})
        link = made["links"][0]
        token = urlsplit(link["url"]).fragment
        door = gate.door(made["share"]["id"])
        assert (await gate.post("/join", {"token": token}, door)).public == "recipient_needed"
        asked = await gate.post("/join/code", {"token": token}, door)
        assert (asked.status, asked.json) == (200, {"to": "a…@berkeley.edu", "minutes": 10})
        browser = {**door, **browser_of(asked)}
        taken = await mail.next()
        assert taken.recipients == [TO]
        wrong = await gate.post("/join", {"token": token, "code": "2345 6789"}, browser)
        assert (wrong.status, wrong.public) == (403, "mail_code_invalid")
        ann = gate.inside(
            await gate.post("/join", {"token": token, "code": code_in(taken.text)}, browser), made["share"], link
        )
        assert (await ann.ask("GET", "files/sub/shared/notes.md")).status == 200
        (visit,) = (await gate.call("GET", "visits", share=made["share"]["id"]))["visits"]
        assert (visit["badge"], visit["email"]) == (f"✓ {TO}", TO)

        await gate.call("PATCH", f"links/{link['id']}", {"recipient": "bo@berkeley.edu"})
        for method in ("GET", "HEAD"):
            assert (await ann.ask(method, "files/sub/shared/notes.md")).status == 403
        assert await ann.upgrade("-/live") == 403
        assert await ann.upgrade("api/events/subscribe") == 403

        asked = await gate.post("/join/code", {"token": token}, {**door, "Cookie": browser["Cookie"]})
        assert asked.json["to"] == "b…@berkeley.edu"
        code = code_in((await mail.next()).text)
        again = gate.inside(await gate.post("/join", {"token": token, "code": code}, browser), made["share"], link)
        assert again.base == ann.base
        assert (await again.ask("GET", "files/sub/shared/notes.md")).status == 200

        actions = [event["action"] for event in await gate.events(share=made["share"]["id"])]
        assert actions.count("code.asked") == actions.count("code.proved") == 2
        erased = await gate.call("POST", "audit/erase", {"person": "bo@berkeley.edu"})
        assert erased["visits"] == 1
        assert "berkeley" not in str(await gate.events(share=made["share"]["id"]))


async def test_attack_a_mailbox_is_not_flooded_from_outside(
    tmp_path: Path, jupyter: JupyterServer, mail: MailServerHere
) -> None:
    """Whoever has the link asks again and again: three mails, then 429 with the seconds to wait."""
    async with gatehouse(tmp_path, jupyter, smtp_port=mail.port) as gate:
        made = await gate.share(recipient=TO, **{"for": ["Ann"]})
        door = gate.door(made["share"]["id"])
        token = urlsplit(made["links"][0]["url"]).fragment
        replies = await asyncio.gather(*(gate.post("/join/code", {"token": token}, door) for _ in range(12)))
        assert sorted(reply.status for reply in replies) == [200] * 3 + [429] * 9
        refused = next(reply for reply in replies if reply.status == 429)
        assert 500 < int(refused.header("Retry-After")) <= 601 and refused.public == "too_many"
        for _ in range(3):
            await mail.next()
    assert mail.taken == []


@pytest.mark.parametrize(
    "body",
    [
        {"token": "x", "email": "a@b.org", "more": 1},
        {"email": "a@b.org"},
        {"token": "x", "email": 1},
        {"token": "x" * 10_000},
        {},
    ],
)
async def test_attack_bodies_that_ask_for_a_code(tmp_path: Path, jupyter: JupyterServer, body: dict[str, Any]) -> None:
    """What is not what the address takes is one refusal, and another site's page asks for nothing."""
    async with gatehouse(tmp_path, jupyter) as gate:
        made = await gate.share(domain="berkeley.edu", anyone=True)
        door = gate.door(made["share"]["id"])
        assert (await gate.post("/join/code", body, door)).public in ("bad_request", "body_too_large")
        token = urlsplit(made["links"][0]["url"]).fragment
        foreign = {**door, "Origin": "https://evil.example"}
        asked = {"token": token, "email": TO}
        assert (await gate.post("/join/code", asked, foreign)).public == "cross_site"
        away = await gate.post("/join/code", asked, door)
        assert (away.status, away.public) == (503, "mail_unavailable")


async def test_who_proved_an_address_at_an_open_link_is_forgotten_by_their_name(
    tmp_path: Path, jupyter: JupyterServer, mail: MailServerHere
) -> None:
    """What was recorded under the address before they were in goes, too; others of the link stay."""
    async with gatehouse(tmp_path, jupyter, smtp_port=mail.port) as gate:
        made = await gate.share(domain="berkeley.edu", anyone=True)
        door = gate.door(made["share"]["id"])
        token = urlsplit(made["links"][0]["url"]).fragment
        for name, address in (("Bo", "bo@berkeley.edu"), ("Cy", "cy@berkeley.edu")):
            asked = await gate.post("/join/code", {"token": token, "email": address.upper()}, door)
            body = {"token": token, "name": name, "email": address, "code": code_in((await mail.next()).text)}
            assert (await gate.post("/join", body, {**door, **browser_of(asked)})).status == 200
        await gate.call("POST", "audit/erase", {"person": "Bo"})
        events = str(await gate.events(share=made["share"]["id"]))
        assert "bo@berkeley.edu" not in events and events.count("cy@berkeley.edu") >= 2
        assert "bo@berkeley.edu" not in str(await gate.call("GET", "visits"))


@pytest.mark.parametrize("verb", ["admit", "refuse"])
async def test_who_proved_an_address_and_knocked_is_shown_with_it_and_forgotten_with_it(
    tmp_path: Path, jupyter: JupyterServer, mail: MailServerHere, verb: str
) -> None:
    """The owner sees the address beside the name that was typed. By the name everything goes that was recorded under
    the address, also when the knock's record is gone."""
    async with gatehouse(tmp_path, jupyter, smtp_port=mail.port) as gate:
        made = await gate.share(domain="berkeley.edu", anyone=True, ask=True)
        door = gate.door(made["share"]["id"])
        token = urlsplit(made["links"][0]["url"]).fragment
        asked = await gate.post("/join/code", {"token": token, "email": TO}, door)
        body = {"token": token, "name": "Zwetlana", "email": TO, "code": code_in((await mail.next()).text)}
        waiting = await gate.post("/join/knock", body, {**door, **browser_of(asked)})
        (knock,) = (await gate.call("GET", "knocks"))["knocks"]
        assert (knock["id"], knock["name"], knock["email"], knock["lacks"]) == (
            *(waiting.json["knock"], "Zwetlana", TO),
            [],
        )
        await gate.call("POST", f"knocks/{knock['id']}/{verb}")
        visits = (await gate.call("GET", "visits"))["visits"]
        assert [visit["badge"] for visit in visits] == ([f"✓ {TO}"] if verb == "admit" else [])
        (proved,) = [event for event in await gate.events() if event["action"] == "code.proved"]
        assert (proved["detail"], proved["name"]) == (knock["id"], TO)
        await gate.running.gate._store.prune(time.time() + KNOCKS_KEPT + 60)
        await gate.call("POST", "audit/erase", {"person": "Zwetlana"})
        events = str(await gate.events())
        assert TO not in events and "Zwetlana" not in events
        assert TO not in str(await gate.call("GET", "visits"))
