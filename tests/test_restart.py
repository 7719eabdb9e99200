"""The gate as a process: stopped, killed at any moment, started again on the same records; and two of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from sharegate.policy.load import builtin_policies
from tests.gatehouse import Gatehouse, Inside
from tests.gateprocess import START_SECONDS, GateProcess
from tests.plainsocket import PlainSocket, drop_all
from tests.real.jupyter import free_port


async def folder_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server on which everything is a folder, and every file says the same."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            body, kind = b'{"version":"2.0","type":"directory","name":"week3","path":"week3"}', b"application/json"
            if b"/files/" in head.partition(b"\r\n")[0]:
                body, kind = b"the shared file\n", b"text/plain"
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body
            )
            await writer.drain()
    writer.close()


@pytest_asyncio.fixture
async def gate(tmp_path: Path) -> AsyncIterator[GateProcess]:
    made = GateProcess(tmp_path / "data")
    yield made
    await drop_all()
    if made.process is not None:
        await made.end(signal.SIGKILL)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[str]:
    listening = await asyncio.start_server(folder_server, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    listening.close()


async def shared(house: Gatehouse, **more: Any) -> dict[str, Any]:
    return await house.call("POST", "shares", {"path": "week3", **more})


async def reads(who: Inside) -> int:
    return (await who.ask("GET", "files/week3/a.txt")).status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_everything_comes_back_after_a_restart(gate: GateProcess, server: str, number: signal.Signals) -> None:
    """Links, visits, cookies, a waiting knock and its answer, pauses and revocations: the same as before, on the same
    address, whether the gate was stopped or killed."""
    house = await gate.start()
    await house.call("POST", "servers", {"url": server, "token": "t"})
    made = await shared(house, **{"for": ["Ann", "Bo", "Cy"]})
    ann, bo = await house.visit(made, 0), await house.visit(made, 1)
    paused = await shared(house, **{"for": ["Di"]})
    di = await house.visit(paused)
    token = urlsplit(made["links"][0]["url"]).fragment
    knocked = await house.post("/join/knock", {"token": token, "name": "Eve", "same_person": False})
    eve = next(value for key, value in knocked.headers if key.lower() == "set-cookie").partition(";")[0]
    await house.call("POST", f"links/{bo.link['id']}/revoke")
    await house.call("POST", f"shares/{paused['share']['id']}/pause")
    assert [await reads(who) for who in (ann, bo, di)] == [200, 403, 403]
    live = await PlainSocket.open(ann, "-/live")
    listening = asyncio.create_task(live.closed())

    code, text = await gate.end(number)
    closed, _ = await listening
    if number is signal.SIGKILL:
        assert code == -9 and closed == 1006
    else:
        assert code == 0 and closed == 1013, "a page is told to come back"
        assert "Traceback" not in text and "Links stay valid" in text
    house = await gate.start()

    ann, bo, di = (replace(who, gate=house) for who in (ann, bo, di))
    assert [await reads(who) for who in (ann, bo, di)] == [200, 403, 403]
    await house.call("POST", f"shares/{paused['share']['id']}/resume")
    assert await reads(di) == 200
    assert (await PlainSocket.open(ann, "-/live")).status == 101
    # The same browser re-enters by its link, another one may not; an unused link still opens.
    again = await house.post("/join", {"token": token}, headers={"Cookie": f"sharegate-browser={ann.browser}"})
    assert again.status == 200 and again.json["location"].startswith(ann.base)
    assert (await house.post("/join", {"token": token})).status == 409
    assert await reads(await house.visit(made, 2)) == 200
    knock = knocked.json["knock"]
    assert [one["id"] for one in (await house.call("GET", "knocks"))["knocks"]] == [knock]
    await house.call("POST", f"knocks/{knock}/admit")
    admitted = await house.post("/join/knock/state", {"knock": knock}, headers={"Cookie": eve})
    assert admitted.json["state"] == "admitted"
    assert (await house.call("GET", "audit/verify"))["intact"]
    actions = [event["action"] for event in (await house.call("GET", "audit"))["events"]]
    assert actions.count("gate.started") == 2
    assert actions.count("gate.stopped") == (0 if number is signal.SIGKILL else 1)


async def test_a_hangup_reads_the_rules_again(gate: GateProcess, server: str, tmp_path: Path) -> None:
    """SIGHUP applies what may be handed out to whoever is inside, and neither a faulty file nor the signal ends the
    gate."""
    policies = tmp_path / "policies"
    policies.mkdir()
    gate.environment["SHAREGATE_POLICY_DIR"] = str(policies)
    rules = policies / "sharing.yaml"
    usual = (builtin_policies() / "sharing.yaml").read_text()
    rules.write_text(usual)
    house = await gate.start()
    await house.call("POST", "servers", {"url": server, "token": "t"})
    ann = await house.visit(await shared(house, anyone=True, visits=3))
    live = await PlainSocket.open(ann, "-/live")
    assert gate.process is not None and gate.process.stderr is not None
    rules.write_text(usual.replace("anyone: true", "anyone: perhaps").replace("365d", "always"))
    gate.process.send_signal(signal.SIGHUP)
    told = b""
    async with asyncio.timeout(25):
        while told.count(b"Rules not read") < 3:
            told += await gate.process.stderr.readline()
    assert b"anyone" in told and b"always" in told, told
    assert await reads(ann) == 200

    rules.write_text(usual.replace("anyone: true", "anyone: false"))
    gate.process.send_signal(signal.SIGHUP)
    assert (await live.closed())[0] == 4403
    assert await reads(ann) == 403
    async with asyncio.timeout(25):
        while b"1 stopped" not in told:
            told += await gate.process.stderr.readline()
    code, _ = await gate.end(signal.SIGTERM)
    assert code == 0


@dataclass
class Told:
    """What a gate acknowledged before it was killed."""

    shares: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    paused: dict[str, bool] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    visits: list[Inside] = field(default_factory=list)
    acts: int = 0


async def owner_at_work(house: Gatehouse, told: Told, chance: random.Random) -> None:
    """Acts one after the other, and writes down what was acknowledged; until the gate is gone."""
    api = house.running.api
    with contextlib.suppress(aiohttp.ClientError, OSError, asyncio.IncompleteReadError):
        while True:
            status, answer = await api.call("POST", "/api/v1/shares", None, {"path": "week3", "for": ["Ann"]})
            assert status == 200, answer
            share = answer["share"]["id"]
            told.shares.add(share)
            told.links.add(answer["links"][0]["id"])
            told.acts += 1
            told.visits.append(await house.visit(answer))
            told.acts += 1
            match chance.randrange(4):
                case 0:
                    assert (await api.call("POST", f"/api/v1/shares/{share}/revoke"))[0] == 200
                    told.revoked.add(share)
                case 1:
                    assert (await api.call("POST", f"/api/v1/shares/{share}/pause"))[0] == 200
                    told.paused[share] = True
                case 2:
                    status, answer = await api.call("POST", f"/api/v1/shares/{share}/links", None, {"name": "Bo"})
                    assert status == 200
                    told.links.add(answer["link"]["id"])


@pytest.mark.timeout(300)
async def test_attack_killed_at_any_moment_nothing_that_was_acknowledged_is_lost(
    gate: GateProcess, server: str
) -> None:
    """Shares, links, visits, pauses, revocations and their events: all there after each of several kills, and the
    history verifies."""
    chance = random.Random(7)
    told = Told()
    house = await gate.start()
    await house.call("POST", "servers", {"url": server, "token": "t"})
    killed = 0
    # Until there was something of each kind to be lost: how much is done in a moment is the machine's affair.
    while killed < 5 or not (len(told.shares) > 10 and told.revoked and told.paused):
        killed += 1
        began, before = time.monotonic(), told.acts
        wanted = before + chance.randint(1, 12)
        workers = [asyncio.create_task(owner_at_work(house, told, chance)) for _ in range(4)]
        while told.acts < wanted and not any(worker.done() for worker in workers):
            await asyncio.sleep(0.001)
        # Anywhere in what is done next, which takes about as long as what was done.
        one = (time.monotonic() - began) / max(1, told.acts - before)
        await asyncio.sleep(chance.uniform(0, 2 * min(one, 0.4)))
        await gate.end(signal.SIGKILL)
        await asyncio.gather(*workers)
        house = await gate.start()

        shares = {view["id"]: view for view in (await house.call("GET", "shares", None, all="1"))["shares"]}
        assert told.shares <= set(shares)
        assert told.revoked <= {id for id, view in shares.items() if view["state"] == "revoked"}
        assert set(told.paused) <= {id for id, view in shares.items() if view["state"] == "paused"}
        assert told.links <= {link["id"] for view in shares.values() for link in view["links"]}
        kept = await all_events(house)
        for action, ids in (("share.created", told.shares), ("share.revoked", told.revoked)):
            assert ids <= {event["share"] for event in kept if event["action"] == action}
        joined = {event["visit"] for event in kept if event["action"] == "link.joined"}
        assert {visit_id(who) for who in told.visits} <= joined
        assert (await house.call("GET", "audit/verify"))["intact"]
        for who in told.visits[-10:]:
            # What was done but not acknowledged before the kill may have happened.
            stands = shares[who.share["id"]]["state"] == "active"
            assert await reads(replace(who, gate=house)) == (200 if stands else 403)


def visit_id(who: Inside) -> str:
    return who.base.split("~")[1].strip("/")


async def all_events(house: Gatehouse) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await house.call("GET", "audit", None, limit="1000", cursor=cursor)
        found += answer["events"]
        cursor = answer["next"]
        if not cursor:
            return found


async def test_a_second_gate_on_the_same_records_is_refused(gate: GateProcess, server: str) -> None:
    """It names the process that holds them, ends with exit code 1, and the first one goes on."""
    house = await gate.start()
    await house.call("POST", "servers", {"url": server, "token": "t"})
    ann = await house.visit(await shared(house, **{"for": ["Ann"]}))
    assert gate.process is not None
    for ports in ({}, {"port": free_port(), "dashboard": free_port()}):
        second = replace(gate, process=None, **ports)
        process = await second.spawn("serve")
        async with asyncio.timeout(START_SECONDS):
            _, error = await process.communicate()
        assert process.returncode == 1
        assert str(gate.process.pid) in error.decode() and "Traceback" not in error.decode()
    assert await reads(ann) == 200


async def test_a_gate_whose_port_is_taken_says_which_setting_to_change(gate: GateProcess) -> None:
    """Exit code 1, and no records are left locked."""
    taken = await asyncio.start_server(folder_server, "127.0.0.1", gate.port)
    process = await gate.spawn("serve")
    async with asyncio.timeout(START_SECONDS):
        _, error = await process.communicate()
    assert process.returncode == 1
    assert "gate_port" in error.decode() and str(gate.port) in error.decode()
    taken.close()
    await taken.wait_closed()
    assert (await gate.start()).origin == f"http://127.0.0.1:{gate.port}"


async def test_the_socket_of_a_killed_gate_is_no_obstacle(gate: GateProcess) -> None:
    """What a killed gate leaves behind is taken over, and a gate that is stopped leaves none."""
    await gate.start()
    await gate.end(signal.SIGKILL)
    socket = gate.config.socket_path
    assert socket.is_socket()
    await gate.start()
    await gate.end(signal.SIGTERM)
    assert not socket.exists()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="another process's limits are Linux's")
async def test_a_disk_that_takes_nothing_more(gate: GateProcess, server: str) -> None:
    """Real writes that fail in the running process: 503 for acts and soon for reads, no traceback, and it recovers."""
    house = await gate.start()
    await house.call("POST", "servers", {"url": server, "token": "t"})
    made = await shared(house, **{"for": ["Ann", "Bo"]})
    ann = await house.visit(made, 0)
    assert gate.process is not None
    pid, unlimited = gate.process.pid, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    status, answer = await house.running.api.call("POST", "/api/v1/shares", None, {"path": "week3"})
    assert (status, answer["error"]["code"]) == (503, "store_unavailable")
    token = urlsplit(made["links"][1]["url"]).fragment
    assert (await house.post("/join", {"token": token})).public == "gate_fault"
    async with asyncio.timeout(25):
        while await reads(ann) != 503:
            await asyncio.sleep(0.05)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    assert await reads(ann) == 200
    assert await reads(await house.visit(made, 1)) == 200
    assert (await house.call("GET", "audit/verify"))["intact"]
    code, text = await gate.end(signal.SIGTERM)
    assert code == 0 and "Traceback" not in text, text
