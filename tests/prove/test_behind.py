"""A proof through what stands in front of a gate: nginx with TLS, at the address that links carry."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from sharegate.prove.model import Check
from tests.gatehouse import gatehouse
from tests.prove.conftest import Prover
from tests.prove.test_holes import any_origin_passes, cookies_pass, everywhere_is_inside
from tests.real.certificates import Authority
from tests.real.jupyter import JupyterServer, free_port

pytestmark = [
    pytest.mark.real,
    pytest.mark.peers,
    pytest.mark.asyncio,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]

NAME = "share.localhost"
CONFIGURATION = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{front} ssl; server_name {name};
    ssl_certificate {pair.certificate}; ssl_certificate_key {pair.key};
    add_header Strict-Transport-Security "max-age=1" always;
    location / {{
      proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"""


@pytest.fixture
def nginx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Its port, and that of the gate behind it."""
    front, port = free_port(), free_port()
    pair = Authority(tmp_path).leaf(names=(NAME,))
    monkeypatch.setenv("SSL_CERT_FILE", str(pair.ca))
    text = CONFIGURATION.format(folder=tmp_path, front=front, port=port, name=NAME, pair=pair)
    (tmp_path / "nginx.conf").write_text(text)
    process = subprocess.Popen(["nginx", "-c", str(tmp_path / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        yield front, port
    finally:
        process.terminate()
        process.wait(10)


@contextlib.asynccontextmanager
async def behind(ports: tuple[int, int], folder: Path, ground: JupyterServer) -> AsyncIterator[Prover]:
    front, port = ports
    settings: dict[str, Any] = {"gate_port": port, "public_url": f"https://{NAME}:{front}"}
    async with gatehouse(folder, ground, **settings) as house:
        yield Prover(house)


async def test_nothing_gets_out_through_it(nginx: tuple[int, int], tmp_path: Path, ground: JupyterServer) -> None:
    """What the proxy adds to every answer, and refuses in its own words, is no leak."""
    async with behind(nginx, tmp_path, ground) as prover:
        receipt = await prover.prove(quick=True)
    assert receipt.got_out == () and receipt.files == 7
    assert receipt.address == f"https://{NAME}:{nginx[0]}"


@pytest.mark.parametrize(
    ("check", "hole"),
    [(Check.PLACES, everywhere_is_inside), (Check.HEADERS, cookies_pass), (Check.OTHER_SITES, any_origin_passes)],
    ids=("places", "headers", "other sites"),
)
async def test_holes_are_found_through_it(
    nginx: tuple[int, int], tmp_path: Path, ground: JupyterServer, monkeypatch: Any, check: Check, hole: Any
) -> None:
    """A proxy hides no hole."""
    async with behind(nginx, tmp_path, ground) as prover:
        hole(monkeypatch, ground)
        receipt = await prover.prove(check, quick=True)
    assert check.value in {got.check for got in receipt.got_out}


async def test_a_certificate_that_is_not_trusted(
    nginx: tuple[int, int], tmp_path: Path, ground: JupyterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's browser would not go on either: it cannot be run, and it is said why."""
    monkeypatch.delenv("SSL_CERT_FILE")
    async with behind(nginx, tmp_path, ground) as prover:
        with pytest.raises(AssertionError, match=r"certificate at https://share\.localhost:.* is not valid"):
            await prover.prove(Check.HOSTS)
