"""One gate behind each of the ways in that we say work, before one real JupyterLab."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.gatehouse import Gatehouse, gatehouse
from tests.peers.people import HERE, Person, connector
from tests.real import caddy, chp, nginx, tunnel
from tests.real.caddy import running_caddy
from tests.real.certificates import Authority, Pair
from tests.real.chp import running_chp
from tests.real.jupyter import JupyterServer, free_port, plant, running_jupyter
from tests.real.nginx import Nginx, running_nginx
from tests.real.tunnel import running_tunnel

NAME = "share.example.org"
# nginx, as somebody else may have configured it: whole answers and whole bodies wait in it.
BUFFERING = {
    "proxy_buffering off;": "proxy_buffering on;",
    "proxy_request_buffering off;": "proxy_request_buffering on;",
    "proxy_max_temp_file_size 0;": "",
}
# The gate by itself; nginx, and to the gate by TLS again; JupyterHub's proxy, the same; both in a row, as a hub's
# ingress and proxy are; an nginx that keeps whole answers; nginx on a host to which a laptop has a tunnel; and Caddy.
WAYS = ("gate", "nginx", "nginx-tls", "chp", "chp-tls", "nginx-chp", "nginx-buffering", "nginx-ssh", "caddy")
_PROGRAMS: dict[str, Callable[[], object]] = {
    "nginx": nginx.executable,
    "chp": chp.executable,
    "ssh": tunnel.executables,
    "caddy": caddy.executable,
}


@dataclass
class Way:
    """A gate and what stands in front of it; visitors come to `origin`."""

    name: str
    gate: Gatehouse
    origin: str
    pair: Pair
    nginx: Nginx | None = None

    def person(self, link: str, name: str, here: str = HERE) -> Person:
        robot = Person(name, link, connector(self.pair.trusted(), here))
        self.gate.robots.append(robot)
        return robot

    async def enter(self, name: str = "Ann", here: str = HERE, **share: Any) -> tuple[Person, dict[str, Any]]:
        """Somebody inside by a link of their own, and what was made for them."""
        made = await self.gate.share(**{"for": [name]}, **share)
        person = self.person(made["links"][0]["url"], name, here)
        assert await person.enter()
        return person, made


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A JupyterLab of these tests' own: they write in it."""
    home = tmp_path_factory.mktemp("peers")
    (home / "root").mkdir()
    plant(home / "root")
    (home / "root" / "sub" / "shared" / "big.bin").write_bytes(os.urandom(1 << 20) * 48)
    # Far more than the network between three programs holds, which is up to 32 MB on the way from one to the next.
    with (home / "root" / "sub" / "shared" / "huge.bin").open("wb") as huge:
        huge.truncate(128 << 20)
    with running_jupyter(home) as server:
        yield server


@pytest.fixture(scope="package")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Authority(tmp_path_factory.mktemp("authority")).leaf()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=WAYS)
async def way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, lab: JupyterServer, pair: Pair
) -> AsyncIterator[Way]:
    kind = str(request.param)
    folder = tmp_path_factory.mktemp(kind)
    async with opened(kind, folder, lab, pair) as made:
        yield made


@contextlib.asynccontextmanager
async def opened(kind: str, folder: Path, lab: JupyterServer, pair: Pair, **settings: Any) -> AsyncIterator[Way]:
    """A gate on a free port and the proxies of this way in front of it."""
    missing = [part for part in kind.split("-") if part in _PROGRAMS and not _PROGRAMS[part]()]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    port = free_port()
    given = {
        "public_url": f"https://{NAME}:{port}",
        "full_addresses": True,
        "strangers_per_minute": 1_000_000,
        **({"gate_port": port} if kind == "gate" else {"trusted_forwarders": ["127.0.0.1"]}),
        **({"tls_certificate": str(pair.certificate), "tls_key": str(pair.key)} if _encrypted(kind) else {}),
        **settings,
    }
    async with gatehouse(folder, lab, **given) as gate:
        inner = gate.running.config.gate_port
        upstream = pair if _encrypted(kind) else None
        with contextlib.ExitStack() as running:
            front = None
            if kind == "nginx-ssh":
                inner = running.enter_context(running_tunnel(folder / "ssh", inner))
            if kind == "nginx-chp":
                inner = running.enter_context(running_chp(folder / "chp", inner)).port
            if "nginx" in kind:
                change = BUFFERING if kind == "nginx-buffering" else {}
                front = running.enter_context(
                    running_nginx(folder / "nginx", inner, port=port, tls=pair, upstream_tls=upstream, change=change)
                )
            elif "chp" in kind:
                running.enter_context(running_chp(folder / "chp", inner, port=port, tls=pair, upstream_tls=upstream))
            elif kind == "caddy":
                running.enter_context(running_caddy(folder / "caddy", inner, port=port, tls=pair))
            yield Way(kind, gate, f"https://{NAME}:{port}", pair, front)


def _encrypted(kind: str) -> bool:
    """Whether the gate itself speaks TLS."""
    return kind == "gate" or kind.endswith("-tls")


_numbers = itertools.count(1)


@pytest.fixture
def number() -> int:
    """For a file that no other test has."""
    return next(_numbers)
