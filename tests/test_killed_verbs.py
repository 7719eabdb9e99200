"""What owners and admins do, killed at every step: what is acknowledged stands, and what is done again is done once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sharegate import app, upkeep
from sharegate.audit.events import Action, AuditEvent
from sharegate.config import Config
from sharegate.dashboard.once import AT_WORK_SECONDS
from tests.conftest import Clock
from tests.killing import OWN, Killing, asked
from tests.real.mail import running_mail
from tests.stores.records import START, a_link, a_share, a_visit

pytestmark = pytest.mark.timeout(300)
FAR = START + 10 * 365 * 86400


@pytest.fixture
def killing(tmp_path: Path) -> Killing:
    return Killing(tmp_path / "tries" / "base", OWN)


def standing(id: str) -> Any:
    return a_share(id, expires=FAR)


@contextlib.asynccontextmanager
async def again(config: Config) -> AsyncIterator[Any]:
    """The next command; behind it the records are sound, and so is their history."""
    async with app.offline(config) as api:
        yield api
        assert (await asked(api, "GET", "audit/verify"))["intact"]
    report = upkeep.check(config)
    assert report["sound"], report["faults"]


async def events(api: Any, action: str) -> list[dict[str, Any]]:
    return list((await asked(api, "GET", "audit", action=action, limit="1000"))["events"])


async def test_killed_at_any_step_of_the_first_start(killing: Killing) -> None:
    """The next start makes what is missing: nobody has a link yet that could be lost."""
    tries = await killing.steps("""
        def what(config):
            global armed
            armed = 1
            async def verb(api):
                pass
            asyncio.run(offline(config, verb))
    """)
    assert len(tries) > 5
    for config in tries:
        async with again(config):
            pass


async def test_killed_at_any_step_of_a_roster_and_its_mail(killing: Killing) -> None:
    """Everybody has one link, whichever step it was, and nobody a mail twice; who may have none is told as that."""
    count = 12
    roster = "name,email\n" + "".join(f"P{number},p{number}@example.org\n" for number in range(count))
    body = {"roster": roster, "prove": False}
    with running_mail() as mail:
        more = {"smtp_host": "127.0.0.1", "smtp_port": mail.port, "smtp_security": "none", "mail_from": "s@example.org"}
        killing = Killing(killing.base, OWN | more)
        async with app.offline(killing.at("base")) as api:
            await api._store.add_share(standing("s1"), [])
        tries = await killing.steps(f"""
            async def verb(api):
                made = (await asked(api, "POST", "shares/s1/roster", {body!r}))["made"]
                for link in made[:3]:
                    await asked(api, "POST", "links/" + link["id"] + "/send")

            def what(config):
                asyncio.run(offline(config, verb))
        """)
        mail.taken.clear()
        for config in tries:
            before = len(mail.taken)
            async with again(config) as api:
                given = await asked(api, "POST", "shares/s1/roster", body)
                links = (await asked(api, "GET", "shares/s1"))["share"]["links"]
                assert sorted(link["email"] for link in links) == sorted(f"p{n}@example.org" for n in range(count))
                for link in links:
                    known = link["sent"] is not None
                    said = await asked(api, "POST", f"links/{link['id']}/send")
                    assert said["outcome"] in (("already", "unsure") if known else ("sent",))
                assert {len(given["made"]), len(given["known"])} == {0, count}
            got = [one.recipients[0] for one in mail.taken[before:]]
            assert len(set(got)) == len(got)


async def test_killed_at_any_step_of_a_bulk_pause(killing: Killing) -> None:
    """A share that is recorded as paused is, and the same again pauses what is left, each once."""
    ids = ["s1", "s2", "s3"]
    async with app.offline(killing.at("base")) as api:
        for id in ids:
            await api._store.add_share(standing(id), [])
    tries = await killing.steps(f"""
        async def verb(api):
            await asked(api, "POST", "review/pause", {{"shares": {ids!r}}})

        def what(config):
            asyncio.run(offline(config, verb))
    """)
    assert len(tries) > 2 * len(ids)
    for config in tries:
        async with again(config) as api:
            told = [event["share"] for event in await events(api, "share.paused")]
            states = {id: (await asked(api, "GET", f"shares/{id}"))["share"]["state"] for id in ids}
            assert all(states[id] == "paused" for id in told) and len(set(told)) == len(told)
            done = await asked(api, "POST", "review/pause", {"shares": ids})
            assert {one["id"]: one["result"] for one in done["results"]} == {
                id: "paused already" if states[id] == "paused" else "paused" for id in ids
            }
            told = [event["share"] for event in await events(api, "share.paused")]
            assert len(set(told)) == len(told)


async def test_killed_at_any_step_of_an_erasure(killing: Killing) -> None:
    """The person is in, or out and being forgotten; the same again forgets all of them, and nobody else."""
    async with app.offline(killing.at("base")) as api:
        await api._store.add_share(standing("s1"), [a_link(name="Ann Lee", expires=FAR), a_link("l2", expires=FAR)])
        for id, link, name in (("v1", "l1", "Ann Lee"), ("v2", "l2", "Bo")):
            visit = a_visit(id, link=link, name=name, address="192.0.2.0/24", agent="Firefox", expires=FAR)
            await api._store.open_visit(visit, seats=1)
            joined = AuditEvent(action=Action.LINK_JOINED, actor="visitor", share="s1", link=link, visit=id, name=name)
            await api._trail.record(joined)
    tries = await killing.steps("""
        async def verb(api):
            await asked(api, "POST", "audit/erase", {"person": "Ann Lee"})

        def what(config):
            asyncio.run(offline(config, verb))
    """)
    assert len(tries) > 5
    for config in tries:
        async with again(config) as api:
            await api.call("POST", "/api/v1/audit/erase", {}, {"person": "Ann Lee"})  # 404 where all was done
            everything = [await asked(api, "GET", what) for what in ("shares", "visits", "audit")]
            assert "Ann Lee" not in str(everything) and "Bo" in str(everything)
            visits = {one["id"]: one for one in everything[1]["visits"]}
            assert (visits["v1"]["state"], visits["v2"]["state"]) == ("ended", "open")
        data = config.database.read_bytes() + config.database.with_name("sharegate.db-wal").read_bytes()
        assert b"Ann Lee" not in data and b"Bo" in data


async def test_killed_at_any_step_of_refusing_a_key(killing: Killing) -> None:
    """What was signed with it counts for nothing from the moment that the key is refused, and the same again ends
    everybody who came by it and gives everybody a new address."""
    async with app.offline(killing.at("base")) as api:
        await api._store.add_share(standing("s1"), [a_link(name="Ann", expires=FAR), a_link("l2", expires=FAR)])
        await api._store.open_visit(a_visit(created=api._now(), expires=FAR), seats=1)
        url = (await asked(api, "GET", "links/l1/url"))["url"]
        (key,) = [one["kid"] for one in (await asked(api, "GET", "keys"))["keys"]]
    tries = await killing.steps("""
        async def verb(api):
            await asked(api, "POST", "keys/rotate", {"compromised": True, "since": 1.0, "replace": True})

        def what(config):
            asyncio.run(offline(config, verb))
    """)
    assert len(tries) > 5
    for config in tries:
        async with again(config) as api:
            keys = {one["kid"]: one["state"] for one in (await asked(api, "GET", "keys"))["keys"]}
            assert sorted(keys.values()) in (["active"], ["active", "refused"])
            await asked(api, "POST", "keys/rotate", {"compromised": True, "since": 1.0, "replace": True})
            after = {one["kid"]: one["state"] for one in (await asked(api, "GET", "keys"))["keys"]}
            assert after[key] == "refused" and sorted(after.values()).count("active") == 1
            assert (await asked(api, "GET", "visits"))["visits"][0]["state"] == "ended"
            assert (await asked(api, "GET", "links/l1/url"))["url"] != url


async def test_killed_at_any_step_of_a_backup(killing: Killing, tmp_path: Path) -> None:
    """The copy is there, whole and sound, or it is not there; what was begun is not in the way of the next."""
    async with app.offline(killing.at("base")) as api:
        await api._store.add_share(standing("s1"), [a_link()])
    tries = await killing.steps("""
        def what(config):
            global armed
            armed = 1
            upkeep.backup(config, config.data_dir / "copy", with_keys=True)
    """)
    assert len(tries) > 5
    for config in tries:
        copy = config.data_dir / "copy"
        if not copy.exists():
            upkeep.backup(config, copy, with_keys=True)
        upkeep.restore(config, copy, with_keys=True)
        async with again(config) as api:
            assert (await asked(api, "GET", "shares/s1"))["share"]["id"] == "s1"


async def test_killed_at_any_step_of_what_is_asked_with_a_key(killing: Killing) -> None:
    """Asked again with it at the next start, the link is made if it was not begun; else its answer is given again, or
    they are told to wait, and after a while to look. There are never two."""
    async with app.offline(killing.at("base")) as api:
        await api._store.add_share(standing("s1"), [])
    tries = await killing.steps("""
        async def verb(api):
            ask = lambda: api.call("POST", "/api/v1/shares/s1/links", {}, {"name": "Ann"})
            status, answer = await api.once.answer("token:t", ["k"], b"r", ask, lambda said: 100)
            assert status == 200, answer

        def what(config):
            asyncio.run(offline(config, verb))
    """)
    assert len(tries) > 5
    told = set()
    for config in tries:
        clock = Clock(time.time())
        async with app.offline(config, now=clock) as api:

            async def asked_again(api: Any = api) -> tuple[int, dict[str, Any]]:
                async def make() -> tuple[int, dict[str, Any]]:
                    answer: tuple[int, dict[str, Any]] = await api.call(
                        "POST", "/api/v1/shares/s1/links", {}, {"name": "Ann"}
                    )
                    return answer

                return await api.once.answer("token:t", ["k"], b"r", make, lambda said: 100)

            links = {link.id for link in await api._store.links("s1")}
            status, said = await asked_again()
            if status == 409:
                assert said["error"]["code"] == "in_progress"
                clock.forward(AT_WORK_SECONDS + 60)
                status, said = await asked_again()
                assert (status, said["error"]["code"]) == (409, "asked_before")
                told.add("look")
            else:
                assert status == 200 and links <= {said["link"]["id"]}
                assert (await asked_again()) == (200, said)
                told.add("again" if links else "made")
            assert len(await api._store.links("s1")) <= 1
            assert (await asked(api, "GET", "audit/verify"))["intact"]
    assert told == {"made", "look", "again"}
