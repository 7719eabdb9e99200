"""Moments in a reader's words. The page's script writes them anew in the reader's own time zone and as time goes by."""

from __future__ import annotations

from datetime import UTC, datetime

_DAY = 86400.0
_STEPS = ((_DAY, "day"), (3600.0, "hour"), (60.0, "minute"))


def ago(at: float, now: float) -> str:
    """`5 minutes ago`; what lies less than a minute back, or ahead, is `just now`."""
    words = _amount(now - at)
    return f"{words} ago" if words else "just now"


def until(at: float, now: float) -> str:
    """`in 3 days`, `in less than a minute`, `over`. Days are rounded: seven of them are seven an hour later, too."""
    if at <= now:
        return "over"
    words = _amount(at - now + _DAY / 2 if at - now >= 2 * _DAY else at - now)
    return f"in {words}" if words else "in less than a minute"


def _amount(seconds: float) -> str:
    for length, name in _STEPS:
        count = int(seconds // length)
        if count >= 1:
            return f"{count} {name}{'s' if count > 1 else ''}"
    return ""


def moment(at: float) -> str:
    """ISO 8601 in UTC, for `<time datetime>`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(at: float) -> str:
    """`28 November 2026`, in UTC."""
    found = datetime.fromtimestamp(at, UTC)
    return f"{found.day} {found:%B %Y}"


def exact(at: float) -> str:
    """The same, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
