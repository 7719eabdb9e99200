"""A stand-in for the far side of the gate's Unix socket: real HTTP, scripted answers, every call kept."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

Json = dict[str, Any]
NOW = 1_800_000_000.0


def link(label: str = "k7f2.a", **more: Any) -> Json:
    return {
        "id": label.replace(".", "-"),
        "label": label,
        "share": "k7f2xxxxxx",
        "name": "Ann",
        "kind": "person",
        "state": "active",
        "visits_max": 1,
        "visits_used": 1,
        "devices_max": 3,
        "role": None,
        "created": NOW,
        "expires": NOW + 4 * 86400,
    } | more


def share(label: str = "k7f2", **more: Any) -> Json:
    return {
        "id": f"{label}xxxxxx",
        "label": label,
        "name": "",
        "root": "lectures/week3",
        "kind": "directory",
        "open_file": "",
        "role": "view",
        "role_sentence": "can view",
        "owner": "Olga",
        "server": "srv",
        "created": NOW,
        "expires": NOW + 4 * 86400,
        "state": "active",
        "message": "",
        "clients": False,
        "own_extensions": False,
        "runnable_files": False,
        "page": "lab",
        "links": [link(f"{label}.a")],
        "visits_open": 1,
        "knocks": 0,
    } | more


def visit(label: str = "k7f2.a1", **more: Any) -> Json:
    return {
        "id": f"v{label.replace('.', '')}",
        "label": label,
        "share": "k7f2xxxxxx",
        "link": "k7f2-a",
        "link_label": "k7f2.a",
        "name": "Ann",
        "badge": "Ann · her link",
        "kind": "browser",
        "role": "view",
        "state": "open",
        "ended_reason": "",
        "since": NOW,
        "last_seen": NOW,
        "where": "lectures/week3/intro.ipynb",
        "here": True,
        "channels": 2,
        "devices": 1,
        "address": "192.0.2.0",
        "agent": "Firefox",
        "came_from": "",
    } | more


def knock(label: str = "q3mk", **more: Any) -> Json:
    return {
        "id": f"{label}xxxxxx",
        "label": label,
        "share": "k7f2xxxxxx",
        "share_name": "",
        "link_label": "k7f2.b",
        "link_name": "Bo",
        "name": "Eve",
        "same_person": False,
        "email": "",
        "lacks": [],
        "by_address": False,
        "came_from": "k7f2.b1",
        "since": NOW,
        "address": "192.0.2.0",
        "agent": "Chrome",
        "state": "waiting",
    } | more


def ask(label: str = "w4xk", **more: Any) -> Json:
    return {
        "id": f"{label}xxxxxx",
        "label": label,
        "share": "k7f2xxxxxx",
        "visit": "vk7f2a1",
        "visit_label": "k7f2.a1",
        "name": "Ann",
        "badge": "Ann · her link",
        "path": "lectures/week3/intro.ipynb",
        "cell": "8f0c",
        "source": "import os\nprint(6*7)",
        "before": None,
        "digest": "d" * 64,
        "since": NOW,
        "state": "waiting",
    } | more


def server(**more: Any) -> Json:
    return {
        "id": "srvxxxxxxx",
        "name": "project",
        "owner": "Olga",
        "url": "http://127.0.0.1:8888/",
        "root_dir": "/home/olga/project",
        "state": "here",
        "computer": "",
        "pid": 7,
        "collaboration": True,
    } | more


def gate(**more: Any) -> Json:
    return {
        "version": "0.1.0",
        "pid": 7,
        "running": True,
        "started": NOW,
        "gate_url": "http://127.0.0.1:8870",
        "dashboard_url": "http://localhost:8871",
        "reach": "this computer",
        "owner": "Olga",
        "warnings": [],
        "servers": [server()],
        "counts": {"shares": 1, "visits": 1, "knocks": 0, "channels": 2},
    } | more


def alarm(id: str = "1", **more: Any) -> Json:
    return {
        "id": id,
        "at": NOW,
        "path": "week3/intro.ipynb",
        "what": "collapsed",
        "sentence": "900 characters in 3 cells became 0 in 0 within a minute",
        "version": "n4kd",
        "visit": "k7f2.a1",
        "name": "Eve",
    } | more


def error(code: str, message: str, **more: Any) -> Json:
    return {"error": {"code": code, "message": message, "field": "", "remedy": "", "candidates": []} | more}


def _whole(answer: Json, status: int) -> web.Response:
    """Nothing is kept open behind an answer: what a command leaves would outlive the loop."""
    said = web.json_response(answer, status=status)
    said.force_close()
    return said


class ScriptedGate:
    """Answers `METHOD /path` from `answers`; what is not scripted is 404. Thread-safe enough for one test."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Json]] = {}
        self.turns: dict[str, list[Json]] = {}
        self.calls: list[tuple[str, Json, Json | None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._streams: list[asyncio.Queue[Json | None]] = []
        self.say("GET gate", gate())
        self.say("GET shares", {"shares": []})
        self.say("GET visits", {"visits": []})
        self.say("GET knocks", {"knocks": []})
        self.say("GET asks", {"asks": []})
        self.say("GET times", {"times": []})
        self.say("GET alarms", {"alarms": []})

    def say(self, call: str, answer: Json, status: int = 200) -> None:
        method, _, path = call.partition(" ")
        self.answers[f"{method} /api/v1/{path}"] = status, answer

    def say_in_turn(self, call: str, *answers: Json) -> None:
        """One after the other; the last one stays."""
        method, _, path = call.partition(" ")
        self.turns[f"{method} /api/v1/{path}"] = list(answers)

    def knows(self, kind: str, id: str, label: str, title: str = "") -> None:
        self.say("GET resolve", {"kind": kind, "id": id, "label": label, "title": title})

    def sent(self, call: str) -> list[Json | None]:
        """The bodies that came with a call."""
        method, _, path = call.partition(" ")
        return [body for name, _, body in self.calls if name == f"{method} /api/v1/{path}"]

    def tell(self, change: Json | None) -> None:
        """Send a change to all who watch; None ends the gate."""
        assert self._loop is not None
        for stream in self._streams:
            self._loop.call_soon_threadsafe(stream.put_nowait, change)

    @property
    def watchers(self) -> int:
        return len(self._streams)

    async def _call(self, request: web.Request) -> web.Response:
        name = f"{request.method} {request.path}"
        body = await request.json() if request.can_read_body else None
        self.calls.append((name, dict(request.query), body))
        if turns := self.turns.get(name):
            return _whole(turns.pop(0) if len(turns) > 1 else turns[0], 200)
        status, answer = self.answers.get(name, (404, error("not_found", f"nothing scripted for {name}")))
        return _whole(answer, status)

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        stream: asyncio.Queue[Json | None] = asyncio.Queue()
        self._streams.append(stream)
        change: Json | None = {"kind": "hello", "at": NOW, "text": "", "id": "", "share": ""}
        while change is not None:
            await response.write(json.dumps(change).encode() + b"\n")
            change = await stream.get()
        return response

    @contextmanager
    def listening(self, path: Path) -> Iterator[ScriptedGate]:
        """Serve on a Unix socket from a thread of its own."""
        path.parent.mkdir(mode=0o700, parents=True)
        ready = threading.Event()
        done = threading.Event()

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            app = web.Application()
            app.router.add_get("/api/v1/changes", self._changes)
            app.router.add_route("*", "/{tail:.*}", self._call)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.UnixSite(runner, str(path)).start()
            stopping = asyncio.Event()
            self._stop = stopping
            ready.set()
            await stopping.wait()
            for stream in self._streams:
                stream.put_nowait(None)
            # Who knocked last is taken in before the server closes: asyncio (3.11) makes a transport, finds no server
            # for it, and leaves the socket open. Transports let go of theirs in a later turn of the loop, too.
            await _turns()
            await runner.cleanup()
            await _turns()
            done.set()

        thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._stop.set)
            assert done.wait(10)
            thread.join(10)


async def _turns() -> None:
    for _ in range(100):
        await asyncio.sleep(0)
