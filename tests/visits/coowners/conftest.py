from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Clock
from tests.visits.coowners.school import School
from tests.visits.coowners.school import school as running


@pytest.fixture
async def school(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[School]:
    """A running gate on a clock that only the test moves."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    async with running(tmp_path, clock) as found:
        yield found
