"""The owner's Jupyter stops and comes back elsewhere: another port, another token, the same folder. Or the gate is
stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import pytest

from tests.gatehouse import gatehouse
from tests.gateprocess import GateProcess
from tests.real.jupyter import JupyterServer, running_jupyter
from tests.story.conftest import People
from tests.story.people import Project, Tab, expose_app, owner_tab

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.asyncio(loop_scope="package")]


async def test_the_page_outlives_a_restart_of_the_owners_server(
    tmp_path: Path, person: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The visitor's page says that the server is away, waits without a dialog, and follows again by itself."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    expose_app(tmp_path)
    with contextlib.ExitStack() as servers:
        first = contextlib.ExitStack()
        lab = await asyncio.to_thread(first.enter_context, running_jupyter(tmp_path))
        servers.push(first)
        project = Project(lab, "restart").plant()
        async with gatehouse(tmp_path, lab) as gate:
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_the_gate_restarts_mid_edit(
    tmp_path: Path, person: People, lab: JupyterServer, project: Project, number: signal.Signals
) -> None:
    """The page says that nobody answers, keeps what is typed meanwhile, and comes back by itself without a dialog, in
    the same visit. What was saved is there once; what could not be sent is offered, and goes into the document."""
    gate = GateProcess(tmp_path / "data")
    try:
        house = await gate.start()
        known = {"url": lab.url, "token": lab.token, "root_dir": str(lab.root.resolve())}
        await house.call("POST", "servers", known)
        asked = {"path": project.path, "role": "edit", "open_file": "nb.ipynb", "for": ["Ann"]}
        made = await house.call("POST", "shares", asked)
        visitor = await Tab.open(await person())
        await visitor.enter(made["links"][0]["url"])
        await visitor.notebook()
        address = visitor.page.url
        await visitor.type_at_the_end("  # before")
        await project.saved("# before")

        await gate.end(number)
        offline = "Olga's computer is offline. This page keeps trying."
        await visitor.says(offline, f"Not saved: {offline}")
        await visitor.type_at_the_end("  # meanwhile", 1)
        assert await visitor.page.locator(".jp-Dialog").count() == 0
        await gate.start()
        kept = visitor.page.locator("#sharegate-kept")
        await kept.wait_for(timeout=60_000)
        await visitor.notebook()
        assert visitor.page.url.split("?")[0].split("~")[1][:10] == address.split("~")[1][:10]
        assert await visitor.page.locator(".jp-Dialog").count() == 0
        assert project.text().count("# before") == 1 and "# meanwhile" not in project.text()
        await kept.get_by_role("button", name="Put back").first.click()
        await visitor.shows("# meanwhile")
        await project.saved("# meanwhile")
        assert project.text().count("# meanwhile") == 1 and project.text().count("# before") == 1
        await visitor.says("")
        visits = (await gate.house.call("GET", "visits", None, open="1"))["visits"]
        assert len(visits) == 1
    finally:
        if gate.process is not None:
            await gate.end(signal.SIGKILL)
