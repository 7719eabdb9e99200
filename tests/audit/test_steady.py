"""A clock that leaps is not believed at once."""

from __future__ import annotations

import pytest

from sharegate.audit.steady import LEAP_SECONDS, Steady
from tests.conftest import Clock


@pytest.mark.parametrize("last", [None, 1_800_000_000.0])
def test_a_leap_is_told_once(last: float | None) -> None:
    """Hours that pass are none; years at once are, and when the clock stays there it is believed."""
    wall, ticks = Clock(), Clock(5.0)
    steady = Steady(wall, last, ticks)
    for _ in range(3):
        wall.forward(3600)
        ticks.forward(3600)
        assert not steady.leapt()
    wall.forward(3600 + 2 * LEAP_SECONDS)
    ticks.forward(3600)
    assert steady.leapt()
    ticks.forward(3600)
    assert not steady.leapt()


def test_a_computer_that_starts_in_another_year(clock: Clock) -> None:
    """What was recorded last before the start counts."""
    assert Steady(clock, clock() - 400 * 86400, Clock()).leapt()
    assert not Steady(clock, clock() - 86400, Clock()).leapt()
    assert not Steady(clock, clock() + 400 * 86400, Clock()).leapt(), "a clock that was set back lets go of nothing"
