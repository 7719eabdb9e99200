"""The route table of JupyterLab with everything that is installed beside it, read from the real application.

Run as a program it initialises the server without serving and prints its rules as JSON; `registered_routes` does that
in a process of its own, since the server leaves threads and signal handlers behind.
"""

from __future__ import annotations

import json
import os
import re
import re._constants as op
import re._parser
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Route:
    """One registered handler; `calls` are its methods, with WEBSOCKET for a WebSocket handler. OPTIONS is left out."""

    pattern: str
    handler: str
    calls: tuple[str, ...]


def registered_routes(home: Path) -> list[Route]:
    (home / "root").mkdir(parents=True, exist_ok=True)
    places = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    done = subprocess.run(
        [sys.executable, __file__, str(home / "root")],
        env={**os.environ, "HOME": str(home), "IPYTHONDIR": str(home / "ipython"), **places},
        cwd=home,
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return [Route(pattern, handler, tuple(calls)) for pattern, handler, calls in json.loads(done.stdout)]


def sample_paths(pattern: str) -> list[str]:
    """Concrete paths that a route's regular expression matches: every branch, repeats of none, one and two.

    What `.*` takes after something else than a slash begins with a slash (`/tree(.*)` gives `/tree/x`, not `/treex`).
    """
    found = []
    for text in _samples(re._parser.parse(pattern)):
        for tail in ("", "wx", "wx/yz"):
            head, run, rest = text.partition("\0")
            path = head + ("/" if tail and not head.endswith("/") else "") + tail + rest if run else text
            assert "\0" not in path, f"two runs in {pattern}: teach the sampler"
            if re.fullmatch(pattern, path) and path not in found:
                found.append(path)
    return found


def _samples(parsed: Any) -> list[str]:
    return ["".join(parts) for parts in product(*(_piece(name, value) for name, value in parsed))]


def _piece(name: Any, value: Any) -> list[str]:
    if name is op.LITERAL:
        return [chr(value)]
    if name is op.AT:
        return [""]
    if name is op.ANY:
        return ["."]  # a dot that somebody forgot to escape: /api/spec.yaml
    if name in (op.IN, op.NOT_LITERAL):
        return ["w"]
    if name is op.SUBPATTERN:
        return _samples(value[-1])
    if name is op.BRANCH:
        return [text for branch in value[1] for text in _samples(branch)]
    if name in (op.MAX_REPEAT, op.MIN_REPEAT):
        low, high, inner = value
        if next(iter(inner))[0] is op.ANY:
            return ["\0"]
        counts = [count for count in (0, 1, 2) if low <= count <= high]
        return [text * count for count in counts for text in _samples(inner)]
    raise AssertionError(f"a route with {name} in its pattern: teach the sampler")


def _dump(root: str) -> None:
    from jupyterlab.labapp import LabApp
    from tornado.web import RequestHandler
    from tornado.websocket import WebSocketHandler

    arguments = ["--no-browser", "--allow-root", f"--ServerApp.root_dir={root}", "--ServerApp.port=0"]
    server = LabApp.initialize_server(argv=arguments)
    rows = []
    for host in server.web_app.default_router.rules:
        for rule in host.target.rules:
            methods = ("get", "head", "post", "put", "patch", "delete")
            own = [name for name in methods if getattr(rule.target, name) is not getattr(RequestHandler, name)]
            calls = [name.upper() for name in own]
            if issubclass(rule.target, WebSocketHandler):
                calls.append("WEBSOCKET")
            name = f"{rule.target.__module__}.{rule.target.__name__}"
            rows.append((rule.matcher.regex.pattern, name, calls))
    print(json.dumps(rows))


if __name__ == "__main__":
    _dump(sys.argv[1])
