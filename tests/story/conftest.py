"""One JupyterLab and one Chromium for the whole story, and a gate for each way to reach one; a folder and browser
profiles for each test."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.browser.chromium import launched, named
from tests.gatehouse import Gatehouse, gatehouse
from tests.real import nginx
from tests.real.certificates import Authority, Pair
from tests.real.jupyter import JupyterServer, running_jupyter
from tests.story.people import Project, Tab, expose_app, owner_tab
from tests.story.ways import NAME, Reach, chosen, reached

People = Callable[..., Awaitable[BrowserContext]]
# Chromium trusts authorities of the system only; what is checked of certificates, tests/peers and tests/listener check.
PROFILE = {"viewport": {"width": 1280, "height": 800}, "ignore_https_errors": True}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each story once for each way to reach a gate that is asked for, or that its marker `ways` names."""
    if "way" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("ways")
        try:
            ways = chosen(metafunc.config.getoption("--ways"), marker.args if marker is not None else None)
        except ValueError as error:
            raise pytest.UsageError(f"--ways: {error}") from None
        metafunc.parametrize("way", ways, scope="package")


@pytest.fixture(scope="package")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Authority(tmp_path_factory.mktemp("authority")).leaf()


def _able(way: str) -> None:
    if "nginx" in way and nginx.executable() is None:
        pytest.skip("nginx is not installed")


@pytest.fixture(scope="package")
def reach(way: str, tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[Reach]:
    """How the gate of the whole story is reached."""
    _able(way)
    with reached(way, tmp_path_factory.mktemp(way), pair) as opened:
        yield opened


@pytest.fixture
def own_reach(way: str, tmp_path: Path, pair: Pair) -> Iterator[Reach]:
    """The same for a gate of the test's own."""
    _able(way)
    with reached(way, tmp_path / "front", pair) as opened:
        yield opened


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """The owner's server, which no other test knows."""
    home = tmp_path_factory.mktemp("story")
    expose_app(home)
    with running_jupyter(home) as server:
        yield server


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def gate(tmp_path_factory: pytest.TempPathFactory, lab: JupyterServer, reach: Reach) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path_factory.mktemp("gate"), lab, front=reach.front, **reach.settings) as house:
        yield house


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with launched(named(NAME)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="package")
async def person(browser: Browser) -> AsyncIterator[People]:
    """Makes browser profiles: another person, or another device."""
    made: list[BrowserContext] = []

    async def make(**options: Any) -> BrowserContext:
        context = await browser.new_context(**{**PROFILE, **options})
        made.append(context)
        return context

    yield make
    for context in made:
        await context.close()


_numbers = itertools.count(1)


@pytest.fixture
def project(lab: JupyterServer, request: pytest.FixtureRequest) -> Project:
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:36]
    return Project(lab, f"{name}-{next(_numbers)}").plant()


@pytest_asyncio.fixture(loop_scope="package")
async def owner(person: People, project: Project) -> Tab:
    """The owner with the notebook open, directly on the Jupyter server."""
    return await owner_tab(await person(), project)


@pytest_asyncio.fixture(loop_scope="package")
async def visitor(person: People) -> Tab:
    """A visitor's browser before any link was opened."""
    return await Tab.open(await person())
