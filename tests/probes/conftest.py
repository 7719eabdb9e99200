"""What the probes stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.jupyter import JupyterServer, planted_jupyter


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server of these tests' own: they change its files."""
    with planted_jupyter(tmp_path_factory.mktemp("probed")) as server:
        yield server
