"""A clock that jumps while somebody stands at the door: a code on its way, a link that is not open yet, a token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from sharegate import app, config
from tests.conftest import Clock
from tests.gatehouse import Gatehouse
from tests.real.mail import MailServerHere, running_mail
from tests.test_restart import folder_server
from tests.visits.test_mailed import code_in

DAY, YEAR = 86400.0, 365 * 86400.0


@pytest.fixture
def mail() -> Iterator[MailServerHere]:
    with running_mail() as running:
        yield running


@pytest.fixture
def day() -> Clock:
    """The computer's time of day, which somebody sets."""
    return Clock(time.time())


@pytest.fixture
async def house(tmp_path: Path, day: Clock, mail: MailServerHere) -> AsyncIterator[Gatehouse]:
    values: dict[str, Any] = {"data_dir": str(tmp_path / "data"), "gate_port": 0, "dashboard_port": 0, "owner": "Olga"}
    values |= {"smtp_host": "127.0.0.1", "smtp_port": mail.port, "smtp_security": "none", "mail_from": "s@example.org"}
    listening = await asyncio.start_server(folder_server, "127.0.0.1", 0)
    async with app.running(config.load(None, {}, values), now=day) as running:
        house = Gatehouse(running, None, tmp_path)  # type: ignore[arg-type]
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        await house.call("POST", "servers", {"url": url, "token": "t"})
        yield house
    listening.close()


class Door:
    """Somebody at the door of a link for one address."""

    def __init__(self, house: Gatehouse, made: dict[str, Any]) -> None:
        self.house = house
        self.token = urlsplit(made["links"][0]["url"]).fragment
        self.cookies: dict[str, str] = {}

    async def asks(self, mail: MailServerHere) -> str:
        reply = await self.house.post("/join/code", {"token": self.token}, self.cookies)
        assert reply.status == 200, reply.body
        self.cookies["Cookie"] = reply.header("Set-Cookie").partition(";")[0]
        return code_in((await mail.next()).text)

    async def opens(self, **shown: str) -> str:
        reply = await self.house.post("/join", {"token": self.token, **shown}, self.cookies)
        return reply.public or str(reply.status)


@pytest.mark.parametrize("jump", [-DAY, -YEAR])
async def test_the_clock_is_set_back_while_a_code_is_on_its_way(
    house: Gatehouse, day: Clock, mail: MailServerHere, jump: float
) -> None:
    """It opens, as if nothing had been; one that was over before is not good again."""
    made = await house.call("POST", "shares", {"path": "a", "for": ["Ann"], "recipient": "ann@example.org"})
    ann = Door(house, made)
    old = await ann.asks(mail)
    day.forward(700)
    assert await ann.opens(code=old) == "mail_code_invalid"
    code = await ann.asks(mail)
    day.forward(jump)
    assert await ann.opens(code=old) == "mail_code_invalid"
    assert await ann.opens(code=code) == "200"
    assert (await house.call("GET", "audit/verify"))["intact"]


async def test_attack_the_clock_leaps_a_year_and_back_while_a_code_is_on_its_way(
    house: Gatehouse, day: Clock, mail: MailServerHere
) -> None:
    """Nothing that was over in between is good again: neither the code nor the link."""
    made = await house.call("POST", "shares", {"path": "a", "for": ["Ann"], "recipient": "ann@example.org"})
    ann = Door(house, made)
    code = await ann.asks(mail)
    day.forward(YEAR)
    assert await ann.opens(code=code) == "share_expired"
    day.forward(-YEAR)
    assert await ann.opens(code=code) == "share_expired"
    assert (await house.call("GET", "audit/verify"))["intact"]


async def test_attack_the_clock_is_set_back_at_a_link_that_is_not_open_yet(house: Gatehouse, day: Clock) -> None:
    """It stays shut until its moment has come by a clock that counts on from where it was."""
    opens = day.now + 3600
    made = await house.call("POST", "shares", {"path": "a", "for": ["Ann"], "not_before": opens})
    ann = Door(house, made)
    assert await ann.opens() == "not_yet"
    day.forward(-DAY)
    assert await ann.opens() == "not_yet"
    day.forward(DAY + 3599)
    assert await ann.opens() == "not_yet"
    day.forward(1)
    assert await ann.opens() == "200"


async def test_attack_a_token_that_expired_while_the_clock_was_ahead(house: Gatehouse, day: Clock) -> None:
    """It does not count again when the clock is set back."""
    body = {"name": "CI", "capabilities": ["shares:read"], "expires": day.now + 3600}
    secret = (await house.call("POST", "tokens", body))["secret"]
    told = []
    async with aiohttp.ClientSession(house.running.dashboard_url) as http:
        for jump in (0.0, 7200.0, -7200.0, -DAY):
            day.forward(jump)
            async with http.get("/api/v1/shares", headers={"Authorization": f"Bearer {secret}"}) as answer:
                told.append(answer.status)
    assert told == [200, 401, 401, 401]
