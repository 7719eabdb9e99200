"""What a review of the seams found: between a check and its answer, and where an answer is not given after all."""

import asyncio
import contextlib
import json
import logging
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from sharegate.channels import frames
from sharegate.channels.viewer import ViewerGuard
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.limits import Buckets, Rate
from sharegate.paths import CanonicalPath
from tests.attacks.pages import room_of
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = pytest.mark.real


@pytest_asyncio.fixture
async def gate(tmp_path: Path, jupyter: JupyterServer) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path, jupyter, requests_at_once=8) as house:
        yield house


async def until(true: Callable[[], bool], seconds: float = 25.0) -> None:
    """Poll; fails with TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def talk(gate: Gatehouse, sent: bytes) -> bytes:
    """Everything the gate answers to these bytes until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.running.config.gate_port)
    try:
        writer.write(sent)
        async with asyncio.timeout(25):
            return await reader.read()
    finally:
        writer.close()


def parts(gate: Gatehouse) -> Any:
    """The gate's own insides."""
    return gate.running.gate


def big_file(gate: Gatehouse) -> contextlib.AbstractContextManager[Path]:
    """64 MB in the shared folder: more than any buffer on the way."""

    @contextlib.contextmanager
    def made() -> Any:
        path = gate.jupyter.root / "sub" / "shared" / "review-big.bin"
        path.write_bytes(bytes(64 << 20))
        try:
            yield path
        finally:
            path.unlink()

    return made()


async def begin_reading(ann: Inside) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for the big file, read the head of the answer, and stop."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ann.gate.running.config.gate_port, limit=4096)
    fields = {"Host": ann.gate.origin.partition("://")[2], **ann.manners("GET")}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"GET {ann.base}files/sub/shared/review-big.bin HTTP/1.1\r\n{head}\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    return reader, writer


async def test_attack_revoked_while_a_room_opens(gate: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A visit that ends between the upstream's handshake and the answer leaves no channel and no seat behind."""
    made = await gate.share("sub/shared", **{"for": ["Ann"]})
    ann = await gate.visit(made)
    robot = await gate.robot(await gate.share("sub/shared", **{"for": ["Robo"]}))
    assert await robot.enter()
    room = await robot.session("sub/shared/nb.ipynb")
    channels = parts(gate)._answers._channels
    connect, sockets = parts(gate)._answers._forwarder.connect, []
    revoking: list[asyncio.Task[Any]] = []

    async def slow(*arguments: Any) -> Any:
        sockets.append(await connect(*arguments))
        revoking.append(asyncio.create_task(gate.call("POST", f"shares/{made['share']['id']}/revoke")))
        with contextlib.suppress(asyncio.CancelledError):  # what waits is cancelled; here the answer comes all the same
            await asyncio.shield(revoking[0])
        return sockets[-1]

    monkeypatch.setattr(parts(gate)._answers._forwarder, "connect", slow)
    status = await ann.upgrade(room_of(room))

    assert status == 403
    await revoking[0]
    assert len(sockets) == 1
    await until(lambda: repr(sockets[0]) == "<UpstreamSocket ended>")
    assert channels.count(share=made["share"]["id"]) == 0


async def test_attack_the_trail_fails_while_a_stream_begins(gate: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is not given lets go of the upstream's connection behind it."""
    ann = await gate.visit()
    closed = []
    forward = parts(gate)._answers._forwarder.forward

    async def watched(*arguments: Any) -> Any:
        incoming = await forward(*arguments)
        close = incoming.close

        async def noted() -> None:
            closed.append(True)
            await close()

        return msgspec.structs.replace(incoming, close=noted)

    async def full(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(parts(gate)._answers._forwarder, "forward", watched)
    monkeypatch.setattr(parts(gate)._trail, "record", full)
    reply = await ann.ask("HEAD", "files/sub/shared/data.csv")

    assert reply.status == 503
    assert closed


async def test_attack_streams_beyond_the_number_at_once(gate: Gatehouse) -> None:
    """An answer counts until its last byte: who never reads cannot hold the server's connections without end."""
    ann = await gate.visit()
    with big_file(gate):
        readers = [await begin_reading(ann) for _ in range(8)]
        reply = await ann.ask("GET", "api/contents/sub/shared")
        assert (reply.status, reply.public) == (429, "too_many")
        for _, writer in readers:
            writer.transport.abort()
        running = parts(gate)._allowance._levels[0].running
        await until(lambda: not running._counts)
    assert (await ann.ask("GET", "api/contents/sub/shared")).status == 200


async def test_attack_a_reader_who_stops_reading_is_dropped_when_revoked(gate: Gatehouse) -> None:
    """Ending a share drops the connection under a visitor who has stopped to read, not only what is moving."""
    made = await gate.share("sub/shared", **{"for": ["Ann"]})
    ann = await gate.visit(made)
    with big_file(gate):
        _, writer = await begin_reading(ann)
        levels, quiet = parts(gate)._allowance._levels[0].bytes._levels, 0
        while quiet < 30:  # until every buffer on the way is full
            sent = dict(levels)
            await asyncio.sleep(0.02)
            quiet = quiet + 1 if dict(levels) == sent else 0
        before = await gate.call("POST", f"shares/{made['share']['id']}/revoke")
        assert not parts(gate)._answers._channels._those(made["share"]["id"], "", "")
        writer.transport.abort()
    assert before["ended"]["took_ms"] < 4000


async def test_a_room_that_breaks_off_is_recorded_as_closed(gate: Gatehouse) -> None:
    """A visitor's connection that is lost without a goodbye leaves a closing line in the trail."""
    made = await gate.share("sub/shared", **{"for": ["Robo"]})
    robot = await gate.robot(made)
    assert await robot.enter()
    socket = await robot.room(await robot.session("sub/shared/nb.ipynb"))
    connection = socket._response.connection
    assert connection is not None and connection.transport is not None
    connection.transport.abort()

    async with asyncio.timeout(25):
        while "channel.closed" not in [event["action"] for event in await gate.events(share=made["share"]["id"])]:
            await asyncio.sleep(0.05)
    assert parts(gate)._answers._channels.count() == 0


MALFORMED = {
    "control character in a value": b"Cookie: sharegate-visit=ZQSECRET\x01\r\n",
    "blank before the colon": b"Authorization : Bearer ZQSECRET\r\n",
    "no colon": b"Cookie sharegate-visit=ZQSECRET\r\n",
    "length that is none": b"Content-Length: ZQSECRET\r\n",
    "field too long": b"Cookie: ZQSECRET" + b"a" * 20000 + b"\r\n",
}


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED)
async def test_attack_a_malformed_head_is_neither_quoted_nor_logged(
    gate: Gatehouse, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be read as HTTP is refused with our own words, and no log has the cookie that was in it."""
    caplog.set_level(logging.DEBUG)
    host = gate.origin.partition("://")[2].encode()
    answer = await talk(gate, b"GET /join?token=ZQSECRET HTTP/1.1\r\nHost: " + host + b"\r\n" + line + b"\r\n")

    assert answer.split(b" ")[1] == b"400"
    assert b"ZQSECRET" not in answer and b"aiohttp" not in answer and b"sandbox" in answer
    assert not [one for one in caplog.records if "ZQSECRET" in caplog.handler.format(one)]


async def test_a_handshake_that_is_none_is_refused_and_leaves_nothing(gate: Gatehouse) -> None:
    """`Upgrade` without `Connection` gets an answer and holds no channel."""
    ann = await gate.visit()

    assert await ann.upgrade("-/live", headers={"Connection": "close"}) in (400, 404)
    assert await ann.upgrade("-/live", headers={"Sec-WebSocket-Key": "short"}) == 400
    assert await ann.upgrade("-/live", headers={"Sec-WebSocket-Version": "12"}) == 400
    assert parts(gate)._answers._channels.count() == 0


async def test_every_answer_says_what_a_browser_may_make_of_it(gate: Gatehouse) -> None:
    """Policy, nosniff, no referrer and caching stand on each answer: local ones, redirects, refusals, static files."""
    ann = await gate.visit()
    page = (await ann.ask("GET", "lab/tree/sub/shared", headers={"Sec-Fetch-Mode": "navigate"})).body.decode()
    static = page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    below = ["", "api/me", "api/sessions", "lab/api/workspaces", "lab/api/settings", "api/contents/sub/shared"]
    below += ["files/sub/shared/data.csv", "api/status", "nothing/here", "robots.txt", "lab", "-/nothing", "-/ended"]
    replies = {path: await ann.ask("GET", path) for path in below}
    replies["device"] = await ann.ask("POST", "-/device")
    for address in ("/", "/join", "/robots.txt", "/nothing", static):
        replies[address] = await gate.raw("GET", address)
    replies["about"] = await gate.post("/join/about", {"token": "x.y.z"})
    replies["left"] = await ann.ask("POST", "-/leave")

    for where, reply in replies.items():
        for name in ("Content-Security-Policy", "Referrer-Policy", "Cross-Origin-Resource-Policy", "Cache-Control"):
            assert len([key for key, _ in reply.headers if key.lower() == name.lower()]) == 1, (where, name)
        assert reply.header("X-Content-Type-Options") == "nosniff", where
        assert reply.header("Server") == "sharegate", where
        assert "frame-ancestors" in reply.header("Content-Security-Policy"), where


async def test_attack_a_stranger_who_knows_a_share_has_static_files_fetched(
    gate: Gatehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Static addresses need no credential: what is not in memory is fetched a few at once, and not without end."""
    ann = await gate.visit()
    for page in ("lab/tree/sub/shared", "tree/sub/shared"):
        await ann.ask("GET", page, headers={"Sec-Fetch-Mode": "navigate"})
    lab = parts(gate)._lab
    running, most, asked = 0, 0, 0

    async def slow(*_: Any, **__: Any) -> Any:
        nonlocal running, most, asked
        running, asked = running + 1, asked + 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        raise Denied(Reason.NOT_FOUND)

    monkeypatch.setattr(lab, "_fetch", slow)
    monkeypatch.setattr(lab, "_fetches", Buckets(Rate(30, 60, 30), lambda: 0.0))
    base = f"/s/{ann.share['id']}/-/static"
    replies = await asyncio.gather(
        *(gate.raw("GET", f"{base}/{number:020x}/static/lab/{number}.js") for number in range(40)),
        gate.raw("GET", f"{base}/notadigest/static/lab/main.js"),
    )

    assert sorted(reply.status for reply in replies) == [404] * 31 + [429] * 10
    assert asked == 30 and most <= 8


async def test_attack_a_root_inside_the_gates_own_folder(tmp_path: Path, jupyter: JupyterServer) -> None:
    """A key, the store or anything else of the gate is refused as a root, by whatever name it is reached."""
    folder = jupyter.root / "sub" / "office"
    folder.mkdir()
    try:
        async with gatehouse(folder, jupyter) as gate:
            (gate.data_dir / "notes").mkdir()
            (folder / "beside").mkdir()
            for path in ["", "/gate", "/gate/keys", "/gate/keys/store.key", "/gate/store/sharegate.db", "/gate/notes"]:
                body = {"path": str(folder) + path}
                status, answer = await gate.running.api.call("POST", "/api/v1/shares", {}, body)
                assert (status, answer["error"]["code"]) == (403, "protected_path"), path
            assert (await gate.share("sub/office/beside"))["share"]["root"] == "sub/office/beside"
    finally:
        shutil.rmtree(folder)


async def test_attack_asking_for_a_whole_document_again_and_again(gate: Gatehouse) -> None:
    """A viewer's step 1 makes the server send everything: beyond the few that reconnecting needs, the channel ends."""
    guard = ViewerGuard(now=lambda: 0.0)
    step = frames.write(frames.SyncStep1(b"\x00"))
    verdicts = [guard.from_visitor(step) for _ in range(40)]

    assert sum(bool(verdict.onward) for verdict in verdicts) == 12
    assert verdicts[-1].refused == "request_limit" and verdicts[-1].close is not None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost.evil.example"}, 421),
        ({"Host": "[::1"}, 421),
        ({"Sec-Fetch-Site": "cross-site"}, 421),
        ({"Sec-Fetch-Site": "same-site"}, 421),
        ({"Sec-Fetch-Site": "none"}, 200),
    ],
)
async def test_attack_the_owners_listener_asked_by_another_site(
    gate: Gatehouse, headers: dict[str, str], status: int
) -> None:
    """A name that was bound to this computer, or a page elsewhere, cannot make the owner's listener work."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{gate.running.dashboard_url}/ready", headers=headers) as got,
    ):
        assert got.status == status


@pytest.mark.parametrize("name", ["\u200c.git", "\u200d\u200e.ssh", "\ufeff.env", ".\u200cgit"])
def test_attack_a_hidden_name_that_begins_with_what_a_disk_ignores(name: str) -> None:
    """HFS+ reads such a name as the dotfile that it looks like."""
    assert CanonicalPath(("sub", name, "config")).hidden
    assert not CanonicalPath(("sub", "a\u200c.git")).hidden


@pytest.mark.parametrize("target", ["", "lab", "lab/tree"])
async def test_a_visit_to_a_folder_begins_with_the_file_its_owner_chose(gate: Gatehouse, target: str) -> None:
    """The visit's own address and the link's first page lead to the same document."""
    ann = await gate.visit(await gate.share("sub/shared", **{"for": ["Ann"]}, open_file="nb.ipynb"))
    reply = await ann.ask("GET", target, headers={"Sec-Fetch-Mode": "navigate"})

    assert reply.status in (200, 302)
    if reply.status == 302:
        assert reply.header("Location") == ann.base + "lab/tree/sub/shared/nb.ipynb"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999"])
async def test_attack_numbers_that_are_no_json_in_kept_settings(gate: Gatehouse, number: str) -> None:
    """What a visit keeps stays readable: numbers that JSON does not have are refused."""
    ann = await gate.visit()
    body = json.dumps({"raw": f'{{"zoom": {number}}}'}).encode()
    reply = await ann.ask("PUT", "lab/api/settings/@jupyterlab/apputils-extension:themes", body=body)

    assert (reply.status, reply.public) == (400, "bad_request")
