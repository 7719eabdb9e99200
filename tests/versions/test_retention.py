"""Thinning: dense for the last hour, then sparser, and the newest of a document always."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sharegate.versions.model import Limits, Snapshot
from sharegate.versions.retention import DAY, HOUR, oldest_first, thinned
from tests.stores.version_contract import a_snapshot

NOW = 1_800_000_000.0
LIMITS = Limits(bytes=1 << 30, per_document=1000, days=30)


def aged(*ages: float, path: str = "a") -> list[Snapshot]:
    return [a_snapshot(f"{path}{at:04}", path=path, taken=NOW - age) for at, age in enumerate(ages)]


def kept(snapshots: list[Snapshot], limits: Limits = LIMITS) -> list[Snapshot]:
    gone = set(thinned(snapshots, NOW, limits))
    return [one for one in snapshots if one.id not in gone]


def test_all_of_the_last_hour_stays() -> None:
    """However many there are."""
    assert len(kept(aged(*range(0, 3600, 60)))) == 60


def test_then_one_an_hour_and_one_a_day() -> None:
    """For a day, and until the days are over."""
    day = kept(aged(*range(0, 23 * 3600, 300)))
    older = [one for one in day if NOW - one.taken > HOUR]
    assert 22 <= len(older) <= 24
    month = kept(aged(*(at * HOUR for at in range(24 * 40))))
    old = [one for one in month if NOW - one.taken > DAY + HOUR]
    assert 28 <= len(old) <= 31 and min(one.taken for one in old) >= NOW - 30 * DAY


def test_too_many_of_one_document() -> None:
    """The oldest go; another document does not lose any for it."""
    snapshots = aged(*range(10)) + aged(*range(3), path="b")
    left = kept(snapshots, Limits(per_document=4))
    assert [one.id for one in left] == ["a0000", "a0001", "a0002", "a0003", "b0000", "b0001", "b0002"]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 400 * DAY)), max_size=40),
    st.integers(0, 5),
    st.floats(0, 60),
)
def test_the_newest_of_each_document_stays(taken: list[tuple[str, float]], most: int, days: float) -> None:
    """Whatever the limits say, it is neither thinned nor offered to make room."""
    snapshots = [a_snapshot(f"n{at:03}", path=path, taken=NOW - age) for at, (path, age) in enumerate(taken)]
    gone = set(thinned(snapshots, NOW, Limits(per_document=most, days=days)))
    gone |= {one.id for one in oldest_first(snapshots)}
    for path in {one.path for one in snapshots}:
        newest = max((one for one in snapshots if one.path == path), key=lambda one: (one.taken, one.id))
        assert newest.id not in gone


@settings(deadline=None)
@given(st.lists(st.floats(0, 40 * DAY), max_size=30))
def test_thinning_twice_is_thinning_once(ages: list[float]) -> None:
    """What stayed stays."""
    left = kept(aged(*ages))
    assert kept(left) == left
