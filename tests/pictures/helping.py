"""Somebody who lets people in for an owner: the page of a co-owner."""

from __future__ import annotations

from tests.pictures.camera import Camera
from tests.visits.coowners.school import School
from tests.visits.coowners.test_browser import opened


async def coowner(school: School, camera: Camera) -> None:
    """Tia helps with week 3: Eve knocks with Ann's link, Bo and Dora are in."""
    made = await school.share("Tia", "Ann Lee", "Bo Larsen", "Dora", name="Week 3", role="edit")
    tia = await school.coowner(made)
    for number in (1, 2, 3):
        await school.gate.visit(made, number)
    school.clock.forward(600)
    await school.knock(made["links"][1], "Eve")
    page = await opened(camera.browser, tia, viewport={"width": 900, "height": 1000}, locale="en-GB")
    await page.locator("#knocks .row").first.wait_for()
    await camera.take(page, "coowner", tall=1000)
    await page.context.close()
