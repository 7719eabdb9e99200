"""Moments as people write and read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.cli.moments import distance, echo, parse, parse_past, shown, span
from sharegate.errors import Invalid

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    ZoneInfo(name) for name in ("Europe/Berlin", "America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")
]
# Monday, 10:15 in Berlin
NOW = datetime(2026, 11, 23, 10, 15, tzinfo=BERLIN).timestamp()


def read(text: str, *, now: float = NOW, **more: float) -> str:
    moment = parse(text, now=now, zone=BERLIN, **more)
    return datetime.fromtimestamp(moment, BERLIN).strftime("%a %Y-%m-%d %H:%M %Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", "Mon 2026-11-23 11:45 CET"),
        ("2h", "Mon 2026-11-23 12:15 CET"),
        ("1h30m", "Mon 2026-11-23 11:45 CET"),
        ("45min", "Mon 2026-11-23 11:00 CET"),
        ("7d", "Mon 2026-11-30 10:15 CET"),
        ("2w", "Mon 2026-12-07 10:15 CET"),
        ("fri 17:00", "Fri 2026-11-27 17:00 CET"),
        ("FRIDAY", "Fri 2026-11-27 23:59 CET"),
        ("fri 5pm", "Fri 2026-11-27 17:00 CET"),
        ("fri 12am", "Fri 2026-11-27 00:00 CET"),
        ("mon 11:00", "Mon 2026-11-23 11:00 CET"),
        ("mon 10:15", "Mon 2026-11-30 10:15 CET"),
        ("today", "Mon 2026-11-23 23:59 CET"),
        ("tomorrow 9:00", "Tue 2026-11-24 09:00 CET"),
        ("2026-12-24", "Thu 2026-12-24 23:59 CET"),
        ("2026-12-24 18:00", "Thu 2026-12-24 18:00 CET"),
        ("2026-12-24T18:00", "Thu 2026-12-24 18:00 CET"),
        ("2026-12-24T18:00Z", "Thu 2026-12-24 19:00 CET"),
        ("2026-12-24 18:00:30-0800", "Fri 2026-12-25 03:00 CET"),
    ],
)
def test_people_write_moments_in_many_ways(text: str, expected: str) -> None:
    """Durations, weekdays, dates and ISO moments are read in the owner's zone."""
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", "soon", "never", "7", "7y", "-2h", "2h ago", "fri 25:00", "fri 17", "fri 13pm", "0pm", "2026-13-01",
     "2026-02-30", "2026-12-24 18:00 CET", "next friday", "٧d", "9" * 65 + "d", "999999w", "tomorrow tomorrow",
     "0001-01-01T00:00Z", "\x1b[2J"],
)  # fmt: skip
def test_nonsense_is_refused_with_field_and_remedy(text: str) -> None:
    """What is no moment is refused, with the field and something to write instead."""
    with pytest.raises(Invalid) as caught:
        parse(text, now=NOW, zone=BERLIN)
    assert caught.value.field == "expires"
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["2020-01-01", "today 9:00", "0h", "2026-11-23 10:15", "2026-11-23T09:15Z"])
def test_the_past_is_refused(text: str) -> None:
    """A moment that is not after now is refused as past."""
    with pytest.raises(Invalid, match="has passed"):
        parse(text, now=NOW, zone=BERLIN)


def test_later_than_permitted_is_refused_with_the_latest() -> None:
    """Past the permitted maximum the refusal names the latest moment."""
    with pytest.raises(Invalid) as caught:
        read("4w", latest=NOW + 20 * 86400)
    assert caught.value.remedy == "The latest is Sun 13 Dec 2026, 10:15 CET"


def test_days_keep_the_time_of_day_when_the_clocks_change() -> None:
    """Seven days over the change to summer time end at the same time of day, 24 hours do not."""
    before = datetime(2027, 3, 27, 12, 0, tzinfo=BERLIN).timestamp()
    assert read("1d", now=before) == "Sun 2027-03-28 12:00 CEST"
    assert read("24h", now=before) == "Sun 2027-03-28 13:00 CEST"


def test_a_time_that_the_clocks_jump_over_is_refused() -> None:
    """02:30 does not exist in the night of the change, and the refusal says what to write."""
    with pytest.raises(Invalid) as caught:
        read("2027-03-28 02:30")
    assert "does not exist" in caught.value.problem
    assert caught.value.remedy == "Write 03:30"


def test_of_two_equal_times_the_earlier_is_meant() -> None:
    """In the night when 02:30 comes twice access ends at the first."""
    assert read("2027-10-31 02:30") == "Sun 2027-10-31 02:30 CEST"


def test_the_echo_names_zone_and_distance() -> None:
    """The moment is echoed with weekday, zone and how far away it is."""
    moment = parse("fri 17:00", now=NOW, zone=BERLIN)
    assert echo(moment, now=NOW, zone=BERLIN) == "Fri 27 Nov 2026, 17:00 CET (in 4 days)"
    assert shown(NOW, timezone(timedelta(hours=5, minutes=45))) == "Mon 23 Nov 2026, 15:00 UTC+05:45"
    assert shown(NOW, ZoneInfo("America/Sao_Paulo")) == "Mon 23 Nov 2026, 06:15 UTC-03"
    assert shown(1e30, UTC) == "a moment far away"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "less than a minute"), (60, "1 minute"), (119, "2 minutes"), (7000, "117 minutes"), (7200, "2 hours"),
     (86400, "24 hours"), (7 * 86400 - 1, "7 days"), (6.5 * 86400, "6 days")],
)  # fmt: skip
def test_a_span_has_one_unit(seconds: float, words: str) -> None:
    """Durations are rounded down to one unit, with half a minute of slack."""
    assert span(seconds) == words
    assert distance(NOW + seconds, NOW) == f"in {words}"
    assert distance(NOW - seconds, NOW) == f"{words} ago"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", "Mon 2026-11-23 08:15"),
        ("3d", "Fri 2026-11-20 10:15"),
        ("yesterday", "Sun 2026-11-22 00:00"),
        ("today", "Mon 2026-11-23 00:00"),
        ("fri", "Fri 2026-11-20 00:00"),
        ("2026-11-20 18:00", "Fri 2026-11-20 18:00"),
        ("2026-11-20T17:00Z", "Fri 2026-11-20 18:00"),
    ],
)
def test_filters_look_back(text: str, expected: str) -> None:
    """In a filter of the history durations and weekdays count backwards and a day begins at midnight."""
    moment = parse_past(text, now=NOW, zone=BERLIN, field="since")
    assert datetime.fromtimestamp(moment, BERLIN).strftime("%a %Y-%m-%d %H:%M") == expected


def test_a_filter_that_is_no_moment_is_refused() -> None:
    """Nonsense in a filter names the filter."""
    with pytest.raises(Invalid) as caught:
        parse_past("lately", now=NOW, zone=BERLIN, field="since")
    assert caught.value.field == "since"


moments = st.floats(min_value=1.5e9, max_value=2.2e9)


@given(st.text(max_size=80), moments, st.sampled_from(ZONES))
def test_any_text_is_a_future_moment_or_refused(text: str, now: float, zone: ZoneInfo) -> None:
    """Whatever is typed is either a moment after now or Invalid, never another error."""
    for reader in (parse, parse_past):
        try:
            moment = reader(text, now=now, zone=zone, field="expires")
        except Invalid:
            continue
        assert moment > now or reader is parse_past


words = st.from_regex(
    r"(mon|friday|today|tomorrow|2027-03-28|2027-1[0-2]-[0-3][0-9]|[0-9]{1,3}[wdhm])( [0-2]?[0-9]:[0-9]{2}| [0-9]pm)?",
    fullmatch=True,
)


@given(words, moments, st.sampled_from(ZONES))
def test_almost_moments_are_read_or_refused(text: str, now: float, zone: ZoneInfo) -> None:
    """Text that looks like a moment is a future one or is refused by field, in every zone."""
    fault = None
    try:
        moment = parse(text, now=now, zone=zone)
    except Invalid as caught:
        fault = caught
    assert (fault.field == "expires" and fault.problem) if fault else moment > now


@given(st.integers(1, 400), moments, st.sampled_from(ZONES))
def test_days_keep_the_time_of_day_everywhere(days: int, now: float, zone: ZoneInfo) -> None:
    """`Nd` is N calendar days later at the same time of day, or just after it where the clocks jump."""
    start = datetime.fromtimestamp(now, zone)
    end = datetime.fromtimestamp(parse(f"{days}d", now=now, zone=zone), zone)
    moved = (end.replace(tzinfo=None) - start.replace(tzinfo=None)) - timedelta(days=days)
    assert abs(moved) <= timedelta(hours=1)
    if moved > timedelta(milliseconds=1):
        assert end.utcoffset() != start.utcoffset()


@given(st.integers(0, 6), st.integers(0, 23), moments, st.sampled_from(ZONES))
def test_a_weekday_is_the_next_one(weekday: int, hour: int, now: float, zone: ZoneInfo) -> None:
    """A weekday with a time is the first such moment after now."""
    name = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[weekday]
    try:
        moment = parse(f"{name} {hour}:00", now=now, zone=zone)
    except Invalid:
        assert hour in (0, 1, 2, 3), "only the hours that clocks jump over do not exist"
        return
    found = datetime.fromtimestamp(moment, zone)
    assert (found.weekday(), found.hour, found.minute) == (weekday, hour, 0)
    assert 0 < moment - now <= 7 * 86400 + 7200


@given(moments, st.integers(60, 400 * 86400))
def test_iso_with_zone_is_read_exactly(now: float, later: int) -> None:
    """An ISO moment with a zone names that moment, whatever the local zone."""
    target = int(now) + later
    text = datetime.fromtimestamp(target, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert parse(text, now=now, zone=BERLIN) == target
