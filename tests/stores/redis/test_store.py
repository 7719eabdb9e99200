"""The Redis store on a real server: the common suite, and what lies in the server afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sharegate.audit.chain import Fault, seal, verify_store
from sharegate.audit.interfaces import Query
from sharegate.errors import Denied, Refused, StoreUnavailable
from sharegate.shares.model import KnockState
from sharegate.store_url import StoreUrl
from sharegate.stores.redis import fitness
from sharegate.stores.redis.packing import packed
from sharegate.stores.redis.store import RedisStore, open_redis
from sharegate.stores.retention import DAY, Pruned
from sharegate.versions.model import EditKind
from tests.real.redis import RedisServer, running_redis
from tests.stores import conformance
from tests.stores.records import LATER, START, a_link, a_share, a_visit
from tests.stores.redis.gates import KEY, Opener, event, plant, until
from tests.stores.version_contract import PLACE, PLENTY, VersionContract, a_snapshot, edit

pytestmark = pytest.mark.redis


class TestShares(conformance.ShareContract):
    pass


class TestAudit(conformance.AuditContract):
    pass


class TestVersions(VersionContract):
    pass


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


async def test_a_store_of_the_first_format_is_brought_up_and_older_gates_are_out(
    server: RedisServer, store: RedisStore, another: Opener
) -> None:
    """Its records are there. A gate that runs and does not know of conditions would drop them: it commits nothing any
    more, and answers nothing."""
    await plant(store)
    # As an older version leaves it; `store` goes on as a gate of that version does.
    server.command("HSET", "sharegate:meta", "format", "1")
    newer = await another()
    assert server.command("HGET", "sharegate:meta", "format").strip() == str(fitness.FORMAT).encode()
    await newer.change_link("l1", networks=("10.0.0.0/8",))
    with pytest.raises(StoreUnavailable):
        await store.change_link("l1", paused=True)
    await until(lambda: store._following._broken)
    assert (await newer.link("l1")) == a_link(networks=("10.0.0.0/8",))
    again = await another()
    assert await again.link("l1") == a_link(networks=("10.0.0.0/8",))


async def test_an_older_gate_commits_nothing_even_before_it_hears_of_the_new_format(
    server: RedisServer, store: RedisStore, another: Opener
) -> None:
    """What it decided on is not the newest commit any more, though nothing was committed since."""
    await plant(store)
    server.command("HSET", "sharegate:meta", "format", "1")
    await store._following.stop()
    await another()
    with pytest.raises(StoreUnavailable):
        await store.change_link("l1", paused=True)
    assert not (await (await another()).link("l1")).paused


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


NAMED = "Zwetlana Xylander"


@pytest.mark.parametrize("restarts", [False, True])
async def test_what_is_erased_while_the_log_is_written_anew_leaves_it_too(tmp_path: Path, restarts: bool) -> None:
    """The server takes no second order while one rewriting runs, and that one still holds the name: the gate asks again
    when it is through. A gate that was ended before that does it when it starts again."""
    with running_redis(rdbcompression="no", **{"rdb-key-save-delay": "100000"}) as server:
        folder = server.folder / "appendonlydir"

        def runs() -> bool:
            return b"aof_rewrite_in_progress:1" in server.command("INFO", "persistence")

        def named() -> bool:
            try:
                return NAMED.encode() in b"".join(path.read_bytes() for path in folder.iterdir())
            except FileNotFoundError:  # replaced just now
                return True

        store = await open_redis(StoreUrl.parse(server.url), key=KEY, folder=tmp_path)
        await plant(store)
        await store.append([seal(event(name=NAMED), writer="gate", seq=2, previous=(await store.head("gate"))[1])])
        await store.forget(visits=["v1"], links=[], knocks=[])
        await until(runs)
        assert await store.erase_events("gate", [2]) == 1
        assert runs()
        if restarts:
            await store.close()
            store = await open_redis(StoreUrl.parse(server.url), key=KEY, folder=tmp_path)
        await until(lambda: not runs() and not named(), seconds=60)
        await until(lambda: server.command("HEXISTS", "sharegate:meta", "rewrite") == b":0", seconds=60)
        await store.close()


async def test_attack_a_layout_that_was_on_its_way_while_its_visit_was_forgotten(
    server: RedisServer, store: RedisStore, another: Opener
) -> None:
    """Another gate has ended and forgotten the visit, and this one has not heard of it yet: the server judges."""
    other = await another()
    await plant(store)
    await store.end_visits(["v1"], at=START, reason="erased")
    await store.forget(visits=["v1"], links=[], knocks=[])
    mirror = other._following.records.mirror
    mirror.visits["v1"] = a_visit()
    with pytest.raises(Denied, match="visit_ended"):
        await other.put_overlay("v1", "workspace", "a", b"1", items=2, total_bytes=10)
    assert await store.overlay("v1", "workspace") == {}


async def test_nothing_is_left_of_logs_whose_parts_were_cut(server: RedisServer, store: RedisStore) -> None:
    """Who wrote in a part that was cut is not found by it, and no name of a visit stays when the log goes."""
    for number in range(9):
        entries = [edit(EditKind.STATE), edit(EditKind.UPDATE, origin=f"who{number}")]
        await store.append_edits(PLACE, entries, limit=800)
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        assert {origin for origin in range(9) if client.exists(f"sharegate:logs:by:who{origin}")} <= {6, 7, 8}
        await store.thin_versions(LATER * 2, limits=PLENTY)
        assert list(client.scan_iter("sharegate:log*")) == []


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
