"""Who is a co-owner now; the rest is in test_matrix.py."""

from __future__ import annotations

from msgspec import structs

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


async def test_attack_a_visit_by_a_link_of_another_share(school: School) -> None:
    """Whatever put it there: a mark counts in its own share alone."""
    made, other = await school.share(), await school.gate.share("week4", **{"for": ["Tia"]})
    tia, link = await school.coowner(made), other["links"][0]["id"]
    standing = school.gate.running.gate._own._coowners._standing  # type: ignore[attr-defined]
    visit = await standing._store.visit(tia.base.rpartition("~")[2].rstrip("/"))
    assert await standing.of(visit, "127.0.0.1") is not None
    await standing._store.change_link(link, coowner=True, coowner_browser=visit.browser_hash)
    assert await standing.of(structs.replace(visit, link=link), "127.0.0.1") is None
    assert await standing.of(structs.replace(visit, share=other["share"]["id"]), "127.0.0.1") is None
