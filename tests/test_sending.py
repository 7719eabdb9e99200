"""What answers say on their way out, and what is held meanwhile."""

from __future__ import annotations

import asyncio

from sharegate.messages import Response
from sharegate.sending import FLOOR, Flight, let_go, with_floor


def test_what_is_held_is_given_back_once_and_backwards() -> None:
    """Wherever it was handed on to."""
    said: list[str] = []
    with Flight(lambda: said.append("first"), lambda: said.append("second")) as held:
        other = held.hand_on()
    assert said == []
    mine = Flight(lambda: said.append("mine"))
    mine.take(other)
    other.close()
    assert said == []
    mine.close()
    mine.close()
    assert said == ["second", "first", "mine"]


def test_what_an_answer_says_itself_stands() -> None:
    """In whatever case it is spelt; what it does not say is added, and the rest of it stays."""
    said: list[str] = []
    answer = Response(200, (("cache-control", "private"),), b"x", left=lambda: said.append("left"))
    whole = with_floor(answer, FLOOR)
    names = [name.lower() for name, _ in whole.headers]
    assert sorted(names) == sorted(name.lower() for name, _ in FLOOR)
    assert ("cache-control", "private") in whole.headers
    asyncio.run(let_go(whole))
    assert said == ["left"] and (whole.status, whole.body) == (200, b"x")
    assert with_floor(whole, FLOOR) is whole
