"""Fixtures that several folders use."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from sharegate.logs import ScrubbingFormatter
from tests import sharing
from tests.real.jupyter import JupyterServer, planted_jupyter

# How long an example takes is the machine's affair, and what else it does.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--ways",
        default="",
        metavar="all|WAY,…",
        help="tell each story in all of these ways to reach a gate (tests/story/ways.py)",
    )


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the product runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end. Looking through it for garbage, again and again, took almost half of the time
    that collecting takes, and a part of every look after it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items[:] = sharing.in_order(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before the test's time begins to count
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if not hasattr(item.config, "workerinput") or item.get_closest_marker("browser") is None:
        return (yield)
    with sharing.lane():
        return (yield)


@pytest.fixture(autouse=True)
def _log_of_its_own() -> Iterator[None]:
    """What a command of one test set up to write its log to is closed by the next one."""
    yield
    logging.captureWarnings(False)
    for handler in logging.root.handlers[:]:
        if isinstance(handler.formatter, ScrubbingFormatter):
            logging.root.removeHandler(handler)


class Clock:
    """A clock that only the test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """One real JupyterLab with jupyter-collaboration for the whole run; tests that change files use their own."""
    with planted_jupyter(tmp_path_factory.mktemp("jupyter")) as server:
        _PLANTED[server.root] = _names(server.root)
        yield server


# The folders of servers that are there for everybody, and what lies in them.
_PLANTED: dict[Path, list[str]] = {}


def _names(root: Path) -> list[str]:
    paths = (path.relative_to(root) for path in root.rglob("*"))
    return sorted(str(path) for path in paths if not any(part.startswith(".") for part in path.parts))


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """In a folder that other tests count on. Tests run in any order."""
    yield
    for root, names in _PLANTED.items():
        _PLANTED[root] = _names(root)  # told of whoever did it, once
        assert _PLANTED[root] == names, "tests that change files use a server of their own"
