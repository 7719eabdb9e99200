"""The same probes run on nginx and configurable-http-proxy; a few here, all by scripts/probes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from tests.probes import chp, nginx
from tests.probes.model import Mark, all_probes
from tests.probes.peer import Peer

pytestmark = pytest.mark.peers

# What every proxy gets right, and for each one thing that it does not: or the probes could not fail.
GOOD = ("one chunk", "length and chunks", "three at once", "a good handshake", "answer by length")
KNOWN = {"nginx": "HTTP/0.9", "configurable-http-proxy": "the second waits for the first"}


@pytest.mark.parametrize("opening", [nginx.nginx, chp.configurable_http_proxy], ids=["nginx", "chp"])
async def test_peers_are_probed_as_the_gate_is(opening: Callable[[], AbstractAsyncContextManager[Peer]]) -> None:
    """Common ground is ok, known faults are found."""
    if (nginx if opening is nginx.nginx else chp).program() is None:
        pytest.skip("not installed: scripts/programs")
    probes = {probe.name: probe for probe in all_probes()}
    async with opening() as peer:
        verdicts = {name: await probes[name].judge(peer) for name in (*GOOD, KNOWN[peer.name])}

    assert {name: verdicts[name].mark for name in GOOD} == dict.fromkeys(GOOD, Mark.OK)
    assert verdicts[KNOWN[peer.name]].mark is Mark.BAD
