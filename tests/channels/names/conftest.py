"""The awareness of one room, as the gate rebuilds it."""

from __future__ import annotations

import pytest

from sharegate.channels.names import Awarenesses
from tests.conftest import Clock


@pytest.fixture
def room(clock: Clock) -> Awarenesses:
    return Awarenesses("u1", clock)
