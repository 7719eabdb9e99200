"""A certificate is renewed under a gate that runs, with a visitor inside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from sharegate.listener import tls
from tests.gatehouse import Gatehouse
from tests.peers.conftest import NAME, opened
from tests.real.certificates import Authority
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real]


async def serial(port: int, authority: Path) -> int:
    trusted = ssl.create_default_context(cafile=str(authority))
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname=NAME)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return x509.load_der_x509_certificate(found).serial_number


async def test_a_renewal_reaches_the_next_connection_and_no_open_one(
    tmp_path: Path, lab: JupyterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate looks by itself; the visitor's live channel stays; a broken renewal after it is told by the doctor."""
    monkeypatch.setattr(tls, "WATCH_SECONDS", 0.05)
    authority = Authority(tmp_path / "authority")
    pair = authority.leaf()
    async with opened("gate", tmp_path / "gate", lab, pair) as way:
        port = way.gate.running.config.gate_port
        ann, made = await way.enter("Ann")
        live = await ann.live()
        assert (await live.receive(timeout=25)).type is aiohttp.WSMsgType.TEXT
        before = await serial(port, pair.ca)
        fresh = authority.leaf("fresh")
        wanted = fresh.serial
        os.replace(fresh.certificate, pair.certificate)
        os.replace(fresh.key, pair.key)
        async with asyncio.timeout(25):
            while (now := await serial(port, pair.ca)) == before:
                pass
        assert now == wanted
        assert (await ann.ask("GET", "api/contents/sub/shared")).status == 200

        pair.key.write_text("nothing")
        async with asyncio.timeout(25):
            while not [one for one in await findings(way.gate) if "tls_key" in one["what"]]:
                await asyncio.sleep(0.02)
        assert await serial(port, pair.ca) == wanted

        await way.gate.call("POST", f"shares/{made['share']['id']}/revoke", {})
        async with asyncio.timeout(25):
            while (message := await live.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4403)


async def findings(gate: Gatehouse) -> list[dict[str, str]]:
    answer = await gate.call("GET", "doctor")
    return list(answer["findings"])
