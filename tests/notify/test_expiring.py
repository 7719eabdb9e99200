"""Which ends are told of."""

from __future__ import annotations

from typing import Any

import pytest

from sharegate.notify.expiring import BEFORE, near
from sharegate.shares.model import LinkKind
from tests.stores.records import START, a_link, a_share

END = START + 30 * 86400


def found(now: float, *links: Any, **share: Any) -> list[tuple[str, int, float]]:
    told = near(a_share(**{"expires": END} | share), links or [a_link(expires=END)], now)
    return [(key, one.count, one.until) for key, one in told]


def test_a_day_before_the_end() -> None:
    """Not earlier, not afterwards; links that end with their share are told with it."""
    assert found(END - BEFORE - 1) == [] and found(END) == []
    assert found(END - BEFORE) == [(f"s1 {END!r}", 1, END)] == found(END - 1)


def test_links_with_an_end_of_their_own() -> None:
    """Those that end at the same moment are one."""
    own = START + 10 * 86400
    links = [a_link("l1", expires=own), a_link("l2", expires=own), a_link("l3", expires=END)]
    assert found(own - 60, *links) == [(f"s1 {own!r}", 2, own)]


def test_another_end_is_another_key() -> None:
    """After it was extended the new end is told, too."""
    assert found(END - 60)[0][0] != found(END + 86400 - 60, expires=END + 86400)[0][0]


@pytest.mark.parametrize("share", [{"revoked": START}, {"created": END - 86400}])
def test_what_is_over_or_short_is_not_told(share: dict[str, Any]) -> None:
    """Revoked, or made for hours."""
    assert found(END - 60, **share) == []


def test_links_that_are_over() -> None:
    """Revoked ones and previews are left out."""
    own = START + 10 * 86400
    links = [a_link("l1", expires=own, revoked=START), a_link("l2", expires=own, kind=LinkKind.PREVIEW)]
    assert found(own - 60, *links) == []
