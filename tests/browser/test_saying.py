"""What a visitor can say from the banner of their JupyterLab: something looks wrong, or the time is short."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Watched
from tests.browser.house import open_notebook
from tests.browser.real_house import RealHouse

pytestmark = [pytest.mark.browser, pytest.mark.real]


def shot(page: object, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")  # type: ignore[attr-defined]


@pytest.mark.timeout(180)
def test_a_report_and_more_time_from_the_banner(visitor: Watched, house: RealHouse) -> None:
    """The report is thanked for; the clock is there on the last day only, and the page hears the owner's answers."""
    page = visitor.page
    open_notebook(page, house.enter(page.context))
    clock = page.get_by_role("button", name="Ask Ann for more time")
    expect(clock).to_be_hidden()

    page.get_by_role("button", name="Report this share").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Send the report").click()
    expect(dialog.get_by_role("alert")).to_have_text("Say first what is wrong.")
    dialog.get_by_label("It shows private data of people").check()
    dialog.get_by_label("More, if it helps").fill("names of students")
    shot(page, "banner-report")
    dialog.get_by_role("button", name="Send the report").click()
    expect(dialog).to_contain_text("Thank you.")
    dialog.get_by_role("button", name="Close").click()
    (report,) = house.asked("GET", "reports")["reports"]
    assert (report["concern"], report["text"]) == ("private", "names of students")

    house.ends_in(3600)
    expect(clock).to_be_visible(timeout=30_000)
    shot(page, "banner-clock")
    clock.click()
    toast = page.locator("#sharegate-toast")
    expect(toast).to_have_text("Ann is asked for more time.")
    expect(clock).to_be_hidden()
    (ask,) = house.asked("GET", "times")["times"]
    house.asked("POST", f"times/{ask['id']}/grant", {"expires": ask["expires"] + 7 * 86400})
    expect(toast).to_have_text("Ann gave you more time.", timeout=30_000)
    expect(page.locator("#sharegate .sg-left")).to_have_text("7 days left")
    expect(clock).to_be_hidden()

    house.ends_in(2)
    expect(page.locator("h1")).to_have_text("The time is over", timeout=30_000)
    page.get_by_role("button", name="Ask Ann for more time").click()
    page.locator('form[data-form="time"] button').click()
    # To be seen: all that the page may say stands in it from the first.
    expect(page.get_by_role("main").get_by_text("You asked for more time.")).to_be_visible()
    (ask,) = house.asked("GET", "times")["times"]
    house.asked("POST", f"times/{ask['id']}/grant", {"expires": ask["expires"] + 86400})
    page.wait_for_selector("#sharegate .sg-left", timeout=60_000)
