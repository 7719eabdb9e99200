"""Share hosts and path mode, as the owner meets them: who may share, what is said, what the dashboard answers to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from sharegate import app, config, ports
from sharegate.errors import Refused
from sharegate.upstream.model import Credential, Upstream
from tests.conftest import Clock
from tests.dashboard.conftest import silent_server

# The same server, recorded for whoever the setting `owner` names.
SERVERS = {"Olga": "srv2345678", "Paul": "srv3456789"}
Open = Callable[..., AbstractAsyncContextManager[app.RunningGate]]


@pytest.fixture
async def open_gate(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Open a gate on the same records, with these settings."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    root = tmp_path / "root"
    (root / "week3").mkdir(parents=True)
    server = await asyncio.start_server(silent_server, "127.0.0.1", 0)

    @contextlib.asynccontextmanager
    async def opened(*, recorded: bool = True, **settings: Any) -> AsyncIterator[app.RunningGate]:
        values = {"data_dir": str(tmp_path / "gate"), "gate_port": 0, "dashboard_port": 0, "owner": "Olga", **settings}
        async with app.running(config.load(None, {}, values), now=clock) as running:
            if not recorded:
                yield running
                return
            upstream = Upstream(
                id=SERVERS[running.config.owner],
                name="main",
                owner=running.config.owner,
                url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/",
                root_dir=str(root.resolve()),
                pid=os.getpid(),
                uid=os.getuid(),
                token=Credential("raw"),
            )
            await running.gate._store.put_upstream(upstream)  # type: ignore[attr-defined]
            yield running

    yield opened
    server.close()


async def share(gate: app.RunningGate, **more: Any) -> tuple[int, dict[str, Any]]:
    body = {"path": "week3", "server": SERVERS[gate.config.owner], "for": ["Ann"], **more}
    return await gate.api.call("POST", "/api/v1/shares", {}, body)


async def said(gate: app.RunningGate) -> str:
    """All that doctor says."""
    _, answer = await gate.api.call("GET", "/api/v1/doctor", {})
    return "\n".join(f"{one['level']}: {one['what']}. {one['remedy']}" for one in answer["findings"])


async def test_a_second_owner_is_refused_in_path_mode(open_gate: Open, clock: Clock) -> None:
    """While shares of another stand, none of theirs begins and none of theirs comes back; then it may."""
    async with open_gate() as gate:
        assert (await share(gate, expires=clock() + 50.0))[0] == 200
        status, made = await share(gate, expires=clock() + 500.0)
        assert status == 200
    async with open_gate(owner="Paul") as gate:
        status, refused = await share(gate)
        assert (status, refused["error"]["code"]) == (403, "several_owners")
        assert "Olga and Paul" in refused["error"]["message"]
        clock.forward(501)
        status, pauls = await share(gate)
        assert status == 200
    async with open_gate(owner="Paul") as gate:
        again = {"expires": clock() + 500.0}
        status, refused = await gate.api.call("PATCH", f"/api/v1/shares/{made['share']['id']}", {}, again)
        assert (status, refused["error"]["code"]) == (403, "several_owners")
        assert (await gate.api.call("PATCH", f"/api/v1/shares/{pauls['share']['id']}", {}, again))[0] == 200
        _, listed = await gate.api.call("GET", "/api/v1/shares", {"all": "1"})
        assert len(listed["shares"]) == 3, "nothing of what was refused is kept"


async def test_records_of_two_owners_do_not_open_in_path_mode(open_gate: Open, clock: Clock) -> None:
    """A gate that had share hosts, or accepted one origin, does not quietly put two owners together; each way out that
    the refusal names is one."""
    async with open_gate(share_hosts="localhost") as gate:
        assert (await share(gate))[0] == 200
    async with open_gate(share_hosts="localhost", owner="Paul") as gate:
        status, pauls = await share(gate)
        assert status == 200

    with pytest.raises(Refused) as caught:
        async with open_gate():
            pass
    assert caught.value.code == "several_owners"
    async with open_gate(accept_shared_origin=True) as gate:
        assert (await share(gate))[0] == 200
        assert (await gate.api.call("POST", f"/api/v1/shares/{pauls['share']['id']}/revoke", {}))[0] == 200
    async with open_gate() as gate:
        assert (await share(gate))[0] == 200


async def test_the_mode_is_said(open_gate: Open) -> None:
    """Doctor says in words what path mode cannot hold, and what was accepted; with share hosts links lead to them."""
    async with open_gate() as gate:
        words = await said(gate)
        assert "note: All shares have one address (path mode)" in words
        assert "Shares of a second owner are refused" in words
        assert "--share-hosts localhost" in words
        _, facts = await gate.api.call("GET", "/api/v1/gate", {})
        assert (facts["share_hosts"], facts["share_address"]) == ("", f"{gate.gate_url}/s/SHARE/")
    async with open_gate(accept_shared_origin=True) as gate:
        assert "warn: All shares have one address" in await said(gate)
        _, facts = await gate.api.call("GET", "/api/v1/gate", {})
        assert any("Several owners" in warning for warning in facts["warnings"])
    async with open_gate(share_hosts="localhost") as gate:
        assert "ok: Each share has a host of its own below localhost" in await said(gate)
        port = gate.config.gate_port
        _, facts = await gate.api.call("GET", "/api/v1/gate", {})
        assert facts["share_address"] == f"http://SHARE.localhost:{port}/"
        assert not any("Several owners" in warning for warning in facts["warnings"])
        _, made = await share(gate)
        url = made["links"][0]["url"]
        assert url.startswith(f"http://{made['share']['id']}.localhost:{port}/join#")
        _, shown = await gate.api.call("GET", f"/api/v1/links/{made['links'][0]['id']}/url", {})
        assert shown["url"] == url


@pytest.mark.parametrize(("settings", "shared"), [({}, False), ({"accept_shared_origin": True}, True)])
async def test_the_door_says_that_owners_share_an_origin(
    open_gate: Open, settings: dict[str, Any], shared: bool
) -> None:
    """Only where it was accepted, and never with share hosts."""
    for more, expected in (({}, shared), ({"share_hosts": "localhost"}, False)):
        async with open_gate(**settings, **more) as gate, aiohttp.ClientSession() as visitor:
            _, made = await share(gate)
            url, _, token = made["links"][0]["url"].partition("/join#")
            fields = {"Origin": url, "Host": url.partition("://")[2]}
            door = f"http://127.0.0.1:{gate.config.gate_port}/join/about"
            async with visitor.post(door, json={"token": token}, headers=fields) as answer:
                assert (await answer.json())["shared_origin"] is expected


async def test_the_dashboard_has_no_name_of_a_share(open_gate: Open) -> None:
    """A page on a share's host could otherwise ask it under its own name, for cookies ignore ports."""
    async with open_gate(share_hosts="localhost") as gate, aiohttp.ClientSession() as visitor:
        port = gate.config.dashboard_port
        found = {}
        for host in ("localhost", "127.0.0.1", "k7f2.localhost", "a.k7f2.LOCALHOST"):
            fields = {"Host": f"{host}:{port}"}
            async with visitor.get(f"http://127.0.0.1:{port}/health", headers=fields) as answer:
                found[host] = answer.status
    assert found == {"localhost": 200, "127.0.0.1": 200, "k7f2.localhost": 421, "a.k7f2.LOCALHOST": 421}


async def test_names_below_localhost_are_answered_by_the_gate_on_both_families(open_gate: Open) -> None:
    """Browsers try ::1 first: were it free, another account of this computer could take the visitors there."""
    async with open_gate(share_hosts="localhost") as gate, aiohttp.ClientSession() as visitor:
        port = gate.config.gate_port
        for address in ("127.0.0.1", "[::1]") if ports._knows("::1") else ("127.0.0.1",):
            fields = {"Host": f"k7f2.localhost:{port}"}
            async with visitor.get(f"http://{address}:{port}/join", headers=fields) as answer:
                assert answer.status == 200


async def test_a_changed_owner_is_another_owner(open_gate: Open, tmp_path: Path) -> None:
    """What was recorded and shared stays the former's; the server that runs is recorded once more for the new one."""
    async with open_gate(share_hosts="localhost") as gate:
        _, old = await share(gate)
        _, listed = await gate.api.call("GET", "/api/v1/servers", {})
    (server,) = listed["servers"]
    runtime = tmp_path / "no servers"
    runtime.mkdir()
    port = urlsplit(server["url"]).port
    found = {"pid": os.getpid(), "root_dir": server["root_dir"], "hostname": "127.0.0.1", "port": port}
    note = runtime / f"jpserver-{os.getpid()}.json"
    note.write_text(json.dumps(found | {"base_url": "/", "token": "raw"}))
    note.chmod(0o600)
    path = os.path.join(server["root_dir"], "week3")
    async with open_gate(share_hosts="localhost", owner="Otto", recorded=False) as gate:
        status, new = await gate.api.call("POST", "/api/v1/shares", {}, {"path": path})
        assert status == 200, new
        _, again = await gate.api.call("POST", "/api/v1/shares", {}, {"path": path})
        _, listed = await gate.api.call("GET", "/api/v1/servers", {})
        _, shares = await gate.api.call("GET", "/api/v1/shares", {})
    assert [(one["owner"], one["url"]) for one in listed["servers"]] == [
        ("Olga", server["url"]),
        ("Otto", server["url"]),
    ]
    assert sorted(one["owner"] for one in shares["shares"]) == ["Olga", "Otto", "Otto"]
    assert new["share"]["server"] == again["share"]["server"] != old["share"]["server"]
