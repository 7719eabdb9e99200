"""`reach` and `server browse`: beside a real folder, without a gate."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sharegate import app, config
from sharegate.upstream.model import Credential, Upstream
from tests.cli.conftest import run


class _Quiet(BaseHTTPRequestHandler):
    """Answers as a Jupyter server that has nothing to say."""

    def do_GET(self) -> None:
        body = b'{"version": "2.99.0"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def listening() -> Iterator[str]:
    """The address of a server of this process."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def project(home: Path, listening: str) -> Path:
    """A folder of a server that the records know, and one inside it that another server shows."""
    root = home / "project"
    (root / "week3" / ".hidden").mkdir(parents=True)
    (root / "week3" / "intro.ipynb").write_text("{}")
    (root / "week4").mkdir()
    (root / "week3" / "out").symlink_to(home)

    async def known() -> None:
        values = {"data_dir": str(home / "data")}
        async with app.offline(config.load(None, {}, values)) as api:
            for name, place in (("outer", root), ("inner", root / "week4")):
                await api._upstreams.put_upstream(
                    Upstream(
                        id=f"{name}23456",
                        name=name,
                        owner="Olga",
                        url=listening,
                        root_dir=str(place.resolve()),
                        pid=os.getpid(),
                        uid=os.getuid(),
                        token=Credential("x" * 32),
                    )
                )

    asyncio.run(known())
    return root


def test_what_visitors_would_reach(project: Path) -> None:
    """What is inside, what is beside it, and the names on the way; hidden names and links are outside."""
    ran = run("reach", str(project / "week3"))
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert "+ week3/" in lines and "+   intro.ipynb" in lines
    assert any(line.startswith("-   .hidden/  (hidden)") for line in lines)
    assert any(line.startswith("-   out") for line in lines) and "- week4/" in lines
    document = run("reach", "week3", "--server", "outer", "--json").document
    assert document == run("reach", str(project / "week3"), "--json").document and document["path"] == "week3"


def test_the_deepest_server_has_it(project: Path) -> None:
    """A folder that two servers show is looked for in the inner one, where only what is in it can be shared."""
    ran = run("reach", str(project / "week4"), "--json")
    assert ran.code == 3 and ran.document["error"]["code"] == "root_of_server"


def test_a_place_on_no_server(project: Path) -> None:
    """Told with what to look at; also a server that is not known."""
    ran = run("reach", "/")
    assert ran.code == 2 and "sharegate server list" in ran.err
    assert run("reach", "week3", "--server", "nobody").code == 4
    assert run("reach", str(project / "nothing")).code == 2


def test_a_folder_is_browsed(project: Path) -> None:
    """Each name with whether it can be shared, and why not."""
    ran = run("server", "browse", "outer", "week3")
    assert ran.code == 0, ran.err
    rows = {line.split()[0]: line for line in ran.out.splitlines()}
    assert rows["intro.ipynb"].endswith("yes") and "no: hidden" in rows[".hidden/"] and "no: a link" in rows["out"]
    assert run("server", "browse", "outer", "--json").document["path"] == ""
    assert run("server", "browse", "outer", "../..").code == 2
