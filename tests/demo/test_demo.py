"""`sharegate demo`, the whole of it, as a program."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from sharegate.demo.visitor import RobotVisitor

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
            if words in line:
                return line
    raise AssertionError("".join(seen))


async def _end(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(40):
        await process.wait()


async def test_the_demo_shows_a_visit_a_refusal_and_a_knock_and_leaves_nothing(tmp_path: Path) -> None:
    """Robo is in, is refused outside, passes his link on; Eve knocks and is refused; a person can visit too."""
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
        await _line(process, "Robo watches measurements.ipynb live")
        refused = await _line(process, "outside his folder, and is refused: 404")
        await _line(process, "Eve finds the link in use by Robo, and knocks")
        await _line(process, "Eve was refused")
        person = RobotVisitor("You", addresses["visitor"])
        try:
            assert await person.enter()
            status, body = await person.get("files/weather/stations.csv")
        finally:
            await person.close()
    finally:
        await _end(process)

    assert "bug" not in refused
    assert (status, body.splitlines()[0]) == (200, b"station,height_m")
    assert process.returncode == 0
    assert list((tmp_path / "tmp").glob("sharegate-demo-*")) == []
    assert not (tmp_path / ".local" / "share" / "sharegate").exists()
    assert not (tmp_path / ".jupyter").exists()
