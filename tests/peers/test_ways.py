"""A whole visit through everything that may stand in front of a gate: real proxies, a real JupyterLab behind it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from sharegate.listener import sockets
from tests.attacks.pages import Page, make, owning, until
from tests.peers.conftest import Way
from tests.peers.people import HERE, Person
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.peers, pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(way: Way) -> Person:
    """A viewer of sub/shared."""
    return (await way.enter("Ann"))[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ed(way: Way) -> Person:
    """An editor of sub/shared."""
    return (await way.enter("Ed", role="edit"))[0]


async def events(way: Way, **query: str) -> list[dict[str, Any]]:
    """Those that fit, once there are some: what nobody waits for is written a moment later."""
    async with asyncio.timeout(25):
        while True:
            status, found = await way.gate.running.api.call("GET", "/api/v1/audit", query, None)
            assert status == 200
            if found["events"]:
                return list(found["events"])
            await asyncio.sleep(0.02)


async def addresses(way: Way, **query: str) -> set[str]:
    return {event["address"] for event in await events(way, **query)}


async def test_a_link_opens_and_the_page_says_where_it_is(way: Way, ann: Person) -> None:
    """Join, cookies for TLS only, JupyterLab's page with the visit as its base and the public name nowhere wrong."""
    page = await ann.ask("GET", "lab", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document")
    assert page.status == 200
    assert f'"baseUrl": "{ann.base}"'.replace(" ", "") in page.body.decode().replace(" ", "")
    assert f":{way.gate.running.config.gate_port}" not in page.body.decode() or way.name == "gate"
    assert page.headers["strict-transport-security"] == "max-age=15552000"
    assert ann.cookies() and all(cookie["secure"] for cookie in ann.cookies())


async def test_static_files_come_whole(ann: Person) -> None:
    """JupyterLab's own script, as large and compressed as the server sends it."""
    page = (await ann.ask("GET", "lab", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document")).body.decode()
    script = next(part for part in page.split('"') if "/-/static/" in part and ".js" in part)
    answer = await ann.ask("GET", script, whole=True)
    assert answer.status == 200 and len(answer.body) > 1000
    assert "immutable" in answer.headers["cache-control"]


async def test_folders_and_odd_names_are_listed_and_read(ann: Person) -> None:
    """Encoded characters arrive as they were written."""
    listing = await ann.ask("GET", "api/contents/sub/shared?content=1")
    names = {entry["name"] for entry in listing.json["content"]}
    assert "name with space & ünicode.txt" in names and ".hidden.txt" not in names
    odd = await ann.ask("GET", "files/sub/shared/name%20with%20space%20%26%20%C3%BCnicode.txt")
    assert (odd.status, odd.body) == (200, b"odd name\n")


@pytest.mark.parametrize(
    "path",
    [
        "files/sub/shared/../../secret/secret.txt",
        "files/sub/shared/%2e%2e/%2e%2e/secret/secret.txt",
        "files/sub/shared/..%2f..%2fsecret/secret.txt",
        "files/sub/shared/%252e%252e/%252e%252e/secret/secret.txt",
        "files//sub/shared/..//../secret/secret.txt",
        "files/sub/shared/..;/..;/secret/secret.txt",
        "../../../../files/secret/secret.txt",
    ],
)
async def test_attack_a_proxy_opens_no_way_out(ann: Person, path: str) -> None:
    """Whatever the proxy makes of such a path, nothing outside the share comes back."""
    answer = await ann.ask("GET", path)
    assert answer.status >= 400 or answer.status in (301, 302, 308)
    assert b"TOPSECRET" not in answer.body


async def test_a_part_of_a_file_is_a_part(ann: Person, lab: JupyterServer) -> None:
    """Range requests and their answers pass unchanged."""
    whole = (lab.root / "sub" / "shared" / "big.bin").read_bytes()
    part = await ann.ask("GET", "files/sub/shared/big.bin", Range="bytes=1000000-1000999")
    assert part.status == 206
    assert part.body == whole[1000000:1001000]
    assert part.headers["content-range"] == f"bytes 1000000-1000999/{len(whole)}"


async def test_an_upload_arrives_and_one_that_is_too_large_is_refused_by_the_gate(
    ed: Person, lab: JupyterServer, number: int
) -> None:
    """Several megabytes, announced or in chunks; the refusal is the gate's own, not a page of the proxy's."""
    content = b"line of words\n" * 300_000
    model = {"type": "file", "format": "base64", "content": base64.b64encode(content).decode()}
    body = json.dumps(model).encode()
    for name, data in (("told", body), ("chunked", _chunks(body))):
        path = f"sub/shared/up-{name}-{number}.txt"
        answer = await ed.ask("PUT", f"api/contents/{path}", data)
        assert answer.status == 201, answer.body
        assert (lab.root / path).read_bytes() == content
    # As a browser sees it, or as a reset: the gate does not read what it has refused.
    try:
        large = await ed.ask("PUT", f"api/contents/sub/shared/large-{number}.txt", b"x" * (70 << 20))
    except aiohttp.ClientError:
        pass
    else:
        assert large.status == 413 and large.json["error"]["code"] == "body_too_large"
    assert not (lab.root / f"sub/shared/large-{number}.txt").exists()


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 65536):
        yield data[start : start + 65536]


async def test_two_write_in_one_document(ed: Person, lab: JupyterServer, number: int) -> None:
    """What the owner types comes to the editor and the other way, over the proxy's WebSocket."""
    path = make(lab, f"both-{number}.md", "start\n")
    async with owning(lab) as owner:
        theirs = await owner.open(path)
        page = Page(await ed.room(await ed.session(path, "file", "text")))
        try:
            await page.greet()
            theirs.type("from the owner\n")
            await until(lambda: "from the owner" in str(page.source))
            page.type("from Ed\n")
            await until(lambda: "from Ed" in str(theirs.source))
        finally:
            await page.leave()


async def test_the_trail_has_the_visitors_own_address(way: Way, ann: Person) -> None:
    """Not the proxy's, for requests and for the door."""
    assert (await ann.ask("GET", "api/contents/sub/shared/data.csv")).status == 200
    assert await addresses(way, action="request.answered", path="sub/shared/data.csv") == {HERE}
    assert await addresses(way, action="link.joined") == {HERE}


async def test_attack_a_visitor_cannot_choose_an_address(way: Way, ann: Person) -> None:
    """Whatever forwarding fields they send along, the proxy's own word is what counts."""
    claims = {
        "X_Forwarded_For": "203.0.113.99",
        "X_Forwarded_Proto": "http",
        "X_Forwarded_Host": "evil.example",
        "Forwarded": "for=203.0.113.99;proto=http",
        "X_Real_IP": "203.0.113.99",
    }
    assert (await ann.ask("GET", "api/contents/sub/shared/notes.md", **claims)).status == 200
    assert await addresses(way, path="sub/shared/notes.md") == {HERE}
    trusted = {"X_Forwarded_For": "203.0.113.99, 127.0.0.1", "X_Forwarded_Proto": "https, https"}
    assert (await ann.ask("GET", "api/contents/sub/shared/page.html", **trusted)).status == 200
    assert await addresses(way, path="sub/shared/page.html") == {HERE}


async def test_attack_another_host_is_refused(way: Way, ann: Person) -> None:
    """The proxy passes the name that was asked for, and the gate knows its own."""
    answer = await ann.ask("GET", "/join", whole=True, Host="evil.example")
    if way.name == "chp-tls":  # this proxy asks for a certificate of that name first, and the gate has none
        assert answer.status == 503
    elif way.name == "caddy":  # this one answers by itself for names that it does not have
        assert (answer.status, answer.body) == (200, b"")
    else:
        assert (answer.status, answer.json["error"]["code"]) == (421, "bad_host")


async def test_the_end_of_a_share_reaches_an_open_socket(way: Way) -> None:
    """Live channel and room are closed by the gate's own words, through the proxy."""
    eve, made = await way.enter("Eve")
    live = await eve.live()
    first = await live.receive(timeout=25)
    assert first.type is aiohttp.WSMsgType.TEXT
    room = await eve.room(await eve.session("sub/shared/nb.ipynb", "notebook", "json"))
    await way.gate.call("POST", f"shares/{made['share']['id']}/revoke", {})
    async with asyncio.timeout(25):
        code, words = await _closed(room)
        assert code == 1003 and "Sharing was ended by its owner." in words
        assert await _closed(live) == (4403, "share_revoked")
    assert (await eve.ask("GET", "api/contents/sub/shared")).status == 403


async def _closed(socket: aiohttp.ClientWebSocketResponse) -> tuple[int, str]:
    while (message := await socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
    return int(message.data), str(message.extra)


async def test_the_end_of_a_share_cuts_an_answer_in_flight(way: Way, ann: Person, lab: JupyterServer) -> None:
    """Nor does the rest come out of the proxy: it was told to keep nothing, so it never had it."""
    whole = (lab.root / "sub" / "shared" / "huge.bin").stat().st_size
    eve, made = await way.enter("Eve")
    async with eve.asking("GET", "files/sub/shared/huge.bin") as answer:
        assert answer.status == 200
        await answer.content.readexactly(100_000)
        # As long as somebody else takes for the whole of it: time enough for a proxy to fetch what it would keep.
        assert len((await ann.ask("GET", "files/sub/shared/huge.bin")).body) == whole
        await way.gate.call("POST", f"shares/{made['share']['id']}/revoke", {})
        (sent,) = await events(way, share=made["share"]["id"], action="request.answered", path="sub/shared/huge.bin")
        assert 100_000 <= sent["bytes_out"] < whole * 2 / 3
        # JupyterHub's proxy leaves a visitor waiting whose answer broke off behind it.
        if "chp" not in way.name:
            with pytest.raises(aiohttp.ClientError):
                async with asyncio.timeout(25):
                    await answer.content.read()


async def test_a_quiet_socket_is_pinged_through_the_proxy(
    way: Way, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So no proxy takes it for dead; the visitor's pong comes back, else the gate would have closed it."""
    monkeypatch.setattr(sockets, "PING_SECONDS", 1.5)
    socket = await ann.quiet_socket("-/live")
    pings = 0
    async with asyncio.timeout(25):
        while pings < 3:
            message = await socket.receive()
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PING)
            if message.type is aiohttp.WSMsgType.PING:
                pings += 1
                await socket.pong(message.data)
    await socket.close()


async def test_a_link_that_was_passed_on_is_told_with_both_addresses(way: Way) -> None:
    """Another address knocks: the doubt 'same network' is not cast on everybody behind a proxy."""
    ann, made = await way.enter("Ann")
    other = way.person(made["links"][0]["url"], "Eve", "127.0.1.3")
    assert not await other.enter()
    assert await other.knock()
    (passed,) = await events(way, share=made["share"]["id"], action="link.passed_on")
    assert passed["address"] == "127.0.1.3"
    assert "network" not in json.dumps(passed["detail"])
    assert ann.base
