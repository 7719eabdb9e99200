"""The overview and the search of admins."""

from __future__ import annotations

from tests.dashboard.conftest import Office
from tests.dashboard.pages.party import party
from tests.dashboard.pages.reading import reading


async def test_the_overview_leads_from_owners_to_people(office: Office) -> None:
    """Owners, their shares, the people who came, and counts of all that."""
    await party(office)
    await office.share("week4", anyone=True)
    async with reading(office) as reader:
        told = await reader.words("/admin")
    assert "Owners 1 Shares 2 Working links 3 People who came 2" in told
    assert "Olga 2 shares" in told and 'says "Bo"' in told and "nobody yet" in told


async def test_what_has_ended_is_shown_when_asked_for(office: Office) -> None:
    """An overview is of what stands."""
    there = await party(office)
    await office.call("POST", f"shares/{there.id}/revoke")
    async with reading(office) as reader:
        assert "Nothing is shared." in await reader.words("/admin")
        assert "revoked" in await reader.words("/admin?ended=1")


async def test_of_many_people_some_are_named(office: Office) -> None:
    """The others are counted."""
    there = await party(office)
    for number in range(20):
        await there.came(f"Guest {number}", there.share["links"][1])
    async with reading(office) as reader:
        told = await reader.words("/admin")
    # Which of the guests, who came at the same moment, is all the same.
    assert told.count("Guest ") == 4 and "and 16 more" in told


async def test_the_search_shows_where_somebody_is(office: Office) -> None:
    """With the share, the state, a way into the history, and the export of all that was found."""
    there = await party(office)
    async with reading(office) as reader:
        assert "found" not in (await reader.words("/admin/search")).partition("Search Who")[2]
        source = await reader.get("/admin/search?q=bo")
        assert f'href="/history?visit={there.visits["Bo"].id}"' in source
        assert "/api/v1/search/download?q=bo&amp;format=csv" in source
        # Browsers by their names; what they send is there, too.
        assert ">Safari on iPhone<" in source and 'title="Mozilla/5.0 (iPhone;' in source
        assert "Nothing found" in await reader.words("/admin/search?q=nobody")
        assert "too short" in await reader.words("/admin/search?q=x")
