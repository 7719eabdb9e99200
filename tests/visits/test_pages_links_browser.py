"""What the door's pages take for a link or a code, and where they lead."""

from __future__ import annotations

import base64
import json

import pytest

from sharegate.errors import Reason
from tests.visits.conftest import INSIDE, TOKEN, ScriptedGate, Tab
from tests.visits.looks import OPEN

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_link_we_did_not_sign_is_told_nothing(tab: Tab, door: ScriptedGate) -> None:
    """A stranger's link shows the uniform page with the reference of the refusal."""
    door.refuse["/join/about"] = Reason.BAD_CREDENTIAL
    await tab.join(section="unknown")
    text = await tab.text()
    assert "This link does not open anything here." in text and "r4nd0m" in text


async def test_a_broken_fragment_is_not_sent_anywhere(tab: Tab, door: ScriptedGate) -> None:
    """A fragment that is neither token nor code leaves the address bar and is never posted."""
    await tab.join("<script>alert(1)</script>", section="unknown")
    assert tab.page.url == f"{door.url}/join"
    assert door.posts == []
    await tab.page.locator('[data-do="start"]').click()
    await tab.see("start")


async def test_a_mail_programs_full_stop_does_not_break_a_link(tab: Tab, door: ScriptedGate) -> None:
    """Punctuation that was pasted along with the link is not taken for the token."""
    await tab.join(TOKEN + ").", section="offer")
    assert door.posts == [("/join/about", {"token": TOKEN})]


async def test_a_link_pasted_over_the_page_is_taken(tab: Tab, door: ScriptedGate) -> None:
    """A new fragment in the same tab loads no page, yet is read and removed from the address bar."""
    await tab.join("", section="start")
    await tab.page.evaluate("token => { location.hash = token }", TOKEN)
    await tab.see("offer")
    assert tab.page.url == f"{door.url}/join"
    assert TOKEN not in await tab.everything()


@pytest.mark.parametrize("typed", ["abcd2345", " ABCD 2345 ", "abcd-2345", "{url}/join#code=ABCD2345"])
async def test_a_device_code_is_typed_and_needs_a_second_click(tab: Tab, door: ScriptedGate, typed: str) -> None:
    """A code in any spelling leads to a page that explains it; only its button spends it."""
    await tab.join("", section="start")
    await tab.page.locator('[data-form="start"] input').fill(typed.format(url=door.url))
    await tab.page.keyboard.press("Enter")
    await tab.see("device")
    assert door.posts == []
    assert "ABCD2345" not in await tab.everything()
    await tab.page.click(OPEN)
    await tab.page.wait_for_url(door.url + INSIDE)
    assert door.posts == [("/join/device", {"code": "ABCD2345", "name": ""})]


async def test_a_code_in_the_fragment_is_removed_and_not_spent(tab: Tab, door: ScriptedGate) -> None:
    """`#code=` shows the device page; a refused code is told there."""
    door.refuse["/join/device"] = Reason.DEVICE_CODE_INVALID
    await tab.join("code=ABCD2345", section="device")
    assert tab.page.url == f"{door.url}/join"
    assert door.posts == []
    await tab.page.click(OPEN)
    await tab.page.get_by_text("This code is not valid any more.").wait_for()


async def test_a_typed_link_is_looked_at_and_a_foreign_one_is_not_followed(tab: Tab, door: ScriptedGate) -> None:
    """A link of this gate is asked about; one of another host is named and left alone."""
    await tab.join("", section="start")
    field = tab.page.locator('[data-form="start"] input')
    for typed, words in (
        ("", "Paste a link or type a code first."),
        ("hello", "neither a whole link nor"),
        (f"https://evil.example/join#{TOKEN}", "leads to evil.example, not here"),
    ):
        await field.fill(typed)
        await tab.page.keyboard.press("Enter")
        await tab.page.get_by_text(words).wait_for()
    assert door.posts == []
    await field.fill(f"{door.url}/join#{TOKEN}")
    await tab.page.keyboard.press("Enter")
    await tab.see("offer")
    assert TOKEN not in await tab.everything()


def token_of(claims: object) -> str:
    """A share token with these claims; who signed it, no page asks."""
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJFZERTQSJ9.{part}.c2lnbmF0dXJl-_x"


async def test_a_link_of_before_is_sent_on_to_its_shares_host(tab: Tab, door: ScriptedGate) -> None:
    """The gate's own door leaves for that of the share that the token names, with the token in the fragment; there it
    is removed, asked about, and nothing is opened before the click. The tab's history keeps neither."""
    door.share_hosts = "localhost"
    token = token_of({"sub": "k7f2k7f2k7", "jti": "x"})
    there = door.url.replace("127.0.0.1", "k7f2k7f2k7.localhost")
    await tab.page.goto(f"{door.url}/elsewhere")
    await tab.join(token)
    await tab.page.wait_for_url(f"{there}/join")
    await tab.see("offer")
    assert door.posts == [("/join/about", {"token": token})]
    assert door.origins == {there}
    assert token not in await tab.everything()
    await tab.page.go_back()
    assert tab.page.url == f"{door.url}/elsewhere"


@pytest.mark.parametrize(
    "claims",
    [
        *({"sub": sub} for sub in ("evil.example/", "a.b", "evil.example#", "@evil.example", "K7F2", "", "x" * 41)),
        *({"sub": None}, {"sub": 7}, {}, [], "text", None),
    ],
)
async def test_attack_a_link_that_leads_from_the_gate_to_another_site(
    tab: Tab, door: ScriptedGate, claims: object
) -> None:
    """What is no share's id leads nowhere: the page stays, and asks the gate nothing."""
    door.share_hosts = "localhost"
    await tab.join(token_of(claims), section="unknown")
    assert tab.page.url == f"{door.url}/join"
    assert door.posts == []


async def test_the_gates_own_door_takes_links_to_send_them_on_and_no_codes(tab: Tab, door: ScriptedGate) -> None:
    """With a host for each share a link to any of them can be pasted at any door; a code belongs to its own."""
    door.share_hosts = "localhost"
    token = token_of({"sub": "k7f2k7f2k7"})
    there = door.url.replace("127.0.0.1", "k7f2k7f2k7.localhost")
    await tab.join("", section="start")
    field = tab.page.locator('[data-form="start"] input')
    # It does not ask for what it would refuse.
    assert "code" not in await tab.text()
    for typed, words in (
        ("hello", "This is not a whole link."),
        ("ABCD2345", "A code works at the address that is shown beside it."),
        (f"{there.replace('localhost', 'localhost.evil.example')}/join#{token}", "not here"),
        (f"https://k7f2k7f2k7.localhost/join#{token}", "not here"),
    ):
        await field.fill(typed)
        await tab.page.keyboard.press("Enter")
        await tab.page.get_by_text(words).wait_for()
    assert door.posts == []
    await field.fill(f"{there}/join#{token}")
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url(f"{there}/join")
    await tab.see("offer")
    await tab.page.goto(f"{there}/join#code=ABCD2345")
    await tab.see("device")
    await tab.page.goto(f"{door.url}/join#code=ABCD2345")
    await tab.see("unknown")
    assert "code" not in await tab.text()
    await tab.page.goto(f"{there}/join")
    await tab.see("start")
    assert "or type the 8‑character code shown on your other device" in await tab.text()


@pytest.mark.parametrize("location", ["https://evil.example/s/x", "//evil.example/", "javascript:alert(1)"])
async def test_a_location_on_another_origin_is_not_followed(tab: Tab, door: ScriptedGate, location: str) -> None:
    """Attack: an answer that names a foreign address does not move the tab."""
    await tab.join(section="offer")

    async def answer(route: object) -> None:
        await route.fulfill(json={"location": location})  # type: ignore[attr-defined]

    await tab.page.route("**/join", answer)
    await tab.page.click(OPEN)
    await tab.page.get_by_text("an address that is not its own").wait_for()
    assert tab.page.url == f"{door.url}/join"
