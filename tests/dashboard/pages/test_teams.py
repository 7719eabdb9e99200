"""*A share for each team* in a real browser, with a real mail server: shown first, then made, copied and mailed."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Page, expect

from tests.dashboard.conftest import SERVER, Office
from tests.dashboard.pages.conftest import COPYING, DESK, EVIL, PHONE, fine
from tests.real.mail import MailServerHere

pytestmark = pytest.mark.browser

TEAMS = f"""name,email,team
Ann Lee,ann@example.org,red
Bo,bo@example.org,red
"{EVIL.replace('"', '""')}",,blue
"+Cy; =1",cy@example.org,blue
Di,di@example.org,gone
"""


@pytest.fixture
def office(mailing: Office) -> Office:
    for name in ("red", "blue", "green"):
        (mailing.folder / "projects" / name).mkdir(parents=True)
    return mailing


async def look(office: Office, page: Page) -> None:
    await page.goto(f"{office.running.dashboard_url}/new")
    await page.get_by_role("link", name="a share for each team").click()
    await page.locator("#live[data-state=live]").wait_for(state="attached")


async def ask(page: Page, roster: str, each: str = "projects/*") -> None:
    await page.get_by_label("Folders of the teams").fill(each)
    await page.get_by_label("Who is in which team").fill(roster)
    await page.get_by_role("button", name="Show what would be shared").click()


async def picture(page: Page, name: str) -> None:
    """For who looks at them: into the folder that the variable names."""
    if "PICTURES" not in os.environ:
        return
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two words
        for word, (width, height) in (("desk", DESK), ("phone", PHONE)):
            await page.set_viewport_size({"width": width, "height": height})
            await page.screenshot(path=f"{os.environ['PICTURES']}/teams-{name}-{scheme}-{word}.png", full_page=True)
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": DESK[0], "height": DESK[1]})


async def test_teams_are_shown_then_made_and_handed_out(
    office: Office, page: Page, mail: MailServerHere, tmp_path: Path
) -> None:
    """What has no counterpart is named before anything is made; what is made is copied, written, and mailed."""
    await look(office, page)
    await picture(page, "empty")
    await page.get_by_role("radio", name="edit").check()
    # The folder that the teams' folders lie in will do.
    await ask(page, TEAMS, "projects")
    await expect(page.get_by_role("heading", name="Nothing is made yet")).to_be_focused()
    await expect(page.locator("#beside")).to_contain_text("Teams without a folder, left out: gone.")
    await expect(page.locator("#beside")).to_contain_text("Folders without a team, left out: green.")
    await expect(page.locator("#found li")).to_have_count(2)
    await expect(page.locator("#found li").first).to_contain_text("projects/red")
    await expect(page.locator("#found li").first).to_contain_text("Ann Lee, Bo")
    assert (await office.call("GET", "shares"))["shares"] == []
    await fine(page)
    await picture(page, "shown")
    # Another list is another showing.
    await page.get_by_label("Who is in which team").press("End")
    await page.keyboard.type(" ")
    await expect(page.locator("#make")).to_be_hidden()
    await page.get_by_role("button", name="Show what would be shared").click()

    await page.get_by_role("button", name="Make 4 links in 2 shares").dblclick()
    await expect(page.get_by_role("heading", name="4 links in 2 shares")).to_be_focused()
    shares = {one["root"]: one for one in (await office.call("GET", "shares"))["shares"]}
    assert sorted(shares) == ["projects/blue", "projects/red"]
    assert {one["role"] for one in shares.values()} == {"edit"}
    ann, bo = shares["projects/red"]["links"]
    assert (ann["name"], ann["recipient"], bo["name"]) == ("Ann Lee", "ann@example.org", "Bo")
    urls = {ann["id"]: (await office.call("GET", f"links/{ann['id']}/url"))["url"]}
    await expect(page.get_by_label("The link of Ann Lee", exact=True)).to_have_value(urls[ann["id"]])
    await page.evaluate(COPYING)
    await page.get_by_role("button", name="Copy the link of Ann Lee").click()
    await expect(page.locator("#notice")).to_contain_text("Copied")
    assert await page.evaluate("window.copied") == urls[ann["id"]]
    await fine(page)
    await picture(page, "made")

    async with page.expect_download() as begun:
        await page.get_by_role("button", name="Table for a mail merge").click()
    await (await begun.value).save_as(tmp_path / "links.csv")
    rows = list(csv.reader((tmp_path / "links.csv").read_text().splitlines()))
    assert rows[0] == ["team", "name", "email", "link"]
    assert rows[1] == ["red", "Ann Lee", "ann@example.org", urls[ann["id"]]]
    assert [row[1] for row in rows[3:]] == [shares["projects/blue"]["links"][0]["name"], "'+Cy;' =1"]

    await page.get_by_role("button", name="Mail them").click()
    await expect(page.locator("#mailing")).to_contain_text("3 of 3 mailed.")
    assert [(await mail.next()).recipients for _ in range(3)] == [
        ["ann@example.org"],
        ["bo@example.org"],
        ["cy@example.org"],
    ]
    await expect(page.get_by_role("button", name="Mail them")).to_be_hidden()
    assert (await office.actions()).count("link.sent") == 3


async def test_every_link_of_the_teams_asks_for_what_stands_under_more(office: Office, page: Page) -> None:
    """What the CLI can ask for, the page can; a fault that the gate finds stands beside its field, and nothing is made
    then."""
    await look(office, page)
    await page.get_by_text("More", exact=True).click()
    form = page.locator("#teams")
    assert await form.locator("[name=recipient]").count() == 0
    await form.get_by_label("With a passphrase").fill("a long one, for all")
    await form.get_by_label("Only from these networks").fill("10.0.0.0/8\nnowhere")
    await form.get_by_label("Everybody knocks first").check()
    await form.get_by_label("A word to visitors").fill("Begin with task 1.")
    await form.get_by_label("Devices for each person").fill("1")
    await form.get_by_label("Programs may use the link too").check()
    await form.get_by_label("Visitors begin in").select_option("notebook")
    await fine(page)
    await picture(page, "more")
    await ask(page, "name,team\nAnn,red\nBo,blue\n")
    await page.locator("#make").click()
    await expect(form.locator("[data-fault=networks]")).to_contain_text("nowhere")
    assert (await office.call("GET", "shares"))["shares"] == []
    await form.get_by_label("Only from these networks").fill("10.0.0.0/8\n2001:db8::/32")
    await form.get_by_label("Not before").fill("2090-01-01T09:00")
    await page.get_by_role("button", name="Show what would be shared").click()
    await page.locator("#make").click()
    await expect(form.locator("[data-fault=not_before]")).to_contain_text("not before the link's end")
    assert (await office.call("GET", "shares"))["shares"] == []
    await form.get_by_label("Not before").fill("")
    await form.get_by_label("Until").select_option("604800")
    await page.get_by_role("button", name="Show what would be shared").click()
    await page.get_by_role("button", name="Make 2 links in 2 shares").click()
    await expect(page.get_by_role("heading", name="2 links in 2 shares")).to_be_focused()
    for share in (await office.call("GET", "shares"))["shares"]:
        assert (share["message"], share["page"], share["clients"]) == ("Begin with task 1.", "notebook", True)
        (link,) = share["links"]
        assert link["passphrase"] and link["ask"] and link["devices_max"] == 1
        assert link["networks"] == ["10.0.0.0/8", "2001:db8::/32"]
    assert await form.locator("[name=passphrase]").input_value() == ""


async def test_folders_to_choose_from_are_those_of_the_server(office: Office, page: Page, tmp_path: Path) -> None:
    """Of another one as soon as it is chosen."""
    (tmp_path / "lab" / "groups" / "one").mkdir(parents=True)
    lab = {"id": "lab2345678", "name": "lab", "root_dir": str(tmp_path / "lab")}
    store = office.running.gate._store  # type: ignore[attr-defined]
    (known,) = [one for one in await store.upstreams() if one.id == SERVER]
    await store.put_upstream(msgspec.structs.replace(known, **lab))
    await look(office, page)
    near = page.locator("#near option")
    values = "all => all.map((one) => one.value)"
    await page.locator("#teams [name=server]").select_option("main")
    await expect(near).to_have_count(3)
    assert await near.evaluate_all(values) == ["projects/*", "week3/*", "week4/*"]
    await page.locator("#teams [name=server]").select_option("lab")
    await expect(near).to_have_count(1)
    assert await near.evaluate_all(values) == ["groups/*"]
    await ask(page, "name,team\nAnn,one\n", "groups/*")
    await page.get_by_role("button", name="Make 1 link in 1 share").click()
    await expect(page.get_by_role("heading", name="1 link in 1 share")).to_be_focused()
    (share,) = (await office.call("GET", "shares"))["shares"]
    assert share["root"] == "groups/one"


async def test_what_is_wrong_with_a_list_is_told_by_its_rows(office: Office, page: Page, tmp_path: Path) -> None:
    """With what to do; nothing typed is lost and nothing is made. A file of another program is no list."""
    await look(office, page)
    bad = f"name,email,team\nAnn,nowhere,red\n=1,bo@example.org,red\nCy,,\nDi,,{EVIL}/x\n"
    await ask(page, bad)
    rows = page.locator("#rows li")
    await expect(rows).to_have_count(4)
    await expect(rows.nth(0)).to_contain_text("Row 2, email: ")
    await expect(rows.nth(1)).to_have_text("Row 3, name: is a formula of a spreadsheet. Write what it stands for.")
    await expect(rows.nth(2)).to_have_text("Row 4, team: is empty. Name the folder of this person's team.")
    await expect(page.get_by_label("Who is in which team")).to_be_focused()
    await expect(page.get_by_label("Who is in which team")).to_have_value(bad)
    await expect(page.locator("#make")).to_be_hidden()
    await fine(page)
    await picture(page, "faults")

    file = tmp_path / "teams.csv"
    file.write_bytes(b"PK\x03\x04 a workbook")
    await page.locator("#file").set_input_files(file)
    await expect(page.locator("[data-fault=roster]")).to_contain_text("Save as, CSV UTF-8")
    await expect(page.get_by_label("Who is in which team")).to_have_value(bad)
    file.write_bytes("name,team\nJörg,red\n".encode("cp1252"))
    await page.locator("#file").set_input_files(file)
    await expect(page.locator("#read-as")).to_contain_text("look at the names")
    await expect(page.get_by_label("Who is in which team")).to_have_value("name,team\nJörg,red\n")
    await page.get_by_label("Folders of the teams").fill("nowhere/*")
    await page.get_by_role("button", name="Show what would be shared").click()
    await expect(page.locator("#teams .fault, #teams .trouble").filter(has_text="nowhere")).not_to_have_count(0)
    assert (await office.call("GET", "shares"))["shares"] == []


async def test_all_that_were_not_mailed_are_mailed(
    office: Office, page: Page, mail: MailServerHere, tmp_path: Path
) -> None:
    """From the share's page, one by one, each told; and the table holds the links that can be opened."""
    roster = "name,email\nAnn,ann@example.org\nBo,bo@example.org\nCy,\nDi,di@example.org\n"
    made = await office.call("POST", "rosters/share", {"path": str(office.folder / "week3"), "roster": roster})
    ann, bo, cy, di = made["made"]
    await office.call("POST", f"links/{ann['id']}/send", {})
    await mail.next()
    await office.call("POST", f"links/{di['id']}/revoke")
    await page.goto(f"{office.running.dashboard_url}/shares/{made['share']['id']}/links")
    await page.locator("#live[data-state=live]").wait_for(state="attached")
    await fine(page)
    async with page.expect_download() as begun:
        await page.get_by_role("button", name="Table for a mail merge").click()
    await (await begun.value).save_as(tmp_path / "links.csv")
    rows = list(csv.reader((tmp_path / "links.csv").read_text().splitlines()))
    wanted = [[one["name"], one["email"], one["url"]] for one in (ann, bo, cy)]
    assert rows == [["name", "email", "link"], *wanted]
    await page.get_by_role("button", name="Mail all that were not mailed (1)").dblclick()
    await expect(page.locator("#handing")).to_contain_text("1 of 1 mailed.")
    await expect(page.locator("#handed li")).to_have_text(["Bo: mailed"])
    assert (await mail.next()).recipients == ["bo@example.org"]
    await expect(page.locator("#mail-all")).to_have_count(0)
    await expect(page.locator("#handed li")).to_have_text(["Bo: mailed"])
    assert mail.taken == []
    await picture(page, "links")
