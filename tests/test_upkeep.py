"""The records on the disk, while people are inside: checked, copied, put back, brought to a newer format."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from sharegate import app, upkeep
from sharegate.config import Config, load
from sharegate.errors import Invalid, NotFound, Refused, StoreUnavailable
from sharegate.shares.keys import KeyRing, store_key
from sharegate.stores.schema import MIGRATIONS, VERSION
from sharegate.stores.sqlite import open_sqlite
from sharegate.upstream.model import Credential, Upstream
from sharegate.versions.model import Edit, EditKind, Limits, Place
from tests.cli.conftest import home, run  # noqa: F401 -- a fixture
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.plainsocket import PlainSocket, drop_all
from tests.real.jupyter import JupyterServer
from tests.stores.records import a_share
from tests.stores.version_contract import a_snapshot

PLENTY = Limits(bytes=1 << 30, per_document=10, days=30, undo_bytes=1 << 20)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(None, {}, {"data_dir": str(tmp_path / "gate"), "owner": "Olga"})


@pytest_asyncio.fixture
async def filled(config: Config) -> Config:
    """Records of every kind, and no gate."""
    async with app.offline(config) as api:
        store: Any = api._store
        await store.add_share(a_share(), [])
        server = Upstream(id="u1", name="u", owner="Olga", url="http://127.0.0.1:1/", token=Credential("raw"))
        await store.put_upstream(server)
        await store.keep_version(a_snapshot(path="a.txt"), b"one", limits=PLENTY)
        place = Place("u1", "f1", "e1", "a.txt")
        await store.append_edits(place, [Edit(kind=EditKind.STATE, at=1.0, data=b"whole")], limit=1 << 20)
        for _ in range(3):
            await api.call("POST", "/api/v1/rules/reload", {}, {})
    return config


@contextlib.contextmanager
def other(config: Config) -> Any:
    """Whoever holds the file, past the gate."""
    with contextlib.closing(sqlite3.connect(config.database, isolation_level=None)) as connection:
        yield connection


# -- check ----------------------------------------------------------------------------------------------------------


async def test_a_sound_store_is_found_sound(filled: Config) -> None:
    """With what it holds, its size and the heads of its history; nothing is changed."""
    steps: list[str] = []
    before = filled.database.read_bytes()
    report = upkeep.check(filled, progress=lambda what, *_: steps.append(what))
    assert report["sound"] and report["faults"] == []
    assert report["counts"]["shares"] == report["counts"]["edits"] == 1 and report["heads"]["gate"]["seq"] == 3
    assert report["sizes"]["file"] and report["sizes"]["free"]
    assert steps == ["file", "records", "references", "servers' tokens", "kept versions", "kept changes", "history"]
    assert filled.database.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("UPDATE shares SET body = '{'", "shares: the record s1 is damaged"),
        ("UPDATE shares SET body = json_set(body, '$.id', 's9')", "holds another one"),
        ("INSERT INTO links VALUES ('l9', 'nowhere', 'a', '{}')", "link l9: its share is missing"),
        ("INSERT INTO overlays VALUES ('v9', 'workspace', 'x', x'00')", "layout of visit v9"),
        ("DELETE FROM contents", "version n1: its content is missing"),
        ("DELETE FROM versions", "its version is missing"),
        ("UPDATE upstreams SET token = x'01'", "token of server u1 does not open"),
        ("UPDATE upstreams SET body = json_set(body, '$.url', 'http://evil/')", "token of server u1 does not open"),
        ("UPDATE contents SET data = zeroblob(40)", "does not open"),
        ("UPDATE edits SET origin = 'v9'", "change 1 of a.txt does not open"),
        ("UPDATE trail SET digest = 'x' WHERE seq = 2", "history: entry 2 of gate was altered"),
        ("DELETE FROM trail WHERE seq = 2", "history: entry 2 of gate is missing"),
    ],
)
async def test_what_was_altered_is_named(filled: Config, statement: str, word: str) -> None:
    """Each damage by itself; the check ends with 1 and changes nothing."""
    with other(filled) as connection:
        for trigger in ("trail_is_kept", "trail_is_fixed"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(statement)
    report = upkeep.check(filled)
    assert not report["sound"] and any(word in fault for fault in report["faults"]), report["faults"]


async def test_a_page_that_was_overwritten_is_found(filled: Config) -> None:
    """The file's own structure is checked."""
    with other(filled) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'links'").fetchone()
    data = bytearray(filled.database.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = b"\xa5" * 4096
    filled.database.write_bytes(bytes(data))
    assert not upkeep.check(filled)["sound"]


async def test_a_key_that_is_missing_or_another_is_a_fault(filled: Config) -> None:
    """And none is made anew."""
    key = filled.keys_dir / "store.key"
    kept = key.read_bytes()
    key.write_bytes(b"x" * 32)
    assert sum("does not open" in fault for fault in upkeep.check(filled)["faults"]) == 3
    key.unlink()
    assert "is missing" in upkeep.check(filled)["faults"][0]
    assert not key.exists()
    key.write_bytes(kept)
    assert upkeep.check(filled)["sound"]


async def test_no_store_and_no_database(config: Config) -> None:
    """Told apart: nothing there, and something that is no store."""
    with pytest.raises(NotFound):
        upkeep.check(config)
    config.database.parent.mkdir(parents=True)
    config.database.write_bytes(b"junk" * 4096)
    with pytest.raises(StoreUnavailable):
        upkeep.check(config)


async def test_the_commands_exit_codes(home: Path) -> None:  # noqa: F811
    """0 sound, 1 damaged, 4 nothing there, 5 unreadable; JSON says the same."""
    told = await asyncio.to_thread(run, "store", "check", "--json")
    assert (told.code, told.document["error"]["code"]) == (4, "not_found")
    await asyncio.to_thread(run, "list")
    told = await asyncio.to_thread(run, "store", "check")
    assert (told.code, told.out.splitlines()[0]) == (0, "The records are sound.")
    config = load(None, os.environ, {})
    with other(config) as connection:
        connection.execute("INSERT INTO links VALUES ('l9', 'nowhere', 'a', '{}')")
    told = await asyncio.to_thread(run, "store", "check", "--json")
    assert told.code == 1 and told.document["sound"] is False
    config.database.write_bytes(b"junk" * 4096)
    assert (await asyncio.to_thread(run, "store", "check")).code == 5


# -- backup and restore ---------------------------------------------------------------------------------------------

real = pytest.mark.real


async def reads(who: Inside) -> int:
    return (await who.ask("GET", "api/contents/sub/shared")).status


@pytest_asyncio.fixture
async def gate(tmp_path: Path, jupyter: JupyterServer) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path, jupyter) as house:
        yield house
        await drop_all()


@real
async def test_a_copy_is_taken_while_people_come_and_go(gate: Gatehouse, tmp_path: Path) -> None:
    """The copy is the store of one moment: sound, private, without keys; who is inside notices nothing."""
    ann = await gate.visit()
    live = await PlainSocket.open(ann, "-/live")
    stop = asyncio.Event()

    async def busy() -> int:
        made = 0
        while not stop.is_set():
            await gate.visit()
            assert await reads(ann) == 200
            made += 1
        return made

    working = asyncio.create_task(busy())
    for number in range(3):
        to = tmp_path / f"copy{number}"
        done = await gate.call("POST", "store/backup", {"to": str(to)})
        assert sorted(file.name for file in to.iterdir()) == ["sharegate.db"]
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (to, to / "sharegate.db")]
        assert modes == [0o700, 0o600]
        with contextlib.closing(sqlite3.connect(to / "sharegate.db")) as copy:
            (entries,) = copy.execute("SELECT count(*) FROM trail").fetchone()
        assert done["heads"]["gate"]["seq"] == entries
    stop.set()
    assert await working > 0
    live.send(b'{"type":"active"}', 1)
    assert await reads(ann) == 200
    assert (await gate.call("GET", "store/check"))["sound"]


@real
async def test_a_copy_holds_no_key_and_replaces_nothing(gate: Gatehouse, tmp_path: Path) -> None:
    """Neither a signing key nor the token of the server stands in it; what exists is not touched."""
    await gate.visit()
    to = tmp_path / "copy"
    await gate.call("POST", "store/backup", {"to": str(to)})
    data = (to / "sharegate.db").read_bytes()
    assert gate.jupyter.token.encode() not in data and b"PRIVATE KEY" not in data
    before = (to / "sharegate.db").stat().st_mtime_ns
    for place in (to, tmp_path / "copy" / "sharegate.db", Path("relative"), tmp_path / "no" / "such"):
        status, answer = await gate.running.api.call("POST", "/api/v1/store/backup", {}, {"to": str(place)})
        assert (status, answer["error"]["field"]) == (400, "to")
    assert (to / "sharegate.db").stat().st_mtime_ns == before
    await gate.call("POST", "store/backup", {"to": str(tmp_path / "whole"), "with_keys": True})
    keys = tmp_path / "whole" / "keys"
    assert {file.name for file in keys.iterdir()} == {file.name for file in gate.running.config.keys_dir.glob("[!.]*")}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in keys.iterdir())
    assert [path.name for path in tmp_path.iterdir() if ".part" in path.name] == []


async def test_a_disk_that_is_full_leaves_no_half_copy(filled: Config, tmp_path: Path) -> None:
    """A copy that cannot be finished is not there, and the reason is told."""
    program = textwrap.dedent("""
        import resource, signal, sys
        from pathlib import Path
        from sharegate import upkeep
        from sharegate.config import load
        config = load(None, {}, {"data_dir": sys.argv[1], "owner": "Olga"})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            upkeep.backup(config, Path(sys.argv[2]), with_keys=False)
        except Exception as error:
            print(type(error).__name__, error)
    """)
    arguments = [sys.executable, "-c", program, str(filled.data_dir), str(tmp_path / "copy")]
    said = await asyncio.to_thread(subprocess.run, arguments, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("StoreUnavailable no copy could be written"), (said.stdout, said.stderr)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gate"]


@real
async def test_older_records_are_put_back_and_let_nobody_in_by_themselves(
    tmp_path: Path, jupyter: JupyterServer
) -> None:
    """A link that was revoked after the copy stands again in it: everything is paused until the owner has looked, and
    tokens of programs are ended. Keys, cookie and links fit, and the history goes on from there."""
    async with gatehouse(tmp_path, jupyter) as gate:
        made = await gate.share(**{"for": ["Ann", "Bo"]})
        ann, bo = await gate.visit(made, 0), await gate.visit(made, 1)
        config = gate.running.config
        token = {"name": "CI", "capabilities": ["shares:read"], "expires": time.time() + 3600}
        token = (await gate.call("POST", "tokens", token))["token"]
        await gate.call("POST", "store/backup", {"to": str(tmp_path / "copy")})
        with pytest.raises(Refused, match="in use"):
            upkeep.restore(config, tmp_path / "copy", with_keys=False)
        assert await reads(ann) == 200
        await gate.call("POST", f"links/{made['links'][0]['id']}/revoke")
        assert await reads(ann) == 403
    done = upkeep.restore(config, tmp_path / "copy", with_keys=False)
    assert Path(done["kept"]).exists()
    async with app.offline(config) as api:
        status, answer = await api.call("POST", "/api/v1/store/restored", {}, {})
        assert (status, answer) == (200, {"paused": [made["share"]["id"]], "tokens": [token["id"]]})
        assert [each["state"] for each in (await api.call("GET", "/api/v1/tokens"))[1]["tokens"]] == ["revoked"]
    async with gatehouse(tmp_path, jupyter, gate_port=config.gate_port) as gate:
        ann, bo = replace(ann, gate=gate), replace(bo, gate=gate)
        assert [await reads(who) for who in (ann, bo)] == [403, 403]
        await gate.call("POST", f"links/{made['links'][0]['id']}/revoke")
        await gate.call("POST", f"shares/{made['share']['id']}/resume")
        assert [await reads(who) for who in (ann, bo)] == [403, 200]
        assert (await PlainSocket.open(bo, "-/live")).status == 101
        assert (await gate.call("GET", "audit/verify"))["intact"]
        assert "store.restored" in [event["action"] for event in await gate.events()]
        await drop_all()


async def test_a_damaged_copy_is_not_put_in_place(filled: Config, tmp_path: Path) -> None:
    """Nor one that other keys sealed, unless they come with it."""
    upkeep.backup(filled, tmp_path / "copy", with_keys=True)
    before = filled.database.read_bytes()
    elsewhere = replace(filled, data_dir=tmp_path / "other", keys_dir=tmp_path / "other" / "keys")
    async with app.offline(elsewhere):
        pass
    with pytest.raises(Invalid, match="--with-keys"):
        upkeep.restore(elsewhere, tmp_path / "copy", with_keys=False)
    done = upkeep.restore(elsewhere, tmp_path / "copy", with_keys=True)
    assert upkeep.check(elsewhere)["sound"] and Path(done["kept_keys"]).is_dir()
    with contextlib.closing(sqlite3.connect(tmp_path / "copy" / "sharegate.db")) as copy:
        copy.execute("UPDATE shares SET body = '{'")
        copy.commit()
    with pytest.raises(Invalid, match="not sound"):
        upkeep.restore(filled, tmp_path / "copy", with_keys=False)
    with pytest.raises(Invalid, match=r"sharegate\.db"):
        upkeep.restore(filled, tmp_path, with_keys=False)
    assert filled.database.read_bytes() == before


async def test_the_commands_as_a_procedure(home: Path) -> None:  # noqa: F811
    """Back up, lose everything, put back: as the page says."""
    await asyncio.to_thread(run, "list")
    copy = home / "copy"
    told = await asyncio.to_thread(run, "store", "backup", str(copy), "--with-keys", "--json")
    assert told.code == 0 and told.document["to"] == str(copy)
    assert (await asyncio.to_thread(run, "store", "backup", str(copy))).code == 2
    for file in (home / "data").rglob("*"):
        if file.is_file():
            file.unlink()
    assert (await asyncio.to_thread(run, "store", "restore", str(copy))).code == 2, "asks, and nobody is there"
    told = await asyncio.to_thread(run, "store", "restore", str(copy), "--with-keys", "--yes")
    assert told.code == 0, told.err
    assert (await asyncio.to_thread(run, "store", "check")).code == 0


@pytest.mark.parametrize("fault", ["copying", "keys", "store", "no former keys"])
async def test_attack_putting_back_that_breaks_off(
    filled: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Store and keys change together or not at all: what was there works as before, and nothing is left beside it."""
    other = load(None, {}, {"data_dir": str(tmp_path / "other"), "owner": "Olga"})
    async with app.offline(other) as api:
        await api.call("POST", "/api/v1/rules/reload", {}, {})
    upkeep.backup(other, tmp_path / "copy", with_keys=True)
    if fault == "no former keys":
        filled.keys_dir.rename(tmp_path / "lost")

    def files() -> dict[str, bytes]:
        """Of the store its name: folding its log changes it and not what is in it."""
        found = [path for path in filled.data_dir.rglob("*") if path.is_file()]
        return {str(path): b"" if path == filled.database else path.read_bytes() for path in found}

    with contextlib.closing(sqlite3.connect(filled.database)) as folded:
        folded.execute("PRAGMA journal_mode = DELETE").fetchone()
    before = files()
    real = os.replace

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def replaced(self: Path, target: Path) -> None:
        full() if self.name == ".sharegate.db.part" else real(self, target)

    if fault == "copying":
        monkeypatch.setattr("sharegate.stores.copies.shutil.copyfileobj", full)
    elif fault == "keys":
        monkeypatch.setattr("sharegate.upkeep.write_private", full)
    else:
        monkeypatch.setattr(Path, "replace", replaced)
    with pytest.raises(StoreUnavailable, match="No space"):
        upkeep.restore(filled, tmp_path / "copy", with_keys=True)
    monkeypatch.undo()
    assert files() == before
    assert not (filled.data_dir / ".keys.part").exists()
    if fault == "no former keys":
        (tmp_path / "lost").rename(filled.keys_dir)
    assert upkeep.check(filled)["sound"]
    assert upkeep.restore(filled, tmp_path / "copy", with_keys=True)["kept_keys"]
    assert upkeep.check(filled)["sound"]


async def test_attack_a_start_while_keys_are_exchanged(config: Config) -> None:
    """In the moment without them it makes none."""
    config.keys_dir.with_name(f".{config.keys_dir.name}.part").mkdir(parents=True)
    with pytest.raises(Invalid, match="store restore"):
        async with app.offline(config):
            pass
    assert not config.keys_dir.exists()


@pytest.mark.parametrize("missing", ["folder", "store.key", "ring.json"])
async def test_attack_keys_that_are_away_are_not_made_anew(filled: Config, tmp_path: Path, missing: str) -> None:
    """Neither a gate nor an offline command starts with other keys than those of its records; nothing is made in their
    place, and all works again when they are back."""
    away, lost = tmp_path / "away", filled.keys_dir / ("" if missing == "folder" else missing)
    for each in filled.keys_dir.glob("*.pem"):
        if missing == "ring.json":  # beside which a key would be found out
            each.unlink()
    lost.rename(away)
    for start in (app.offline, app.running):
        with pytest.raises(Invalid, match="mounted") as told:
            async with start(replace(filled, gate_port=0, dashboard_port=0)):
                pass
        assert told.value.field == str(filled.keys_dir / (missing if missing != "folder" else "store.key"))
        assert not lost.exists()
    if missing != "ring.json":
        away.rename(lost)
        async with app.offline(filled):
            pass


# -- formats --------------------------------------------------------------------------------------------------------


def first_format(config: Config) -> None:
    """Records as the first version wrote them."""
    store_key(config.keys_dir)
    KeyRing.open(config.keys_dir, 1.0)
    config.database.parent.mkdir(mode=0o700, parents=True)
    with other(config) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("PRAGMA application_id = 0x73676174")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO shares VALUES ('s1', ?)", (msgspec.json.encode(a_share()).decode(),))


def format_in(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def copies(config: Config) -> list[Path]:
    return sorted(config.database.parent.glob("sharegate.db.format*"))


async def test_a_start_keeps_a_copy_and_then_migrates(config: Config) -> None:
    """The copy is whole, private and of the former format; it is told, recorded, and named by the next check."""
    first_format(config)
    assert upkeep.formats(config) == (1, VERSION)
    assert any("brings it to" in note for note in upkeep.check(config)["notes"])
    async with app.offline(config) as api:
        _, answer = await api.call("GET", "/api/v1/audit", {"action": "store.migrated"})
        (copy,) = copies(config)
        assert copy.name in answer["events"][0]["detail"]
        assert [share.id for share in await api._store.shares()] == ["s1"]
    assert (format_in(copy), stat.S_IMODE(copy.stat().st_mode)) == (1, 0o600)
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT id FROM shares").fetchall() == [("s1",)]
    assert upkeep.formats(config) == (VERSION, VERSION)
    assert any(copy.name in note for note in upkeep.check(config)["notes"])
    async with app.offline(config):
        pass
    assert copies(config) == [copy], "nothing to do, nothing copied"


async def test_without_a_copy_nothing_is_migrated(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room for it keeps the former format, and says so."""
    first_format(config)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sharegate.stores.copies.os.link", full)
    with pytest.raises(StoreUnavailable, match="no copy could be written"):
        await open_sqlite(config.database, key=store_key(config.keys_dir))
    monkeypatch.undo()
    assert format_in(config.database) == 1 and copies(config) == []


@pytest.mark.parametrize("statement", range(len(MIGRATIONS[1])))
async def test_attack_killed_in_the_middle_of_a_migration(config: Config, statement: int) -> None:
    """Killed before any of its statements, the store is as it was; the next start finishes, and nothing is lost."""
    first_format(config)
    program = textwrap.dedent("""
        import asyncio, os, signal, sys
        from pathlib import Path
        from sharegate.config import load
        from sharegate.shares.keys import KeyRing, store_key
        from sharegate.stores import files, schema, sqlite
        config = load(None, {}, {"data_dir": sys.argv[1], "owner": "Olga"})
        steps = list(schema.MIGRATIONS[1])

        class Dying(str):
            pass

        real = files.migrate

        class Connection:
            def __init__(self, real):
                self.real = real
                self.count = 0

            def __getattr__(self, name):
                return getattr(self.real, name)

            def execute(self, sql, *more):
                if sql == steps[int(sys.argv[2])]:
                    os.kill(os.getpid(), signal.SIGKILL)
                return self.real.execute(sql, *more)

        files.migrate = lambda connection: real(Connection(connection))
        asyncio.run(sqlite.open_sqlite(config.database, key=store_key(config.keys_dir)))
    """)
    arguments = [sys.executable, "-c", program, str(config.data_dir), str(statement)]
    died = await asyncio.to_thread(subprocess.run, arguments, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert format_in(config.database) == 1 and len(copies(config)) == 1
    store = await open_sqlite(config.database, key=store_key(config.keys_dir))
    assert [share.id for share in await store.shares()] == ["s1"]
    await store.close()
    assert format_in(config.database) == VERSION and upkeep.check(config)["sound"]


async def test_an_older_version_refuses_newer_records(home: Path) -> None:  # noqa: F811
    """A downgrade changes nothing, names both formats and the remedy, and every command says the same."""
    await asyncio.to_thread(run, "list")
    config = load(None, os.environ, {})
    with other(config) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = config.database.read_bytes()
    for words in (("list",), ("store", "migrate"), ("store", "migrate", "--dry-run")):
        told = await asyncio.to_thread(run, *words)
        assert told.code == 3, (words, told)
        assert f"format {VERSION + 1}" in told.err and f"up to {VERSION}" in told.err and "copy made before" in told.err
    told = await asyncio.to_thread(run, "store", "check")
    assert told.code == 1 and "newer version" in told.out
    assert config.database.read_bytes() == before


async def test_the_migrate_command(home: Path) -> None:  # noqa: F811
    """Says what it would do, does it, and then has nothing to do."""
    config = load(None, os.environ, {})
    assert "no records" in (await asyncio.to_thread(run, "store", "migrate")).out
    first_format(config)
    told = await asyncio.to_thread(run, "store", "migrate", "--dry-run", "--json")
    assert told.document == {"format": 1, "newest_format": VERSION, "migrated": False}
    assert format_in(config.database) == 1
    told = await asyncio.to_thread(run, "store", "migrate", "--json")
    assert told.document["migrated"] and format_in(config.database) == VERSION and len(copies(config)) == 1
    assert "newest" in (await asyncio.to_thread(run, "store", "migrate")).out
    assert json.loads((await asyncio.to_thread(run, "store", "check", "--json")).out)["sound"]


async def test_what_runs_beside_the_requests_begins_anew_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that watches is over for good because of one fault."""
    monkeypatch.setattr(app, "ANEW_SECONDS", 0.0)
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise KeyError("something nobody thought of")

    async with asyncio.timeout(25):
        await app.lasting(work)
    assert begun == 3
