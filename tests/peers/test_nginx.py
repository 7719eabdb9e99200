"""What the configuration of nginx that we hand out promises, kept by a real nginx."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from sharegate import app
from sharegate.listener import sockets
from tests.gatehouse import raw
from tests.peers.conftest import Way, opened
from tests.peers.people import Person, connector
from tests.real.certificates import Pair
from tests.real.jupyter import JupyterServer
from tests.real.nginx import SITE, running_nginx

pytestmark = [pytest.mark.peers, pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

# What nginx waits for by itself when a configuration says nothing of it, in seconds.
NGINX_DEFAULT = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def way(tmp_path_factory: pytest.TempPathFactory, lab: JupyterServer, pair: Pair) -> AsyncIterator[Way]:
    async with opened("nginx", tmp_path_factory.mktemp("way"), lab, pair) as made:
        yield made


async def test_pings_come_before_any_proxys_patience_ends() -> None:
    """At least one ping and its answer within half of what the configuration says, and within nginx's own default."""
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s;", SITE.read_text())
    assert float(seconds) >= 2 * sockets.PING_SECONDS
    assert sockets.PING_SECONDS <= NGINX_DEFAULT / 2


async def test_a_quiet_socket_outlives_the_patience_of_a_proxy(
    tmp_path: Path, way: Way, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a proxy of less patience and as many pings in proportion, it is open when eight of them have come."""
    monkeypatch.setattr(sockets, "PING_SECONDS", 1.5)
    change = {"proxy_read_timeout 120s;": "proxy_read_timeout 5s;"}
    port = way.gate.running.config.gate_port
    ann, _ = await way.enter("Ann")
    with running_nginx(tmp_path / "short", port, tls=pair, change=change) as short:
        name = way.origin.removeprefix("https://")
        address = f"{way.origin.rpartition(':')[0]}:{short.port}{ann.base}-/live"
        cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in ann.cookies() if cookie["path"] == ann.base)
        async with aiohttp.ClientSession(connector=connector(pair.trusted())) as session:
            fields = {"Origin": way.origin, "Host": name, "Cookie": cookies}
            async with session.ws_connect(address, headers=fields, autoping=False) as socket:
                pings = 0
                while pings < 8:
                    message = await socket.receive(timeout=25)
                    assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PING)
                    if message.type is aiohttp.WSMsgType.PING:
                        pings += 1
                        await socket.pong(message.data)


async def test_plain_http_is_sent_to_https(way: Way) -> None:
    """And nothing of it reaches the gate."""
    assert way.nginx is not None
    reply = await raw(way.nginx.plain, "GET", "/s/x?y=1", {"Host": "share.example.org"})
    assert (reply.status, reply.header("Location")) == (308, f"{way.origin}/s/x?y=1")


async def test_no_query_stands_in_its_log(way: Way) -> None:
    """Programs may send a token there."""
    assert way.nginx is not None
    ann, _ = await way.enter("Ann")
    assert (await ann.ask("GET", "api/contents/sub/shared?content=0&token=zqsecret")).status >= 400
    assert "api/contents/sub/shared" in way.nginx.access_log
    assert "zqsecret" not in way.nginx.access_log


async def test_the_gate_may_come_and_go(tmp_path: Path, lab: JupyterServer, pair: Pair) -> None:
    """A gate that was away is found again at once: there is no time in which nginx does not ask."""
    async with opened("nginx", tmp_path, lab, pair) as made:
        robot, _ = await made.enter("Ann")
        config = made.gate.running.config
        port = config.gate_port
        assert (await robot.ask("GET", "api/contents/sub/shared")).status == 200
        nginx = made.nginx
        assert nginx is not None
        trusted = pair.trusted()
    with running_nginx(tmp_path / "again", port, port=nginx.port, tls=pair):
        person = Person("Eve", f"{made.origin}/join#x", connector(trusted))
        try:
            assert (await person.ask("GET", "/join", whole=True)).status == 502
            async with app.running(config):
                assert (await person.ask("GET", "/join", whole=True)).status == 200
        finally:
            await person.close()
