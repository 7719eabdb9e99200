"""`store restore` that is killed at any step: what stands there afterwards lets nobody in whom it should not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sharegate import app, upkeep
from sharegate.config import Config
from sharegate.errors import Invalid
from tests.killing import OWN, Killing, asked
from tests.stores.records import a_link, a_share


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
    killing = Killing(tmp_path / "tries" / "base", OWN)
    token, key = await filled(killing.at("base"), tmp_path)
    tries = await killing.steps(f"""
        def what(config):
            global armed
            armed = 1
            upkeep.restore(config, Path({str(tmp_path / "copy")!r}), with_keys={with_keys == "keys"})
    """)
    assert len(tries) > 5
    seen = set()
    for here in tries:
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
        assert left == []
        async with app.running(here) as gate:
            assert (await asked(gate.api, "GET", "shares/s1"))["share"]["state"] == "active", "closed once"
    assert seen == {"paused", "revoked"} | ({"refused"} if with_keys == "keys" else set())
