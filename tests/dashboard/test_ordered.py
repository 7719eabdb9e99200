"""A list that is kept in order."""

from __future__ import annotations

import random

from sharegate.dashboard.ordered import Ordered


def test_some_of_a_list_are_left_out_without_going_through_it() -> None:
    """Whatever is left out, what is left comes in order, from any place on."""
    order, chance = Ordered(), random.Random(2)
    for number in chance.sample(range(40), 40):
        order.add((number,))
    for _ in range(200):
        out = [(number,) for number in chance.sample(range(40), chance.randrange(12))]
        begin, count = chance.randrange(45), chance.randrange(1, 12)
        left = [key for key in order.some(0, 40) if key not in out]
        assert order.without(out, begin, count) == left[begin : begin + count]


def test_what_comes_and_goes_leaves_the_rest_in_order() -> None:
    """Also where keys are alike but for their last part; places before and behind a key are told where it is not."""
    order, chance, kept = Ordered(), random.Random(3), set[tuple[int, str]]()
    for _ in range(300):
        key = (chance.randrange(5), chance.choice("abcdefgh"))
        if key in kept:
            order.remove(key)
            kept.remove(key)
        else:
            order.add(key)
            kept.add(key)
        assert order.some(0, 99) == sorted(kept) and len(order) == len(kept)
        assert order.before(key) == sum(other < key for other in kept)
        assert order.after(key) == sum(other <= key for other in kept) and order.after(None) == 0
