"""Several gates on one server: one decides, all have the same records, and each has a name of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sharegate.audit.chain import seal, verify_store
from sharegate.audit.trail import Trail
from sharegate.errors import Denied, Reason, Refused, StoreUnavailable
from sharegate.shares.issue import Issuer
from sharegate.shares.keys import KeyRing
from sharegate.shares.model import Visit
from sharegate.shares.tokens import ShareTokens
from sharegate.stores.redis import lease
from sharegate.stores.redis.store import RedisStore
from sharegate.versions.model import Authorship
from tests.conftest import Clock
from tests.house import Ground, rules
from tests.real.redis import RedisServer
from tests.stores.records import START, a_code, a_device, a_link, a_share, a_visit
from tests.stores.redis.gates import Opener, event, heard, plant, until
from tests.stores.version_contract import PLENTY, a_snapshot, noise

pytestmark = pytest.mark.redis


# -- two gates --------------------------------------------------------------------------------------------------------


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


async def test_a_link_that_is_replaced_at_two_gates_at_once(store: RedisStore, another: Opener, tmp_path: Path) -> None:
    """Each has a URL of its own, and the last one ends all before it."""
    other = await another()
    await store.add_share(a_share(), [a_link()])
    await other.ready()
    tokens = ShareTokens(KeyRing.open(tmp_path / "keys", START), lambda: START)
    issuers = [Issuer(each, tokens, Ground(), rules(), lambda: START) for each in (store, other)]
    replaced = await asyncio.gather(*(issuers[i % 2].replace("l1") for i in range(10)))
    assert sorted(link.serial for link in replaced) == list(range(2, 12))


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
