"""A second server is added in the dashboard, in a real browser: a real Jupyter server at an address that others have a
way to, so that nothing of its folder is looked at but by asking it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.conftest import SERVER, Office
from tests.real.jupyter import JupyterServer, plant, running_jupyter

pytestmark = [pytest.mark.browser, pytest.mark.real]


def own_address() -> str:
    """An address of this computer that others have a way to. Nothing is sent: a datagram's way is looked up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found = str(probe.getsockname()[0])
        except OSError:
            found = "127.0.0.1"
    if found.startswith("127."):
        pytest.skip("this computer has no address but its own")
    return found


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    address, home = own_address(), tmp_path_factory.mktemp("elsewhere")
    (home / "root").mkdir()
    plant(home / "root")
    with running_jupyter(home, ip=address, lab=False) as server:
        yield server


async def fill(page: Page, address: str, token: str, name: str = "") -> None:
    await page.get_by_label("Address of the server").fill(address)
    await page.get_by_label("Its token").fill(token)
    await page.get_by_label("Called").fill(name)
    await page.get_by_role("button", name="Add this server").click()


async def test_a_second_server_is_added_and_shared_from(office: Office, page: Page, elsewhere: JupyterServer) -> None:
    """What is no token, a wrong one, and an address at which nobody answers are told, and nothing is recorded. Then its
    folders are there to choose from, and what is shared of it lies on it. Its token is in no page."""
    dashboard = office.running.dashboard_url
    await page.goto(f"{dashboard}/new/server")
    await page.locator("#live[data-state=live]").wait_for(state="attached")
    await fill(page, elsewhere.url, "not a token", "The class's")
    await expect(page.locator("[data-fault~=token]")).to_contain_text("s no token of a Jupyter server")
    await fill(page, elsewhere.url, "another", "The class's")
    await expect(page.locator("[data-fault~=token]")).to_contain_text("s not taken by the server")
    await fill(page, elsewhere.url.replace(str(elsewhere.port), "9"), elsewhere.token)
    await expect(page.locator(".trouble")).to_contain_text("o Jupyter server answers")
    assert [one["id"] for one in (await office.call("GET", "servers"))["servers"]] == [SERVER]
    assert "upstream.added" not in await office.actions()

    await fill(page, elsewhere.url, elsewhere.token, "The class's")
    await page.wait_for_url(f"{dashboard}/new")
    servers = (await office.call("GET", "servers"))["servers"]
    (added,) = [one for one in servers if one["id"] != SERVER]
    assert (added["name"], added["url"], added["state"]) == ("The class's", elsewhere.url, "here")
    assert (await office.actions()).count("upstream.added") == 1
    # The same again is told, and is not there twice.
    await page.goto(f"{dashboard}/new/server")
    await fill(page, elsewhere.url, elsewhere.token)
    await expect(page.locator("[data-fault~=url], .trouble").filter(has_text="recorded already")).to_be_visible()
    await expect(page.locator(f"#server-{added['id']}")).to_contain_text("The class's")
    assert elsewhere.token not in await page.content()

    await page.goto(f"{dashboard}/new?server={added['id']}&folder=sub")
    await expect(page.get_by_text("shared2", exact=True).first).to_be_visible()
    assert elsewhere.token not in await page.content()
    made = await office.call(
        "POST", "shares", {"path": "sub/shared", "server": added["id"], "name": "Far", "for": ["Ann"]}
    )
    assert (made["share"]["server"], made["share"]["root"]) == (added["id"], "sub/shared")

    await page.goto(f"{dashboard}/new/server")
    await page.locator(f"#remove-{added['id']}").click()
    await page.locator("#ask-yes").click()
    await expect(page.locator(f"#server-{added['id']}")).to_have_count(0)
    assert elsewhere.get("api/status")
