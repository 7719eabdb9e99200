"""When the server fails, visitors hear it in public words, and half an answer never looks whole."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sharegate.errors import MEANINGS, Reason
from tests.failures.server import CONTENTS, FILE, SECRET, Fake, gate_before, shared
from tests.gatehouse import Gatehouse
from tests.plainsocket import SlowReader
from tests.upstream.scripted import scripted

SERVER_FAULTS = [
    ("hangs up", FILE, 503, Reason.UPSTREAM_AWAY),
    ("hangs up", CONTENTS, 503, Reason.UPSTREAM_AWAY),
    ("garbage", FILE, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("garbage", CONTENTS, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("half a head", FILE, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("error page", FILE, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("error page", CONTENTS, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("no model", CONTENTS, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("other model", CONTENTS, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("redirects", FILE, 502, Reason.UPSTREAM_BAD_ANSWER),
]


@pytest.mark.parametrize(("behaviour", "path", "status", "reason"), SERVER_FAULTS)
async def test_a_faulty_server_is_told_by_its_public_code(
    gate: Gatehouse, fake: Fake, behaviour: str, path: str, status: int, reason: Reason
) -> None:
    """As page and as JSON, with nothing of what the server said; the history has the reason, and it works again."""
    made = await shared(gate, **{"for": ["Ann"]})
    ann = await gate.visit(made)
    fake.behaviour = behaviour
    reply = await ann.ask("GET", path)
    assert (reply.status, reply.public) == (status, MEANINGS[reason].public), reply.body
    page = await ann.ask("GET", path, headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
    assert page.status == status and MEANINGS[reason].sentence.encode() in page.body
    for answer in (reply, page):
        assert SECRET.encode() not in answer.body and b"evil" not in repr(answer.headers).encode()
    assert (await gate.denials(made["share"]["id"]))[-2:] == [reason.value] * 2
    fake.behaviour = "fine"
    assert (await ann.ask("GET", path)).status == 200


async def test_a_slow_server_is_told_as_slow(gate: Gatehouse, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """504 when it does not answer in time, and it is not waited for any longer."""
    from sharegate.upstream.forward import Timeouts

    ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
    forwarder = gate.running.gate._answers._forwarder
    monkeypatch.setattr(forwarder, "_timeouts", Timeouts(connect=2, first_byte=0.2, idle=0.2))
    fake.behaviour = "held"
    reply = await ann.ask("GET", FILE)
    assert (reply.status, reply.public) == (504, "server_slow")


async def test_a_server_that_is_gone_is_told_as_away(tmp_path: Path) -> None:
    """503, the page of a server that is not running."""
    async with scripted(Fake().serve) as record, gate_before(tmp_path, record) as gate:
        ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
        upstream = (await gate.running.gate._store.upstreams())[0]  # type: ignore[attr-defined]
        gone = msgspec.structs.replace(upstream, url="http://127.0.0.1:9/")
        await gate.running.gate._store.put_upstream(gone)  # type: ignore[attr-defined]
        gate.running.gate._upstreams.forget(gone.id)  # type: ignore[attr-defined]
        reply = await ann.ask("GET", FILE)
        assert (reply.status, reply.public) == (503, "server_away")


async def test_a_body_that_ends_early_never_looks_whole(gate: Gatehouse, fake: Fake) -> None:
    """The connection is broken off where the server broke off, and a short answer, read whole, is not given at all."""
    ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
    fake.behaviour = "promises more"
    reply = await ann.ask("GET", FILE)
    assert (reply.status, reply.public) == (502, "server_fault")
    fake.behaviour = "promises much more"
    reading = await SlowReader.open(ann, FILE)
    size, whole = await reading.rest()
    assert size <= 4 and not whole
