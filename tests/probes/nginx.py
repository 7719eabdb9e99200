"""nginx in front of the scripted server: one worker, upstream connections kept, as its manual has it for WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.probes.back import Back, standing
from tests.probes.peer import Peer
from tests.real.jupyter import free_port

CONF = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log off; server_tokens off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream back {{ server 127.0.0.1:{back}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://back;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout 3s; proxy_send_timeout 3s; proxy_connect_timeout 3s;
    }}
  }}
}}
"""

TUNNEL = {
    "websocket": "carries a WebSocket's bytes without reading them",
    "share": "is there to pass on what the server says",
}


def program() -> str | None:
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


async def until_listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(20):
        while True:
            assert process.returncode is None, "it ended at once"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


@contextlib.asynccontextmanager
async def ended(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """The program is stopped when the block ends."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def nginx() -> AsyncIterator[Peer]:
    found = program()
    assert found is not None
    said = subprocess.run([found, "-v"], capture_output=True, text=True, check=True).stderr
    with tempfile.TemporaryDirectory(prefix="probes-nginx-") as made:
        folder, port = Path(made), free_port()
        async with standing(Back()) as back:
            (folder / "nginx.conf").write_text(CONF.format(folder=folder, port=port, back=back.port))
            process = await asyncio.create_subprocess_exec(found, "-p", made, "-c", f"{made}/nginx.conf")
            async with ended(process):
                await until_listening(port, process)
                yield Peer("nginx", port, back, version=said.strip().rpartition("/")[2], settles=0.1, cannot=TUNNEL)
