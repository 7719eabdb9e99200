"""What is read from memory is found without looking at everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sharegate.dashboard.views import short
from sharegate.stores.mirror import Mirror
from sharegate.stores.writer import Written
from tests.stores.records import a_share

IDS = st.sets(st.text("abc", min_size=6, max_size=8), max_size=40)


@given(IDS, st.text("abc", min_size=6, max_size=8))
def test_neighbours_give_the_label_that_all_would(ids: set[str], id: str) -> None:
    """In whatever order they came, and for one that is not there."""
    mirror = Mirror()
    for each in ids:
        mirror.apply([Written("share", each, a_share(each))] * 2)
    assert all(short(each, mirror.shares_beside(each)) == short(each, ids) for each in {*ids, id})
    assert id not in mirror.shares_beside(id) and len(mirror.shares_beside(id)) <= 3
