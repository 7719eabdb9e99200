"""`store restore` that is killed at any step: what stands there afterwards lets nobody in whom it should not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sharegate import app, upkeep
from sharegate.config import Config, load
from sharegate.errors import Invalid
from tests.stores.records import a_link, a_share

# Puts a copy in the place of the records of DIR/base, once for each step that it takes on the disk: in DIR/<n> it is
# killed before the n-th. One process for each is forked from a single one, which has imported everything.
KILLED = textwrap.dedent("""
    import os, shutil, signal, sys
    from dataclasses import replace
    from pathlib import Path
    from sharegate import upkeep
    from sharegate.config import load

    ON_DISK = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "sqlite3.connect"}
    base, source, with_keys = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "keys"
    number = 0
    while True:
        number += 1
        here = base.with_name(str(number))
        shutil.copytree(base, here)
        child = os.fork()
        if child == 0:
            left = number

            def look(event, details):
                global left
                writes = event == "open" and isinstance(details[2], int) and details[2] & (os.O_WRONLY | os.O_RDWR)
                if event in ON_DISK or writes:
                    left -= 1
                    if left == 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            config = load(None, {}, {"data_dir": str(here), "owner": "Olga"})
            sys.addaudithook(look)
            try:
                upkeep.restore(config, source, with_keys=with_keys)
            except BaseException as error:
                print("failed", repr(error), flush=True)
                os._exit(1)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status):
            print(number, os.WEXITSTATUS(status), flush=True)
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
""")


def at(folder: Path) -> Config:
    return load(None, {}, {"data_dir": str(folder), "owner": "Olga", "gate_port": 0, "dashboard_port": 0})


async def asked(api: Any, method: str, path: str, body: Any = None) -> dict[str, Any]:
    status, answer = await api.call(method, f"/api/v1/{path}", {}, body or {})
    assert status == 200, answer
    return dict(answer)


async def filled(config: Config, tmp_path: Path) -> tuple[str, str]:
    """A copy in which a share stands, a key counts and a program has a token; after it all three were ended."""
    async with app.offline(config) as api:
        await api._store.add_share(a_share(), [a_link()])
        body = {"name": "CI", "capabilities": ["shares:read"], "expires": api._now() + 86400}
        token = (await asked(api, "POST", "tokens", body))["token"]["id"]
        key = (await asked(api, "GET", "keys"))["keys"][0]["kid"]
    upkeep.backup(config, tmp_path / "copy", with_keys=True)
    async with app.offline(config) as api:
        await asked(api, "POST", "shares/s1/revoke")
        await asked(api, "POST", f"tokens/{token}/revoke")
        await asked(api, "POST", "keys/rotate", {"compromised": True})
    return token, key


async def started(api: Any, token: str, key: str, with_keys: bool) -> str:
    """How the share is, when everything else is of the same time."""
    share = str((await asked(api, "GET", "shares/s1"))["share"]["state"])
    tokens = {one["id"]: one["state"] for one in (await asked(api, "GET", "tokens"))["tokens"]}
    keys = {one["kid"]: one["state"] for one in (await asked(api, "GET", "keys"))["keys"]}
    assert tokens == {token: "revoked"}
    older = share == "paused"
    assert older or share == "revoked"
    assert (keys[key] == "refused") != (older and with_keys)
    events = [one["action"] for one in (await asked(api, "GET", "audit"))["events"]]
    assert events.count("store.restored") == older
    assert (await asked(api, "GET", "audit/verify"))["intact"]
    return share


@pytest.mark.timeout(300)
@pytest.mark.parametrize("with_keys", ["keys", "no keys"])
async def test_attack_killed_at_any_step_of_putting_back(tmp_path: Path, with_keys: str) -> None:
    """A gate that starts then has the records of before, with what was revoked revoked; or the older ones, closed; or
    it starts not at all and says what to do. The same command again does all of it."""
    config = at(tmp_path / "tries" / "base")
    token, key = await filled(config, tmp_path)
    program = [sys.executable, "-c", KILLED, str(config.data_dir), str(tmp_path / "copy"), with_keys]
    ran = await asyncio.to_thread(subprocess.run, program, capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stdout.split()[-1] == "0", ran.stdout + ran.stderr
    steps = int(ran.stdout.split()[-2])
    assert steps > 5
    seen = set()
    for step in range(1, steps + 1):
        here = at(config.data_dir.with_name(str(step)))
        said = upkeep.check(here)
        if any("store restore --with-keys" in fault for fault in said["faults"]):
            with pytest.raises(Invalid, match="store restore --with-keys"):
                async with app.running(here):
                    pass
            seen.add("refused")
        else:
            async with app.running(here) as gate:
                seen.add(await started(gate.api, token, key, with_keys == "keys"))
        upkeep.restore(here, tmp_path / "copy", with_keys=with_keys == "keys")
        async with app.offline(here) as api:
            await asked(api, "POST", "store/restored", {"pause": True})
            assert (await asked(api, "GET", "shares/s1"))["share"]["state"] == "paused"
            await asked(api, "POST", "shares/s1/resume")
        assert upkeep.check(here)["sound"]
        left = [path.name for path in here.data_dir.rglob(".*") if path.name.startswith((".keys", ".sharegate"))]
        assert left == [], step
        async with app.running(here) as gate:
            assert (await asked(gate.api, "GET", "shares/s1"))["share"]["state"] == "active", "closed once"
    assert seen == {"paused", "revoked"} | ({"refused"} if with_keys == "keys" else set())
