"""Many happenings become few messages."""

from __future__ import annotations

from sharegate.notify.joining import GATHER, URGENT_PER_HOUR, Joining
from sharegate.notify.model import Happening, Kind

QUIET = 600.0


def knock(share: str = "s1", who: str = "Ann") -> Happening:
    return Happening(Kind.KNOCK, share, f"share {share}", who)


def test_the_first_is_told_at_once_and_a_burst_later_in_one() -> None:
    """One message for each kind and share, then quiet; what came meanwhile is one more."""
    joining = Joining(QUIET)
    joining.add(knock(), 0)
    (first,) = joining.due(0)
    assert (first.kind, first.share, first.who, first.count) == (Kind.KNOCK, "s1", ("Ann",), 1)
    for number in range(50):
        joining.add(knock(who=f"Eve {number}"), 1 + number)
    assert joining.due(599) == [] and joining.wait(599) == 1
    (later,) = joining.due(600)
    assert (later.count, later.who) == (50, ("Eve 0", "Eve 1", "Eve 2"))
    assert joining.due(1200) == [] and joining.wait(1200) is None


def test_shares_and_kinds_are_told_apart() -> None:
    """Quiet of one does not keep another's."""
    joining = Joining(QUIET)
    joining.add(knock("s1"), 0)
    joining.due(0)
    joining.add(knock("s2"), 1)
    joining.add(Happening(Kind.ALARM, "s1", "x"), 1)
    assert {(one.kind, one.share) for one in joining.due(1)} == {(Kind.KNOCK, "s2"), (Kind.ALARM, "s1")}


def test_never_a_message_for_each_denied_request() -> None:
    """They are gathered before the first word; ten thousand within the quiet are two messages."""
    joining = Joining(QUIET)
    told = []
    for number in range(10_000):
        now = number * 0.05
        joining.add(Happening(Kind.DENIED, "s1", "x", "Eve"), now)
        told += joining.due(now)
    told += joining.due(GATHER[Kind.DENIED] + 600)
    assert len(told) == 2 and sum(one.count for one in told) == 10_000
    assert {one.who for one in told} == {("Eve",)}


def test_after_too_many_in_an_hour_one_says_how_many_more() -> None:
    """Of forty shares twenty are told; the rest is one count, when there is room again."""
    joining = Joining(QUIET, per_hour=20)
    for number in range(57):
        joining.add(knock(f"s{number}"), 0)
    assert len(joining.due(0)) == 20
    assert joining.due(3599) == [] and joining.wait(10) == 3590
    (more,) = joining.due(3600)
    assert (more.kind, more.count) == (Kind.MORE, 37)


def test_at_the_end_everything_that_waits_is_told() -> None:
    """Whatever its moment."""
    joining = Joining(QUIET)
    joining.add(Happening(Kind.DENIED, "s1", "x"), 0)
    assert joining.due(0) == []
    assert [one.count for one in joining.due(0, everything=True)] == [1]


def test_memory_is_bounded() -> None:
    """Of more shares than are remembered the oldest are counted, and nothing is lost from the count."""
    joining = Joining(QUIET, per_hour=5000)
    for number in range(3000):
        joining.add(knock(f"s{number}"), 0)
    assert len(joining._held) == 1000
    assert sum(one.count for one in joining.due(0)) == 3000


def test_attack_noise_keeps_no_alarm_back() -> None:
    """What visitors bring about at a few shares leaves room for what is wrong, and for the other shares."""
    joining = Joining(QUIET, per_hour=20)
    for number in range(30):
        joining.add(Happening(Kind.ALARM, f"s{number}", "x"), 0)
        joining.add(knock(f"s{number}"), 0)
    first = joining.due(0)
    assert sum(one.kind is Kind.KNOCK for one in first) == 20
    assert sum(one.kind is Kind.ALARM for one in first) == URGENT_PER_HOUR


def test_attack_one_share_leaves_the_others_their_half() -> None:
    """However often somebody knocks there; what it has to say comes in one, when there is room."""
    joining = Joining(0, per_hour=4)
    told = []
    for number in range(8):
        joining.add(knock("loud"), number)
        told += joining.due(number)
    assert [one.share for one in told] == ["loud", "loud"]
    joining.add(knock("quiet"), 9)
    assert [one.share for one in joining.due(9)] == ["quiet"]
    (later,) = joining.due(3600)
    assert (later.share, later.count) == ("loud", 6)
