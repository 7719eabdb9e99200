"""What must not come to lie where visitors read: keys and records, and whatever else a gate is set up by."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from sharegate import app, config
from sharegate.config import Config
from sharegate.upstream.model import Credential, Upstream
from tests.conftest import Clock
from tests.dashboard.conftest import SERVER, Office, office, silent_server  # noqa: F401 -- a fixture


async def test_attack_a_copy_of_the_keys_into_a_share(office: Office, tmp_path: Path) -> None:  # noqa: F811
    """Neither a backup nor an anchor is written where visitors read, by whatever name the place is reached."""
    made = await office.share()
    share, shared = made["share"]["id"], office.folder / "week3"
    (shared / "inner").mkdir()
    (tmp_path / "link").symlink_to(shared / "inner")
    for place in (shared, shared / "inner", tmp_path / "link", office.folder / "week4" / ".." / "week3"):
        for path, body in (
            ("store/backup", {"to": str(place / "copy"), "with_keys": True}),
            ("store/backup", {"to": str(place / "copy")}),
            ("audit/anchor", {"to": str(place / "copy")}),
        ):
            status, answer = await office.ask("POST", path, body)
            assert (status, answer["error"]["field"]) == (400, "to") and share in answer["error"]["message"], place
    assert [path.name for path in shared.rglob("*")] == ["inner"]
    for path in ("store/backup", "audit/anchor"):
        await office.call("POST", path, {"to": str(office.folder / path.partition("/")[2])})
    await office.call("POST", f"shares/{share}/revoke")
    await office.call("POST", "store/backup", {"to": str(shared / "copy")})


async def test_attack_a_folder_with_a_copy_of_the_keys(office: Office) -> None:  # noqa: F811
    """It cannot be shared, nor what it lies in, nor its parts; the folder beside it can."""
    copy = office.folder / "week3" / "safe" / "2026"
    copy.parent.mkdir()
    await office.call("POST", "store/backup", {"to": str(copy), "with_keys": True})
    for path in (copy, copy.parent, copy.parent.parent, copy / "keys", copy / "keys" / "store.key"):
        status, answer = await office.ask("POST", "shares", {"path": str(path)})
        assert (status, answer["error"]["code"]) == (403, "protected_path"), path
        # Who asks may be a program.
        assert str(office.folder) not in str(answer)
    await office.share("week4")
    shutil.rmtree(copy / "keys")
    await office.share("week3")


FILES = ("policy_dir", "anchor_file", "tls_key", "tls_certificate", "upstream_ca", "store_ca_file")


def inside(gate: Path, folder: Path, name: str) -> Config:
    """Settings of which one names something in `folder`; "file" is the file that they stand in."""
    place = folder / name
    if name == "policy_dir":
        place.mkdir(parents=True)
    file = (folder if name == "file" else gate) / "settings.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    more = {"store": "rediss://127.0.0.1"} if name == "store_ca_file" else {}
    values = {"data_dir": str(gate), "gate_port": 0, "dashboard_port": 0, "owner": "Olga", **more}
    if name != "file":
        values[name] = str(place)
    beside = {"tls_key": "tls_certificate", "tls_certificate": "tls_key"}.get(name)
    if beside:
        values[beside] = str(gate / "apart.pem")
    file.write_text("".join(f"{key} = {value!r}\n" for key, value in values.items()))
    return config.load(file, {}, {})


@pytest.mark.parametrize("name", ["file", *FILES])
def test_everything_that_a_gate_lives_by_is_its_own(tmp_path: Path, name: str) -> None:
    """Each setting that names a file or folder, and the file of the settings."""
    loaded = inside(tmp_path / "gate", tmp_path / "root", name)
    assert any(path.is_relative_to(tmp_path / "root") for path in loaded.own_files)


@pytest.mark.parametrize("name", ["file", "policy_dir", "anchor_file"])
async def test_attack_settings_in_a_share(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What lies there is not shared; a share that stood before is suspended at the start, which names both, and is
    not confirmed while it lies there."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    root, gate = tmp_path / "root", tmp_path / "gate"
    (root / "week4").mkdir(parents=True)
    server = await asyncio.start_server(silent_server, "127.0.0.1", 0)
    plain = config.load(None, {}, {"data_dir": str(gate), "gate_port": 0, "dashboard_port": 0, "owner": "Olga"})
    upstream = Upstream(
        id=SERVER,
        name="main",
        owner="Olga",
        url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/",
        root_dir=str(root.resolve()),
        pid=os.getpid(),
        uid=os.getuid(),
        token=Credential("raw"),
    )

    async def asked(running: app.RunningGate, path: str, body: dict[str, Any], status: int) -> dict[str, Any]:
        got, answer = await running.api.call("POST", "/api/v1/" + path, {}, body)
        assert got == status, answer
        return answer

    (root / "week3").mkdir()
    async with app.running(plain, now=clock) as running:
        await running.gate._store.put_upstream(upstream)  # type: ignore[attr-defined]
        assert running.applied == []
        share = (await asked(running, "shares", {"path": str(root / "week3")}, 200))["share"]["id"]
    loaded = inside(gate, root / "week3", name)
    for start in range(2):
        async with app.running(loaded, now=clock) as running:
            told = [each for each in running.applied if share in each and "week3" in each]
            _, answer = await running.api.call("GET", f"/api/v1/shares/{share}")
            assert answer["share"]["state"] == "suspended"
            refused = await asked(running, f"shares/{share}/confirm", {}, 403)
            assert refused["error"]["code"] == "protected_path"
            await asked(running, "shares", {"path": str(root / "week3")}, 403)
            await asked(running, "shares", {"path": str(root / "week4")}, 200)
        assert len(told) == (start == 0)
    server.close()
