"""The filter form of the history: what its address means."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from sharegate.dashboard.pages.filters import Filters, known
from sharegate.errors import Invalid


def test_what_was_typed_is_kept_and_nothing_else() -> None:
    """Empty fields and what is no field of the form are left out."""
    filters = Filters.read({"share": " k7f2 ", "who": "", "cursor": "x", "evil": "y", "path": "a/b"})
    assert filters.typed == {"share": "k7f2", "path": "a/b"} and filters.any
    assert filters["who"] == "" and not Filters.read({"zone": "Europe/Berlin"}).any


def test_an_address_can_be_kept_and_changed() -> None:
    """It holds what was typed, escaped; an empty change takes a field away."""
    filters = Filters.read({"path": "a&b=c", "action": "link.joined"})
    assert filters.address() == "/history?action=link.joined&path=a%26b%3Dc"
    assert filters.address(action="", cursor="é") == "/history?path=a%26b%3Dc&cursor=%C3%A9"
    assert Filters().address() == "/history"


@pytest.mark.parametrize(
    ("text", "zone"),
    [("2026-11-28T09:30", "Europe/Berlin"), ("2026-07-01", "Europe/Berlin"), ("2026-11-28T09:30", "UTC")],
)
def test_moments_are_the_readers(text: str, zone: str) -> None:
    """In their time zone, in summer and in winter."""
    asked = Filters.read({"since": text, "zone": zone}).asked()
    assert float(asked["since"]) == datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../../etc/passwd", "x" * 2000, "Europe", "\0", "<script>"])
def test_attack_a_time_zone_that_is_none(zone: str) -> None:
    """Moments count as UTC, and the page can say so; no file is looked for outside the zones."""
    asked = Filters.read({"since": "2026-11-28T09:30:00", "zone": zone}).asked()
    assert float(asked["since"]) == datetime.fromisoformat("2026-11-28T09:30:00+00:00").timestamp()
    assert not known(zone)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "1900-01-01", "0001-01-01", "9" * 400, "<b>"])
def test_a_moment_that_is_none_is_named(text: str) -> None:
    """With its field, and how to write it."""
    with pytest.raises(Invalid) as refused:
        Filters.read({"until": text}).asked()
    assert refused.value.field == "until" and "2026-11-28" in refused.value.remedy


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "datetime-local"),
        ("2026-11-28T09:30", "datetime-local"),
        ("2026-11-28T09:30:15.5", "datetime-local"),
        ("2026-11-28", "text"),
        ("2026-11-28T09:30+01:00", "text"),
        ("2026-13-28T09:30", "text"),
        ("yesterday", "text"),
    ],
)
def test_a_field_shows_what_was_typed(text: str, kind: str) -> None:
    """A browser's own field for moments drops what it cannot read, and with it what somebody wrote."""
    assert Filters.read({"since": text}).kind("since") == kind
