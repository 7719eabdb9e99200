"""Who is a co-owner now; the rest is in test_matrix.py."""

from __future__ import annotations

from tests.visits.coowners.school import School


async def test_only_the_cookie_of_the_visit_counts(school: School) -> None:
    """Once, and with its own share."""
    made, other = await school.share(), await school.gate.share("week4", **{"for": ["Bo"]})
    tia = await school.coowner(made)
    standing = school.gate.running.gate._own._coowners._standing  # type: ignore[attr-defined]
    share, visit = made["share"]["id"], tia.base.rpartition("~")[2].rstrip("/")
    found = await standing.by_cookie(share, visit, [tia.cookie], "127.0.0.1")
    assert found is not None and found.actor == f"coowner:{visit}" and tia.cookie not in repr(found)
    for shown in ([], ["other"], [tia.cookie, tia.cookie]):
        assert await standing.by_cookie(share, visit, shown, "127.0.0.1") is None
    assert await standing.by_cookie(other["share"]["id"], visit, [tia.cookie], "127.0.0.1") is None
    assert await standing.by_cookie(share, "nobody2345", [tia.cookie], "127.0.0.1") is None
    await school.reenter(tia)
    assert await standing.again(found) is None, "the link was opened again: the page has to be, too"
