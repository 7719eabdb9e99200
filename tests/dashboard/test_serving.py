"""What the dashboard's address answers to what is no request, on a raw socket."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from tests.dashboard.conftest import Office

MALFORMED = {
    "more cookies than are read": b"GET / HTTP/1.1\r\nHost: {host}\r\nCookie: sharegate-dashboard={key}; a="
    + b"y" * 9000,
    "a control character": b"GET / HTTP/1.1\r\nHost: {host}\r\nCookie: sharegate-dashboard={key}; a=\x01\x00",
    "a line that is none": b"GET / HTTP/1.1\r\nHost: {host}\r\nsharegate-dashboard={key}",
    "a token in an address": b"GET /?token={key} HTTP/9\r\nHost: {host}",
    "a method that is none": b"G{key}\x00 / HTTP/1.1\r\nHost: {host}",
}


@pytest.mark.parametrize("kind", MALFORMED)
async def test_attack_what_cannot_be_read_is_neither_said_back_nor_logged(
    office: Office, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No script may read the session's cookie, and a page of the dashboard's own origin could read that answer."""
    caplog.set_level("DEBUG")
    url = office.running.dashboard_url
    code = (await office.call("POST", "logins"))["url"].partition("#")[2]
    async with (
        aiohttp.ClientSession(url) as http,
        http.post("/login", json={"code": code}, headers={"Origin": url}) as entered,
    ):
        key = entered.cookies["sharegate-dashboard"].value
    host = url.removeprefix("http://")
    sent = MALFORMED[kind].replace(b"{host}", host.encode()).replace(b"{key}", key.encode()) + b"\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(host.rpartition(":")[2]))
    writer.write(sent)
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.split()[1] == ("431" if kind.startswith("more") else "400"), answer
    assert "sandbox" in head and "nosniff" in head and "no-store" in head
    said = json.loads(body)
    assert said["code"] in ("too_large", "invalid") and ("cookies" in said.get("remedy", "")) is kind.startswith("more")
    assert key[:20] not in answer and key[:20] not in caplog.text and "Traceback" not in caplog.text


async def test_an_address_that_is_too_long_is_told_as_that(office: Office) -> None:
    """Nobody's cookies are to blame."""
    url = office.running.dashboard_url
    async with aiohttp.ClientSession(url) as http, http.get("/login", params={"q": "W" * 9000}) as answer:
        assert answer.status == 414
        said = await answer.json(content_type="application/problem+json")
    assert (said["code"], said["remedy"]) == ("too_large", "Ask for less")
