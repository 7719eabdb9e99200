"""When something fails, the gate refuses, says so in the right words, leaves nothing half-done, and recovers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharegate import app, config
from sharegate.audit.events import Action, AuditEvent
from sharegate.errors import MEANINGS, Reason, StoreUnavailable
from sharegate.upstream.model import Credential, Upstream
from tests.gatehouse import Gatehouse, Reply
from tests.plainsocket import PlainSocket, SlowReader, drop_all
from tests.upstream.scripted import Recorder, scripted

SECRET = "raw-server-token-that-nobody-may-see"
MODEL = {"type": "file", "name": "a.txt", "path": "week3/a.txt", "content": "hello", "format": "text"}
JSON = b"Content-Type: application/json"


def said(status: str, body: bytes, *fields: bytes) -> bytes:
    head = [b"HTTP/1.1 " + status.encode(), b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@dataclass
class Fake:
    """A server that behaves as it is told. `asked` counts requests below /api/contents and /files."""

    behaviour: str = "fine"
    asked: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await record.head(reader):
            if b"/week3" not in head.partition(b"\r\n")[0]:
                writer.write(said("200 OK", b'{"version":"2.0"}', JSON))
                continue
            self.asked += 1
            if not await self._answer(head, writer):
                return
            await writer.drain()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        """False to hang up."""
        file = head.startswith(b"GET /files/")
        match self.behaviour:
            case "fine" if file:
                writer.write(said("200 OK", b"x" * 1000, b"Content-Type: text/plain"))
            case "fine":
                writer.write(said("200 OK", json.dumps(MODEL).encode(), JSON))
            case "large":
                writer.write(said("200 OK", b"x" * 3_000_000, b"Content-Type: text/plain"))
            case "held":
                await self.go.wait()
                writer.write(said("200 OK", b"x" * 10, b"Content-Type: text/plain"))
            case "hangs up":
                return False
            case "garbage":
                writer.write(b"\x00\xff garbage\r\n\r\n")
                return False
            case "half a head":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
                return False
            case "error page":
                page = b"<h1>500</h1><script>let token = '" + SECRET.encode() + b"'</script>"
                writer.write(said("500 Internal Server Error", page, b"Content-Type: text/html"))
            case "no model":
                writer.write(said("200 OK", b"[1, 2", JSON))
            case "other model":
                writer.write(said("200 OK", b'{"type":"file","name":"x","path":"secret/x","content":null}', JSON))
            case "refuses the token":
                writer.write(said("403 Forbidden", b'{"message": "Forbidden"}', JSON))
            case "redirects":
                writer.write(said("302 Found", b"", b"Location: http://evil.example/"))
            case "promises more" | "promises much more":
                length = b"1000" if self.behaviour == "promises more" else b"1000000"
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %b\r\n\r\nhalf" % length)
                return False
        return True


@dataclass
class Store:
    """The gate's database, which a test can make unwritable."""

    gate: Gatehouse
    _lock: sqlite3.Connection | None = None

    @property
    def writer(self) -> Any:
        return self.gate.running.gate._store._writer  # type: ignore[attr-defined]

    async def fail(self, how: str) -> None:
        if how == "locked":
            self._lock = sqlite3.connect(self.gate.running.config.database, isolation_level=None)
            self._lock.execute("BEGIN IMMEDIATE")
            return
        # Full: what is there can be changed, and nothing can be added.
        pages = await self.writer.run(lambda connection, _: connection.execute("PRAGMA page_count").fetchone()[0])
        await self.writer.run(lambda connection, _: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        trail = self.gate.running.gate._trail
        with contextlib.suppress(StoreUnavailable):
            while True:
                await trail.record(AuditEvent(action=Action.GATE_STARTED, actor="gate", detail="x" * 400))

    async def mend(self) -> None:
        if self._lock is not None:
            self._lock.execute("ROLLBACK")
            self._lock.close()
            self._lock = None
        await self.writer.run(lambda connection, _: connection.execute("PRAGMA max_page_count = 1000000").fetchone())


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[Fake, Recorder]]:
    fake = Fake()
    async with scripted(fake.serve) as record:
        yield fake, record
        fake.go.set()


@contextlib.asynccontextmanager
async def gate_before(folder: Path, record: Recorder, **settings: Any) -> AsyncIterator[Gatehouse]:
    values = {"data_dir": str(folder), "gate_port": 0, "dashboard_port": 0, "owner": "Olga", **settings}
    async with app.running(config.load(None, {}, values)) as running:
        upstream = Upstream(
            id="fake234567",
            name="fake",
            owner="Olga",
            url=f"http://127.0.0.1:{record.port}/",
            token=Credential(SECRET),
        )
        await running.gate._store.put_upstream(upstream)  # type: ignore[attr-defined]
        try:
            yield Gatehouse(running, None, folder)  # type: ignore[arg-type]
        finally:
            await drop_all()


@pytest_asyncio.fixture
async def gate(tmp_path: Path, server: tuple[Fake, Recorder]) -> AsyncIterator[Gatehouse]:
    async with gate_before(tmp_path, server[1]) as house:
        yield house


@pytest.fixture
def fake(server: tuple[Fake, Recorder]) -> Fake:
    return server[0]


async def shared(gate: Gatehouse, **more: Any) -> dict[str, Any]:
    # The fake server says that every path is a file; the share of a folder is made directly.
    return await gate.call("POST", "shares", {"path": "week3", "server": "fake234567", **more})


@pytest.fixture(autouse=True)
def folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every root that is looked at is a folder: the fake server keeps no tree."""
    from sharegate.shares.interfaces import RootFacts
    from sharegate.shares.model import RootKind
    from sharegate.upstream.roots import Roots

    async def look(*_: object) -> RootFacts:
        return RootFacts(RootKind.DIRECTORY)

    monkeypatch.setattr(Roots, "look", look)


FILE = "files/week3/a.txt"
CONTENTS = "api/contents/week3/a.txt?content=1&type=file"


async def until(true: Callable[[], Any], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not (await found if asyncio.iscoroutine(found := true()) else found):
            await asyncio.sleep(0.05)


# -- the store ------------------------------------------------------------------------------------------------------

HOW = ["locked", "full"]


async def standing(gate: Gatehouse) -> dict[str, Any]:
    """Everything that gives somebody something: what must be as before when an act was refused."""
    store = gate.running.gate._store
    shares = [share for share in await store.shares() if share.revoked is None]
    visits = [visit for share in shares for visit in await store.visits(share.id, open_only=True)]
    links = [link for share in shares for link in await store.links(share.id) if link.revoked is None]
    return {
        "shares": [(share.id, share.paused, share.expires, share.name) for share in shares],
        "links": [(link.id, link.serial, link.paused) for link in links],
        "visits": [visit.id for visit in visits],
        "knocks": [knock.id for knock in await store.knocks()],
    }


@pytest.mark.parametrize("how", HOW)
async def test_nobody_joins_while_nothing_can_be_written(gate: Gatehouse, how: str) -> None:
    """503 `gate_fault`; no seat is taken, and the same link lets the same person in afterwards."""
    made = await shared(gate, **{"for": ["Ann"]})
    token = urlsplit(made["links"][0]["url"]).fragment
    before = await standing(gate)
    store = Store(gate)
    await store.fail(how)
    for _ in range(3):
        reply = await gate.post("/join", {"token": token, "name": "Ann"})
        assert (reply.status, reply.public) == (503, "gate_fault")
        assert not reply.header("Set-Cookie")
    await store.mend()
    assert (await gate.visit(made)).cookie
    after = await standing(gate)
    assert len(after["visits"]) == len(before["visits"]) + 1


@pytest.mark.parametrize("how", HOW)
async def test_nobody_knocks_while_nothing_can_be_written(gate: Gatehouse, how: str) -> None:
    """No knock waits that the owner would see and the history would not."""
    made = await shared(gate, **{"for": ["Ann"]})
    await gate.visit(made)
    token = urlsplit(made["links"][0]["url"]).fragment
    store = Store(gate)
    await store.fail(how)
    body = {"token": token, "name": "Eve", "same_person": False}
    for _ in range(3):
        reply = await gate.post("/join/knock", body)
        assert (reply.status, reply.public) == (503, "gate_fault")
    await store.mend()
    reply = await gate.post("/join/knock", body)
    assert reply.status == 200
    assert (await standing(gate))["knocks"] == [reply.json["knock"]]


@pytest.mark.parametrize("how", HOW)
async def test_no_device_is_added_while_nothing_can_be_written(gate: Gatehouse, how: str) -> None:
    """Neither a code nor a visit by one."""
    ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
    code = (await ann.ask("POST", "-/device")).json["code"]
    before = await standing(gate)
    store = Store(gate)
    await store.fail(how)
    assert (await gate.post("/join/device", {"code": code})).public == "gate_fault"
    assert (await ann.ask("POST", "-/device")).public == "gate_fault"
    await store.mend()
    await gate.post("/join/knock/state", {"knock": "x"})
    made = await gate.post("/join/device", {"code": (await ann.ask("POST", "-/device")).json["code"]})
    assert made.status == 200
    assert len((await standing(gate))["visits"]) == len(before["visits"]) + 1


@pytest.mark.parametrize("how", HOW)
async def test_no_verb_of_the_owner_is_half_done(gate: Gatehouse, how: str) -> None:
    """Each answers 503 `store_unavailable`; what opens did not happen, and what closes is tried again as it was."""
    made = await shared(gate, **{"for": ["Ann"]})
    share, link = made["share"]["id"], made["links"][0]["id"]
    await gate.visit(made)
    paused = (await shared(gate))["share"]["id"]
    await gate.call("POST", f"shares/{paused}/pause")
    token = urlsplit(made["links"][0]["url"]).fragment
    knock = (await gate.post("/join/knock", {"token": token, "name": "Eve", "same_person": False})).json["knock"]
    before = await standing(gate)
    store = Store(gate)
    await store.fail(how)
    opening = [
        ("POST", "shares", {"path": "week3", "server": "fake234567"}),
        ("POST", f"shares/{paused}/resume", None),
        ("POST", f"shares/{share}/links", {"name": "Bo"}),
        ("POST", f"links/{link}/replace", None),
        ("POST", f"knocks/{knock}/admit", None),
        ("POST", "servers", {"url": "http://127.0.0.1:1/", "token": "x"}),
    ]
    for method, path, body in opening:
        status, answer = await gate.running.api.call(method, "/api/v1/" + path, {}, body)
        assert (status, answer["error"]["code"]) in ((503, "store_unavailable"), (503, "unreachable")), (path, answer)
    await store.mend()
    await gate.call("PATCH", f"links/{link}", {"name": "Ann"})  # the next act settles what is owed
    after = await standing(gate)
    if how == "full":
        # An admitted visit that could not be recorded is over again; its knock stays answered.
        before["knocks"] = after["knocks"] = []
    assert after == before
    assert (await gate.call("POST", f"shares/{share}/revoke"))["share"]["state"] == "revoked"
    assert (await gate.call("GET", "audit/verify"))["intact"]


@pytest.mark.parametrize("how", HOW)
async def test_reading_stops_while_the_trail_cannot_be_written_and_comes_back(
    gate: Gatehouse, fake: Fake, how: str
) -> None:
    """An existing visit is refused before the server is asked; open pages are told to come back, and do."""
    ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
    assert (await ann.ask("GET", FILE)).status == 200
    live = await PlainSocket.open(ann, "-/live")
    store = Store(gate)
    await store.fail(how)
    replies: list[Reply] = []

    async def refused() -> bool:
        replies.append(await ann.ask("GET", FILE))
        return replies[-1].status == 503

    await until(refused)
    assert replies[-1].public == "gate_fault" and replies[-1].header("Retry-After")
    assert (await live.closed())[0] == 1013, "a page that may come back, not the end of a visit"
    asked = fake.asked
    for path in (FILE, CONTENTS, "lab", "api/me"):
        assert (await ann.ask("GET", path)).public == "gate_fault", path
    assert await ann.upgrade("-/live") == 503
    assert await ann.upgrade("api/events/subscribe") == 503
    assert fake.asked == asked
    page = await ann.ask("GET", FILE, headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
    assert page.status == 503 and b"keep its records" in page.body and SECRET.encode() not in page.body
    await store.mend()
    assert (await ann.ask("GET", FILE)).status == 200
    assert (await PlainSocket.open(ann, "-/live")).status == 101
    assert "trail.gap" in {event["action"] for event in await gate.events()}
    assert (await gate.call("GET", "audit/verify"))["intact"]


async def test_a_revocation_that_cannot_be_written_says_so_and_works_afterwards(gate: Gatehouse) -> None:
    """503, and nobody is told that it is done."""
    made = await shared(gate, **{"for": ["Ann"]})
    ann = await gate.visit(made)
    store = Store(gate)
    await store.fail("locked")
    status, answer = await gate.running.api.call("POST", f"/api/v1/shares/{made['share']['id']}/revoke", {}, None)
    assert (status, answer["error"]["code"]) == (503, "store_unavailable")
    await store.mend()
    assert (await ann.ask("GET", FILE)).status == 200
    await gate.call("POST", f"shares/{made['share']['id']}/revoke")
    assert (await ann.ask("GET", FILE)).public == "share_revoked"


# -- the server -----------------------------------------------------------------------------------------------------

SERVER_FAULTS = [
    ("hangs up", FILE, 503, Reason.UPSTREAM_AWAY),
    ("hangs up", CONTENTS, 503, Reason.UPSTREAM_AWAY),
    ("garbage", FILE, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("garbage", CONTENTS, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("half a head", FILE, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("error page", FILE, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("error page", CONTENTS, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("no model", CONTENTS, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("other model", CONTENTS, 502, Reason.UPSTREAM_BAD_ANSWER),
    ("redirects", FILE, 502, Reason.UPSTREAM_BAD_ANSWER),
]


@pytest.mark.parametrize(("behaviour", "path", "status", "reason"), SERVER_FAULTS)
async def test_a_faulty_server_is_told_by_its_public_code(
    gate: Gatehouse, fake: Fake, behaviour: str, path: str, status: int, reason: Reason
) -> None:
    """As page and as JSON, with nothing of what the server said; the history has the reason, and it works again."""
    made = await shared(gate, **{"for": ["Ann"]})
    ann = await gate.visit(made)
    fake.behaviour = behaviour
    reply = await ann.ask("GET", path)
    assert (reply.status, reply.public) == (status, MEANINGS[reason].public), reply.body
    page = await ann.ask("GET", path, headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
    assert page.status == status and MEANINGS[reason].sentence.encode() in page.body
    for answer in (reply, page):
        assert SECRET.encode() not in answer.body and b"evil" not in repr(answer.headers).encode()
    assert (await gate.denials(made["share"]["id"]))[-2:] == [reason.value] * 2
    fake.behaviour = "fine"
    assert (await ann.ask("GET", path)).status == 200


async def test_a_slow_server_is_told_as_slow(gate: Gatehouse, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """504 when it does not answer in time, and it is not waited for any longer."""
    from sharegate.upstream.forward import Timeouts

    ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
    forwarder = gate.running.gate._answers._forwarder
    monkeypatch.setattr(forwarder, "_timeouts", Timeouts(connect=0.1, first_byte=0.2, idle=0.2))
    fake.behaviour = "held"
    reply = await ann.ask("GET", FILE)
    assert (reply.status, reply.public) == (504, "server_slow")


async def test_a_server_that_is_gone_is_told_as_away(tmp_path: Path) -> None:
    """503, the page of a server that is not running."""
    async with scripted(Fake().serve) as record, gate_before(tmp_path, record) as gate:
        ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
        upstream = (await gate.running.gate._store.upstreams())[0]  # type: ignore[attr-defined]
        gone = msgspec.structs.replace(upstream, url="http://127.0.0.1:9/")
        await gate.running.gate._store.put_upstream(gone)  # type: ignore[attr-defined]
        gate.running.gate._upstreams.forget(gone.id)  # type: ignore[attr-defined]
        reply = await ann.ask("GET", FILE)
        assert (reply.status, reply.public) == (503, "server_away")


async def test_a_body_that_ends_early_never_looks_whole(gate: Gatehouse, fake: Fake) -> None:
    """The connection is broken off where the server broke off, and a short answer, read whole, is not given at all."""
    ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
    fake.behaviour = "promises more"
    reply = await ann.ask("GET", FILE)
    assert (reply.status, reply.public) == (502, "server_fault")
    fake.behaviour = "promises much more"
    reading = await SlowReader.open(ann, FILE)
    size, whole = await reading.rest()
    assert size <= 4 and not whole


# -- the door -------------------------------------------------------------------------------------------------------

DOOR = ["/join/about", "/join", "/join/knock", "/join/knock/state", "/join/device"]
GOOD: dict[str, dict[str, Any]] = {
    "/join/about": {"token": "x"},
    "/join": {"token": "x", "name": "Ann"},
    "/join/knock": {"token": "x", "name": "Ann", "same_person": False},
    "/join/knock/state": {"knock": "x"},
    "/join/device": {"code": "ABCDEFGH"},
}


@pytest_asyncio.fixture
async def patient(tmp_path: Path, server: tuple[Fake, Recorder]) -> AsyncIterator[Gatehouse]:
    """A gate that does not count strangers."""
    async with gate_before(tmp_path, server[1], strangers_per_minute=1_000_000) as house:
        yield house


async def at_door(gate: Gatehouse, path: str, body: bytes, **headers: str) -> Reply:
    fields = {"Origin": gate.origin, "Content-Type": "application/json"}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    return await gate.raw("POST", path, {name: value for name, value in fields.items() if value}, body)


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


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_body_at_the_door_is_answered_in_shape(data: st.DataObject) -> None:
    """Any JSON and any bytes, decoded by the door itself: a refusal or a value, never anything else."""
    from sharegate.errors import Denied
    from sharegate.messages import Headers, Request
    from sharegate.visits import doorstep

    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    anything = st.recursive(leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner))
    body = data.draw(st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))

    class Body:
        async def read(self, limit: int) -> bytes:
            return body

    request = Request("POST", "/join", Headers((("Content-Type", "application/json"),)), "", body=Body())  # type: ignore[arg-type]
    for kind in (doorstep._Token, doorstep._Open, doorstep._Knock, doorstep._KnockState, doorstep._Device):
        with contextlib.suppress(Denied):
            assert isinstance(asyncio.run(doorstep._read(request, kind)), kind)


# -- limits ---------------------------------------------------------------------------------------------------------


async def test_a_visit_has_so_many_requests_a_minute(tmp_path: Path, server: tuple[Fake, Recorder]) -> None:
    """429 with Retry-After, the reason in the history, and another visit is not touched."""
    async with gate_before(tmp_path, server[1], requests_per_minute=5) as gate:
        made = await shared(gate, **{"for": ["Ann", "Bo"]})
        ann, bo = await gate.visit(made, 0), await gate.visit(made, 1)
        replies = [await ann.ask("GET", "api/me") for _ in range(7)]
        assert [reply.status for reply in replies] == [200] * 5 + [429] * 2
        assert replies[-1].public == "too_many" and int(replies[-1].header("Retry-After")) > 0
        assert (await bo.ask("GET", "api/me")).status == 200
        assert set(await gate.denials(made["share"]["id"])) == {"request_limit"}


async def test_a_visit_has_so_many_requests_at_once(tmp_path: Path, server: tuple[Fake, Recorder]) -> None:
    """The next one is refused, and room is made when one is over, also when it was given up."""
    fake, record = server
    async with gate_before(tmp_path, record, requests_at_once=2) as gate:
        made = await shared(gate, **{"for": ["Ann"]})
        ann = await gate.visit(made)
        fake.behaviour = "held"
        waiting = [asyncio.create_task(ann.ask("GET", FILE)) for _ in range(2)]
        await until(lambda: fake.asked == 2)
        assert (await ann.ask("GET", FILE)).public == "too_many"
        assert await gate.denials(made["share"]["id"]) == ["request_limit"]
        waiting[0].cancel()
        fake.behaviour = "fine"
        with contextlib.suppress(asyncio.CancelledError):
            await waiting[0]

        async def room() -> bool:
            return (await ann.ask("GET", FILE)).status == 200

        await until(room)
        fake.go.set()
        assert (await waiting[1]).status == 200


async def test_a_visit_has_so_many_channels_and_rooms(tmp_path: Path, server: tuple[Fake, Recorder]) -> None:
    """Refused with 429 instead of 101; closing one makes room."""
    async with gate_before(tmp_path, server[1], channels_per_visit=2) as gate:
        made = await shared(gate, **{"for": ["Ann"]})
        ann = await gate.visit(made)
        first = await PlainSocket.open(ann, "-/live")
        second = await PlainSocket.open(ann, "api/events/subscribe")
        assert (first.status, second.status) == (101, 101)
        for path in ("-/live", "api/events/subscribe", "api/collaboration/room/JupyterLab:globalAwareness"):
            assert await ann.upgrade(path) == 429
        assert set(await gate.denials(made["share"]["id"])) == {"channel_limit"}
        first.send(b"\x03\xe8", 8)
        await first.gone()

        async def room() -> bool:
            return await ann.upgrade("-/live") == 101

        await until(room)


async def test_a_visit_has_so_many_bytes_a_minute(tmp_path: Path, server: tuple[Fake, Recorder]) -> None:
    """After a large answer the next request waits for the debt to be paid."""
    fake, record = server
    async with gate_before(tmp_path, record, megabytes_per_minute=1) as gate:
        made = await shared(gate, **{"for": ["Ann"]})
        ann = await gate.visit(made)
        fake.behaviour = "large"
        assert len((await ann.ask("GET", FILE)).body) == 3_000_000
        assert (await ann.ask("GET", FILE)).public == "too_many"
        assert await gate.denials(made["share"]["id"]) == ["bytes_limit"]


async def test_strangers_are_refused_so_often(tmp_path: Path, server: tuple[Fake, Recorder]) -> None:
    """Then they hear `too_many`, one line of the history counts them, and who has a cookie is not touched."""
    async with gate_before(tmp_path, server[1], strangers_per_minute=4) as gate:
        ann = await gate.visit(await shared(gate, **{"for": ["Ann"]}))
        replies = [await gate.raw("GET", ann.base + "api/me") for _ in range(8)]
        assert [reply.status for reply in replies] == [401] * 4 + [429] * 4
        assert (await ann.ask("GET", "api/me")).status == 200
        assert (await gate.raw("GET", "/join")).status == 200


async def test_bad_tokens_are_tried_so_often(patient: Gatehouse) -> None:
    """429 after that; a good link still opens from the same network."""
    made = await shared(patient, **{"for": ["Ann"]})
    codes = [(await at_door(patient, "/join/about", b'{"token": "x"}')).public for _ in range(40)]
    assert codes[0] == "no_access" and codes[-1] == "too_many"
    assert (await patient.visit(made)).cookie


async def test_a_link_is_opened_so_often(patient: Gatehouse) -> None:
    """Joins of one link from one network have a limit of their own, with its reason in the history."""
    made = await shared(patient, anyone=True)
    token = urlsplit(made["links"][0]["url"]).fragment
    body = {"token": token, "name": "N"}
    codes = [(await patient.post("/join", body)).status for _ in range(40)]
    assert codes[0] == 200 and codes[-1] == 429

    async def recorded() -> bool:
        return "join_limit" in {event["reason"] for event in await patient.events(outcome="denied")}

    await until(recorded)


async def test_device_codes_cannot_be_guessed(patient: Gatehouse) -> None:
    """After a few wrong ones every code is refused for a while, the right one too."""
    ann = await patient.visit(await shared(patient, **{"for": ["Ann"]}))
    code = (await ann.ask("POST", "-/device")).json["code"]
    wrong = [(await patient.post("/join/device", {"code": "ABCDEFGH"})).public for _ in range(30)]
    assert wrong[0] == "device_code_invalid" and wrong[-1] == "too_many"
    assert (await patient.post("/join/device", {"code": code})).public == "too_many"


async def test_layouts_are_bounded(patient: Gatehouse) -> None:
    """Twenty workspaces, then `overlay_limit`; a large one is refused."""
    ann = await patient.visit(await shared(patient, **{"for": ["Ann"]}))

    async def put(name: str, size: int = 10) -> Reply:
        body = json.dumps({"data": {"x": "y" * size}, "metadata": {"id": name}}).encode()
        return await ann.ask(
            "PUT", f"lab/api/workspaces/{name}", headers={"Content-Type": "application/json"}, body=body
        )

    assert [(await put(f"w{number}")).status for number in range(20)] == [204] * 20
    assert (await put("w20")).public == "overlay_limit"
    assert (await put("w0", 2_000_000)).status == 413
