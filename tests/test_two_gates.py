"""Two gates on one Redis, behind one address, before one real Jupyter server."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from msgspec.structs import replace as replaced

from sharegate import app, config
from sharegate.audit.events import Action, AuditEvent
from sharegate.dashboard.rules import Reading
from sharegate.errors import Invalid, Refused
from sharegate.mail.smtp import Smtp
from sharegate.policy.load import load_policies
from sharegate.shares.keys import store_key
from sharegate.shares.model import ALPHABET
from sharegate.upstream.roots import Roots
from sharegate.visits import passphrase, short_codes
from tests.attacks.pages import make, owning, visiting
from tests.conftest import Clock
from tests.dashboard.pages.reading import reading
from tests.dashboard.test_rules import write
from tests.gatehouse import Gatehouse
from tests.pair import Pair, settings, two_gates, until
from tests.real.jupyter import JupyterServer, plant, running_jupyter
from tests.real.mail import running_mail
from tests.real.redis import RedisServer, running_redis
from tests.visits.test_mailed import code_in

pytestmark = [pytest.mark.real, pytest.mark.redis]


@pytest.fixture(scope="module")
def store() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server of these tests' own: they change its files."""
    home = tmp_path_factory.mktemp("two-gates")
    (home / "root").mkdir()
    plant(home / "root")
    with running_jupyter(home) as running:
        yield running


@pytest.fixture
async def pair(store: RedisServer, server: JupyterServer, tmp_path: Path) -> AsyncIterator[Pair]:
    async with two_gates(store, server, tmp_path) as both:
        yield both


async def closing(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """The code with which it is closed, after whatever it had to say."""
    async with asyncio.timeout(25):
        while (await socket.receive()).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
            pass
    return socket.close_code


async def test_a_visit_made_at_one_works_at_the_other(pair: Pair) -> None:
    """Share, link and visit are made at three different gates' doors, and pages, files and rooms open at each."""
    made = await pair.a.share(**{"for": ["Ann"]})
    pair.to(pair.b)
    ann = await pair.enters(made)
    assert ann is not None
    for gate in (pair.a, pair.b):
        pair.to(gate)
        before = pair.front.connections
        status, body = await ann.get("files/sub/shared/notes.md")
        assert (status, body, pair.front.connections) == (200, b"shared notes\n", before + 1)
        room = await ann.room(await ann.session("sub/shared/nb.ipynb"))
        await room.close()
        visits = (await gate.call("GET", "visits", share=made["share"]["id"]))["visits"]
        assert len(visits) == 1


@pytest.mark.parametrize("what", ["share", "link", "visit"])
async def test_a_revocation_at_one_closes_what_is_open_at_the_other(pair: Pair, what: str) -> None:
    """The document and the page's own line; the next request at either gate is refused."""
    made = await pair.a.share(**{"for": ["Ann"]})
    pair.to(pair.b)
    ann = await pair.enters(made)
    assert ann is not None
    room, live = await ann.room(await ann.session("sub/shared/nb.ipynb")), await ann.live()
    visit = (await pair.a.call("GET", "visits", share=made["share"]["id"]))["visits"][0]["id"]
    path = {
        "share": f"shares/{made['share']['id']}/revoke",
        "link": f"links/{made['links'][0]['id']}/revoke",
        "visit": f"visits/{visit}/end",
    }[what]
    await pair.a.call("POST", path)
    assert await closing(room) == 1003
    assert await closing(live) in (4403, 4410)
    for gate in (pair.a, pair.b):
        pair.to(gate)
        assert (await ann.get("files/sub/shared/notes.md"))[0] in (401, 403, 410)


async def test_ten_visits_raced_over_both_are_ten(pair: Pair) -> None:
    """Thirty browsers at once, half at each door, with one link for ten."""
    made = await pair.a.share(anyone=True, visits=10)
    token = urlsplit(made["links"][0]["url"]).fragment
    replies = await asyncio.gather(
        *((pair.a, pair.b)[i % 2].post("/join", {"token": token, "name": f"V{i}"}) for i in range(30))
    )
    assert sorted(reply.status for reply in replies)[:10] == [200] * 10
    assert sum(reply.status == 200 for reply in replies) == 10
    for gate in (pair.a, pair.b):
        visits = (await gate.call("GET", "visits", share=made["share"]["id"]))["visits"]
        assert len(visits) == 10


async def test_attack_the_tries_of_a_mailed_code_are_counted_over_both(pair: Pair) -> None:
    """Asked for at one gate, guessed at from both at once: five tries in all, and the right code comes too late. The
    next one, from the other gate, works at the first."""
    with running_mail() as mail:
        for gate in (pair.a, pair.b):
            mailed = gate.running.gate._doorstep._door._mailed  # type: ignore[attr-defined]
            server = replace(gate.running.config, smtp_port=mail.port).mail
            mailed._mailer = Smtp(server, time.time)
        made = await pair.a.share(recipient="ann@berkeley.edu", **{"for": ["Ann"]})
        token = urlsplit(made["links"][0]["url"]).fragment
        cookies: dict[str, str] = {}

        async def asked(gate: Gatehouse) -> str:
            reply = await gate.post("/join/code", {"token": token}, cookies)
            assert reply.status == 200, reply.body
            cookies["Cookie"] = reply.header("Set-Cookie").partition(";")[0]
            return code_in((await mail.next()).text)

        async def tried(gate: Gatehouse, code: str) -> str:
            reply = await gate.post("/join", {"token": token, "code": code}, cookies)
            return reply.public or str(reply.status)

        code = await asked(pair.a)
        letters = [letter for letter in ALPHABET if letter not in code.lower()]
        guesses = [letter * 8 for letter in letters[:10]]
        results = await asyncio.gather(*((tried((pair.a, pair.b)[at % 2], guess) for at, guess in enumerate(guesses))))
        assert set(results) == {"mail_code_invalid"}
        assert await tried(pair.a, code) == "mail_code_invalid"
        fresh = await asked(pair.b)
        results = await asyncio.gather(*(tried(gate, fresh) for gate in (pair.a, pair.b)))
        assert sorted(results) in (["200", "mail_code_invalid"], ["200", "200"])  # who is in already comes back


async def test_a_gate_that_lost_the_push_channel_refuses(pair: Pair) -> None:
    """Past three seconds without a word of the store nothing is answered and what is open is cut; meanwhile the other
    gate works. When the line is back, so is the gate, and it knows what was revoked meanwhile."""
    made = await pair.a.share(**{"for": ["Ann", "Bo"]})
    pair.to(pair.b)
    ann, bo = await pair.enters(made, 0), await pair.enters(made, 1)
    assert ann is not None and bo is not None
    room = await ann.room(await ann.session("sub/shared/nb.ipynb"))
    following = pair.b.running.gate._store._following  # type: ignore[attr-defined]
    now, later = following._now, 0.0
    following._now = lambda: now() + later
    pair.line.cut()
    async with asyncio.timeout(25):
        while following._heard:
            await asyncio.sleep(0.02)
    assert (await ann.get("files/sub/shared/notes.md"))[0] in (200, 503)  # what is recorded of it may fail already
    later = 3.1
    status, body = await ann.get("files/sub/shared/notes.md")
    assert status == 503 and b"cannot keep its records" in body
    await closing(room)
    await pair.a.call("POST", f"links/{made['links'][0]['id']}/revoke")
    pair.to(pair.a)
    assert (await bo.get("files/sub/shared/notes.md"))[0] == 200
    pair.to(pair.b)
    assert (await ann.get("files/sub/shared/notes.md"))[0] == 503
    pair.line.mend()

    async def back() -> bool:
        return (await bo.get("files/sub/shared/notes.md"))[0] == 200

    await until(back)
    assert (await ann.get("files/sub/shared/notes.md"))[0] in (401, 403, 410)


@pytest.mark.parametrize("at", ["a", "b"])
async def test_editors_at_two_gates_and_the_owner_write_one_text(pair: Pair, server: JupyterServer, at: str) -> None:
    """Everybody reads what everybody wrote, nothing is lost, and nobody is taken for somebody who breaks in. What Ann
    wrote is taken back, where she wrote it or at the other gate, and all else stays."""
    path = make(server, f"two-{at}.md")
    made = await pair.a.share(role="edit", **{"for": ["Ann", "Bo"]})
    inside = [
        await gate.visit(made, number, name) for number, (gate, name) in enumerate([(pair.a, "Ann"), (pair.b, "Bo")])
    ]
    async with owning(server) as owner, visiting(inside[0]) as ann, visiting(inside[1]) as bo:
        mine = await owner.open(path)
        pair.to(pair.a)
        hers = await ann.open(path)
        pair.to(pair.b)
        his = await bo.open(path)
        pages = (mine, hers, his)
        for turn in range(10):
            for name, page in (("owner", mine), ("ann", hers), ("bo", his)):
                page.type(f"{name} {turn}\n")
        await hers.until(lambda: len({str(page.source) for page in pages}) == 1 and str(mine.source).count("\n") == 31)
        assert all(page.closed is None for page in pages)
        visits = (await pair.b.call("GET", "visits", share=made["share"]["id"]))["visits"]
        (hers_id,) = [visit["id"] for visit in visits if visit["name"] == "Ann"]
        gate = {"a": pair.a, "b": pair.b}[at]
        await pair.a.running.api.versions.live.flush()  # it does so every few seconds by itself
        await gate.call("POST", f"visits/{hers_id}/undo", {"preview": False})
        await hers.until(lambda: "ann" not in str(mine.source) and len({str(page.source) for page in pages}) == 1)
        assert str(mine.source).count("owner") == str(mine.source).count("bo") == 10
    denied = [event for event in await pair.a.events(outcome="denied", share=made["share"]["id"])]
    assert denied == []


async def test_rules_that_were_reloaded_at_one_hold_at_the_other(pair: Pair, tmp_path: Path) -> None:
    """The other gate neither gives out nor gives back what was just forbidden, says so with the remedy, and goes on
    when it has the rules too. It can take away meanwhile."""
    open_link = await pair.a.share(anyone=True, visits=5)
    link = open_link["links"][0]["id"]
    for gate in (pair.a, pair.b):
        gate.running.api.rules._read = lambda: Reading(load_policies(extra=tmp_path / "policies").sharing)
    write(tmp_path / "policies", anyone="false")
    await pair.a.call("POST", "rules/reload", {})
    await until(lambda: pair.b.running.api.rules._agreement.difference())

    async def asked(path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        status, answer = await pair.b.running.api.call("POST", "/api/v1/" + path, {}, body)
        return status, answer.get("error", {}).get("code", "")

    anyone = {"path": str(pair.b.jupyter.root / "sub/shared"), "anyone": True}
    assert await asked("shares", anyone) == (403, "rules_differ")
    assert await asked(f"links/{link}/resume") == (403, "rules_differ")
    doctor = (await pair.b.call("GET", "doctor"))["findings"]
    assert [one["level"] for one in doctor if "other rules" in one["what"].lower()] == ["fail"]

    assert (await pair.b.call("POST", "rules/reload", {"dry_run": True}))["differed"]
    await pair.b.call("POST", "rules/reload", {})
    assert await asked("shares", anyone) == (403, "anyone_off")
    assert await asked(f"links/{link}/resume") == (403, "rules")
    await pair.b.share(**{"for": ["Ann"]})


async def test_one_history_of_two_chains(pair: Pair) -> None:
    """Each gate writes its own, each shows both, and both verify."""
    made = await pair.a.share(**{"for": ["Ann"]})
    pair.to(pair.b)
    assert await pair.enters(made)
    for gate in (pair.a, pair.b):
        actions = {event["action"] for event in await gate.events(share=made["share"]["id"])}
        assert {"share.created", "link.joined"} <= actions
        verdict = await gate.call("GET", "audit/verify")
        assert verdict["intact"] and set(verdict["heads"]) == {"a", "b"}


async def test_attack_an_erasure_at_one_reaches_what_the_other_writes(pair: Pair) -> None:
    """Who is forgotten at A has a document open at B, and B writes of it when it closes: without a name."""
    made = await pair.a.share(**{"for": ["Zoe Quill"]})
    pair.to(pair.b)
    zoe = await pair.enters(made)
    assert zoe is not None
    room = await zoe.room(await zoe.session("sub/shared/nb.ipynb"))
    visit = (await pair.a.call("GET", "visits", share=made["share"]["id"]))["visits"][0]["id"]
    erasing = asyncio.create_task(pair.a.call("POST", "audit/erase", {"person": "Zoe Quill"}))
    assert await closing(room) == 1003
    await erasing

    async def closed() -> bool:
        events = await pair.b.events(share=made["share"]["id"], limit="1000")
        return any(event["action"] == "channel.closed" for event in events)

    await until(closed)
    late = AuditEvent(
        action=Action.CHANNEL_SUMMARY, actor="visitor", visit=visit, name="Zoe Quill", address="192.0.2.7"
    )
    await pair.b.running.gate._trail.record(late)
    events = await pair.b.events(limit="1000")
    assert [event["name"] for event in events if event["visit"] == visit and event.get("name")] == []
    assert "Zoe Quill" not in str(events)


async def test_attack_an_erasure_waits_for_a_gate_that_is_behind(pair: Pair) -> None:
    """B has not heard yet that somebody was forgotten and writes on about them: the erasure is not over before."""
    made = await pair.a.share(**{"for": ["Zoe Quill"]})
    pair.to(pair.b)
    assert await pair.enters(made)
    visit = (await pair.a.call("GET", "visits", share=made["share"]["id"]))["visits"][0]["id"]
    unaware = pair.b.running.gate._trail._trail
    unaware._look = None
    erasing = asyncio.create_task(pair.a.call("POST", "audit/erase", {"person": "Zoe Quill"}))
    late = AuditEvent(
        action=Action.CHANNEL_SUMMARY, actor="visitor", visit=visit, name="Zoe Quill", address="192.0.2.7"
    )
    for _ in range(10):
        await unaware.record(late)
        await asyncio.sleep(0.05)  # well within the seconds that a gate may be behind
    assert not erasing.done()
    assert (await erasing)["entries"] >= 10
    assert "Zoe Quill" not in str(await pair.b.events(limit="1000"))


async def test_an_owner_without_a_gate_of_their_own(pair: Pair, store: RedisServer, tmp_path: Path) -> None:
    """A command on another computer works on the same records while gates run, and closes what is open at them; under
    the name of a gate that runs it does not."""
    made = await pair.a.share(**{"for": ["Ann"]})
    ann = await pair.enters(made)
    assert ann is not None
    live = await ann.live()
    values = settings(tmp_path, store.url, 1) | {"data_dir": str(tmp_path / "c")}
    async with app.offline(config.load(None, {}, values)) as api:
        status, _ = await api.call("POST", f"/api/v1/shares/{made['share']['id']}/revoke", {}, None)
        assert status == 200
    assert await closing(live) == 4403
    with pytest.raises(Refused, match="a gate named a is running already"):
        async with app.offline(config.load(None, {}, values | {"gate_name": "a"})):
            pass


async def test_a_gate_with_keys_of_its_own_is_refused(pair: Pair, store: RedisServer, tmp_path: Path) -> None:
    """It could open no credential, and its links would be refused at the others."""
    values = settings(tmp_path / "own", store.url, 1) | {"data_dir": str(tmp_path / "d")}
    store_key(config.load(None, {}, values).keys_dir)
    with pytest.raises((Invalid, Refused), match="the same keys_dir"):
        async with app.offline(config.load(None, {}, values)):
            pass


async def test_what_is_asked_with_one_key_at_both_gates_is_made_once(pair: Pair) -> None:
    """At the same time: one makes it, and the other says to ask again, or has the answer already. Later both give the
    first answer, links and all."""
    may = {"capabilities": ["shares:read", "shares:write"], "expires": time.time() + 3600}
    made = await pair.a.call("POST", "tokens", {"name": "ci", **may})
    head = {"Authorization": f"Bearer {made['secret']}", "Idempotency-Key": "one-of-theirs"}
    body = {"path": str(pair.a.jupyter.root / "sub/shared"), "for": ["Ann", "Bo"]}
    async with aiohttp.ClientSession() as session:

        async def asked(gate: Gatehouse, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            at = f"{gate.running.dashboard_url}/api/v1/shares"
            async with session.post(at, json=body, headers=head) as answer:
                return answer.status, await answer.json()

        first = await asyncio.gather(*(asked(gate, body) for gate in (pair.a, pair.b) * 3))
        assert {status for status, _ in first} <= {200, 409}
        assert {said["code"] for status, said in first if status == 409} <= {"in_progress"}
        (link,) = {said["links"][0]["url"] for status, said in first if status == 200}
        for gate in (pair.a, pair.b):
            status, said = await asked(gate, body)
            assert (status, said["links"][0]["url"], len(said["links"])) == (200, link, 2)
            status, said = await asked(gate, body | {"name": "other"})
            assert (status, said["code"]) == (422, "key_reused")
    assert len((await pair.b.call("GET", "shares"))["shares"]) == 1


async def test_attack_guessing_at_two_gates_is_no_faster(
    store: RedisServer, server: JupyterServer, tmp_path: Path
) -> None:
    """Of passphrases and of short codes so many are compared as at one gate, wherever they are sent."""
    clock = Clock(time.time())
    async with two_gates(store, server, tmp_path, now=clock) as pair:
        made = await pair.a.share(passphrase="green bicycle 7", **{"for": ["Ann"]})
        token = urlsplit(made["links"][0]["url"]).fragment
        for path, body, wrong, most in (
            ("/join", {"token": token, "passphrase": "blue bicycle 7"}, "passphrase_wrong", passphrase.PER_MINUTE),
            ("/code", {"code": "2" * 8}, "short_code_invalid", short_codes.PER_MINUTE),
        ):
            count = int(most.burst)
            replies = [(pair.a, pair.b)[n % 2].post(path, body) for n in range(count + 10)]
            codes = [reply.public for reply in await asyncio.gather(*replies)]
            assert codes.count(wrong) == count and codes.count("too_many") == 10, codes


async def test_attack_a_server_of_another_computer_is_not_taken_for_ones_own(pair: Pair, tmp_path: Path) -> None:
    """Containers of one image have the same folder, user, process and port. What is shared of one's server never shows
    the other's, and a place on the disk means the one's own."""
    made = await pair.a.share(**{"for": ["Ann"]})
    robot = await pair.enters(made)
    assert robot is not None
    store = pair.a.running.servers._store
    (here,) = await store.upstreams()
    assert here.machine == platform.node()
    await store.put_upstream(replaced(here, machine="another"))

    async def away() -> bool:
        seen = [one for gate in (pair.a, pair.b) for one in (await gate.call("GET", "servers"))["servers"]]
        return [(one["computer"], one["state"]) for one in seen] == [("another", "away")] * 2

    await until(away)
    for gate in (pair.a, pair.b):
        pair.to(gate)
        status, _ = await robot.get("api/contents/sub/shared/notes.md")
        assert status in (502, 503)
    found = [one["what"] for one in (await pair.b.call("GET", "doctor"))["findings"]]
    said = [what for what in found if what.startswith(f"{here.name} ")]
    assert said == [f"{here.name} runs on another: visitors reach it by the gate there"]
    async with reading(pair.b) as reader:
        for page in ("/new/server", "/admin/health"):
            assert "on another" in await reader.words(page)
    assert [one.machine for one in await store.upstreams()] == ["another"]  # it was not found again here

    inside = pair.b.jupyter.root.resolve() / "sub" / "shared" / "copy.zip"
    nothing: Any = None
    await Roots(store, nothing, nothing, nothing, nothing, list, platform.node()).apart("to", inside)
    with pytest.raises(Invalid):
        await Roots(store, nothing, nothing, nothing, nothing, list, "another").apart("to", inside)

    own = await pair.b.find()
    assert own.id != here.id
    again = await pair.b.share(**{"for": ["Ann"]})
    entered = await pair.enters(again)
    assert entered is not None
    status, _ = await entered.get("api/contents/sub/shared/notes.md")
    assert status == 200
