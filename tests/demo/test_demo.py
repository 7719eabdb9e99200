"""`sharegate demo`, the whole of it, as a program."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pycrdt import Array, Doc, Map, create_awareness_message, handle_sync_message
from pycrdt import Awareness as Presence

from sharegate.channels import frames
from sharegate.channels.frames import Awareness
from sharegate.demo.story import CELL, FIRST, GREETING, SAID
from sharegate.demo.visitor import RobotVisitor
from tests.attacks.pages import Owner, Page

pytestmark = pytest.mark.real


async def _start(home: Path, *arguments: str) -> asyncio.subprocess.Process:
    """The demo with HOME and the temporary folder below `home`, without a terminal."""
    (home / "tmp").mkdir(parents=True)
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(home / "tmp")}
    environment.pop("JUPYTER_CONFIG_DIR", None)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sharegate", "demo", *arguments),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=home,
        start_new_session=True,
    )


async def _line(process: asyncio.subprocess.Process, words: str) -> str:
    """The next line on stderr that holds `words`."""
    assert process.stderr is not None
    seen = []
    async with asyncio.timeout(100):
        while line := (await process.stderr.readline()).decode():
            seen.append(line)
            assert "bug" not in line, line
            if words in line:
                return line
    raise AssertionError("".join(seen))


async def _end(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(40):
        await process.wait()


class Watched:
    """The owner's page with the notebook open; `names` are those who had a cursor."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def open(cls, address: str) -> tuple[Owner, "Watched"]:
        where = urlsplit(address)
        token = parse_qs(where.query)["token"][0]
        owner = Owner(SimpleNamespace(url=f"{where.scheme}://{where.netloc}/", token=token))  # type: ignore[arg-type]
        page = await owner.open("weather/measurements.ipynb", "json", "notebook")
        return owner, cls(page)

    async def be_seen(self) -> None:
        """Say who is there, as JupyterLab does every few seconds."""
        presence = Presence(self.page.doc)
        presence.set_local_state({"user": {"name": "Olga"}})
        await self.page.send(create_awareness_message(presence.encode_awareness_update([self.page.doc.client_id])))

    @property
    def cell(self) -> dict[str, Any]:
        """Robo's, {} while there is none."""
        return _cell(self.page.doc)

    @property
    def shown(self) -> list[dict[str, Any]]:
        """Robo's cell after every frame."""
        doc: Doc[Any] = Doc()
        found = []
        for frame in self.page.heard:
            if frame[:1] == b"\0":
                handle_sync_message(frame[1:], doc)
                found.append(_cell(doc))
        return found

    @property
    def names(self) -> set[str]:
        said = [frames.read(frames.Frame.binary(each), limit=1 << 26) for each in self.page.heard if each[:1] == b"\1"]
        states = [each.state for one in said if isinstance(one, Awareness) for each in one.states]
        return {state["user"]["name"] for state in states if isinstance(state, dict) and state.get("cursors")}


def _cell(doc: Doc[Any]) -> dict[str, Any]:
    cells = doc.get("cells", type=Array).to_py() or []
    return next((cell for cell in cells if cell["id"] == CELL), {})


async def test_the_demo_shows_a_visit_refusals_and_a_knock_and_leaves_nothing(tmp_path: Path) -> None:
    """Robo is in and types live, his script and path reach nobody, he is refused outside and passes his link on; Eve
    knocks and is refused; a person can visit too, and reads only."""
    process = await _start(tmp_path, "--json")
    try:
        assert process.stdout is not None
        async with asyncio.timeout(100):
            first = await process.stdout.readline()
            while not first.strip():
                first = await process.stdout.readline()
        document = first.decode()
        while True:
            try:
                addresses = json.loads(document)
                break
            except ValueError:
                document += (await process.stdout.readline()).decode()
        owner, watched = await Watched.open(addresses["owner"])
        try:
            for words in (
                "he can edit text, cannot run code",
                "Robo watches measurements.ipynb live, and types a line",
                "Robo puts a script into an output and calls it trusted: it is taken out before anybody sees it",
                "Robo tries to lead your page to private/salaries.csv, and is refused and cut off",
                "Robo opens it again: neither script nor path is there, his line is",
                "outside his folder, and is refused: 404",
                "Eve finds the link in use by Robo, and knocks",
                "Eve was refused",
            ):
                await _line(process, words)
            await watched.be_seen()
            await watched.page.until(lambda: watched.cell.get("source") == FIRST + GREETING)
            state = watched.page.doc.get("state", type=Map).to_py() or {}
            heard, names = watched.page.words, watched.names
            shown = watched.shown
        finally:
            await owner.close()
        person = RobotVisitor("You", addresses["visitor"])
        try:
            assert (await person.about())["role_sentence"] == "can view"
            assert await person.enter()
            status, body = await person.get("files/weather/stations.csv")
        finally:
            await person.close()
    finally:
        await _end(process)

    words = (FIRST + GREETING).split(" ")
    grown = list(dict.fromkeys(cell["source"] for cell in shown if cell))
    # Word by word. A server that is busy may be given two of them at once.
    steps = [" ".join(words[:number]) for number in range(len(words) - 9, len(words) + 1)]
    typed = [source for source in grown if source in steps]
    assert typed == sorted(typed, key=len) and typed[-1] == steps[-1] == grown[-1] and len(typed) >= 5
    assert names == {"Robo"}
    # What was taken out went on as one piece with what takes it out.
    assert SAID.encode() in heard
    assert not any(cell["outputs"] or cell["metadata"].get("trusted") for cell in shown if cell)
    assert "salaries" not in str(state) and b"salaries" not in heard
    assert (status, body.splitlines()[0]) == (200, b"station,height_m")
    assert process.returncode == 0
    assert list((tmp_path / "tmp").glob("sharegate-demo-*")) == []
    assert not (tmp_path / ".local" / "share" / "sharegate").exists()
    assert not (tmp_path / ".jupyter").exists()
