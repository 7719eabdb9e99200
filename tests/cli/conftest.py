"""A home of its own for every command that is run, and a scripted gate behind a real socket."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sharegate.cli import build
from tests.cli.scripted import ScriptedGate
from tests.real.jupyter import JupyterServer, planted_jupyter


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server of these tests' own: they change its files."""
    with planted_jupyter(tmp_path_factory.mktemp("commanded")) as server:
        yield server


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home and data folder. Its path is short, because a socket's must be."""
    for name in list(os.environ):
        if name.startswith(("SHAREGATE_", "JUPYTER", "XDG_")) or name in ("NO_COLOR", "FORCE_COLOR", "SERVER_TOKEN"):
            monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory(prefix="sg") as directory:
        monkeypatch.setenv("HOME", directory)
        monkeypatch.setenv("SHAREGATE_DATA_DIR", f"{directory}/data")
        monkeypatch.setenv("TZ", "Europe/Berlin")
        yield Path(directory)


@pytest.fixture
def scripted(home: Path) -> Iterator[ScriptedGate]:
    with ScriptedGate().listening(home / "data" / "run" / "gate.sock") as scripted:
        yield scripted


def run(*arguments: str, typed: str | None = None) -> Ran:
    """Run a command as in a pipe."""
    result = CliRunner().invoke(build(), list(arguments), input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    return Ran(result.exit_code, result.stdout, result.stderr)
