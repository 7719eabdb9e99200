"""A guarded room."""

from __future__ import annotations

import pytest

from tests.channels.editing import Room


@pytest.fixture
def room() -> Room:
    return Room()
