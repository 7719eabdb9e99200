"""What an owner sees during a course: *Now*, *New share*, a share, its links, a list, teams, the wall."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

from sharegate.shares.model import Grant, Role
from tests.dashboard.conftest import Office
from tests.dashboard.pages.conftest import Scene
from tests.pictures.camera import Camera
from tests.visits.notebooks import Open

NOTEBOOK = "week3/stations.ipynb"
CELL = "heights = [int(row['height_m']) for row in stations]\nsum(heights) / len(heights)"
ROSTER = """name,email
Ann Lee,ann@berkeley.edu
Bo Larsen,bo@berkeley.edu
Cleo Ruiz,cleo@berkeley.edu
Dan Okafor,
"""
TEAMS = """name,email,team
Ann Lee,ann@berkeley.edu,birds
Bo Larsen,bo@berkeley.edu,birds
Cleo Ruiz,cleo@berkeley.edu,rivers
Dan Okafor,dan@berkeley.edu,rivers
Fatima Said,fatima@berkeley.edu,stars
"""


def furnish(office: Office) -> None:
    """The folders of a course."""
    for name in ("stations.ipynb", "intro.ipynb"):
        (office.folder / "week3" / name).write_text("{}")
    (office.folder / "week3" / "stations.csv").write_text("station,height_m\n")
    for name in ("solutions", ".ssh", "projects/birds", "projects/rivers", "projects/snow"):
        (office.folder / name).mkdir(parents=True)
    (office.folder / "archive").symlink_to("/srv")


async def classroom(office: Office) -> dict[str, Any]:
    """Somebody knocks, somebody asks to run a cell, some are here; the share of week 3."""
    furnish(office)
    scene = Scene(office)
    week = await office.share("week3", role="edit", name="Week 3", **{"for": ["Ann Lee", "Bo Larsen"]})
    course = await office.share("week4", name="Week 4", anyone=True, visits=60)
    notes = await office.share("notes.md", **{"for": ["Cleo Ruiz"]})
    await office.call("POST", f"shares/{notes['share']['id']}/pause")
    ann = await scene.visit(week, "Ann Lee", where=NOTEBOOK)
    for name in ("Dora", "Fatima"):
        await scene.visit(course, name, where="week4")
    await scene.knock(week, "Eve", came_from=ann)
    notebooks = Open()
    scene.hands.notebooks = notebooks
    notebooks.cells = {NOTEBOOK: {"c1": CELL}}
    share, link = await scene.store.share(week["share"]["id"]), await scene.store.link(week["links"][0]["id"])
    grant = Grant(share, link, await scene.store.visit(ann), Role.EDIT, frozenset(), share.expires, None)
    scene.hands.ask(grant, NOTEBOOK, "c1", CELL)
    return week


class Desk:
    """The owner's browser. `at` opens an address of the dashboard."""

    def __init__(self, office: Office, page: Page, camera: Camera) -> None:
        self.office = office
        self.page = page
        self.camera = camera

    async def at(self, address: str) -> Page:
        await self.page.goto(self.office.running.dashboard_url + address)
        await self.page.locator("#live[data-state=live]").wait_for(state="attached")
        return self.page

    async def take(self, name: str, address: str, *, tall: int = 860) -> None:
        if self.camera.wants(name):
            await self.camera.take(await self.at(address), name, tall=tall)


async def course(desk: Desk) -> None:
    office = desk.office
    week = await classroom(office)
    share, link = week["share"]["id"], week["links"][0]["id"]
    await desk.take("dashboard-now", "/", tall=1290)
    await desk.take("dashboard-new", "/new?path=week3", tall=1040)
    await desk.take("dashboard-share", f"/shares/{share}/links")
    await people(desk, share)
    await teams(desk)
    await office.call("POST", f"links/{link}/code")
    await desk.take("dashboard-wall", f"/links/{link}/code", tall=1000)


async def people(desk: Desk, share: str) -> None:
    """A list, added to a share that there is: shown before anything is made."""
    if not desk.camera.wants("dashboard-list"):
        return
    page = await desk.at(f"/shares/{share}/links")
    await page.get_by_text("Add a list of people").click()
    await page.get_by_role("textbox", name="The list").fill(ROSTER)
    await page.get_by_role("button", name="Show who gets a link").click()
    await page.get_by_role("heading", name="Nothing is made yet").wait_for()
    await desk.camera.take(page, "dashboard-list", tall=1100, part=".more-links, details:has([name=roster])")


async def teams(desk: Desk) -> None:
    """The form, what it would make, and what it made."""
    if not desk.camera.wants("dashboard-teams", "dashboard-teams-made"):
        return
    page = await desk.at("/new/teams")
    await page.get_by_label("Folders of the teams").fill("projects/*")
    await page.get_by_label("Who is in which team").fill(TEAMS)
    await page.get_by_role("radio", name="edit").check()
    await page.get_by_role("button", name="Show what would be shared").click()
    await page.get_by_role("heading", name="Nothing is made yet").wait_for()
    await desk.camera.take(page, "dashboard-teams", tall=1400)
    await page.locator("#make").click()
    await page.get_by_role("heading", name="links in").wait_for()
    await desk.camera.take(page, "dashboard-teams-made", tall=1100)
