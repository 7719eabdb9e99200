"""Whatever is sent to the door is answered in its shape; names are bounded, and what is refused leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharegate.visits import doorstep
from tests.failures.server import at_door, shared, standing
from tests.gatehouse import Gatehouse, Reply

DOOR = ["/join/about", "/join", "/join/knock", "/join/knock/state", "/join/device"]
GOOD: dict[str, dict[str, Any]] = {
    "/join/about": {"token": "x"},
    "/join": {"token": "x", "name": "Ann"},
    "/join/knock": {"token": "x", "name": "Ann", "same_person": False},
    "/join/knock/state": {"knock": "x"},
    "/join/device": {"code": "ABCDEFGH"},
}
KINDS = (
    *(doorstep._Token, doorstep._Open, doorstep._Knock, doorstep._KnockState, doorstep._Device),
    *(doorstep._Mail, doorstep._Sign, doorstep._Report),
)


def in_shape(reply: Reply) -> str:
    """The public code; fails unless the answer is exactly the error shape with the gate's headers."""
    error = reply.json["error"]
    assert set(error) == {"code", "message", "id"} and len(reply.body) < 500
    assert reply.header("Cache-Control") == "no-store" and "sandbox" in reply.header("Content-Security-Policy")
    assert not reply.header("Set-Cookie") and b"Traceback" not in reply.body
    return str(error["code"])


@pytest.mark.parametrize("path", DOOR)
async def test_malformed_bodies_at_the_door(patient: Gatehouse, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """400 or 413, the error's shape, no word of what was sent, no traceback, and nothing stored."""
    good = GOOD[path]
    name = next(iter(good))
    bodies = [
        *(b"", b"{", b"null", b"[]", b'"x"', b"1", b"{}", b"\xff\xfe{}", b"\x00", b"{}{}", b'{"token":}'),
        json.dumps({name: "x"})[:-1].encode() + b', "' + name.encode() + b'": "y"}',
        json.dumps({**good, "more": 1}).encode(),
        *(json.dumps({**good, name: wrong}).encode() for wrong in (1, None, [], {}, True, 1.5)),
        b'{"a":' * 1300 + b"1" + b"}" * 1300,
        b"[" * 8000,
        b'{"' + name.encode() + b'": ' + b"9" * 7000 + b"}",
        b'{"' + name.encode() + b'": "\\ud800"}',
        b'{"' + name.encode() + b'": "\x01"}',
    ]
    before = await standing(patient)
    for body in bodies:
        reply = await at_door(patient, path, body)
        if b"ud800" in body:
            # Half a character is text to JSON, and no token, code or knock of anybody.
            told = in_shape(reply) if reply.status != 200 else reply.json["state"]
            assert told in ("no_access", "device_code_invalid", "waiting")
        else:
            assert in_shape(reply) == "bad_request", body[:60]
    assert await standing(patient) == before
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("path", DOOR)
async def test_large_bodies_at_the_door(patient: Gatehouse, path: str) -> None:
    """413 whether the size is announced or not, without reading it all."""
    assert in_shape(await at_door(patient, path, b"x" * 8193)) == "body_too_large"
    chunk = b"2001\r\n" + b"x" * 0x2001 + b"\r\n0\r\n\r\n"
    fields = {"Origin": patient.origin, "Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    port = patient.running.config.gate_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "".join(f"{k}: {v}\r\n" for k, v in {"Host": f"127.0.0.1:{port}", "Connection": "close", **fields}.items())
    writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + chunk)
    assert b" 413 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("path", DOOR)
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content_Type": "text/plain"}, "bad_request"),
        ({"Content_Type": "application/x-www-form-urlencoded"}, "bad_request"),
        ({"Content_Type": ""}, "bad_request"),
        ({"Content_Type": "application/jsonp"}, "bad_request"),
        ({"Origin": ""}, "cross_site"),
        ({"Origin": "null"}, "cross_site"),
        ({"Origin": "http://evil.example"}, "cross_site"),
        ({"Origin": "http://127.0.0.1:1"}, "cross_site"),
        ({"Sec_Fetch_Site": "cross-site"}, "cross_site"),
        ({"Sec_Fetch_Site": "same-site"}, "cross_site"),
        ({"Host": "evil.example"}, "bad_host"),
        ({"Cookie": "sharegate-browser=a; sharegate-browser=b"}, "no_access"),
        ({"Service_Worker": "script"}, "not_allowed"),
    ],
)
async def test_what_does_not_come_from_the_doors_own_page(
    patient: Gatehouse, path: str, headers: dict[str, str], code: str
) -> None:
    """Another type, origin, site or host is refused before the body is looked at."""
    reply = await at_door(patient, path, json.dumps(GOOD[path]).encode(), **headers)
    assert in_shape(reply) == code


async def test_no_get_at_the_door_does_anything(patient: Gatehouse) -> None:
    """GET and HEAD of every address of the door, with a good token in every place, change nothing."""
    made = await shared(patient, **{"for": ["Ann"]})
    token = urlsplit(made["links"][0]["url"]).fragment
    before, events = await standing(patient), len(await patient.events(share=made["share"]["id"]))
    for path in DOOR:
        for method in ("GET", "HEAD"):
            for query in ("", f"?token={token}", f"?token={token}&name=Ann"):
                reply = await patient.raw(method, path + query, {"Cookie": f"sharegate-browser={token}"})
                assert reply.status in (200, 404) and not reply.header("Set-Cookie")
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        reply = await patient.raw(method, "/join", {"Origin": patient.origin}, b"")
        assert reply.status in (400, 403, 405, 501), (method, reply.status)
    assert await standing(patient) == before
    assert len(await patient.events(share=made["share"]["id"])) == events


NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Ann\u202egnp.exe\u202c",
    "A\u0000nn\u001b[31m",
    "x" * 5000,
    "é" * 3000,
    "👩‍👩‍👧‍👦" * 60,
    "Z̷͎̓a̶l̸g̴o̵" * 50,
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_names_are_bounded_and_harmless(patient: Gatehouse, name: str) -> None:
    """What somebody calls himself is short, visible, and shown as text wherever it comes back."""
    made = await shared(patient, anyone=True)
    token = urlsplit(made["links"][0]["url"]).fragment
    reply = await at_door(patient, "/join", json.dumps({"token": token, "name": name}).encode())
    if reply.status != 200:
        assert in_shape(reply) in ("bad_request", "body_too_large")
        return
    stored = (await patient.call("GET", "visits"))["visits"][0]["name"]
    assert 0 < len(stored) <= 80 and stored.isprintable()
    assert not set(stored) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize("name", ["", " ", "\u200b\u200b", "\u202e", "\x00", "\ud800"])
async def test_names_without_a_visible_character_are_refused(patient: Gatehouse, name: str) -> None:
    """At an open link somebody is somebody."""
    made = await shared(patient, anyone=True)
    token = urlsplit(made["links"][0]["url"]).fragment
    reply = await at_door(patient, "/join", json.dumps({"token": token, "name": name}).encode())
    assert in_shape(reply) == "bad_request"
    assert (await standing(patient))["visits"] == []


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_body_at_the_door_is_answered_in_shape(data: st.DataObject) -> None:
    """Any JSON and any bytes, decoded by the door itself: a refusal or a value, never anything else."""
    from sharegate.errors import Denied
    from sharegate.messages import Headers, Request
    from sharegate.visits import bodies

    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    anything = st.recursive(leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner))
    body = data.draw(st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))

    class Body:
        async def read(self, limit: int) -> bytes:
            return body

    request = Request("POST", "/join", Headers((("Content-Type", "application/json"),)), "", body=Body())  # type: ignore[arg-type]
    for kind in KINDS:
        with contextlib.suppress(Denied):
            assert isinstance(asyncio.run(bodies.body_of(request, kind)), kind)
