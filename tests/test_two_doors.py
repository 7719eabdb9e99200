"""What is begun at one of two gates and goes on at the other: signing in, codes, knocks, and what owners are told."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sharegate.notify.notifier import Notifier
from tests.conftest import Clock
from tests.gatehouse import Gatehouse
from tests.notify.services import Chat, chat
from tests.oidc.party import CLIENT, SECRET, Party, party
from tests.pair import Pair, two_gates, until
from tests.real.jupyter import JupyterServer
from tests.real.redis import RedisServer, running_redis
from tests.visits.coowners.school import School
from tests.visits.signer import Person

pytestmark = [pytest.mark.real, pytest.mark.redis]
DAY = 86400.0


@pytest.fixture(scope="module")
def store() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
async def room() -> AsyncIterator[Chat]:
    async with chat() as made:
        yield made


@pytest.fixture
async def there(clock: Clock) -> AsyncIterator[Party]:
    clock.now = time.time()
    async with party() as made:
        made.now = clock
        yield made


@pytest.fixture
async def pair(
    store: RedisServer, jupyter: JupyterServer, tmp_path: Path, clock: Clock, there: Party, room: Chat
) -> AsyncIterator[Pair]:
    """Both have a provider of accounts, and tell their owner in one chat."""
    secret, urls = tmp_path / "secret", tmp_path / "notify"
    for file, text in ((secret, SECRET), (urls, room.url)):
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
    mine = {"oidc_issuer": there.url, "oidc_client_id": CLIENT, "oidc_client_secret_file": str(secret)}
    async with two_gates(store, jupyter, tmp_path, now=clock, notify_file=str(urls), **mine) as both:
        yield both


def token_of(made: dict[str, object]) -> str:
    return urlsplit(made["links"][0]["url"]).fragment  # type: ignore[index]


def notifier(gate: Gatehouse) -> Notifier:
    return gate.running.api._notifying._notifier


@contextlib.asynccontextmanager
async def browser(pair: Pair, there: Party) -> AsyncIterator[Person]:
    """At the address that both gates have; each request goes to the gate that it leads to just then."""
    person = Person(pair.a, there, f"http://127.0.0.1:{pair.front.port}")  # type: ignore[arg-type]
    person.http.connector._force_close = True  # type: ignore[union-attr]
    try:
        yield person
    finally:
        await person.http.close()


async def test_who_signs_in_leaves_from_one_gate_and_comes_back_to_the_other(pair: Pair, there: Party) -> None:
    """And opens at the first: what waits is in the browser, sealed with what both have."""
    for leaving, arriving in ((pair.a, pair.b), (pair.b, pair.a)):
        made = await pair.a.share(**{"for": ["Ann"]}, account="ann@uni.example")
        async with browser(pair, there) as ann:
            pair.to(leaving)
            back = there.sent_back(await ann.leave(token_of(made)))
            pair.to(arriving)
            assert await ann.come(back) == (200, f"{ann.url}/join#{token_of(made)}")
            pair.to(leaving)
            await ann.enter(token_of(made))
        (visit,) = (await arriving.call("GET", "visits", share=made["share"]["id"]))["visits"]
        assert visit["badge"] == "✓ ann@uni.example"


async def test_attack_an_answer_of_the_provider_is_used_at_both(pair: Pair, there: Party) -> None:
    """The provider takes its code once: whoever got hold of the address has nothing at the other gate either."""
    made = await pair.a.share(**{"for": ["Ann"]}, account="*")
    async with browser(pair, there) as ann, browser(pair, there) as eve:
        back = there.sent_back(await ann.leave(token_of(made)))
        for gate in (pair.b, pair.a):
            pair.to(gate)
            assert (await eve.come(back))[0] == 403  # it was not asked in that browser
        kept = {cookie.key: cookie.value for cookie in ann.http.cookie_jar}
        assert (await ann.come(back))[0] == 200
        eve.http.cookie_jar.update_cookies(kept)
        pair.to(pair.b)
        await eve.come(back)
        assert await eve.code(token_of(made)) == "account_needed"


async def test_a_short_code_made_at_one_is_typed_at_the_other(pair: Pair) -> None:
    """It leads to the door, where a passphrase is asked at either; ended at one it is nothing at both."""
    made = await pair.a.share(passphrase="green bicycle 7", anyone=True, visits=9)
    link = made["links"][0]["id"]
    code = (await pair.a.call("POST", f"links/{link}/code", {}))["code"]
    for number, gate in enumerate((pair.b, pair.a)):
        reply = await gate.post("/code", {"code": code})
        assert reply.status == 200, reply.body
        token = urlsplit(reply.json["location"]).fragment
        other = pair.a if gate is pair.b else pair.b
        body = {"token": token, "name": f"Bo {number}"}
        assert (await other.post("/join", body | {"passphrase": "wrong"})).public == "passphrase_wrong"
        assert (await other.post("/join", body | {"passphrase": "green bicycle 7"})).status == 200
    await pair.b.call("DELETE", f"links/{link}/code")
    for gate in (pair.a, pair.b):
        assert (await gate.post("/code", {"code": code})).public == "short_code_invalid"


async def test_who_knocks_at_one_is_admitted_at_the_other(pair: Pair, clock: Clock) -> None:
    """By the owner; and comes in at either door."""
    made = await pair.a.share(**{"for": ["Ann"]})
    ann = await pair.b.visit(made)
    at_a, at_b = School(pair.a, clock), School(pair.b, clock)
    for knocking, admitting in ((at_a, at_b), (at_b, at_a)):
        knock = await knocking.knock(ann.link, "Eve", f"browser-{knocking is at_a}")
        await admitting.gate.call("POST", f"knocks/{knock}/admit", {})
        eve = await knocking.admitted(knock, ann.link, f"browser-{knocking is at_a}")
        assert (await eve.ask("GET", "files/sub/shared/notes.md")).status == 200
    assert len(await pair.a.events(action="knock.admitted")) == 2


async def test_what_happens_at_one_is_told_once(pair: Pair, room: Chat) -> None:
    """By the gate where it happened. The other one has nothing to tell of it."""
    made = await pair.a.share(**{"for": ["Ann"]})
    ann = await pair.a.visit(made)
    await School(pair.b, Clock()).knock(ann.link, "Eve")

    async def told() -> bool:
        return any("knocks" in one["message"] for one in room.got)

    await until(told)
    for gate in (pair.a, pair.b):
        await notifier(gate).stop(20)
    assert sum("knocks" in one["message"] for one in room.got) == 1


async def test_an_end_that_is_near_is_told_once(pair: Pair, room: Chat, clock: Clock) -> None:
    """Both gates look for it, at once and again; when it is moved the new one is told, once."""
    made = await pair.a.share(**{"for": ["Ann"]}, expires=clock.now + 3 * DAY)
    clock.forward(2.5 * DAY)
    gates = [notifier(gate) for gate in (pair.a, pair.b)]
    for day, count in ((0, 1), (3, 2)):
        if day:
            await pair.b.call("PATCH", f"shares/{made['share']['id']}", {"expires": clock.now + day * DAY})
            clock.forward((day - 0.5) * DAY)
        await asyncio.gather(*(one._look() for one in gates * 3))
        for one in gates:
            await one.stop(20)
        assert sum("ends" in one["message"] for one in room.got) == count, room.got
