"""Thinning: dense for the last hour, then sparser; the newest of a document always, and what stood there before anybody
wrote."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sharegate.versions.model import Cause, Limits, Snapshot
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
    gone = forgotten(snapshots, Limits(per_document=most, days=days))
    for path in {one.path for one in snapshots}:
        newest = max((one for one in snapshots if one.path == path), key=lambda one: (one.taken, one.id))
        assert newest.id not in gone


def forgotten(snapshots: list[Snapshot], limits: Limits) -> set[str]:
    """Whatever may go, for the limits or to make room."""
    return {*thinned(snapshots, NOW, limits), *(one.id for one in oldest_first(snapshots, NOW, limits))}


BEFORE = (Cause.FIRST_WRITE, Cause.BEFORE_OVERWRITE, Cause.BEFORE_DELETE)
ENTRIES = st.tuples(
    st.sampled_from("ab"),
    st.floats(0, 40 * DAY),
    st.sampled_from(list(Cause)),
    st.sampled_from(["", "v1", "v2"]),
    st.booleans(),
)


def made(entries: list[tuple[str, float, Cause, str, bool]]) -> list[Snapshot]:
    return [
        a_snapshot(f"n{at:03}", path=path, taken=NOW - age, cause=cause, visit=visit, named=named)
        for at, (path, age, cause, visit, named) in enumerate(entries)
    ]


@settings(deadline=None)
@given(st.lists(ENTRIES, max_size=40), st.integers(0, 5), st.floats(0, 60))
def test_what_stood_before_a_visit_and_what_an_alarm_names_stays(
    entries: list[tuple[str, float, Cause, str, bool]], most: int, days: float
) -> None:
    """Until the days are over, whatever else was kept since, and however much."""
    snapshots = made(entries)
    gone = forgotten(snapshots, Limits(per_document=most, days=days))
    young = [one for one in snapshots if NOW - one.taken <= days * DAY]
    assert not {one.id for one in young if one.named} & gone
    for path in "ab":
        for visit in ("v1", "v2"):
            its = [one for one in young if (one.path, one.visit) == (path, visit) and one.cause in BEFORE]
            if its:
                assert min(its, key=lambda one: (one.taken, one.id)).id not in gone


@settings(deadline=None)
@given(st.lists(ENTRIES, max_size=40), st.integers(0, 5), st.floats(0, 60))
def test_what_is_over_or_too_much_goes(
    entries: list[tuple[str, float, Cause, str, bool]], most: int, days: float
) -> None:
    """Nothing else than the newest is older than the days; no document has more than its number but for what may not
    be forgotten; and thinning twice is thinning once."""
    snapshots, limits = made(entries), Limits(per_document=most, days=days)
    gone = set(thinned(snapshots, NOW, limits))
    left = [one for one in snapshots if one.id not in gone]
    may_go = {one.id for one in oldest_first(left, NOW, limits)}
    for path in "ab":
        its = [one for one in left if one.path == path]
        assert sum(NOW - one.taken > days * DAY for one in its) <= 1
        assert len(its) <= most or not may_go & {one.id for one in its}
    assert thinned(left, NOW, limits) == []


def test_attack_writing_without_end() -> None:
    """What stood there before stays, and so do what the owner asked for and what others' visits kept; what goes is from
    the middle of the run."""
    of_others = [
        a_snapshot("asked", taken=NOW - 900, cause=Cause.ASKED),
        a_snapshot("first", taken=NOW - 800, cause=Cause.BEFORE_OVERWRITE, visit="eve"),
        a_snapshot("other", taken=NOW - 700, cause=Cause.BEFORE_OVERWRITE, visit="ann"),
        a_snapshot("again", taken=NOW - 600, cause=Cause.BEFORE_OVERWRITE, visit="eve"),
    ]
    run = [
        a_snapshot(f"run{at:03}", taken=NOW - 500 + at, cause=cause, visit="eve")
        for at, cause in enumerate([Cause.BEFORE_OVERWRITE, Cause.FIRST_WRITE] * 150)
    ]
    left = [one.id for one in kept(of_others + run, Limits(per_document=10))]
    assert len(left) == 10
    assert left[:4] == ["asked", "first", "other", "again"] and left[-1] == "run299"


@settings(deadline=None)
@given(st.lists(st.floats(0, 40 * DAY), max_size=30))
def test_thinning_twice_is_thinning_once(ages: list[float]) -> None:
    """What stayed stays."""
    left = kept(aged(*ages))
    assert kept(left) == left
