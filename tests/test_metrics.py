"""Numbers of a gate at work, in which nobody can be found."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from sharegate.audit.events import Action
from sharegate.channels.registry import KINDS
from sharegate.dashboard.health import FAILED, OK, SLOW
from sharegate.errors import Reason
from sharegate.metrics import CLASSES, FAMILIES, LATENCY, STATES, Metrics, TimedHistory, family
from sharegate.policy.load import load_policies
from tests.attacks.conftest import SETTINGS
from tests.attacks.pages import make, visiting
from tests.gatehouse import Gatehouse, gatehouse
from tests.plainsocket import PlainSocket
from tests.real.jupyter import JupyterServer, planted_jupyter

RULES = [rule.id for rule in load_policies().policy.rules]
# Every label that there is, and every value that it may have.
LABELS: dict[str, set[str]] = {
    "family": {family(rule) for rule in RULES} | set(FAMILIES),
    "status": set(CLASSES),
    "reason": {reason.value for reason in Reason},
    "action": {action.value for action in Action},
    "kind": {*KINDS, "answers", "channels_in", "channels_out"},
    "state": set(STATES),
    "check": {"store", "history", "keys", "open"},
    "le": {*(str(float(each)) for each in LATENCY), "+Inf"},
}


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for found in text_string_to_metric_families(text)
        for sample in found.samples
    }


def check_closed(text: str) -> None:
    samples = read(text)
    assert samples
    for name, labels in samples:
        assert name.startswith("sharegate_"), name
        for label, value in labels:
            if label == "version":
                assert re.fullmatch(r"[0-9a-z.+]+", value)
            else:
                assert value in LABELS[label], (name, label, value)


async def test_every_number_is_there_before_anything_happened() -> None:
    """So that a rate can be taken of the first; and a rule of nobody's is nobody's family."""
    metrics = Metrics(RULES, KINDS, "1.0")
    text = (await metrics.text()).decode()
    check_closed(text)
    samples = read(text)
    assert samples["sharegate_requests_total", (("family", "contents"), ("status", "2xx"))] == 0
    assert {labels[0][1] for name, labels in samples if name == "sharegate_refusals_total"} == LABELS["reason"]
    metrics.answered("a rule of Ann's", 200, 0.1)
    metrics.answered("contents-read", 1000, 0.1)
    metrics.answered("contents-read", 7, 0.1)
    text = (await metrics.text()).decode()
    check_closed(text)
    assert read(text)["sharegate_requests_total", (("family", "none"), ("status", "2xx"))] == 1
    assert "Ann" not in text


async def test_a_failed_write_to_the_history_counts_as_one() -> None:
    """And is raised on."""
    metrics = Metrics([], [], "1.0")

    class Full:
        async def append(self, events: list[Any]) -> None:
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await TimedHistory(Full(), metrics.committed).append([])  # type: ignore[arg-type]
    samples = read((await metrics.text()).decode())
    assert samples["sharegate_trail_failures_total", ()] == samples["sharegate_trail_commit_seconds_count", ()] == 1


# -- a gate at work -----------------------------------------------------------------------------------------------

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server of these tests' own: they change its files."""
    with planted_jupyter(tmp_path_factory.mktemp("counted")) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory, jupyter: JupyterServer) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path_factory.mktemp("gate"), jupyter, **SETTINGS) as house:
        yield house


async def fetch(gate: Gatehouse, path: str, **headers: str) -> tuple[int, str]:
    port = gate.running.config.dashboard_port
    address = f"http://127.0.0.1:{port}{path}"
    fields = {"Host": f"localhost:{port}", **headers}
    async with aiohttp.ClientSession() as http, http.get(address, headers=fields) as answer:
        return answer.status, await answer.text()


@pytest.mark.real
async def test_attack_nobody_is_found_in_the_numbers(gate: Gatehouse, jupyter: JupyterServer) -> None:
    """After real work of named people at named places: no name, path, id, address, agent or token, in any spelling; and
    what they did is counted."""
    before = read((await fetch(gate, "/metrics"))[1])
    path = make(jupyter, "zqmetrics note.md")
    made = await gate.share(role="edit", **{"for": ["Zqann"]})
    inside = await gate.visit(made, name="Zqann")
    agent = {"User-Agent": "Zqagent/1.0"}
    assert (await inside.ask("GET", f"files/{quote(path)}", headers=agent)).status == 200
    assert (await inside.ask("GET", "files/zqoutside.txt", headers=agent)).status == 404
    assert (await inside.ask("GET", "zqnorule", headers=agent)).status in (403, 404)
    assert (await gate.raw("GET", inside.base + "lab")).status in (401, 403)
    live = await PlainSocket.open(inside, "-/live")
    async with visiting(inside) as visitor:
        page = await visitor.open(quote(path))
        page.type("zqwords")
        await page.sent()
        await page.until(lambda: "zqwords" in (jupyter.root / path).read_text())
        status, text = await fetch(gate, "/metrics")
        assert status == 200
        during = read(text)
        assert during["sharegate_rooms", ()] == 1
        assert during["sharegate_channels", (("kind", "room"),)] == 1
        assert during["sharegate_channels", (("kind", "live"),)] == 1
        assert during["sharegate_visits_live", ()] == 1
        assert during["sharegate_upstreams", (("state", "here"),)] == 1
        assert during["sharegate_ready", (("check", "store"),)] == 1
        assert during["sharegate_connections", ()] >= 2
        assert during["sharegate_process_open_fds", ()] > 10
    live.drop()
    async with asyncio.timeout(25):
        carried = "sharegate_bytes_total", (("kind", "channels_in"),)
        while (after := read((await fetch(gate, "/metrics"))[1]))[carried] == before[carried]:
            await asyncio.sleep(0.05)

    def grew(name: str, **labels: str) -> float:
        key = name, tuple(sorted(labels.items()))
        return after[key] - before[key]

    assert grew("sharegate_requests_total", family="files", status="2xx") == 1
    assert grew("sharegate_requests_total", family="files", status="4xx") == 1
    assert grew("sharegate_request_seconds_count", family="files") == 2
    assert grew("sharegate_requests_total", family="door", status="2xx") >= 1
    assert grew("sharegate_requests_total", family="own", status="1xx") == 1
    assert grew("sharegate_refusals_total", reason="outside_root") == 1
    assert grew("sharegate_refusals_total", reason="no_credential") == 1
    assert grew("sharegate_updates_judged_total") >= 1
    assert grew("sharegate_updates_refused_total") == 0
    assert grew("sharegate_events_total", action="link.joined") == 1
    assert grew("sharegate_bytes_total", kind="answers") > 0
    assert grew("sharegate_bytes_total", kind="channels_out") > 0
    assert grew("sharegate_trail_commit_seconds_count") > 0

    said = text + (await fetch(gate, "/metrics"))[1]
    check_closed(text)
    visit = inside.base.split("~")[1].strip("/")
    ids = [inside.share["id"], inside.link["id"], visit, inside.cookie, inside.browser, jupyter.token]
    ids.append((await gate.call("GET", "servers"))["servers"][0]["id"])
    for secret in [*ids, "zq", "sub/shared", "notes", "127.0.0.1", "Olga", str(jupyter.port)]:
        assert secret.lower() not in said.lower(), secret


@pytest.mark.real
@pytest.mark.parametrize("path", ["/metrics", "/ready", "/health"])
async def test_attack_a_web_page_reads_no_numbers(gate: Gatehouse, path: str) -> None:
    """Not by another name of this computer, not from another site; and on the gate's own address there are none."""
    assert (await fetch(gate, path, Host="evil.example.org"))[0] == 421
    assert (await fetch(gate, path, **{"Sec-Fetch-Site": "cross-site"}))[0] == 421
    assert (await fetch(gate, path))[0] == 200
    assert b"sharegate_" not in (await gate.raw("GET", path)).body


@pytest.mark.real
async def test_ready_says_which_check_fails(tmp_path: Path, jupyter: JupyterServer) -> None:
    """Without a secret or a path; alive is another question; and numbers are given all the same."""
    async with gatehouse(tmp_path, jupyter) as gate:
        status, text = await fetch(gate, "/ready")
        assert (status, text) == (
            200,
            '{"status": "ready", "checks": {"store": "ok", "history": "ok", "keys": "ok", "open": "ok"}}',
        )
        gate.running.drain()
        status, text = await fetch(gate, "/ready")
        assert status == 503 and '"open": "failed"' in text and '"store": "ok"' in text
        assert (await fetch(gate, "/health"))[0] == 200
        samples = read((await fetch(gate, "/metrics"))[1])
        assert samples["sharegate_ready", (("check", "open"),)] == 0
        assert {OK, FAILED, SLOW} == {"ok", "failed", "slow"}
