"""The access review as a page."""

from __future__ import annotations

import re

from tests.dashboard.conftest import Office
from tests.dashboard.pages.party import party
from tests.dashboard.pages.reading import reading, words


def shown(source: str) -> list[str]:
    return re.findall(r'<tr id="share-([^"]*)"', source)


async def test_every_live_share_is_there_in_the_order_that_was_asked_for(office: Office) -> None:
    """The oldest first, or the widest, or the longest unused."""
    first = (await office.share())["share"]["id"]
    office.clock.forward(3600)
    there = await party(office)
    third = (await office.share("week4", anyone=True, role="edit"))["share"]["id"]
    await office.call("POST", f"shares/{(await office.share('week4'))['share']['id']}/revoke")
    async with reading(office) as reader:
        assert shown(await reader.get("/admin/review")) == [first, there.id, third]
        source = await reader.get("/admin/review?sort=widest")
        assert shown(source)[0] == third and "1 for anyone" in words(source) and "can edit text" in source
        assert shown(await reader.get("/admin/review?sort=unused"))[0] == first
        assert len(shown(await reader.get("/admin/review?sort=nonsense&cursor=nonsense"))) == 3


async def test_what_nobody_used_for_a_month(office: Office) -> None:
    """It is marked, counted, and can be shown alone."""
    old = (await office.share(expires=office.clock() + 90 * 86400))["share"]["id"]
    office.clock.forward(31 * 86400.0)
    await party(office)
    async with reading(office) as reader:
        told = await reader.words("/admin/review")
        assert "Unused for 30 days 1" in told and "Last signed never" in told
        assert shown(await reader.get("/admin/review?sort=unused&only=1")) == [old]


async def test_a_review_is_signed_for_what_was_looked_at(office: Office) -> None:
    """The page holds the digest of it; when something changed meanwhile nothing is signed."""
    await party(office)
    async with reading(office) as reader:
        found = re.search(r'name="digest" value="([0-9a-f]{64})"', await reader.get("/admin/review"))
        assert found is not None
        await office.share("week4")
        status, said = await office.ask("POST", "review/sign", {"digest": found[1]})
        assert status == 409 and said["error"]["code"] == "changed"
        found = re.search(r'name="digest" value="([0-9a-f]{64})"', await reader.get("/admin/review"))
        assert found is not None
        await office.call("POST", "review/sign", {"digest": found[1]})
        assert f"2 shares, sha256 {found[1]}" in await reader.words("/admin/review")


async def test_nothing_to_review(office: Office) -> None:
    """The page says so, and can be signed all the same."""
    async with reading(office) as reader:
        told = await reader.words("/admin/review")
    assert "Nothing is shared now." in told and "0 live shares" in told
