"""Attack: what a browser, a proxy or a program says around a request to the dashboard's address, to have it read
otherwise: other hosts, other methods, other types and encodings of a body, addresses that lead elsewhere.

Requests go over a raw socket, for no client library sends them.
"""

from __future__ import annotations

import asyncio
import gzip
from urllib.parse import urlsplit

import pytest

from tests.dashboard.client import Signed
from tests.dashboard.conftest import Office, office

__all__ = ["office"]
JSON = b"Content-Type: application/json\r\n"
EVIL = b"Origin: https://evil.example\r\n"
PAUSE = b"POST /api/v1/shares/{share}/pause HTTP/1.1\r\nHost: {host}\r\n{cookie}"

# The request without its end, its body, and the status of the answer.
HEADS: dict[str, tuple[bytes, bytes, int]] = {
    "a proxy's word for the host": (
        b"GET /nowhere HTTP/1.1\r\nHost: {host}\r\n{cookie}X-Forwarded-Host: evil.example\r\n"
        b"Forwarded: host=evil.example\r\nX-Original-URL: /api/v1/shares\r\nX-Rewrite-URL: /api/v1/shares\r\n",
        b"",
        404,
    ),
    "a proxy's word beside another host": (
        b"GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: {host}\r\n{cookie}",
        b"",
        421,
    ),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n{cookie}", b"", 400),
    "no host": (b"GET / HTTP/1.0\r\n{cookie}", b"", 421),
    "a host behind another's name": (b"GET / HTTP/1.1\r\nHost: {host}@evil.example\r\n{cookie}", b"", 421),
    "a host with a dot": (b"GET / HTTP/1.1\r\nHost: localhost.\r\n{cookie}", b"", 421),
    "a host below": (b"GET / HTTP/1.1\r\nHost: evil.localhost\r\n{cookie}", b"", 421),
    "a method that is said beside": (PAUSE + b"X-HTTP-Method-Override: GET\r\n" + JSON, b"{}", 403),
    "a reading method that writes": (
        b"GET /api/v1/shares/{share}/pause HTTP/1.1\r\nHost: {host}\r\n{cookie}{own}X-HTTP-Method-Override: POST\r\n"
        b"X-HTTP-Method: POST\r\nX-Method-Override: POST\r\n",
        b"",
        405,
    ),
    "a method in the query": (
        b"GET /api/v1/shares/{share}?_method=DELETE HTTP/1.1\r\nHost: {host}\r\n{cookie}{own}",
        b"",
        400,
    ),
    "asking whether another site may": (
        b"OPTIONS /api/v1/shares HTTP/1.1\r\nHost: {host}\r\n" + EVIL + b"Access-Control-Request-Method: POST\r\n"
        b"Access-Control-Request-Headers: x-csrf-token\r\nAccess-Control-Request-Private-Network: true\r\n",
        b"",
        401,
    ),
    "asking whether another site may sign in": (
        b"OPTIONS /login HTTP/1.1\r\nHost: {host}\r\n" + EVIL + b"Access-Control-Request-Method: POST\r\n",
        b"",
        405,
    ),
    "text that is JSON": (PAUSE + b"{own}Content-Type: text/plain\r\n", b"{}", 415),
    "no type": (PAUSE + b"{own}", b"{}", 415),
    "two types": (PAUSE + b"{own}Content-Type: text/plain\r\n" + JSON, b"{}", 400),
    "a type of two minds": (
        PAUSE + b"{own}Content-Type: application/json; charset=utf-7; charset=utf-8\r\n",
        b"{}",
        415,
    ),
    "packed": (PAUSE + b"{own}Content-Encoding: gzip\r\n" + JSON, gzip.compress(b"{}"), 415),
    "said to be packed": (PAUSE + b"{own}Content-Encoding: gzip\r\n" + JSON, b"{}", 415),
    "said to be packed twice": (PAUSE + b"{own}Content-Encoding: identity, br\r\n" + JSON, b"{}", 415),
    "packed at the page that signs in": (
        b"POST /login HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Encoding: deflate\r\n" + JSON,
        b"{}",
        400,
    ),
    "small, and large when unpacked": (
        PAUSE + b"{own}Content-Encoding: gzip\r\n" + JSON,
        gzip.compress(b" " * 30_000_000),
        415,
    ),
    "a field twice": (PAUSE + b"{own}" + JSON, b'{"share": "a", "share": "b"}', 400),
    "two origins": (PAUSE + b"{own}" + EVIL + JSON, b"{}", 403),
    "two tokens of the page": (PAUSE + b"X-CSRF-Token: x\r\n{own}" + JSON, b"{}", 403),
    "no origin": (PAUSE + b"X-CSRF-Token: {csrf}\r\n" + JSON, b"{}", 403),
    "an origin that is none": (PAUSE + b"Origin: null\r\nX-CSRF-Token: {csrf}\r\n" + JSON, b"{}", 403),
    "another name that leads elsewhere": (
        b"GET //evil.example/%2e%2e HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nSec-Fetch-Dest: document\r\n",
        b"",
        302,
    ),
    "an address with a whole other one": (
        b"GET http://evil.example/shares/x HTTP/1.1\r\nHost: {host}\r\n{cookie}",
        b"",
        404,
    ),
    "where to go next": (b"GET /login?next=//evil.example&return=https:evil HTTP/1.1\r\nHost: {host}\r\n", b"", 200),
    "a new line in an address": (b"GET /shares/%0d%0aSet-Cookie:x=y HTTP/1.1\r\nHost: {host}\r\n{cookie}", b"", 404),
    "half a character in an address": (b"GET /shares/%ED%A0%80 HTTP/1.1\r\nHost: {host}\r\n{cookie}", b"", 404),
}


@pytest.mark.parametrize("kind", HEADS)
async def test_attack_a_request_that_could_be_read_otherwise(
    office: Office, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It has one reading, or none; nothing is done by it, no other site is let in or led to, and it is no fault."""
    made = await office.share(**{"for": ["Ann"]})
    who = Signed(office)
    await who.enter()
    url = urlsplit(office.running.dashboard_url)
    csrf, cookie = who._shown["X-CSRF-Token"], who._shown["Cookie"]
    words = {
        "host": url.netloc,
        "port": str(url.port),
        "share": made["share"]["id"],
        "csrf": csrf,
        "cookie": f"Cookie: {cookie}\r\n",
        "own": f"Origin: http://{url.netloc}\r\nX-CSRF-Token: {csrf}\r\n",
    }
    head, body, status = HEADS[kind]
    for name, word in words.items():
        head = head.replace(b"{" + name.encode() + b"}", word.encode())
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
    writer.write(head + length + b"Connection: close\r\n\r\n" + body)
    answer = (await reader.read()).decode()
    writer.close()
    said, _, shown = answer.partition("\r\n\r\n")
    fields = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in said.split("\r\n")[1:]}
    assert int(said.split()[1]) == status, answer
    assert not [name for name in fields if name.startswith("access-control") or name == "set-cookie"]
    assert fields.get("location", office.running.dashboard_url) == office.running.dashboard_url
    assert "evil.example" not in shown
    assert (await office.call("GET", f"shares/{made['share']['id']}"))["share"]["state"] == "active"
    assert "Traceback" not in caplog.text
    await who.close()
