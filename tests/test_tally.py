"""What one gate counts by itself; tests/stores/redis/test_tally.py has what several count together."""

from __future__ import annotations

import pytest

from sharegate.limits import Rate
from sharegate.tally import Limit, OwnTally, Tally
from tests.conftest import Clock
from tests.stores import conformance

RATE = Rate(per=1, seconds=60, burst=1)


class TestTally(conformance.TallyContract):
    @pytest.fixture
    def tallied(self, clock: Clock) -> tuple[Tally, Tally, Clock]:
        tally = OwnTally(clock)
        return tally, tally, clock


def test_places_have_names_of_their_own() -> None:
    """Of whatever keys strangers choose, also such that are no text; nothing of a key can be read from one."""
    keys = ["", "a", "a b", "b", "\ud800", "x" * 100_000]
    names = {Limit(limit, RATE).of(key).name for limit in ("one", "two") for key in keys}
    assert len(names) == 12 and max(map(len, names)) < 80
