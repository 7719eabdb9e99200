"""Tests of upstream/file_ids.py."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path

import pytest

from sharegate.errors import Denied, Reason
from sharegate.upstream.file_ids import UpstreamFileIds
from sharegate.upstream.forward import AiohttpForwarder
from sharegate.upstream.model import Upstream
from tests.conftest import Clock
from tests.real.jupyter import JupyterServer, running_jupyter
from tests.upstream.conftest import record_of
from tests.upstream.scripted import Recorder, ok, saying, scripted

ID = "998087d7-3069-4969-a4dd-097b9809d1cd"


class Only:
    """A directory of one server."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream

    async def find(self, id: str) -> Upstream:
        return self.upstream


def answer(path: str = "sub/nb.ipynb", id: str = ID) -> bytes:
    return ok(json.dumps({"id": id, "path": path}).encode())


@pytest.mark.real
async def test_an_id_of_the_real_server_follows_a_rename(patient: AiohttpForwarder, tmp_path: Path) -> None:
    """The path is the file's current one; an unknown id has none; a server without the extension knows none."""

    def call(server: JupyterServer, method: str, path: str, body: dict[str, str]) -> dict[str, str]:
        request = urllib.request.Request(
            server.url + path,
            method=method,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"token {server.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return dict(json.loads(reply.read()))

    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "root" / "a" / "one é.txt").write_text("x")
    with running_jupyter(tmp_path, lab=False) as server:
        ids = UpstreamFileIds(Only(record_of(server)), patient, fresh=0)
        session = call(
            server, "PUT", "api/collaboration/session/a/one%20%C3%A9.txt", {"format": "text", "type": "file"}
        )
        assert await ids.path_of("u1", session["fileId"]) == "a/one é.txt"
        call(server, "PATCH", "api/contents/a/one%20%C3%A9.txt", {"path": "two.txt"})
        assert await ids.path_of("u1", session["fileId"]) == "two.txt"
        assert await ids.path_of("u1", ID) is None


async def test_concurrent_askers_share_one_question(forwarder: AiohttpForwarder) -> None:
    """Fifty visitors in a room cost one request, and one who leaves does not take the answer from the others."""
    may = asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await record.head(reader):
            await may.wait()
            writer.write(answer())

    async with scripted(script) as server, AiohttpForwarder() as calm:
        ids = UpstreamFileIds(Only(server.upstream), calm)
        asking = [asyncio.create_task(ids.path_of("u1", ID)) for _ in range(50)]
        while not server.heads:
            await asyncio.sleep(0.01)
        asking[0].cancel()
        await asyncio.sleep(0)
        may.set()
        assert await asyncio.gather(*asking[1:]) == ["sub/nb.ipynb"] * 49
        assert len(server.heads) == 1
        assert server.lines()[0] == f"GET /base/api/fileid/path?id={ID}&no_track_activity=1 HTTP/1.1"


async def test_an_answer_ages_from_when_it_was_asked(forwarder: AiohttpForwarder, clock: Clock) -> None:
    """Within its time it is used again, later the server is asked anew."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await record.head(reader):
            clock.forward(0.3)
            writer.write(answer(f"path{len(record.heads)}"))

    async with scripted(script) as server:
        ids = UpstreamFileIds(Only(server.upstream), forwarder, fresh=0.5, clock=clock)
        assert await ids.path_of("u1", ID) == "path1"
        clock.forward(0.1)
        assert await ids.path_of("u1", ID) == "path1"
        clock.forward(0.15)
        assert await ids.path_of("u1", ID) == "path2"


@pytest.mark.parametrize(
    "text",
    [
        ok(b"{}"),
        ok(b"not json"),
        ok(b'{"id": "other", "path": "x"}'),
        ok(b'{"id": "%s", "path": null}' % ID.encode()),
        ok(b"x" * 100_000),
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_an_unclear_answer_is_no_path(forwarder: AiohttpForwarder, text: bytes) -> None:
    """Callers fail closed on `upstream_bad_answer`; the failure is not kept."""
    async with scripted(saying(text)) as server:
        ids = UpstreamFileIds(Only(server.upstream), forwarder)
        for count in (1, 2):
            with pytest.raises(Denied) as denied:
                await ids.path_of("u1", ID)
            assert denied.value.reason is Reason.UPSTREAM_BAD_ANSWER
            assert len(server.heads) == count


async def test_a_404_is_an_unknown_id(forwarder: AiohttpForwarder) -> None:
    """Also when it is the page of a server that lacks the extension."""
    async with scripted(saying(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nhtml")) as server:
        assert await UpstreamFileIds(Only(server.upstream), forwarder).path_of("u1", ID) is None


@pytest.mark.parametrize("id", ["", "a/b", "../x", "a b", "x" * 65, "a&path=b", "é", "a\n"])
async def test_attack_what_cannot_be_an_id_is_not_asked_for(forwarder: AiohttpForwarder, id: str) -> None:
    """It never reaches the server."""
    async with scripted(saying(answer(id=id))) as server:
        assert await UpstreamFileIds(Only(server.upstream), forwarder).path_of("u1", id) is None
        assert server.connections == 0


async def test_a_server_that_is_away_is_an_error_and_no_answer(forwarder: AiohttpForwarder) -> None:
    """Unknown is not the same as not there."""

    class Nowhere:
        async def find(self, id: str) -> Upstream:
            raise Denied(Reason.UPSTREAM_AWAY)

    with pytest.raises(Denied) as denied:
        await UpstreamFileIds(Nowhere(), forwarder).path_of("u1", ID)
    assert denied.value.reason is Reason.UPSTREAM_AWAY


async def test_the_newest_answer_is_asked_for_after_the_call(patient: AiohttpForwarder) -> None:
    """Neither an answer that is kept nor a question under way will do; those who wait for one share the next."""
    hold, asked = asyncio.Event(), []

    class Slow(UpstreamFileIds):
        async def _ask(self, key: tuple[str, str]) -> str | None:
            asked.append(key)
            number = len(asked)
            await hold.wait()
            return f"{number}.md"

    ids = Slow(Only(Upstream(id="u1", name="", owner="", url="http://127.0.0.1:9/")), patient)
    early = asyncio.create_task(ids.path_of("u1", ID))
    await asyncio.sleep(0)
    late = [asyncio.create_task(ids.newest.path_of("u1", ID)) for _ in range(3)]
    await asyncio.sleep(0)
    assert len(asked) == 1
    hold.set()
    assert await early == "1.md"
    assert [await one for one in late] == ["2.md"] * 3
    assert await ids.newest.path_of("u1", "no id!") is None
