"""What visitors meet at the door of a running gate, on phones: what a link asks for, and how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from playwright.async_api import Page

from tests.dashboard.conftest import Office
from tests.dashboard.visitors import comes
from tests.pictures.camera import PHONE, Camera

Act = Callable[[Page], Awaitable[None]]
OPEN = "button:visible[type=submit]"


async def nothing(page: Page) -> None:
    """As it stands when it has come."""


async def click(page: Page) -> None:
    await page.locator(OPEN).first.click()


async def section(page: Page, name: str) -> None:
    await page.locator(f'[data-section="{name}"]').wait_for(state="visible")


class Doors:
    def __init__(self, office: Office, camera: Camera) -> None:
        self.office = office
        self.camera = camera

    async def link(self, name: str = "Ann Lee", **more: Any) -> dict[str, Any]:
        given = {"name": "Week 3", "message": "Start with stations.ipynb."} | more
        return await self.office.share(**({"for": [name]} | given))

    async def phone(self, name: str, url: str, shown: str, act: Act = nothing) -> bytes:
        """A phone on which somebody opened the link and came to the section `shown`."""
        context = await self.camera.person(viewport={"width": PHONE[0], "height": PHONE[1]})
        page = await context.new_page()
        await page.clock.set_fixed_time(datetime.fromtimestamp(self.office.clock(), UTC))
        await page.goto(url)
        await section(page, shown)
        await act(page)
        shot = await self.camera.shot(page, name, tall=1000)
        await context.close()
        return shot


async def conditions(doors: Doors) -> None:
    """What a link may ask for."""
    if not doors.camera.wants("door-asks"):
        return

    async def mailed(page: Page) -> None:
        await click(page)
        await page.locator("input.code:visible").wait_for()

    async def knocked(page: Page) -> None:
        await page.locator("input[value=same]:visible").check()
        await click(page)
        await section(page, "waiting")

    word = await doors.link(passphrase="seven small stations")
    mail = await doors.link(recipient="ann@berkeley.edu")
    ask = await doors.link(ask=True)
    shots = [
        await doors.phone("door-passphrase", word["links"][0]["url"], "offer"),
        await doors.phone("door-mailed", mail["links"][0]["url"], "offer", mailed),
        await doors.phone("door-waiting", ask["links"][0]["url"], "asks", knocked),
    ]
    await doors.camera.strip("door-asks", shots)


async def offers(doors: Doors) -> None:
    """The door of a link for one person, and of one for a class."""
    if not doors.camera.wants("door"):
        return
    one = await doors.link(role="edit")
    many = await doors.office.share(name="Week 4", anyone=True, visits=60)
    again = await doors.link("Bo Larsen")
    await comes(doors.office, again, "")
    shots = [
        await doors.phone("door-person", one["links"][0]["url"], "offer"),
        await doors.phone("door-class", many["links"][0]["url"], "offer"),
        await doors.phone("door-in-use", again["links"][0]["url"], "in_use"),
    ]
    await doors.camera.strip("door", shots)


async def ends(doors: Doors) -> None:
    """Refused, ended, expired and asked for more time."""
    if not doors.camera.wants("door-ends"):
        return
    office = doors.office

    async def refused(page: Page) -> None:
        await page.locator("input[value=other]:visible").check()
        await page.locator("input[name=name]:visible").fill("Eve")
        await click(page)
        await section(page, "waiting")
        waiting = (await office.call("GET", "knocks"))["knocks"]
        knock = next(one for one in waiting if one["name"] == "Eve")
        await office.call("POST", f"knocks/{knock['id']}/refuse")
        await section(page, "refused")

    async def asked(page: Page) -> None:
        await page.locator('[data-form="time"] button').click()
        await page.locator('[data-when="time=waiting"]').wait_for(state="visible")

    ask, over, late = await doors.link(ask=True), await doors.link(), await doors.link(expires=office.clock() + 3600)
    await comes(office, late, "")
    shots = [await doors.phone("door-refused", ask["links"][0]["url"], "asks", refused)]
    await office.call("POST", f"shares/{over['share']['id']}/revoke")
    shots.append(await doors.phone("door-ended", over["links"][0]["url"], "over"))
    office.clock.forward(7200)
    shots.append(await doors.phone("door-more-time", late["links"][0]["url"], "over", asked))
    await doors.camera.strip("door-ends", shots)


async def accounts(doors: Doors) -> None:
    """The door of a link that asks who somebody is, as the provider says it; and the dashboard's."""
    link = await doors.link(account="ann@berkeley.edu")
    shot = await doors.phone("door-account", link["links"][0]["url"], "offer")
    context = await doors.camera.person(viewport={"width": PHONE[0], "height": PHONE[1]})
    page = await context.new_page()
    await page.goto(doors.office.running.dashboard_url + "/login")
    await page.get_by_role("button", name="Sign in with Berkeley").wait_for()
    login = await doors.camera.shot(page, "dashboard-login", tall=PHONE[1])
    await context.close()
    await doors.camera.strip("door-account", [shot, login])
