"""The examples of docs/programs.md, run as they stand there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.gatehouse import Gatehouse, Program
from tests.programs.conftest import sources, until
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "programs.md").read_text()
EXAMPLES = dict(re.findall(r"```python\n# example: (\w+)\n(.*?)```", PAGE, re.DOTALL))


async def start(name: str, who: Program) -> asyncio.subprocess.Process:
    environment = {
        **os.environ,
        "SHAREGATE_LINK": f"{who.gate.origin}/join#{who.cookie}",
        "SHAREGATE_URL": f"{who.gate.origin}/s/{who.share['id']}",
        "SHAREGATE_TOKEN": who.cookie,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", EXAMPLES[name], env=environment, stdout=-1, stderr=-1
    )


async def run(name: str, who: Program) -> str:
    """What an example prints; it must end well and say nothing else."""
    process = await start(name, who)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode()


async def test_every_example_is_run_here() -> None:
    """One that nobody runs is one that nobody knows to work."""
    assert set(EXAMPLES) == {"files", "notebook", "ended", "nbmodel", "requests"}
    assert PAGE.count("```python") == len(EXAMPLES)


async def test_files(editor: Program, workshop: JupyterServer) -> None:
    """Lists, reads, writes."""
    out = await run("files", editor)
    assert out.splitlines()[0] == "shared edit"
    assert "notebook nb.ipynb" in out and "a,b\n1,2\n" in out
    assert (workshop.root / "sub/shared/result.csv").read_text() == "mean\n1.5\n"


async def test_notebook_then_nbmodel(editor: Program, workshop: JupyterServer) -> None:
    """Edits that were saved are on the disk when the program ends; another program goes on with them."""
    path = workshop.root / "sub/shared/nb.ipynb"
    out = await run("notebook", editor)
    assert "markdown # Shared notebook" in out
    assert sources(path)[0] == "# Checked"
    assert sources(path)[-1] == "print('added by a program')"
    assert "print('added by a program')" in await run("nbmodel", editor)
    assert await editor.gate.denials(editor.share["id"]) == []


async def test_requests(editor: Program, workshop: JupyterServer) -> None:
    """The contents API."""
    assert "notebook sub/shared/nb.ipynb" in await run("requests", editor)
    assert (workshop.root / "sub/shared/by-script.txt").read_text() == "by a script\n"


async def test_ended(gate: Gatehouse, viewer: Program) -> None:
    """A program that follows is told when its link is revoked."""
    process = await start("ended", viewer)

    async def follows() -> bool:
        return any(visit["channels"] for visit in (await gate.call("GET", "visits"))["visits"])

    await until(follows)
    await gate.call("POST", f"links/{viewer.link['id']}/revoke")
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, err.decode(), out.decode()) == (0, "", "link_revoked\n")


async def test_the_printed_lines_are_what_programs_need(gate: Gatehouse, editor: Program) -> None:
    """Server URL and token as the owner's API tells them are those that the examples used."""
    told = await gate.call("GET", f"links/{editor.link['id']}/url")
    assert told["program"] == {"url": f"{gate.origin}/s/{editor.share['id']}", "token": editor.cookie}
    assert json.dumps(told).count(editor.cookie) == 2
