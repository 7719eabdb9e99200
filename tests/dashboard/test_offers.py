"""What may be handed out here, and a link as a picture."""

from __future__ import annotations

from tests.dashboard.conftest import Office


async def test_what_may_be_handed_out_is_told_with_its_limits(office: Office) -> None:
    """As the rules in force say, with the sentence of each role that is available."""
    offers = await office.call("GET", "offers")
    assert [role["role"] for role in offers["roles"]] == ["view", "edit"]
    assert offers["roles"][0]["sentence"] == "can view"
    assert offers["default_expires_seconds"] == 7 * 86400 and offers["anyone"] is True


async def test_a_link_is_drawn_as_a_code(office: Office) -> None:
    """An image that a page may show without asking anybody else; unknown links are told."""
    made = await office.share()
    answer = await office.call("GET", f"links/{made['links'][0]['id']}/qr")
    assert answer["image"].startswith("data:image/svg+xml")
    status, _ = await office.ask("GET", "links/nothing/qr")
    assert status == 404
