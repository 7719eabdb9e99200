"""A browser shows the dashboard's cookie to every port of `localhost`: another account of the computer that listens at
one has it, and is nobody by it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from sharegate.dashboard.origin import CSRF
from sharegate.dashboard.web import COOKIE
from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")

NOBODY = 65534
KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
# One request as that account; what was answered goes to stdout.
CALLER = """
import os, socket, sys
uid, host, port, head = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.stdin.buffer.read()
if uid != os.getuid(): os.setgid(uid); os.setuid(uid)
there = socket.socket()  # nothing to import from now on
there.connect((host, port))
there.sendall(head)
if "hangs up" in sys.argv: sys.exit()
while piece := there.recv(65536): sys.stdout.buffer.write(piece)
"""


async def asked(office: Office, uid: int, line: str, cookie: str, *more: str, stays: bool = True) -> tuple[int, str]:
    """Status and whole answer to one request with that cookie and `more` fields; 0 for who does not stay for one."""
    url = office.running.dashboard_url
    fields = [f"Host: {urlsplit(url).netloc}", f"Origin: {url}", f"Cookie: {COOKIE}={cookie}", *more]
    if "Upgrade: websocket" not in more:
        fields += ["Connection: close", "Sec-Fetch-Site: same-origin"]
    command = [sys.executable, "-c", CALLER, str(uid), "127.0.0.1", str(urlsplit(url).port)]
    command += [] if stays else ["hangs up"]
    caller = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1)
    head = "\r\n".join([f"{line} HTTP/1.1", *fields, "", ""]).encode()
    try:
        said, _ = await asyncio.wait_for(caller.communicate(head), 60)
    finally:
        if caller.returncode is None:
            caller.kill()
            await caller.wait()
    return int(said.split(b" ", 2)[1]) if said else 0, said.decode(errors="replace")


async def signed_in(office: Office) -> str:
    """The cookie of a browser of the owner's account."""
    url = (await office.call("POST", "logins"))["url"]
    own = {"Sec-Fetch-Site": "same-origin", "Origin": office.running.dashboard_url}
    async with (
        aiohttp.ClientSession(office.running.dashboard_url, headers=own) as browser,
        browser.post("/login", json={"code": urlsplit(url).fragment}) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return answer.cookies[COOKIE].value


async def test_attack_the_cookie_of_a_session_from_another_account(tmp_path: Path, clock: Clock) -> None:
    """Pages, the API, a download and the live page: as nobody, who is told to sign in; the owner's session goes on."""
    async with opened(tmp_path, clock) as office:
        await office.share("week3", name="Secret week", anyone=True, visits=60)
        cookie = await signed_in(office)
        version = ("Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}")
        live = ("Connection: Upgrade, close", "Upgrade: websocket", *version)
        reading = ("/", "/api/v1/shares", "/api/v1/audit/download?format=csv")
        asks = [*((f"GET {path}", ()) for path in reading), ("GET /live", live)]
        for line, more in asks[:3]:
            status, answer = await asked(office, os.getuid(), line, cookie, *more)
            assert status == 200 and ("Secret week" in answer or "csv" in line), answer
        for line, more in asks:
            status, answer = await asked(office, NOBODY, line, cookie, *more)
            assert status == 401, (line, answer)
            assert "Secret week" not in answer and cookie not in answer
        status, page = await asked(office, os.getuid(), "GET /", cookie)
        assert status == 200 and "Secret week" in page


async def test_attack_who_asks_and_hangs_up_has_asked_for_nothing(tmp_path: Path, clock: Clock) -> None:
    """Of what is closed the kernel does not tell whose it was; it was nobody's."""
    async with opened(tmp_path, clock) as office:
        made = await office.share("week3", anyone=True, visits=60)
        cookie = await signed_in(office)
        _, page = await asked(office, os.getuid(), "GET /", cookie)
        csrf = page.partition('name="csrf" content="')[2].partition('"')[0]
        pause = f"POST /api/v1/shares/{made['share']['id']}/pause"
        proof = (f"{CSRF}: {csrf}", "Content-Length: 0")
        for _ in range(10):
            assert (await asked(office, NOBODY, pause, cookie, *proof, stays=False))[0] == 0
        assert (await asked(office, NOBODY, pause, cookie, *proof))[0] == 401
        assert (await office.call("GET", f"shares/{made['share']['id']}"))["share"]["state"] == "active"
        assert (await asked(office, os.getuid(), pause, cookie, *proof))[0] == 200
