"""What stops comes back: the owner's Jupyter at another port with another token, the gate, a laptop that slept, a
folder that was renamed. Visitors' pages are open all the while."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.gatehouse import Gatehouse, gatehouse
from tests.gateprocess import GateProcess
from tests.real.jupyter import JupyterServer, running_jupyter
from tests.story.conftest import People
from tests.story.people import Project, Tab, expose_app, owner_tab
from tests.story.ways import Reach

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.asyncio(loop_scope="package")]

# The gate's own address, and nginx with a host for each share: what is between changes who says that nobody answers.
TWO_WAYS = pytest.mark.ways("path", "nginx-hosts")
OFFLINE = "Olga's computer is offline. This page keeps trying."


@pytest_asyncio.fixture(loop_scope="package")
async def own_gate(tmp_path: Path, own_reach: Reach) -> AsyncIterator[GateProcess]:
    """A gate as a process, which may be stopped."""
    made = own_reach.process(tmp_path / "data")
    yield made
    if made.process is not None:
        await made.end(signal.SIGKILL)


async def shared(gate: GateProcess, lab: JupyterServer, project: Project) -> dict[str, Any]:
    """Start the gate with this server, and a link to edit the project."""
    house = await gate.start()
    known = {"url": lab.url, "token": lab.token, "root_dir": str(lab.root.resolve())}
    await house.call("POST", "servers", known)
    asked = {"path": project.path, "role": "edit", "open_file": "nb.ipynb", "for": ["Ann"]}
    return await house.call("POST", "shares", asked)


def visit_of(tab: Tab) -> str:
    return tab.page.url.partition("/~")[2].partition("/")[0]


@TWO_WAYS
async def test_the_page_outlives_a_restart_of_the_owners_server(
    tmp_path: Path, person: People, own_reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The visitor's page says that the server is away, waits without a dialog, and follows again by itself."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    expose_app(tmp_path)
    with contextlib.ExitStack() as servers:
        first = contextlib.ExitStack()
        lab = await asyncio.to_thread(first.enter_context, running_jupyter(tmp_path))
        servers.push(first)
        project = Project(lab, "restart").plant()
        async with gatehouse(tmp_path, lab, front=own_reach.front, **own_reach.settings) as gate:
            visitor = await Tab.open(await person())
            made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
            await visitor.enter(made["links"][0]["url"])
            await visitor.notebook()
            await visitor.page.locator(".jp-CodeCell .jp-InputPrompt").nth(1).click()

            await asyncio.to_thread(first.close)
            await visitor.says(
                "Olga's Jupyter is restarting.", "Olga's Jupyter is not running. This page waits for it."
            )
            assert await visitor.page.locator(".jp-Notebook .jp-Cell").count() == 3
            again = await asyncio.to_thread(servers.enter_context, running_jupyter(tmp_path))
            assert (again.port, again.token) != (lab.port, lab.token)
            await visitor.says("")
            await visitor.notebook()
            await visitor.page.wait_for_function(
                "() => jupyterapp.shell.currentWidget?.content.activeCellIndex === 2", timeout=30_000
            )
            assert await visitor.page.locator(".jp-Dialog").count() == 0

            project.server = again
            owner = await owner_tab(await person(), project)
            await owner.type_at_the_end("  # from the new server", 1)
            await visitor.shows("# from the new server")
            assert again.token not in await visitor.page.content()


@TWO_WAYS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_the_gate_restarts_mid_edit(
    own_gate: GateProcess, person: People, lab: JupyterServer, project: Project, number: signal.Signals
) -> None:
    """The page says that nobody answers, keeps what is typed meanwhile, and comes back by itself without a dialog, in
    the same visit. What was saved is there once; what could not be sent is offered, and goes into the document."""
    made = await shared(own_gate, lab, project)
    visitor = await Tab.open(await person())
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    visit = visit_of(visitor)
    await visitor.type_at_the_end("  # before")
    await project.saved("# before")

    await own_gate.end(number)
    await visitor.says(OFFLINE, f"Not saved: {OFFLINE}")
    await visitor.type_at_the_end("  # meanwhile", 1)
    assert await visitor.page.locator(".jp-Dialog").count() == 0
    await own_gate.start()
    kept = visitor.page.locator("#sharegate-kept")
    await kept.wait_for(timeout=60_000)
    await visitor.notebook()
    assert visit_of(visitor) == visit
    assert await visitor.page.locator(".jp-Dialog").count() == 0
    assert project.text().count("# before") == 1 and "# meanwhile" not in project.text()
    await kept.get_by_role("button", name="Put back").first.click()
    await visitor.shows("# meanwhile")
    await project.saved("# meanwhile")
    assert project.text().count("# meanwhile") == 1 and project.text().count("# before") == 1
    await visitor.says("")
    visits = (await own_gate.house.call("GET", "visits", None, open="1"))["visits"]
    assert len(visits) == 1


def freeze(gate: GateProcess, lab: JupyterServer, number: signal.Signals) -> None:
    """SIGSTOP, or SIGCONT, for everything that runs on the owner's laptop."""
    assert gate.process is not None
    gate.process.send_signal(number)
    os.killpg(lab.process.pid, number)


@TWO_WAYS
@pytest.mark.timeout(300)
async def test_the_laptop_slept(tmp_path: Path, own_gate: GateProcess, person: People) -> None:
    """The page says that nobody answers and keeps what is typed meanwhile; when the laptop wakes it goes on by itself,
    and what was typed before and during the sleep is there once."""
    expose_app(tmp_path)
    with running_jupyter(tmp_path) as lab:
        project = Project(lab, "asleep").plant()
        made = await shared(own_gate, lab, project)
        visitor = await Tab.open(await person())
        await visitor.enter(made["links"][0]["url"])
        await visitor.notebook()
        visit = visit_of(visitor)
        await visitor.type_at_the_end("  # before")
        await project.saved("# before")

        freeze(own_gate, lab, signal.SIGSTOP)
        try:
            await visitor.type_at_the_end("  # meanwhile", 1)
            # A page takes a silence of 50 s for one; the gate calls less a sleep.
            await visitor.says(OFFLINE, f"Not saved: {OFFLINE}", within=100)
            assert await visitor.page.locator(".jp-Dialog").count() == 0
        finally:
            freeze(own_gate, lab, signal.SIGCONT)
        await visitor.says("", within=90)
        await visitor.notebook()
        await visitor.shows("# meanwhile")
        await project.saved("# meanwhile")
        assert project.text().count("# meanwhile") == 1 and project.text().count("# before") == 1
        assert visit_of(visitor) == visit
        assert await visitor.page.locator(".jp-Dialog").count() == 0
        _, said = await own_gate.end(signal.SIGTERM)
        assert "did not run for" in said, "it took no notice"


@TWO_WAYS
async def test_the_folder_was_renamed(gate: Gatehouse, project: Project, owner: Tab, visitor: Tab) -> None:
    """Everybody is out at once, and nobody comes in, until the owner says that what stands there now is meant: then the
    same link and the same page lead into the same visit, and what was typed is there."""
    made = await gate.share(project.path, open_file="nb.ipynb", role="edit", **{"for": ["Ann"]})
    share, url = made["share"]["id"], made["links"][0]["url"]
    await visitor.enter(url)
    await visitor.notebook()
    visit = visit_of(visitor)
    await visitor.type_at_the_end("  # before")
    await project.saved("# before")

    folder = project.disk(project.path)
    aside = folder.with_name(f"{folder.name}-aside")
    folder.rename(aside)
    shutil.copytree(aside, folder, dirs_exist_ok=True)  # the server may have made it again for a checkpoint
    await visitor.reads("Sharing is suspended", within=10)
    assert "Shared notebook" not in await visitor.page.content()
    await visitor.page.get_by_role("button", name="Try again").click()
    await visitor.reads("suspended")
    await visitor.follow(url)
    await visitor.reads("suspended")
    assert (await gate.call("GET", "shares", None))["shares"]

    await gate.call("POST", f"shares/{share}/confirm", {})
    await visitor.enter(url, button="Continue")
    await visitor.notebook()
    assert visit_of(visitor) == visit
    await visitor.shows("# before")
    await visitor.type_at_the_end("  # after", 1)
    await project.saved("# after")
    assert "# after" not in (aside / "nb.ipynb").read_text()
    await visitor.says("")
    assert await visitor.page.locator(".jp-Dialog").count() == 0
