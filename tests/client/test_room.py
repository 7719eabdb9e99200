"""The live connection of a program: what closes mean, and what happens to edits. Over a scripted gate."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import re
import traceback
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pycrdt import Array, Doc, Map, Text, create_sync_message, handle_sync_message

from sharegate.client import (
    EditRefused,
    EditsLost,
    Ended,
    NotAllowed,
    Notebook,
    NotFound,
    NotSent,
    ShareError,
    Unreachable,
    join,
)

BODY = base64.urlsafe_b64encode(b'{"sub":"k7f2k7f2k7"}').rstrip(b"=").decode()
TOKEN = f"eyJhbGciOiJFZERTQSJ9.{BODY}.c2VjcmV0LXNpZ25hdHVyZQ"


def document(*sources: str) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    doc.get("cells", type=Array).extend(
        [Map({"id": f"c{n}", "cell_type": "code", "source": Text(source)}) for n, source in enumerate(sources)]
    )
    return doc


def refusal(status: int, code: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": "No.", "id": "1"}, "message": "No."}, status=status)


@dataclass
class ScriptedGate:
    """Holds one document for all who come. `refuse` is what each next request for a session is answered with."""

    url: str = ""
    role: str = "edit"
    doc: Doc[Any] = field(default_factory=lambda: document("a", "b"))
    session: str = "s1"
    save: str = "success"
    handshakes: list[int] = field(default_factory=list)
    about: list[web.Response] = field(default_factory=list)
    refuse: list[web.Response] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    credentials: set[str] = field(default_factory=set)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    # A slow gate: it reads nothing while this is not set.
    reads: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.reads.set()

    def sources(self) -> list[str]:
        return [str(cell["source"]) for cell in self.doc.get("cells", type=Array)]

    async def close(self, code: int, reason: str = "") -> None:
        for socket in self.sockets:
            await socket.close(code=code, message=reason.encode())

    async def until(self, sources: list[str]) -> None:
        async with asyncio.timeout(25):
            while self.sources() != sources:
                self.heard.clear()
                await self.heard.wait()

    async def share(self, request: web.Request) -> web.StreamResponse:
        self.credentials.add(request.headers.get("Authorization", ""))
        if self.about:
            return self.about.pop(0)
        about = {"name": "W", "owner": "Olga", "root": "sub/w", "kind": "directory", "role": self.role, "expires": 9e9}
        return web.json_response(about)

    async def ask_session(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.refuse:
            return self.refuse.pop(0)
        told = {"fileId": "f1", "sessionId": self.session, "format": "json", "type": "notebook"}
        return web.json_response(told)

    async def room(self, request: web.Request) -> web.StreamResponse:
        self.credentials.add(request.headers.get("Authorization", ""))
        assert not {"Origin", "Cookie"} & set(request.headers)
        if self.handshakes:
            return web.Response(status=self.handshakes.pop(0))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        doc = self.doc
        await socket.send_bytes(create_sync_message(doc))
        async for message in socket:
            await self.reads.wait()
            if message.data[0] == 0:
                reply = handle_sync_message(message.data[1:], doc)
                if reply is not None:
                    await socket.send_bytes(reply)
                self.heard.set()
            elif message.data[0] == 2 and self.save:
                said = json.dumps({"type": "save", "responseTo": message.data[6], "status": self.save}).encode()
                await socket.send_bytes(b"\x02" + bytes([len(said)]) + said)
        return socket


@pytest.fixture
async def gate() -> AsyncIterator[ScriptedGate]:
    gate = ScriptedGate()
    app = web.Application()
    app.router.add_get("/s/k7f2k7f2k7/-/share", gate.share)
    app.router.add_put("/s/k7f2k7f2k7/api/collaboration/session/{path:.*}", gate.ask_session)
    app.router.add_get("/s/k7f2k7f2k7/api/collaboration/room/{name}", gate.room)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gate.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield gate
    await runner.cleanup()


@contextlib.asynccontextmanager
async def opened(gate: ScriptedGate) -> AsyncIterator[Notebook]:
    async with join(f"{gate.url}/join#{TOKEN}", patience=0) as share:
        yield await share.notebook("nb.ipynb")


async def ended(notebook: Notebook) -> ShareError:
    async def told() -> None:
        while True:
            await notebook.changed()

    with pytest.raises(ShareError) as caught:
        await asyncio.wait_for(told(), 25)
    return caught.value


def sources(notebook: Notebook) -> list[str]:
    return [cell.source for cell in notebook.cells]


async def test_edits_go_both_ways(gate: ScriptedGate) -> None:
    """The file's place is the share's root and its name; edits arrive as they are made."""
    async with opened(gate) as notebook:
        assert gate.asked == ["/s/k7f2k7f2k7/api/collaboration/session/sub/w/nb.ipynb"]
        assert sources(notebook) == ["a", "b"]
        notebook.cells[0].source = "changed"
        notebook.append("more")
        await gate.until(["changed", "b", "more"])


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (4403, "link_revoked", Ended),
        (4403, "clients_off", Ended),
        (4408, "share_expired", Ended),
        (4410, "visit_ended", Ended),
        (4403, "not_found", NotFound),
        (1008, "bad_frame", ShareError),
    ],
)
async def test_what_is_over_is_said_by_everything_that_is_asked_then(
    gate: ScriptedGate, code: int, reason: str, kind: type[ShareError]
) -> None:
    """With the gate's reason, and without another try."""
    async with opened(gate) as notebook:
        cell = notebook.cells[0]
        await gate.close(code, reason)
        error = await ended(notebook)
        assert (type(error), error.reason) == (kind, reason)
        for use in (lambda: notebook.cells, lambda: cell.source, lambda: notebook.append("x"), cell.delete):
            with pytest.raises(kind):
                use()
        with pytest.raises(kind):
            await notebook.save()
        assert len(gate.asked) == 1


@pytest.mark.parametrize("code", [1001, 1012, 1013])
async def test_a_connection_that_breaks_is_made_again_and_loses_no_edit(gate: ScriptedGate, code: int) -> None:
    """What was written while it was away is there afterwards; so is what others wrote."""
    async with opened(gate) as notebook:
        gate.refuse = [refusal(503, "gate_restarting")]
        gate.handshakes = [503, 429]
        await gate.close(code, "server_away")
        notebook.append("while away")
        gate.doc.get("cells", type=Array)[0]["source"].insert(1, " theirs")
        await gate.until(["a theirs", "b", "while away"])
        while sources(notebook) != ["a theirs", "b", "while away"]:
            await notebook.changed(within=10)
        await notebook.save()


async def test_a_link_that_ended_while_the_connection_was_away_is_no_endless_try(gate: ScriptedGate) -> None:
    """The gate says so when it is asked again."""
    async with opened(gate) as notebook:
        gate.refuse = [refusal(403, "link_revoked")]
        await gate.close(1012)
        assert (await ended(notebook)).reason == "link_revoked"


async def test_an_edit_that_was_refused_is_told_and_the_notebook_goes_on(gate: ScriptedGate) -> None:
    """It is as the others have it then, and can be edited again."""
    async with opened(gate) as notebook:
        gate.doc = document("a", "b")
        notebook.append("refused")
        await gate.close(1003, json.dumps({"reason": "unknown_session", "code": "update_refused"}))
        error = await ended(notebook)
        assert (type(error), error.reason) == (EditRefused, "update_refused")
        while sources(notebook) != ["a", "b"]:
            await notebook.changed(within=10)
        notebook.append("good")
        await gate.until(["a", "b", "good"])


async def test_a_document_that_began_anew_tells_of_edits_that_were_not_saved(gate: ScriptedGate) -> None:
    """Once; without such edits it is read anew without a word."""
    async with opened(gate) as notebook:
        notebook.append("saved")
        await notebook.save()
        for round, unsaved in ((1, False), (2, True)):
            if unsaved:
                notebook.append("not saved")
                await gate.until([*sources(notebook)])
            gate.doc, gate.session = document(f"anew {round}"), f"anew {round}"
            await gate.close(1003, json.dumps({"reason": "unknown_session", "reloadable": True}))
            if unsaved:
                assert type(await ended(notebook)) is EditsLost
            while sources(notebook) != [f"anew {round}"]:
                await notebook.changed(within=10)


async def test_nothing_is_written_into_a_document_that_is_read_anew(gate: ScriptedGate) -> None:
    """It would be lost without a word."""
    async with opened(gate) as notebook:
        gate.refuse = [refusal(503, "server_away") for _ in range(100)]
        await gate.close(1003, json.dumps({"reason": "unknown_session", "code": "update_too_large"}))
        assert type(await ended(notebook)) is EditRefused
        assert sources(notebook) == ["a", "b"]
        with pytest.raises(EditsLost):
            notebook.append("x")


@pytest.mark.parametrize("status", ["skipped", "failed"])
async def test_a_save_that_is_none_is_an_error(gate: ScriptedGate, status: str) -> None:
    """Success is said only when the file was written."""
    gate.save = status
    async with opened(gate) as notebook:
        with pytest.raises(Unreachable, match=status):
            await notebook.save()


async def test_a_save_without_an_answer_is_an_error_after_its_time(gate: ScriptedGate) -> None:
    """And one whose connection breaks is asked again on the next."""
    gate.save = ""
    async with opened(gate) as notebook:
        with pytest.raises(Unreachable, match="not answered"):
            await notebook.save(within=0.05)
        saving = asyncio.create_task(notebook.save(within=10))
        await asyncio.sleep(0)
        gate.save = "success"
        await gate.close(1012)
        await saving


async def test_closing_waits_for_a_slow_gate(gate: ScriptedGate) -> None:
    """What was written until then is with the gate when `join` is left, however much it was and however late it is
    read."""
    wanted = [f"line {number}\n" * 500 for number in range(60)]
    async with opened(gate) as notebook:
        notebook.cells[1].delete()
        gate.reads.clear()
        for source in wanted:
            notebook.append(source)
        notebook.cells[0].source = "last"
        later = read_later(gate)
    assert gate.sources() == ["last", *wanted]
    await later


def read_later(gate: ScriptedGate) -> asyncio.Task[None]:
    """The gate reads on when others have had many turns."""

    async def on() -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        gate.reads.set()

    return asyncio.create_task(on())


async def test_closing_says_what_was_not_sent(gate: ScriptedGate) -> None:
    """After its time, with the cells that it is about and not those which the gate has; all is closed then."""
    async with join(f"{gate.url}/join#{TOKEN}", patience=0) as share:
        notebook = await share.notebook("nb.ipynb")
        notebook.cells[0].source = "known"
        await notebook.save()
        gate.reads.clear()
        notebook.cells[1].source = "unknown"
        added = notebook.append("unknown too")
        with pytest.raises(NotSent) as told:
            await share.close(within=0.1)
        assert told.value.cells == ("c1", added.id) and told.value.reason == "not_sent"
        words = re.findall(r"\w+", str(told.value))
        assert "c1" in words and "c0" not in words and TOKEN not in str(told.value)
        with pytest.raises(ShareError) as closed:
            _ = notebook.cells
        assert closed.value.reason == "closed"
        gate.reads.set()
        await share.close(within=0)


async def test_closing_waits_for_a_gate_that_comes_back(gate: ScriptedGate) -> None:
    """What was written while the connection was away is sent when it is there again."""
    async with opened(gate) as notebook:
        gate.handshakes = [503]
        await gate.close(1012)
        notebook.cells[0].source = "written meanwhile"
    assert gate.sources() == ["written meanwhile", "b"]


async def test_closing_what_ended_says_what_the_gate_may_not_have(gate: ScriptedGate) -> None:
    """The reason why it ended comes along. Who closes without having written hears of nothing."""
    for written in (True, False):
        gate.reads.set()
        async with join(f"{gate.url}/join#{TOKEN}", patience=0) as share:
            notebook = await share.notebook("nb.ipynb")
            gate.reads.clear()
            if written:
                notebook.cells[0].source = "late"
            await gate.close(4403, "link_revoked")
            assert isinstance(await ended(notebook), Ended)
            if written:
                with pytest.raises(NotSent) as told:
                    await share.close()
                assert told.value.cells == ("c0",) and isinstance(told.value.__cause__, Ended)


async def test_a_refusal_that_nobody_heard_of_is_told_at_the_end(gate: ScriptedGate) -> None:
    """Who writes and leaves learns that the gate took it back."""

    async def writing() -> None:
        async with opened(gate) as notebook:
            notebook.cells[0].source = "no"
            await gate.until(["no", "b"])
            gate.doc = document("a", "b")
            version = notebook._room.version
            await gate.close(1003, json.dumps({"reason": "unknown_session", "code": "update_refused"}))
            async with notebook._room.changes:
                await notebook._room.changes.wait_for(lambda: notebook._room.version != version)

    with pytest.raises(EditRefused):
        await writing()


async def test_what_went_wrong_inside_is_what_is_told(gate: ScriptedGate) -> None:
    """An error of the program's own is not hidden by one of closing, and a cancelled program does not wait."""

    async def failing() -> None:
        async with opened(gate) as notebook:
            notebook.cells[0].source = "late"
            gate.reads.clear()
            late.append(read_later(gate))
            raise ZeroDivisionError

    late: list[asyncio.Task[None]] = []
    with pytest.raises(ZeroDivisionError):
        await failing()
    await asyncio.gather(*late)
    assert gate.sources() == ["late", "b"]
    never = asyncio.Event()
    began = asyncio.Event()

    async def program() -> None:
        async with opened(gate) as notebook:
            gate.reads.clear()
            notebook.cells[0].source = "never"
            began.set()
            await never.wait()

    running = asyncio.create_task(program())
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 8)
    gate.reads.set()


async def test_a_viewer_neither_writes_nor_saves(gate: ScriptedGate) -> None:
    """The role is told when the share is joined."""
    gate.role = "view"
    async with opened(gate) as notebook:
        for call in (lambda: notebook.append("x"), lambda: notebook.insert(0)):
            with pytest.raises(NotAllowed):
                call()
        with pytest.raises(NotAllowed):
            await notebook.save()


async def test_a_gate_that_is_away_is_asked_again_for_a_while(gate: ScriptedGate) -> None:
    """`patience` seconds; what is refused is refused at once."""
    gate.about = [refusal(503, "gate_restarting")]
    async with join(f"{gate.url}/join#{TOKEN}", patience=5) as share:
        assert share.name == "W"
    gate.about = [refusal(503, "gate_restarting")]
    with pytest.raises(Unreachable):
        async with join(f"{gate.url}/join#{TOKEN}", patience=0):
            pass
    gate.about = [refusal(403, "clients_off")]
    with pytest.raises(Ended):
        async with join(f"{gate.url}/join#{TOKEN}", patience=60):
            pass
    gate.about = [web.Response(text="<html>a proxy</html>")]
    with pytest.raises(Unreachable, match="no gate"):
        async with join(f"{gate.url}/join#{TOKEN}", patience=0):
            pass


async def test_no_error_log_or_repr_holds_the_token(gate: ScriptedGate, caplog: pytest.LogCaptureFixture) -> None:
    """Not those of the library below either: it keeps the headers of a request that failed."""
    caplog.set_level(logging.DEBUG)
    found = []

    async def use() -> None:
        async with join(f"{gate.url}/join#{TOKEN}", patience=0, timeout=2) as share:
            found.append(repr(share) + repr(share._http))
            gate.handshakes = [403]
            await share.notebook("nb.ipynb")

    async def failing() -> None:
        with pytest.raises(ShareError) as caught:
            await use()
        error = caught.value
        found.append("".join(traceback.format_exception(error)) + repr(error))
        assert error.__cause__ is None
        assert not isinstance(error.__context__, aiohttp.ClientError)

    await failing()
    gate.about = [refusal(403, "link_revoked")]
    await failing()
    gate.url = "http://127.0.0.1:1"
    await failing()
    assert len(found) == 4
    assert gate.credentials == {f"Bearer {TOKEN}"}
    signature = TOKEN.rpartition(".")[2]
    assert not [text for text in (*found, caplog.text) if signature in text]
