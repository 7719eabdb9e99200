"""What the visitor's page does when the gate, the server, the network or the owner's mind changes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import Watched, person, watch
from tests.browser.house import House, open_notebook
from tests.browser.real_house import open_house
from tests.real.jupyter import plant, running_jupyter

pytestmark = [pytest.mark.browser, pytest.mark.real]


@pytest.mark.parametrize(
    ("reason", "heading", "returns"),
    [
        ("share_revoked", "Ann ended sharing", False),
        ("share_paused", "Ann paused sharing", True),
        ("link_revoked", "Ann ended this link", False),
        ("visit_ended", "This visit has ended", False),
    ],
)
def test_the_end_takes_the_page_away(visitor: Watched, house: House, reason: str, heading: str, returns: bool) -> None:
    """The document leaves the page, the notice says what happened, and nothing is asked of the gate afterwards."""
    page = visitor.page
    open_notebook(page, house.enter(page.context))
    sockets: list[str] = []
    house.end(reason)

    expect(page.locator("h1")).to_have_text(heading)
    expect(page.locator("h1")).to_be_focused()
    expect(page.get_by_role("button", name="Try again")).to_have_count(1 if returns else 0)
    assert "Shared notebook" not in page.content()
    assert "jupyter-config-data" not in page.content()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.wait_for_timeout(4000)  # JupyterLab's own pollers and reconnects would come within this time
    assert asked == []
    assert sockets == []
    assert page.evaluate("() => fetch('/').then(() => 'answered', () => 'refused').constructor.name") == "Promise"


def test_a_pause_that_came_while_the_page_was_away_is_told(visitor: Watched, house: House) -> None:
    """A page that connects to an ended visit is told the reason all the same."""
    page = visitor.page
    open_notebook(page, house.enter(page.context))
    house.vanish()
    expect(page.locator("#sharegate .sg-status")).to_have_text(
        "Ann's computer is offline. This page keeps trying.", timeout=30_000
    )
    house.come_back()
    house.end("share_paused")

    # By the page itself, or by the gate's where the page was back before the pause and loaded itself anew.
    expect(page.locator("h1")).to_have_text(re.compile(r"Ann paused sharing\.?"), timeout=30_000)


@pytest.mark.timeout(180)
def test_a_restart_of_the_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A stopped server is named, without a dialog, and the page is whole and at its cell when it runs again."""
    home = tmp_path_factory.mktemp("restarted")
    (home / "root").mkdir()
    plant(home / "root")
    with running_jupyter(home) as server, open_house(server, folder=home) as house:
        context = person(browser)
        page = watch(context, house.origin).page
        open_notebook(page, house.enter(context))
        status = page.locator("#sharegate .sg-status")
        page.locator(".jp-CodeCell .jp-InputPrompt").nth(1).click()
        house.server("away")
        expect(status).to_have_text("Ann's Jupyter is restarting.", timeout=30_000)
        page.wait_for_timeout(3000)  # time for JupyterLab to complain, if it wanted to
        assert page.locator(".jp-Dialog").count() == 0
        house.server("here")

        expect(status).to_have_text("", timeout=30_000)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.wait_for_function("() => jupyterapp.shell.currentWidget?.content.activeCellIndex === 2", timeout=30_000)
        assert page.locator(".jp-Dialog").count() == 0
        context.close()


def test_the_situations_have_their_own_words(visitor: Watched, house: House) -> None:
    """Restarting, stopped, owner offline and visitor offline are four sentences."""
    page = visitor.page
    page.goto(house.enter(page.context))
    page.wait_for_selector("#sharegate")
    said = page.evaluate("""async () => {
      const script = document.querySelector('script[type=module]').src;
      const { situation, timeLeft } = await import(script.replace('page.js', 'banner.js'));
      return [situation('Ann', 'here', 'restarting'), situation('Ann', 'here', 'away'),
              situation('Ann', 'unreachable', 'here'), situation('Ann', 'offline', 'here'),
              situation('Ann', 'here', 'here'),
              [7 * 86400, 7000, 86400, 95, 30, -5].map(timeLeft)];
    }""")

    assert len(set(said[:4])) == 4
    assert said[4] == ""
    assert said[5] == [
        "7 days left",
        "117 minutes left",
        "24 hours left",
        "2 minutes left",
        "about a minute left",
        "time is up",
    ]


def test_the_owners_computer_offline_is_not_the_visitors_network(visitor: Watched, house: House) -> None:
    """A gate that does not answer, and a browser without network, are said in different words."""
    page = visitor.page
    open_notebook(page, house.enter(page.context))
    status = page.locator("#sharegate .sg-status")
    house.vanish()
    expect(status).to_have_text("Ann's computer is offline. This page keeps trying.", timeout=30_000)
    assert page.locator(".jp-Dialog").count() == 0
    page.context.set_offline(True)
    expect(status).to_have_text("You are offline. This page goes on when you are back.", timeout=30_000)
    house.come_back()
    page.context.set_offline(False)

    expect(status).to_have_text("", timeout=30_000)
    expect(page.locator("#sharegate-toast")).to_have_text("Connected again.")
    assert page.locator(".jp-Notebook .jp-Cell").count() == 3


def test_leaving_asks_once_and_leaves(visitor: Watched, house: House) -> None:
    """Leave needs a second click, then the page is gone."""
    page = visitor.page
    open_notebook(page, house.enter(page.context))
    page.locator("#sharegate").get_by_role("button", name="Leave").click()
    dialog = page.locator("dialog.sharegate-dialog")
    expect(dialog).to_contain_text("Your link still works in this browser.")
    dialog.get_by_role("button", name="Stay").click()
    expect(dialog).to_have_count(0)
    page.locator("#sharegate").get_by_role("button", name="Leave").click()
    dialog.get_by_role("button", name="Leave").click()

    expect(page.locator("h1")).to_have_text("You left")


def test_another_device_gets_a_picture_and_a_code(visitor: Watched, house: House) -> None:
    """The dialog shows a drawn QR code and eight characters to type."""
    page = visitor.page
    open_notebook(page, house.enter(page.context))
    page.locator("#sharegate").get_by_role("button", name="Use on another device").click()
    code = page.locator(".sg-code")
    expect(code).to_be_visible()

    assert len("".join(code.inner_text().split())) == 8
    assert len(page.locator(".sg-picture path").get_attribute("d") or "") > 500
    assert visitor.violations == []


@pytest.mark.timeout(180)
def test_a_server_without_collaboration_offers_the_newer_version(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without jupyter-collaboration the page notices a save and shows the newer version on a click."""
    home = tmp_path_factory.mktemp("plain")
    (home / "root").mkdir()
    plant(home / "root")
    with running_jupyter(home, collaboration=False) as server, open_house(server, folder=home) as house:
        context = person(browser)
        visitor = watch(context, house.origin)
        page = visitor.page
        open_notebook(page, house.enter(context))
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.type("not mine")
        path = home / "root" / "sub" / "shared" / "nb.ipynb"
        path.write_text(path.read_text().replace("x = 'second'", "x = 'saved anew'"))

        expect(page.locator(".sg-news")).to_contain_text("Ann saved a new version.", timeout=30_000)
        page.get_by_role("button", name="Show it").click()
        expect(page.locator(".jp-CodeCell .cm-content").nth(1)).to_have_text("x = 'saved anew'")
        expect(page.locator(".jp-CodeCell .cm-content").first).to_have_text("print(6*7)")
        expect(page.locator(".sg-news")).to_be_hidden()
        page.locator(".jp-CodeCell .cm-content").nth(1).click()
        page.keyboard.type("still not mine")
        expect(page.locator(".jp-CodeCell .cm-content").nth(1)).to_have_text("x = 'saved anew'")
        assert house.denials() == []
        context.close()
