"""Fixtures of the browser tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Watched, chromium, executable, person, watch
from tests.browser.house import House
from tests.browser.real_house import open_house
from tests.real.jupyter import JupyterServer, plant, running_jupyter


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if executable() is None:
        pytest.skip("Chromium is not installed")
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A JupyterLab of this module's own: owners type in it."""
    home = tmp_path_factory.mktemp("lab")
    (home / "root").mkdir()
    plant(home / "root")
    with running_jupyter(home) as server:
        yield server


@pytest.fixture
def house(lab: JupyterServer, tmp_path: Path) -> Iterator[House]:
    with open_house(lab, folder=tmp_path) as opened:
        yield opened


@pytest.fixture
def visitor(browser: Browser, house: House, tmp_path: Path) -> Iterator[Watched]:
    """A visitor's tab in a browser of its own, watched."""
    context = person(browser)
    watched = watch(context, house.origin)
    yield watched
    context.close()
