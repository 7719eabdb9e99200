"""The key of one co-owner's page."""

from __future__ import annotations

import pytest
from msgspec import structs

from sharegate.shares.model import Visit
from sharegate.visits.coowners.keys import LASTS, PageKeys
from tests.conftest import Clock

TIA = Visit(id="bcdfghjkmn", share="s", link="l", number=1, cookie_hash="c" * 64, created=1.0, expires=9e9)


def test_a_key_is_its_visits_for_half_a_day(clock: Clock) -> None:
    """At every gate with the same secret; another secret, visit or cookie is another key."""
    keys = PageKeys(b"secret", clock)
    key = keys.give(TIA)
    assert keys.whose(key) == TIA.id and keys.fits(key, TIA) and PageKeys(b"secret", clock).fits(key, TIA)
    assert not PageKeys(b"other", clock).fits(key, TIA)
    for other in ({"id": "bcdfghjkmp"}, {"cookie_hash": "d" * 64}):
        assert not keys.fits(key, structs.replace(TIA, **other))
    clock.forward(LASTS - 1)
    assert keys.fits(key, TIA)
    clock.forward(2)
    assert not keys.fits(key, TIA)


def test_attack_a_key_that_is_made_up(clock: Clock) -> None:
    """Each letter counts, and a moment that was put ahead makes it no younger."""
    keys = PageKeys(b"secret", clock)
    key = keys.give(TIA)
    for at, letter in enumerate(key):
        changed = key[:at] + ("0" if letter != "0" else "1") + key[at + 1 :]
        assert not keys.fits(changed, TIA), at
    visit, issued, salt, digest = key.split(".")
    assert not keys.fits(f"{visit}.{int(issued) + 3600}.{salt}.{digest}", TIA)


@pytest.mark.parametrize("shown", ["", "x", ".", "...", "bcdfghjkmn.1.00", "é.1.2.3", "0" * 10_000, "bcdfghjkmn\n"])
def test_what_is_no_key_names_nobody(clock: Clock, shown: str) -> None:
    """Whatever is sent."""
    keys = PageKeys(b"secret", clock)
    assert keys.whose(shown) == "" and not keys.fits(shown, TIA)


def test_attack_a_key_of_a_later_moment(clock: Clock) -> None:
    """As a gate gives it whose clock was ahead, to last longer: it is none before its moment has come."""
    ahead = clock() + LASTS

    keys, later = PageKeys(b"secret", clock), PageKeys(b"secret", lambda: ahead)
    key = later.give(TIA)
    assert later.fits(key, TIA) and not keys.fits(key, TIA)
    clock.forward(LASTS)
    assert keys.fits(key, TIA)
