"""The owner's listener: for this user and this computer only, and always in the same shape."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sharegate import app, config
from sharegate.errors import Refused
from tests.dashboard.conftest import Office

SHAPE = {"code", "message", "field", "remedy", "candidates"}
PROBLEM = {"type", "title", "status", "detail", "code", "field", "remedy", "candidates"}


def over_socket(office: Office) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(str(office.running.config.socket_path)), base_url="http://gate"
    )


async def raw(office: Office, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Bytes over the Unix socket, and the one answer."""
    reader, writer = await asyncio.open_unix_connection(str(office.running.config.socket_path))
    try:
        writer.write(sent)
        async with asyncio.timeout(25):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            body = await reader.readexactly(int(fields.get("content-length", "0")))
        return int(lines[0].split(" ")[1]), fields, body
    finally:
        writer.close()
        await writer.wait_closed()


async def test_keys_that_cannot_be_read_are_told_in_shape(office: Office) -> None:
    """503 without a path or a trace; readable again, they are there again."""
    ring = office.running.config.keys_dir / "ring.json"
    right = ring.read_bytes()
    address = office.running.dashboard_url + "/.well-known/jwks.json"
    async with aiohttp.ClientSession() as http:
        ring.write_bytes(b"{")
        async with http.get(address) as answer:
            said = await answer.json()
            assert answer.status == 503 and set(said) >= PROBLEM
            assert said["code"] == "keys_unreadable" and "/" not in said["detail"]
        ring.write_bytes(right)
        async with http.get(address) as answer:
            assert answer.status == 200 and (await answer.json())["keys"]


async def test_socket_and_folder_are_for_this_user_only(office: Office) -> None:
    """0600 in 0700; keys and store too."""
    config = office.running.config
    assert stat.S_IMODE(config.socket_path.stat().st_mode) == 0o600
    for folder in (config.socket_path.parent, config.keys_dir, config.database.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for file in (config.database, *config.keys_dir.iterdir()):
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


CLIENT = """
import os, socket, sys
os.setgid(65534)
os.setuid(65534)
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    client.sendall(b"GET %s HTTP/1.1\\r\\nHost: gate\\r\\nConnection: close\\r\\n\\r\\n" % sys.argv[2].encode())
    said = b""
    while part := client.recv(65536):
        said += part
sys.stdout.buffer.write(said)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("path", ["/api/v1/gate", "/api/v1/changes", "/api/v1/shares"])
async def test_attack_another_user_of_this_computer_asks(office: Office, tmp_path: Path, path: str) -> None:
    """Even with the modes taken away, whoever is not this user is told nothing but that."""
    target = office.running.config.socket_path
    for folder in (target, *target.parents):
        if folder == Path("/"):
            break
        if stat.S_IMODE(folder.stat().st_mode) & 0o001 == 0 or folder == target:
            folder.chmod(0o777)
    made = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", CLIENT, str(target), path], capture_output=True, timeout=30
    )
    assert made.returncode == 0, made.stderr.decode()
    assert made.stdout.startswith(b"HTTP/1.1 403")
    assert set(json.loads(made.stdout.partition(b"\r\n\r\n")[2])["error"]) == SHAPE
    assert b"Olga" not in made.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_attack_another_user_does_not_even_reach_the_socket(office: Office) -> None:
    """The folder's mode comes before the check of the peer."""
    made = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CLIENT, str(office.running.config.socket_path), "/api/v1/gate"],
        capture_output=True,
        timeout=30,
    )
    assert b"PermissionError" in made.stderr and made.stdout == b""


async def test_the_owner_is_answered_over_the_socket(office: Office) -> None:
    """What the API answers, with headers that keep it out of caches and pages."""
    async with over_socket(office) as http, http.get("/api/v1/gate") as answer:
        assert answer.status == 200 and (await answer.json())["owner"] == "Olga"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"path": "a", "path": "b"}',
        b'{"expires": NaN}',
        b'{"expires": -Infinity}',
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"visits": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
async def test_bodies_that_are_no_json_object_are_refused(office: Office, body: bytes) -> None:
    """With the API's own shape, and nothing is done."""
    before = await office.everything()
    async with over_socket(office) as http, http.post("/api/v1/shares", data=body) as answer:
        assert answer.status == 400
        assert set((await answer.json())["error"]) == SHAPE
    assert await office.everything() == before


async def test_a_body_past_the_limit_is_refused(office: Office) -> None:
    """Announced or not."""
    async with over_socket(office) as http:
        async with http.post("/api/v1/shares", data=io.BytesIO(b"x" * ((1 << 20) + 1))) as answer:
            assert answer.status == 413 and set((await answer.json())["error"]) == SHAPE

        async def endless() -> Any:
            for _ in range(40):
                yield b"x" * 65536

        async with http.post("/api/v1/shares", data=endless()) as answer:
            assert answer.status == 413 and set((await answer.json())["error"]) == SHAPE


async def test_whatever_path_and_method_have_the_shape(office: Office) -> None:
    """There is nothing but the API on the socket."""
    for line in (b"GET /", b"GET /api/v1", b"PROPFIND /api/v1/gate", b"POST /api/v1/changes", b"GET /api/v1/gate/../x"):
        status, fields, body = await raw(office, line + b" HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n")
        assert status in (400, 404, 405) and fields["content-type"].startswith("application/json"), (line, body)
        assert set(json.loads(body)["error"]) == SHAPE


async def test_changes_are_told_line_by_line_until_the_reader_goes(office: Office) -> None:
    """JSON lines; hello first."""
    async with over_socket(office) as http, http.get("/api/v1/changes") as stream:
        assert json.loads(await stream.content.readline())["kind"] == "hello"
        share = (await office.share())["share"]["id"]
        async with asyncio.timeout(25):
            while json.loads(await stream.content.readline())["id"] != share:
                pass
    async with asyncio.timeout(25):
        while office.running.api._listeners:
            office.running.api.changed(type("Change", (), {"kind": "share", "id": "x"})())  # type: ignore[arg-type]
            await asyncio.sleep(0.01)


async def test_the_dashboards_address_tells_health_and_keys(office: Office) -> None:
    """And nothing else to somebody who is not signed in."""
    async with aiohttp.ClientSession(office.running.dashboard_url) as http:
        for path, key in (("/health", "status"), ("/ready", "status"), ("/.well-known/jwks.json", "keys")):
            async with http.get(path) as answer:
                assert answer.status == 200 and key in await answer.json()
        for method, path, status in (
            *(("GET", "/api/v1/gate", 401), ("POST", "/api/v1/shares", 401), ("POST", "/health", 405)),
        ):
            async with http.request(method, path, headers={"Sec-Fetch-Dest": "empty"}) as answer:
                assert answer.status == status and set(await answer.json()) == PROBLEM
                assert answer.content_type == "application/problem+json"


async def test_the_published_keys_hold_no_private_part(office: Office) -> None:
    """RFC 8037: `d` is the private key."""
    async with (
        aiohttp.ClientSession(office.running.dashboard_url) as http,
        http.get("/.well-known/jwks.json") as answer,
    ):
        keys = (await answer.json())["keys"]
    assert keys and all(set(key) <= {"kty", "crv", "x", "kid", "use", "alg"} for key in keys)


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "[::1"}],
)
async def test_attack_a_page_of_another_site_asks_the_dashboard(office: Office, headers: dict[str, str]) -> None:
    """By rebinding a name, or from its own origin."""
    async with (
        aiohttp.ClientSession(office.running.dashboard_url) as http,
        http.get("/ready", headers=headers) as answer,
    ):
        assert answer.status in (400, 421)


async def test_readiness_follows_the_store(office: Office) -> None:
    """503 while records cannot be written, 200 when they can again."""
    other = sqlite3.connect(office.running.config.database, isolation_level=None)
    async with aiohttp.ClientSession(office.running.dashboard_url) as http:
        other.execute("BEGIN IMMEDIATE")
        async with http.get("/ready") as answer:
            assert answer.status == 503
        async with http.get("/health") as answer:
            assert answer.status == 200
        other.execute("ROLLBACK")
        async with http.get("/ready") as answer:
            assert answer.status == 200
    other.close()


async def test_two_gates_on_one_folder_are_one_too_many(office: Office) -> None:
    """The second one is told who holds the records, and the first one goes on."""
    values = {"data_dir": str(office.running.config.data_dir), "gate_port": 0, "dashboard_port": 0}
    with pytest.raises(Refused) as refused:
        async with app.running(config.load(None, {}, values)):
            pass
    assert refused.value.code == "store_in_use" and str(os.getpid()) in refused.value.problem
    async with over_socket(office) as http, http.get("/api/v1/gate") as answer:
        assert answer.status == 200
