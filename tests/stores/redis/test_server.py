"""The server itself: what it has to promise, whom it lets in, and that its failures lose nothing."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sharegate.audit.chain import seal
from sharegate.audit.interfaces import Query
from sharegate.cli.problems import problems
from sharegate.dashboard.refusals import refusal_of
from sharegate.errors import Refused, StoreUnavailable
from sharegate.shares.model import Visit
from sharegate.store_url import StoreUrl
from sharegate.stores.redis import fitness
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.store import open_redis
from sharegate.versions.model import EditKind, Snapshot
from tests.conftest import Clock
from tests.real.certificates import Authority
from tests.real.jupyter import free_port
from tests.real.redis import RedisServer, running_redis
from tests.stores.records import a_link, a_share, a_visit
from tests.stores.redis.gates import KEY, all_writes, event, plant, refuses, until
from tests.stores.version_contract import PLACE, PLENTY, a_snapshot, edit, noise

pytestmark = pytest.mark.redis
ROOT = Path(__file__).resolve().parents[3]


# -- what a server has to be ------------------------------------------------------------------------------------------


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


async def test_a_server_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    """In one sentence with its address, without a password, and the folder is free afterwards."""
    url = StoreUrl.parse(f"redis://gate:verysecret@127.0.0.1:{free_port()}/0")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"redis://gate@127\.0\.0\.1:\d+/0 cannot be reached") as failed:
            await open_redis(url, key=KEY, folder=tmp_path)
        assert "verysecret" not in str(failed.value) + repr(failed.value) + repr(url) + str(url)


# -- when it fails ----------------------------------------------------------------------------------------------------


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


# -- passwords, TLS and rights ----------------------------------------------------------------------------------------


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
