"""One JupyterLab, one gate and one Chromium for the whole story; a folder and browser profiles for each test."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright

from tests.browser.chromium import FLAGS, executable
from tests.gatehouse import Gatehouse, gatehouse
from tests.real.jupyter import JupyterServer, running_jupyter
from tests.story.people import Project, Tab, expose_app, owner_tab

# The name of an environment variable: with `localhost` the whole story is told with a host for each share.
SHARE_HOSTS = "STORY_SHARE_HOSTS"
People = Callable[..., Awaitable[BrowserContext]]


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """The owner's server, which no other test knows."""
    home = tmp_path_factory.mktemp("story")
    expose_app(home)
    with running_jupyter(home) as server:
        yield server


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def gate(tmp_path_factory: pytest.TempPathFactory, lab: JupyterServer) -> AsyncIterator[Gatehouse]:
    settings = {"share_hosts": os.environ.get(SHARE_HOSTS, "")}
    async with gatehouse(tmp_path_factory.mktemp("gate"), lab, **settings) as house:
        yield house


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    path = executable()
    if path is None:
        pytest.skip("Chromium is not installed")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="package")
async def person(browser: Browser) -> AsyncIterator[People]:
    """Makes browser profiles: another person, or another device."""
    made: list[BrowserContext] = []

    async def make(**options: Any) -> BrowserContext:
        context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        made.append(context)
        return context

    yield make
    for context in made:
        await context.close()


@pytest.fixture
def project(lab: JupyterServer, request: pytest.FixtureRequest) -> Project:
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:40]
    return Project(lab, name).plant()


@pytest_asyncio.fixture(loop_scope="package")
async def owner(person: People, project: Project) -> Tab:
    """The owner with the notebook open, directly on the Jupyter server."""
    return await owner_tab(await person(), project)


@pytest_asyncio.fixture(loop_scope="package")
async def visitor(person: People) -> Tab:
    """A visitor's browser before any link was opened."""
    return await Tab.open(await person())
