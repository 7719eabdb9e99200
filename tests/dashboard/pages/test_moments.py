"""Moments in words."""

from __future__ import annotations

import pytest

from sharegate.dashboard.pages.moments import ago, exact, moment, until

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("seconds", "back", "ahead"),
    [
        (0, "just now", "over"),
        (59, "just now", "in less than a minute"),
        (60, "1 minute ago", "in 1 minute"),
        (7200, "2 hours ago", "in 2 hours"),
        (86400 * 1.9, "1 day ago", "in 1 day"),
        (86400 * 3.4, "3 days ago", "in 3 days"),
        (86400 * 6.9, "6 days ago", "in 7 days"),
    ],
)
def test_how_long_ago_and_until(seconds: float, back: str, ahead: str) -> None:
    """The largest unit that fits, rounded down; of what lies ahead days are the nearest number."""
    assert ago(NOW - seconds, NOW) == back and until(NOW + seconds, NOW) == ahead


def test_what_lies_ahead_of_a_clock_that_was_set_back_is_just_now() -> None:
    """Never a negative number."""
    assert ago(NOW + 500, NOW) == "just now" and until(NOW - 500, NOW) == "over"


def test_a_moment_as_browsers_read_it() -> None:
    """In UTC."""
    assert moment(0) == "1970-01-01T00:00:00Z"


def test_a_moment_to_the_millisecond() -> None:
    """In UTC, as scripts read it."""
    assert exact(NOW + 0.1239) == "2027-01-15T08:00:00.123Z"
