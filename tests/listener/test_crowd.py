"""Who may connect, and who gives way."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from sharegate.listener.crowd import Crowd, Place


@dataclass
class Wire:
    dropped: list[Wire] = field(default_factory=list)

    def give_up(self) -> None:
        self.dropped.append(self)


def come(crowd: Crowd, address: str = "192.0.2.1") -> tuple[Wire, Place | None]:
    wire = Wire()
    return wire, crowd.enter(wire, address)


def test_the_stranger_who_waited_longest_gives_way() -> None:
    """Not one whose request is being answered, and nobody who has entered."""
    crowd = Crowd(3, 10)
    (ann, at_home), (asking, busy), (waiting, _) = come(crowd), come(crowd), come(crowd)
    assert at_home is not None and busy is not None
    at_home.is_known("ann")
    busy.asking()
    newcomer, place = come(crowd)
    assert place is not None
    assert waiting.dropped and not ann.dropped and not asking.dropped and not newcomer.dropped
    assert (len(crowd), crowd.refused) == (3, 1)
    busy.answered()
    place.is_known("ann")
    _, next_one = come(crowd)
    assert next_one is not None and asking.dropped


def test_a_gate_full_of_visitors_takes_nobody_more() -> None:
    """They are not given up for a newcomer; who leaves makes room."""
    crowd = Crowd(2, 10)
    places = [come(crowd)[1] for _ in range(2)]
    for place in places:
        assert place is not None
        place.is_known("ann")
    assert come(crowd)[1] is None
    assert crowd.refused == 1
    assert places[0] is not None
    places[0].leave()
    places[0].leave()
    assert come(crowd)[1] is not None
    assert len(crowd) == 2


def test_attack_one_address_takes_no_more_than_its_share() -> None:
    """Of connections over which nobody has entered; a proxy's address is not one person's."""
    crowd = Crowd(100, 3, shared=lambda address: address == "127.0.0.1")
    mine = [come(crowd)[1] for _ in range(4)]
    assert mine[3] is None and None not in mine[:3]
    assert come(crowd, "192.0.2.2")[1] is not None
    assert all(come(crowd, "127.0.0.1")[1] is not None for _ in range(10))
    assert mine[0] is not None
    mine[0].is_known("ann")
    assert come(crowd)[1] is not None, "who has entered does not count"


@given(st.lists(st.tuples(st.sampled_from("ealkx"), st.integers(0, 30), st.sampled_from("abc")), max_size=120))
def test_the_books_are_right(acts: list[tuple[str, int, str]]) -> None:
    """Whatever happens in whatever order: never more than there may be, and nothing left over when all are gone."""
    crowd = Crowd(8, 4, per_visit=2)
    places: list[Place] = []
    known: list[tuple[Place, Wire]] = []
    for act, number, address in acts:
        if act == "e":
            wire, place = come(crowd, address)
            if place is not None:
                places.append(place)
                known.append((place, wire))
        elif places:
            place = places[number % len(places)]
            {"a": place.asking, "l": place.leave, "k": partial(place.is_known, address), "x": place.answered}[act]()
        assert len(crowd) <= 8
        assert not any(wire.dropped for place, wire in known if place.known)
    for place in places:
        place.leave()
    assert len(crowd) == 0
    assert not crowd._strangers and not crowd._waiting and not crowd._visits


def test_attack_one_visit_takes_no_more_than_its_share() -> None:
    """Past it a connection gives way like a stranger's; when one of its own ends, the next is its own again."""
    crowd = Crowd(3, 10, per_visit=2)
    wires = []
    for _ in range(3):
        wire, place = come(crowd)
        assert place is not None
        place.asking()
        place.is_known("eve")
        place.answered()
        wires.append((wire, place))
    assert come(crowd)[1] is not None
    assert [bool(wire.dropped) for wire, _ in wires] == [False, False, True]
    wires[0][1].leave()
    _, place = come(crowd)
    assert place is not None
    place.is_known("eve")
    assert place.known
