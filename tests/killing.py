"""What an owner does without a gate, killed at every step that it takes on the disk. Tests only."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharegate import config

# Does what is asked for once for each step that it takes, in a copy of its own of the records: in DIR/<n> it is killed
# before the n-th. Each is forked from a process that has imported everything and has no threads. Steps are what changes
# names or begins to write in the file system, and both sides of each commit of the store.
_PROGRAM = textwrap.dedent("""
    import asyncio, json, os, shutil, signal, sqlite3, sys
    from pathlib import Path
    from sharegate import app, config, upkeep
    from sharegate.errors import SharegateError

    ON_DISK = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "sqlite3.connect"}
    base, values = Path(sys.argv[1]), json.loads(sys.argv[2])
    left = armed = 0

    def step():
        global left
        if armed:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def look(event, details):
        writes = event == "open" and isinstance(details[2], int) and details[2] & (os.O_WRONLY | os.O_RDWR)
        if event in ON_DISK or writes:
            step()

    class Watched(sqlite3.Connection):
        def execute(self, sql, *more):
            commits = sql.upper().startswith("COMMIT")
            if commits:
                step()
            done = super().execute(sql, *more)
            if commits:
                step()
            return done

    real = sqlite3.connect
    sqlite3.connect = lambda *more, **named: real(*more, factory=Watched, **named)

    async def asked(api, method, path, body=None):
        status, answer = await api.call(method, "/api/v1/" + path, {}, body or {})
        assert status == 200, answer
        return answer

    async def offline(config, verb):
        global armed
        async with app.offline(config) as api:
            armed = 1
            await verb(api)
            armed = 0

    WHAT

    number = 0
    while True:
        number += 1
        here = base.with_name(str(number))
        if base.exists():
            shutil.copytree(base, here)
        child = os.fork()
        if child == 0:
            left = number
            sys.addaudithook(look)
            try:
                what(config.load(None, {}, {**values, "data_dir": str(here)}))
            except BaseException as error:
                print("failed", repr(error), flush=True)
                os._exit(1)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status):
            print(number, os.WEXITSTATUS(status), flush=True)
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
""")
OWN: dict[str, Any] = {"owner": "Olga", "gate_port": 0, "dashboard_port": 0}


@dataclass(frozen=True)
class Killing:
    """`base` are the records of before, which need not be there; its neighbours are what is left of them."""

    base: Path
    values: dict[str, Any]

    def at(self, step: int | str) -> config.Config:
        return config.load(None, {}, {**self.values, "data_dir": str(self.base.with_name(str(step)))})

    async def steps(self, what: str) -> list[config.Config]:
        """The records after each try. `what` defines `what(config)`, with `armed = 1` from where it may be killed."""
        program = _PROGRAM.replace("WHAT", textwrap.dedent(what))
        told = [sys.executable, "-c", program, str(self.base), json.dumps(self.values)]
        ran = await asyncio.to_thread(subprocess.run, told, capture_output=True, text=True)
        assert ran.returncode == 0 and ran.stdout.split()[-1] == "0", ran.stdout + ran.stderr
        return [self.at(step) for step in range(1, int(ran.stdout.split()[-2]) + 1)]


async def asked(api: Any, method: str, path: str, body: Any = None, **query: str) -> dict[str, Any]:
    """The owner's API; fails the test on an error."""
    status, answer = await api.call(method, f"/api/v1/{path}", query, body or {})
    assert status == 200, answer
    return dict(answer)
