"""The Redis store on a real server: the common suite, and what only a server in a network can suffer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sharegate.audit.chain import Fault, seal, verify_store
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Query
from sharegate.audit.trail import Trail
from sharegate.cli.problems import problems
from sharegate.dashboard.refusals import refusal_of
from sharegate.errors import Denied, Reason, Refused, StoreUnavailable
from sharegate.shares.interfaces import Change
from sharegate.shares.model import KnockState, Visit
from sharegate.store_url import StoreUrl
from sharegate.stores.redis import fitness, lease
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.packing import packed
from sharegate.stores.redis.scripts import REPLACE, Script
from sharegate.stores.redis.store import RedisStore, open_redis
from sharegate.stores.retention import DAY, Pruned
from sharegate.versions.model import Authorship, EditKind, Snapshot
from tests.conftest import Clock
from tests.real.certificates import Authority
from tests.real.jupyter import free_port
from tests.real.redis import RedisServer, running_redis
from tests.real.relay import relay
from tests.stores import conformance
from tests.stores.records import LATER, START, a_code, a_device, a_knock, a_link, a_share, a_visit, an_upstream
from tests.stores.version_contract import PLACE, PLENTY, VersionContract, a_snapshot, edit, noise

pytestmark = pytest.mark.redis

KEY = b"k" * 32
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One for the module; tests that hurt it start their own."""
    with running_redis() as running:
        yield running


@pytest.fixture(autouse=True)
def _emptied(server: RedisServer) -> None:
    server.command("FLUSHALL")


@pytest.fixture
async def store(server: RedisServer, tmp_path: Path) -> AsyncIterator[RedisStore]:
    opened = await open_redis(StoreUrl.parse(server.url), key=KEY, folder=tmp_path / "run")
    yield opened
    await opened.close()


@pytest.fixture
async def reopened(
    server: RedisServer, store: RedisStore, tmp_path: Path
) -> AsyncIterator[Callable[[], Awaitable[RedisStore]]]:
    latest = [store]

    async def reopen() -> RedisStore:
        await latest[-1].close()
        latest.append(await open_redis(StoreUrl.parse(server.url), key=KEY, folder=tmp_path / "run"))
        return latest[-1]

    yield reopen
    await latest[-1].close()


class TestShares(conformance.ShareContract):
    pass


class TestAudit(conformance.AuditContract):
    pass


class TestVersions(VersionContract):
    pass


# -- two gates --------------------------------------------------------------------------------------------------------


Opener = Callable[..., Awaitable[RedisStore]]


@pytest.fixture
async def another(server: RedisServer, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens a further store on the same server, as another gate does; with `url` by another way."""
    opened: list[RedisStore] = []

    async def open(**how: Any) -> RedisStore:
        url = StoreUrl.parse(how.pop("url", server.url))
        how = {"key": KEY, "folder": tmp_path / f"gate{len(opened)}", **how}
        opened.append(await open_redis(url, **how))
        return opened[-1]

    yield open
    for store in opened:
        await store.close()


async def until(true: Callable[[], Any], what: str = "", seconds: float = 10) -> None:
    """Wait for what another task does, at most so long."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


def heard(store: RedisStore) -> list[Change]:
    changes: list[Change] = []
    store.subscribe(changes.append)
    return changes


async def refuses(store: RedisStore) -> bool:
    try:
        await store.share("s1")
    except StoreUnavailable:
        return True
    return False


async def plant(store: RedisStore) -> None:
    await store.add_share(a_share(), [a_link()])
    await store.open_visit(a_visit(address="192.0.2.0/24"), seats=1)
    await store.add_knock(a_knock(), limit=1)
    await store.add_device_code(a_code())
    await store.put_overlay("v1", "workspace", "a", b"1", items=9, total_bytes=99)
    await store.put_upstream(an_upstream())
    await store.append([seal(event(name="Ann"), writer="gate", seq=1, previous="")])


def event(**fields: Any) -> AuditEvent:
    return AuditEvent(action=Action.LINK_JOINED, actor="visitor", at=START, **fields)


def all_writes(store: RedisStore) -> list[Awaitable[Any]]:
    return [
        store.add_share(a_share("s9"), [a_link("l9", share="s9")]),
        store.change_share("s1", revoked=START),
        store.open_visit(a_visit("v9"), seats=None),
        store.end_visits(["v1"], at=START, reason="left"),
        store.decide_knock("k1", state="refused", at=START),
        store.add_device_code(a_code("h9")),
        store.put_overlay("v1", "workspace", "b", b"2", items=9, total_bytes=99),
        store.put_upstream(an_upstream("u9")),
        store.remove_upstream("u1"),
        store.append([seal(event(), writer="gate", seq=2, previous="")]),
        store.erase(Query()),
        store.prune(LATER * 2),
        store.keep_version(a_snapshot(), b"x", limits=PLENTY),
        store.append_edits(PLACE, [edit(EditKind.STATE)], limit=1 << 20),
        store.add_authorship([]),
        store.thin_versions(LATER, limits=PLENTY),
        store.ready(),
    ]


async def test_what_one_gate_commits_the_other_shows_and_tells(store: RedisStore, another: Opener) -> None:
    """Every kind of record, in order, without being asked; what goes, goes there too."""
    other = await another()
    changes = heard(other)
    await plant(store)
    await until(lambda: len(changes) == 5)
    assert [(one.kind, one.id) for one in changes] == [
        *(("share", "s1"), ("link", "l1"), ("visit", "v1"), ("knock", "k1"), ("upstream", "u1"))
    ]
    assert await other.share("s1") == a_share() and await other.visit("v1") == await store.visit("v1")
    assert [one.token.secret for one in await other.upstreams()] == ["raw server token"]
    assert await other.device_code("h1") == a_code()
    assert await other.overlay("v1", "workspace") == {"a": b"1"}
    await store.remove_upstream("u1")
    await until(lambda: len(changes) == 6)
    assert await other.upstreams() == []


async def test_race_for_seats_over_two_gates(store: RedisStore, another: Opener) -> None:
    """A hundred browsers at two doors for ten seats: ten get in, with the numbers 1 to 10."""
    other = await another()
    await store.add_share(a_share(), [a_link()])
    results = await asyncio.gather(
        *((store, other)[i % 2].open_visit(a_visit(f"v{i}"), seats=10) for i in range(100)), return_exceptions=True
    )
    opened = [one.number for one in results if isinstance(one, Visit)]
    refused = [one.reason for one in results if isinstance(one, Denied)]
    assert sorted(opened) == list(range(1, 11)) and refused == [Reason.SEATS_TAKEN] * 90
    for gate in (store, other):
        await gate.ready()
        assert sorted(visit.number for visit in await gate.visits("s1")) == list(range(1, 11))


async def test_a_code_is_spent_and_a_knock_decided_once_over_two_gates(store: RedisStore, another: Opener) -> None:
    """Whichever gates are asked at once, one answer counts."""
    gates = (store, await another())
    await plant(store)
    spent = await asyncio.gather(
        *(gates[i % 2].spend_device_code("h1", a_device(f"d{i}"), at=START, devices=9) for i in range(10)),
        *(gates[i % 2].decide_knock("k1", state="admitted", at=START, visit=a_visit(f"w{i}")) for i in range(10)),
        *(gates[i % 2].end_visits(["v1"], at=START, reason=str(i)) for i in range(10)),
        return_exceptions=True,
    )
    devices, knocks, ended = spent[:10], spent[10:20], spent[20:]
    assert sum(isinstance(one, Visit) for one in devices) <= 1
    assert sum(not isinstance(one, BaseException) for one in knocks) == 1
    assert sorted(len(one) for one in ended if isinstance(one, list)) == [0] * 9 + [1]
    await gates[1].ready()
    await gates[0].ready()
    assert await gates[0].visits("s1") == await gates[1].visits("s1")


async def test_a_refusal_is_decided_on_what_is_true_now(store: RedisStore, another: Opener) -> None:
    """A seat that was freed at one gate can be taken at the other at once, also by a gate that has not heard of it."""
    other = await another()
    await store.add_share(a_share(), [a_link()])
    for i in range(20):
        await store.open_visit(a_visit(f"v{i}"), seats=1)
        await store.end_visits([f"v{i}"], at=START, reason="left")
        await other.open_visit(a_visit(f"w{i}"), seats=1)
        await other.end_visits([f"w{i}"], at=START, reason="left")


async def test_both_gates_end_with_the_same_records(store: RedisStore, another: Opener) -> None:
    """Hundreds of concurrent writes at two gates: both mirrors, and that of a third opened then, are equal and in the
    same order."""
    gates = (store, await another())
    await store.add_share(a_share(), [a_link()])
    await asyncio.gather(
        *(gates[i % 2].add_share(a_share(f"s{i + 2}"), [a_link(f"l{i + 2}", share=f"s{i + 2}")]) for i in range(150)),
        *(gates[i % 2].open_visit(a_visit(f"v{i}"), seats=None) for i in range(150)),
        *(gates[i % 2].change_share("s1", message=str(i)) for i in range(50)),
    )
    for gate in gates:
        await gate.ready()
    third = await another()
    seen = [
        [await gate.shares(), await gate.visits("s1"), await gate.links("s1"), await gate.share("s1")]
        for gate in (*gates, third)
    ]
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0][0]) == 151 and [one.number for one in seen[0][1]] == list(range(1, 151))


async def test_two_gates_share_versions_and_logs(store: RedisStore, another: Opener) -> None:
    """Snapshots kept at both at once are all there, at both; amounts of authors add up."""
    gates = (store, await another())
    await asyncio.gather(
        *(gates[i % 2].keep_version(a_snapshot(f"n{i:02}"), noise(i), limits=PLENTY) for i in range(20)),
        *(
            gates[i % 2].add_authorship(
                [Authorship(upstream="u1", file="f1", cell="a", visit="v1", first=5, last=6, inserted=1)]
            )
            for i in range(20)
        ),
    )
    for gate in gates:
        assert len(await gate.versions()) == 20 and await gate.version_content("n07") == noise(7)
        assert [one.inserted for one in await gate.authorship("u1", "f1")] == [20]


# -- the push channel -------------------------------------------------------------------------------------------------


async def test_a_gate_that_heard_nothing_for_three_seconds_refuses(
    server: RedisServer, store: RedisStore, another: Opener, clock: Clock
) -> None:
    """Not before; it comes back by itself, with what it missed, and tells of it."""
    async with relay(server.socket) as line:
        far = await another(url=f"redis://127.0.0.1:{line.port}", now=clock)
        await store.add_share(a_share(), [a_link()])
        changes = heard(far)
        await until(lambda: far._following.records.position == 1)
        line.cut()
        await until(lambda: not far._following._heard)
        assert not await refuses(far)
        clock.forward(2.9)
        assert not await refuses(far)
        clock.forward(0.2)
        assert await refuses(far)
        with pytest.raises(StoreUnavailable, match="not heard of for 3 seconds"):
            await far.shares()
        with pytest.raises(StoreUnavailable):
            await far.ready()
        await store.change_share("s1", revoked=START)
        assert await refuses(far)
        changes.clear()
        line.mend()
        await until(lambda: changes)
        assert changes == [Change("share", "s1")]
        await far.ready()
        assert (await far.share("s1")).revoked == START  # type: ignore[union-attr]


async def test_a_line_that_hangs_is_lost_too(
    server: RedisServer, store: RedisStore, another: Opener, clock: Clock
) -> None:
    """Nothing is closed and nothing comes: the same refusal, the same return."""
    async with relay(server.socket) as line:
        far = await another(url=f"redis://127.0.0.1:{line.port}", now=clock)
        await store.add_share(a_share(), [])
        await until(lambda: far._following.records.position == 1)
        line.hold()
        clock.forward(3.1)
        assert await refuses(far)
        await store.change_share("s1", paused=True)
        assert await refuses(far)
        line.mend()
        await until(lambda: far._following._true_at == clock())
        assert (await far.share("s1")).paused  # type: ignore[union-attr]


async def test_a_line_that_lives_keeps_a_quiet_gate_open(store: RedisStore, another: Opener, clock: Clock) -> None:
    """Without a single commit, the reader proves again and again that there was none."""
    far = await another(now=clock)
    for _ in range(3):
        clock.forward(3.1)
        assert await refuses(far)
        await until(lambda: far._following._true_at == clock())
        assert not await refuses(far)


@pytest.mark.parametrize("then", ["nothing", "more"])
async def test_a_stream_that_was_cut_is_made_up_for(
    server: RedisServer, store: RedisStore, another: Opener, clock: Clock, then: str
) -> None:
    """Whoever is behind what the stream holds reads everything anew, and tells of what is different."""
    async with relay(server.socket) as line:
        far = await another(url=f"redis://127.0.0.1:{line.port}", now=clock)
        await plant(store)
        await until(lambda: far._following.records.position == store._following.records.position)
        changes = heard(far)
        line.cut()
        await until(lambda: not far._following._heard)
        await store.change_share("s1", revoked=START)
        await store.prune(LATER * 2)
        await store.remove_upstream("u1")
        server.command("XTRIM", "sharegate:changes", "MAXLEN", "0")
        if then == "more":
            await store.change_share("s1", message="later")
        line.mend()
        await until(lambda: changes)
        assert {(one.kind, one.id) for one in changes} == {
            *(("share", "s1"), ("visit", "v1"), ("knock", "k1"), ("upstream", "u1"))
        }
        assert (await far.share("s1")).revoked == START  # type: ignore[union-attr]
        assert await far.upstreams() == [] and await far.knocks(waiting_only=False) == []


async def test_a_write_whose_answer_is_lost_happens_once(
    server: RedisServer, store: RedisStore, another: Opener
) -> None:
    """The line is cut again and again while visits are opened: none is doubled, and what was acknowledged is there."""
    async with relay(server.socket) as line:
        far = await another(url=f"redis://127.0.0.1:{line.port}")
        await store.add_share(a_share(), [a_link()])
        acknowledged = []
        for i in range(30):
            task = asyncio.create_task(far.open_visit(a_visit(f"v{i}"), seats=None))
            for _ in range(i % 7):
                await asyncio.sleep(0)
            line.cut()
            line.mend()
            with contextlib.suppress(StoreUnavailable):
                acknowledged.append((await task).id)
        await store.ready()
        visits = await store.visits("s1")
        assert [one.number for one in visits] == list(range(1, len(visits) + 1))
        assert acknowledged and set(acknowledged) <= {one.id for one in visits}


async def test_a_version_whose_answer_is_lost_is_kept_once(store: RedisStore, another: Opener) -> None:
    """Though somebody else kept another one before it was asked again."""
    other = await another()
    run = store._server.run
    lost = []

    async def losing(script: Script, *arguments: Any) -> Any:
        answer = await run(script, *arguments)
        if script is REPLACE and not lost:
            lost.append(answer)
            await other.keep_version(a_snapshot("n2"), noise(2), limits=PLENTY)
            return 0
        return answer

    store._server.run = losing  # type: ignore[method-assign]
    kept = await store.keep_version(a_snapshot("n1"), noise(1), limits=PLENTY)
    assert lost == [1] and await store.version("n1") == kept
    assert sorted(one.id for one in await store.versions()) == ["n1", "n2"]
    with pytest.raises(ValueError):
        await store.keep_version(a_snapshot("n1"), noise(1), limits=PLENTY)


async def test_attack_a_store_that_goes_back_in_time(server: RedisServer, store: RedisStore) -> None:
    """An older copy, or an emptied server, would forget revocations: the gate refuses until somebody starts it anew."""
    await store.add_share(a_share(), [])
    await store.change_share("s1", revoked=START)
    server.command("HSET", "sharegate:meta", "position", "1")
    await until(lambda: store._following._broken)
    server.command("HSET", "sharegate:meta", "position", "2")
    for ask in (store.share("s1"), store.change_share("s1", paused=True), store.ready(), store.append([])):
        with pytest.raises(StoreUnavailable, match="lost what it had acknowledged"):
            await ask


async def test_attack_a_history_that_was_written_anew(server: RedisServer, store: RedisStore, another: Opener) -> None:
    """The server went back, and others went on from there: what this gate had seen, a revocation perhaps, is not in the
    new history. It notices though the position has passed its own."""
    async with relay(server.socket) as line:
        far = await another(url=f"redis://127.0.0.1:{line.port}")
        await store.add_share(a_share(), [])
        token = server.command("HGET", "sharegate:meta", "token").strip()
        await store.change_share("s1", revoked=START)
        await until(lambda: far._following.records.position == 2)
        line.cut()
        await until(lambda: not far._following._heard)
        await store.close()
        server.command("HSET", "sharegate:meta", "position", "1", "token", token)
        server.command("DEL", "sharegate:changes")
        others = await another()
        for at in range(3):
            await others.change_share("s1", message=str(at))
        line.mend()
        await until(lambda: far._following._broken)
        with pytest.raises(StoreUnavailable, match="lost what it had acknowledged"):
            await far.share("s1")


async def test_what_does_not_follow_is_not_written_at_all(server: RedisServer, store: RedisStore) -> None:
    """Somebody's entry in our stream makes the next one impossible; then the record stays as it was, too."""
    await store.add_share(a_share(), [])
    server.command("XADD", "sharegate:changes", "7-0", "d", "x")
    with pytest.raises(StoreUnavailable):
        await store.change_share("s1", revoked=START)
    assert server.command("HGET", "sharegate:meta", "position").strip() == b"1"
    assert b'"revoked":null' in server.command("HGET", "sharegate:record:share", "s1")


async def test_an_emptied_or_exchanged_server_is_refused(server: RedisServer, another: Opener) -> None:
    """Another store under the same address is not the one that was followed."""
    emptied, exchanged = await another(), await another(prefix="p2")
    server.command("HSET", "p2:meta", "id", "other")
    await until(lambda: exchanged._following._broken)
    server.command("FLUSHALL")
    await until(lambda: emptied._following._broken)
    with pytest.raises(StoreUnavailable, match="was emptied"):
        await emptied.shares()
    with pytest.raises(StoreUnavailable, match="another one than before"):
        await exchanged.shares()


async def test_requests_cost_no_round_trip(server: RedisServer, another: Opener) -> None:
    """A thousand reads of records ask the server nothing."""
    store = await another()
    await store.add_share(a_share(), [a_link()])

    async def forbidden(*_: object) -> None:
        raise AssertionError("asked")

    for name in ("ask", "several", "run"):
        setattr(store._server, name, forbidden)
    for _ in range(1000):
        assert await store.share("s1") and await store.link("l1") and await store.visits("s1") == []
    for name in ("ask", "several", "run"):
        delattr(store._server, name)


async def test_no_command_looks_at_all_keys(server: RedisServer, store: RedisStore) -> None:
    """A server that serves others too is not held up by a gate."""
    await plant(store)
    server.command("CONFIG", "RESETSTAT")
    await asyncio.gather(*all_writes(store), return_exceptions=True)
    for _ in range(3):
        await store.read(Query(newest_first=True, limit=3))
        await store.versions(upstream="u1")
        await store.edits(PLACE)
        await store.edited_by("v1")
    used = set(re.findall(rb"cmdstat_([a-z|]+):", server.command("INFO", "commandstats")))
    assert b"evalsha" in used and not used & {b"keys", b"scan", b"sscan", b"hscan", b"randomkey", b"flushall"}
    assert store._following.records.position > 5


# -- names and folders ------------------------------------------------------------------------------------------------


async def test_two_gates_of_one_name_are_refused(store: RedisStore, another: Opener) -> None:
    """The second is told who has it; after the first has closed, it may."""
    first = await another(gate="lab")
    with pytest.raises(Refused, match=f"named lab is running already: process {os.getpid()}") as refused:
        await another(gate="lab")
    assert refused.value.code == "gate_name_taken"
    await first.close()
    again = await another(gate="lab")
    assert (again.writer, store.writer == again.writer) == ("lab", False)


async def test_a_name_that_never_gets_free_is_not_waited_for_for_ever(
    server: RedisServer, store: RedisStore, another: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody wrote it there by hand."""
    monkeypatch.setattr(lease, "_LOOK_SECONDS", 0.001)
    server.command("SET", "sharegate:lease:lab", "by hand")
    with pytest.raises(Refused, match="named lab is running already: hand"):
        await another(gate="lab")


async def test_a_gate_that_was_killed_starts_again_at_once(
    server: RedisServer, another: Opener, tmp_path: Path
) -> None:
    """Its lease is there for seconds yet; the lock on its folder says that nobody has it any more."""
    code = """
import asyncio, sys
from pathlib import Path
from sharegate.store_url import StoreUrl
from sharegate.stores.redis.store import open_redis
async def main():
    await open_redis(StoreUrl.parse(sys.argv[1]), key=b"k" * 32, folder=Path(sys.argv[2]), gate="lab")
    print("open", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, server.url, str(tmp_path / "killed")], stdout=subprocess.PIPE
    ) as gate:
        assert gate.stdout is not None and gate.stdout.readline() == b"open\n"
        with pytest.raises(Refused, match=f"in use by process {gate.pid}") as refused:
            await another(gate="other", folder=tmp_path / "killed")
        assert refused.value.code == "store_in_use"
        gate.kill()
        gate.wait()
    assert server.command("EXISTS", "sharegate:lease:lab") == b":1"
    assert (await another(gate="lab", folder=tmp_path / "killed")).writer == "lab"


async def test_a_gate_whose_name_another_took_stops(server: RedisServer, another: Opener) -> None:
    """A gate that stood still past its lease may not go on in a chain that is another's."""
    store = await another(gate="lab")
    server.command("SET", "sharegate:lease:lab", "somebody else")
    await until(lambda: store._following._broken)
    with pytest.raises(StoreUnavailable, match="another gate named lab"):
        await store.append([])


async def test_each_gate_has_a_chain_of_its_own(store: RedisStore, another: Opener, clock: Clock) -> None:
    """Both write at once, both chains verify together, and whoever writes in the other's is refused."""
    other = await another()
    trails = [Trail(one, writer=one.writer, clock=clock) for one in (store, other)]
    for trail in trails:
        await trail.open()
    await asyncio.gather(*(trails[i % 2].record(event(detail=str(i))) for i in range(40)))
    for trail in trails:
        await trail.close()
    verdict = await verify_store(other)
    assert verdict.intact and verdict.events == 40 and set(verdict.heads) == {store.writer, other.writer}
    with pytest.raises(ValueError, match="does not follow"):
        await other.append([seal(event(), writer=store.writer, seq=1, previous="")])


# -- the server -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"appendonly": "no"}, "appendonly yes"),
        ({"appendfsync": "everysec"}, "appendfsync always"),
        ({"no_appendfsync_on_rewrite": "yes"}, "no-appendfsync-on-rewrite no"),
        ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy noeviction"),
    ],
)
async def test_a_server_that_would_lose_something_is_refused(
    settings: dict[str, str], remedy: str, tmp_path: Path
) -> None:
    """With what has to be set."""
    with running_redis(**settings) as forgetful:
        with pytest.raises(Refused, match=remedy) as refused:
            await open_redis(StoreUrl.parse(forgetful.url), key=KEY, folder=tmp_path)
        assert refused.value.code == "store_not_durable"


async def test_durability_that_is_taken_away_while_running(tmp_path: Path) -> None:
    """The next look refuses everything, and says why, until it is back."""
    with running_redis() as hurt:
        store = await open_redis(StoreUrl.parse(hurt.url), key=KEY, folder=tmp_path)
        await plant(store)
        hurt.command("CONFIG", "SET", "appendfsync", "no")
        with pytest.raises(StoreUnavailable, match="appendfsync always"):
            await store.ready()
        assert await refuses(store)
        for write in all_writes(store):
            with pytest.raises(StoreUnavailable, match="appendfsync always"):
                await write
        hurt.command("CONFIG", "SET", "appendfsync", "always")
        await store.ready()
        assert not await refuses(store)
        await store.close()


@pytest.mark.parametrize(
    ("settings", "what"), [({"cluster_enabled": "yes"}, "is a cluster"), ({"replicaof": "127.0.0.1 1"}, "is a replica")]
)
async def test_what_is_no_single_primary_is_refused(settings: dict[str, str], what: str, tmp_path: Path) -> None:
    """Neither a cluster nor a replica."""
    with running_redis(tcp=True, **settings) as wrong, pytest.raises((Refused, StoreUnavailable), match=what):
        await open_redis(StoreUrl.parse(wrong.url), key=KEY, folder=tmp_path)


@pytest.mark.parametrize(("version", "valkey"), [("6.2.14", ""), ("7.2.4", "7.2.5"), ("", "")])
def test_old_servers_are_refused(version: str, valkey: str) -> None:
    """Redis before 7 and Valkey before 8, and what does not say."""
    info = {"redis_version": version, "role": "master"} | ({"valkey_version": valkey} if valkey else {})
    server = Server(StoreUrl.parse("redis://127.0.0.1"))
    with pytest.raises(Refused, match="Redis 7 or newer, or Valkey 8"):
        fitness._check_kind(server, info)
    fitness._check_kind(server, {"redis_version": "7.2.4", "valkey_version": "8.0.1", "role": "master"})
    fitness._check_kind(server, {"redis_version": "8.0.0", "role": "master"})


async def test_everything_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """The server is killed while two hundred writes are on their way, and started on what it left: whatever was
    acknowledged is there, what was not is there whole or not at all, and the gate goes on by itself."""
    with running_redis() as hurt:
        store = await open_redis(StoreUrl.parse(hurt.url), key=KEY, folder=tmp_path)
        await store.add_share(a_share(), [a_link()])
        tasks = [asyncio.create_task(store.open_visit(a_visit(f"v{i}"), seats=None)) for i in range(400)]
        tasks += [
            asyncio.create_task(store.keep_version(a_snapshot(f"n{i}"), noise(i), limits=PLENTY)) for i in range(9)
        ]
        await until(lambda: sum(task.done() for task in tasks) > 250)
        hurt.kill()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in results} <= {Visit, Snapshot, StoreUnavailable}
        hurt.start()
        await until(lambda: store._following._heard)
        await store.ready()
        there = {one.id for one in [*await store.visits("s1"), *await store.versions()]}
        assert {one.id for one in results if isinstance(one, Visit | Snapshot)} <= there
        assert [one.number for one in await store.visits("s1")] == list(range(1, len(await store.visits("s1")) + 1))
        assert await store.check() == []
        await store.close()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process can be set on Linux only")
async def test_a_full_disk_takes_back_nothing(tmp_path: Path) -> None:
    """The server's log cannot grow: what does not fit is refused, and after the server was started again with room,
    everything that was acknowledged is there."""
    with running_redis() as hurt:
        store = await open_redis(StoreUrl.parse(hurt.url), key=KEY, folder=tmp_path)
        await store.add_share(a_share(), [a_link()])
        size = max(path.stat().st_size for path in (hurt.folder / "appendonlydir").iterdir())
        assert hurt.process is not None
        resource.prlimit(hurt.process.pid, resource.RLIMIT_FSIZE, (size + 20_000, size + 20_000))
        opened = await asyncio.gather(
            *(store.open_visit(a_visit(f"v{i}"), seats=None) for i in range(1000)), return_exceptions=True
        )
        assert {type(one) for one in opened} <= {Visit, StoreUnavailable}

        async def more() -> None:
            for i in range(1000, 2000):
                opened.append(await store.open_visit(a_visit(f"v{i}"), seats=None))

        with pytest.raises(StoreUnavailable):
            await more()
        hurt.kill()
        hurt.start()
        await until(lambda: store._following._heard)
        await store.ready()
        there = {one.id for one in await store.visits("s1")}
        acknowledged = {one.id for one in opened if isinstance(one, Visit)}
        assert acknowledged <= there
        await store.close()


async def test_a_server_that_stops_refuses_and_comes_back(tmp_path: Path, clock: Clock) -> None:
    """While it is away every write is refused with a sentence; when it is back everything works without help."""
    with running_redis() as hurt:
        store = await open_redis(StoreUrl.parse(hurt.url), key=KEY, folder=tmp_path, now=clock)
        await plant(store)
        hurt.stop()
        await until(lambda: not store._following._heard)
        clock.forward(3.1)
        results = await asyncio.gather(*all_writes(store), return_exceptions=True)
        assert [type(one) for one in results] == [StoreUnavailable] * len(results), results
        assert all("cannot be reached" in str(one) or "not heard of" in str(one) for one in results), results
        assert await refuses(store)
        hurt.start()
        await until(lambda: store._following._heard)
        await store.ready()
        assert not await refuses(store)
        assert await store.share("s1") == a_share()
        await store.close()


async def test_a_server_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    """In one sentence with its address, without a password, and the folder is free afterwards."""
    url = StoreUrl.parse(f"redis://gate:verysecret@127.0.0.1:{free_port()}/0")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"redis://gate@127\.0\.0\.1:\d+/0 cannot be reached") as failed:
            await open_redis(url, key=KEY, folder=tmp_path)
        assert "verysecret" not in str(failed.value) + repr(failed.value) + repr(url) + str(url)


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        ("", "", "wants a password"),
        ("", "wrong", "refuses the name or password"),
        ("poor", "pw", "does not let this name"),
    ],
)
async def test_passwords_and_names(user: str, password: str, said: str, tmp_path: Path) -> None:
    """None, a wrong one, and a name without the rights; the right one opens."""
    with running_redis(tcp=True, requirepass="right") as shut:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", shut.port)) as owner:
            owner.sendall(b"AUTH right\r\nACL SETUSER poor on >pw ~other:* +@read +info +config|get\r\n")
            owner.recv(100)
        url = StoreUrl.parse(shut.url)
        with pytest.raises(StoreUnavailable, match=said) as failed:
            await open_redis(replace(url, username=user, password=password), key=KEY, folder=tmp_path)
        assert not password or password not in str(failed.value) + failed.value.remedy
        told = refusal_of(failed.value)[1]["error"]["remedy"], problems(failed.value)[0].remedy
        assert all(("store_password_file" in remedy) is (not user) for remedy in told)
        store = await open_redis(url.with_password("right"), key=KEY, folder=tmp_path)
        await plant(store)
        await store.close()


@contextlib.contextmanager
def _with_tls(**how: str) -> Iterator[RedisServer]:
    with contextlib.ExitStack() as running:
        try:
            server = running.enter_context(running_redis(**how))
        except AssertionError as failed:
            if "TLS support" not in str(failed):
                raise
            pytest.skip("this server was built without TLS")
        yield server


async def test_tls_is_checked(tmp_path: Path) -> None:
    """By the authority that is named and by the host's name; nothing is sent to a server that fails."""
    authority, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs").ca
    ours, wrong = authority.leaf("ours", ("localhost",)), authority.leaf("wrong", ("redis.example.org",))
    for shown, shown_key, checked_by, works in (
        (ours.certificate, ours.key, ours.ca, True),
        (ours.certificate, ours.key, theirs, False),
        (ours.certificate, ours.key, None, False),
        (wrong.certificate, wrong.key, wrong.ca, False),
    ):
        port = free_port()
        files = {"tls_cert_file": str(shown), "tls_key_file": str(shown_key), "tls_ca_cert_file": str(shown)}
        with _with_tls(tls_port=str(port), tls_auth_clients="no", **files):
            url = StoreUrl.parse(f"rediss://localhost:{port}")
            if works:
                store = await open_redis(url, key=KEY, folder=tmp_path / "run", ca_file=checked_by)
                await plant(store)
                await store.close()
                continue
            with pytest.raises(StoreUnavailable, match="certificate that is not trusted"):
                await open_redis(url, key=KEY, folder=tmp_path / "run", ca_file=checked_by)


async def test_the_rights_that_the_pages_name_are_enough(tmp_path: Path) -> None:
    """The rule in docs/stores.md lets a gate do everything, and nothing outside its prefix."""
    rule = re.search(r"ACL SETUSER (gate .*)", (ROOT / "docs/stores.md").read_text())
    assert rule is not None
    with running_redis() as shut:
        words = rule.group(1).replace("SECRET", "pw").split()
        assert shut.command("ACL", "SETUSER", *words) == b"+OK"
        url = replace(StoreUrl.parse(shut.url), username="gate", password="pw")
        store = await open_redis(url, key=KEY, folder=tmp_path)
        await plant(store)
        await store.keep_version(a_snapshot(), b"x", limits=PLENTY)
        await store.append_edits(PLACE, [edit(EditKind.STATE)], limit=1 << 20)
        for write in all_writes(store):
            await asyncio.gather(write, return_exceptions=True)
        await store.ready()
        assert await store.check() == []
        with pytest.raises(StoreUnavailable, match="does not let this name"):
            await store._server.ask("GET", "other:key")
        await store.close()


async def test_a_server_without_memory_refuses_whole(tmp_path: Path) -> None:
    """Nothing is half written, reading goes on, and it works again with more."""
    with running_redis() as full:
        store = await open_redis(StoreUrl.parse(full.url), key=KEY, folder=tmp_path)
        await plant(store)
        before = await store.shares(), await store.read(Query()), await store.versions()
        full.command("CONFIG", "SET", "maxmemory", "1")
        for ask in (
            store.add_share(a_share("s9"), [a_link("l9", share="s9")]),
            store.change_share("s1", paused=True),
            store.append([seal(event(), writer="gate2", seq=1, previous="")]),
            store.keep_version(a_snapshot(), b"x" * 100, limits=PLENTY),
            store.append_edits(PLACE, [edit(EditKind.STATE)], limit=1 << 20),
        ):
            with pytest.raises(StoreUnavailable, match="no memory left"):
                await ask
        assert (await store.shares(), await store.read(Query()), await store.versions()) == before
        full.command("CONFIG", "SET", "maxmemory", "0")
        assert (await store.change_share("s1", paused=True)).paused
        assert await store.check() == []
        await store.close()


async def test_a_primary_that_becomes_a_replica_refuses(server: RedisServer, tmp_path: Path) -> None:
    """It takes no writes and may be behind."""
    with running_redis(tcp=True) as hurt:
        store = await open_redis(StoreUrl.parse(hurt.url), key=KEY, folder=tmp_path)
        await plant(store)
        hurt.command("REPLICAOF", "127.0.0.1", "1")
        await until(lambda: not store._following._heard)
        with pytest.raises(StoreUnavailable, match="replica"):
            await store.change_share("s1", paused=True)
        hurt.command("REPLICAOF", "NO", "ONE")
        await until(lambda: store._following._heard)
        await store.ready()
        await store.close()


# -- what lies there --------------------------------------------------------------------------------------------------


async def test_no_secret_lies_in_the_server(server: RedisServer, store: RedisStore) -> None:
    """Neither a server's token nor a document, in no key, stream or file of it."""
    await plant(store)
    document = b"a sentence that nobody else may read " * 50
    await store.keep_version(a_snapshot(), document, limits=PLENTY)
    await store.append_edits(PLACE, [edit(EditKind.STATE, document)], limit=1 << 20)
    await store.ready()
    files = [path for path in server.folder.rglob("*") if path.is_file() and path.name not in ("log", "redis.conf")]
    assert any("appendonly" in path.name for path in files)
    everything = b"".join(path.read_bytes() for path in files)
    assert b"project" in everything  # what is no secret is found by this
    assert b"raw server token" not in everything and document[:20] not in everything


async def test_another_key_is_refused(server: RedisServer, store: RedisStore, another: Opener) -> None:
    """Gates that do not have the store's key in common are told at the start."""
    with pytest.raises(Refused, match="the same keys_dir") as refused:
        await another(key=b"x" * 32)
    assert refused.value.code == "store_other_key"


async def test_what_another_program_keeps_is_not_touched(server: RedisServer, another: Opener) -> None:
    """Under the prefix, as plain keys or in the place of ours: refused, and left as it was."""
    server.command("SET", "sharegate:theirs", "1")
    with pytest.raises(Refused, match="what is not a store of sharegate") as refused:
        await another()
    assert refused.value.code == "store_foreign"
    server.command("SET", "two:meta", "theirs")
    with pytest.raises(Refused, match="under the prefix two"):
        await another(prefix="two")
    server.command("HSET", "three:meta", "format", "many")
    with pytest.raises(Refused, match="under the prefix three"):
        await another(prefix="three")
    assert server.command("GET", "sharegate:theirs").strip() == b"1" and server.command("DBSIZE") == b":3"
    other = await another(prefix="four")
    await other.add_share(a_share(), [])


async def test_a_newer_format_is_not_opened(server: RedisServer, store: RedisStore, another: Opener) -> None:
    """Refused with both numbers, and left as it was."""
    await store.close()
    server.command("HSET", "sharegate:meta", "format", str(fitness.FORMAT + 1))
    with pytest.raises(
        Refused, match=rf"format {fitness.FORMAT + 1}, this one reads up to {fitness.FORMAT}"
    ) as refused:
        await another()
    assert refused.value.code == "store_newer"


@pytest.mark.parametrize(
    ("kind", "id", "value"),
    [("share", "s1", b"junk"), ("visit", "v1", b"\x93\x01\x00\xc4\x02{}"), ("knock", "k2", None)],
)
async def test_a_damaged_record_is_not_skipped(
    server: RedisServer, store: RedisStore, another: Opener, kind: str, id: str, value: bytes | None
) -> None:
    """A gate that had forgotten one record, a revocation perhaps, would be worse than none."""
    await plant(store)
    if value is None:
        value = server.command("HGET", "sharegate:record:knock", "k1")
    server.command("HSET", f"sharegate:record:{kind}", id, value)
    with pytest.raises(StoreUnavailable, match=f"stored {kind} {id} is damaged"):
        await another()
    with pytest.raises(StoreUnavailable, match="damaged"):
        await store.check()


async def test_an_altered_trail_is_found(server: RedisServer, store: RedisStore) -> None:
    """An event that is altered, taken away or exchanged is named by verifying."""
    sealed = conformance.AuditContract.chain(5)
    await store.append(sealed)
    server.command("HSET", "sharegate:trail:events:gate", "3", b"junk")
    verdict = await verify_store(store)
    assert verdict.first is not None and (verdict.first.seq, verdict.first.how) == (3, Fault.ALTERED)
    server.command("HDEL", "sharegate:trail:events:gate", "3")
    verdict = await verify_store(store)
    assert verdict.first is not None and (verdict.first.seq, verdict.first.how) == (3, Fault.MISSING)


async def test_pruning_is_what_retention_says(server: RedisServer, store: RedisStore) -> None:
    """Codes, overlays, knocks and addresses go, each after its time, and the counts are right."""
    await plant(store)
    await store.end_visits(["v1"], at=START, reason="left")
    assert await store.prune(START) == Pruned()
    assert await store.prune(START + 300) == Pruned(codes=1)
    assert await store.prune(START + DAY) == Pruned(overlays=1)
    assert await store.prune(START + 30 * DAY) == Pruned(knocks=1)
    assert await store.prune(START + 90 * DAY) == Pruned(visits=1)
    assert await store.overlay("v1", "workspace") == {} and (await store.visit("v1")).address == ""  # type: ignore[union-attr]
    assert await store.check() == []


async def test_forgetting_a_person(server: RedisServer, store: RedisStore, another: Opener) -> None:
    """Names, addresses, cookies, layouts and codes go, here and at other gates; a waiting knock is gone."""
    other = await another()
    await plant(store)
    await store.change_visit("v1", name="Ann", cookie_hash="c", browser_hash="b")
    await store.forget(visits=["v1", "nowhere"], links=["l1", "nowhere"], knocks=["k1", "nowhere"])
    for gate in (store, other):
        await gate.ready()
        (visit,), (knock,) = await gate.visits("s1"), await gate.knocks(waiting_only=False)
        assert (visit.name, visit.address, visit.cookie_hash, visit.browser_hash) == ("", "", "", "")
        assert (knock.name, knock.state) == ("", KnockState.GONE)
        assert await gate.overlay("v1", "workspace") == {} and await gate.device_code("h1") is None
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        everything = repr([client.dump(key) for key in client.scan_iter()] + client.xrange("sharegate:changes"))
    assert "192.0.2.0" not in everything and "Eve" not in everything and "project" in everything


async def test_what_is_erased_leaves_the_log(tmp_path: Path) -> None:
    """The server is asked to write its log anew; the stream forgets what stood in it."""
    with running_redis(rdbcompression="no") as server:
        store = await open_redis(StoreUrl.parse(server.url), key=KEY, folder=tmp_path)
        await plant(store)

        def there() -> bool:
            try:
                log = (server.folder / "appendonlydir").iterdir()
                return b"192.0.2.0" in b"".join(path.read_bytes() for path in log)
            except FileNotFoundError:  # replaced just now
                return True

        assert there()
        await store.forget(visits=["v1"], links=[], knocks=[])
        await until(lambda: not there())
        assert await store.check() == []
        await store.close()


async def test_erasing_single_events(store: RedisStore) -> None:
    """Exactly those that are named, each once."""
    await store.append(conformance.AuditContract.chain(5))
    assert await store.erase_events("gate", []) == await store.erase_events("nobody", [1]) == 0
    assert await store.erase_events("gate", [2, 4, 9]) == 2
    assert await store.erase_events("gate", [2, 3]) == 1
    verdict = await verify_store(store)
    assert verdict.intact and verdict.erased == 3
    assert await store.erase(Query()) == 2


async def test_check_finds_what_is_missing(server: RedisServer, store: RedisStore) -> None:
    """A content that is gone, a stream that ends elsewhere, a key of another type."""
    await store.add_share(a_share(), [])
    kept = await store.keep_version(a_snapshot(), b"x", limits=PLENTY)
    assert await store.check() == []
    server.command("HDEL", "sharegate:versions:contents", kept.digest)
    assert await store.check() == ["1 contents of versions are missing"]
    server.command("XADD", "sharegate:changes", "9-0", "d", "x")
    assert (await store.check())[0] == "the stream of changes ends at 9, the store at 1"
    server.command("DEL", "sharegate:changes", "sharegate:versions:contents")
    server.command("SET", "sharegate:versions:contents", "x")
    assert await store.check() == ["sharegate:versions:contents holds something else than records"]


_ARGUMENTS = st.recursive(
    st.one_of(st.text(max_size=300), st.binary(max_size=300), st.integers(0, 2**40)),
    lambda inner: st.lists(inner, max_size=20),
    max_leaves=40,
)


@settings(max_examples=40, deadline=None)
@given(value=st.lists(_ARGUMENTS, max_size=5))
@example(value=[[b"\xff" * 70_000, "é", b"", 0]])
def test_arguments_arrive_as_they_are(server: RedisServer, value: Any) -> None:
    """Text and bytes of any length, numbers and lists, read by the server's own reader."""

    def plain(one: Any) -> Any:
        if isinstance(one, list):
            return [plain(each) for each in one]
        return one.encode() if isinstance(one, str) else one

    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        assert client.eval("return cmsgpack.unpack(ARGV[1])", 0, packed(value)) == plain(value)


def test_what_cannot_be_packed_is_a_mistake() -> None:
    """Numbers with a fraction go as text: Lua would round them."""
    with pytest.raises(TypeError):
        packed([1.5])  # type: ignore[list-item]
