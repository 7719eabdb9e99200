"""The door where a link asks for more than a click: a passphrase, a code by mail, a knock, a moment, a network."""

from __future__ import annotations

import time

import pytest

from sharegate.errors import Reason
from sharegate.visits.pages import Ended, Ending
from tests.visits.conftest import INSIDE, TOKEN, ScriptedGate, Tab, about
from tests.visits.looks import HIDDEN, OPEN

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


WORDS = "green bicycle 7"


async def test_a_passphrase_is_asked_for_and_left_nowhere(tab: Tab, door: ScriptedGate) -> None:
    """It goes with the click on Open; a wrong one is told and stays to be corrected."""
    door.about = about(needs=["passphrase"], **HIDDEN)
    await tab.join(section="offer")
    assert "Ann shares a folder with you." in await tab.text() and "asks for a passphrase" in await tab.text()
    await tab.page.click(OPEN)
    assert "Type the passphrase first." in await tab.text()
    assert await tab.page.evaluate("document.activeElement.name") == "passphrase"
    field = tab.page.get_by_label("Passphrase").locator("visible=true")
    assert await field.get_attribute("type") == "password"
    await field.fill("blue bicycle 7")
    door.refuse["/join"] = Reason.PASSPHRASE_WRONG
    await tab.page.keyboard.press("Enter")
    await tab.page.get_by_text("That is not the passphrase.").wait_for()
    assert await field.get_attribute("aria-invalid") == "true"
    await tab.page.keyboard.type(WORDS)  # what was typed is selected, so that this takes its place
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url(door.url + INSIDE)
    assert door.posts[1:] == [
        ("/join", {"token": TOKEN, "name": "", "passphrase": "blue bicycle 7"}),
        ("/join", {"token": TOKEN, "name": "", "passphrase": WORDS}),
    ]
    assert "bicycle" not in await tab.everything()


async def test_a_door_that_does_not_name_the_folder_names_something(tab: Tab, door: ScriptedGate) -> None:
    """The tab has a word on it. A time keeps its zone: the line does not break between them."""
    door.about = about(needs=["passphrase"], **HIDDEN)
    await tab.join(section="offer")
    assert (await tab.page.locator(".tab").inner_text()).strip() == "a link"
    until = await tab.page.locator("[data-slot=until]:visible").inner_text()
    assert "\u00a0" in until and " " not in until.partition("\u00a0")[2], until
    await tab.page.goto(f"{door.url}/code")
    assert (await tab.page.locator(".tab").inner_text()).strip() == "a link"


async def test_a_link_that_asks_for_a_passphrase_meanwhile_is_looked_at_again(tab: Tab, door: ScriptedGate) -> None:
    """What the page offered has changed: the field comes."""
    await tab.join(section="offer")
    assert not await tab.page.get_by_label("Passphrase").locator("visible=true").count()
    door.refuse["/join"] = Reason.PASSPHRASE_NEEDED
    door.about = about(needs=["passphrase"], **HIDDEN)
    await tab.page.click(OPEN)
    await tab.page.get_by_label("Passphrase").locator("visible=true").wait_for()
    assert "Week 3" not in await tab.text()


async def test_where_everybody_knocks_the_page_says_so(tab: Tab, door: ScriptedGate) -> None:
    """A name and a click; with a passphrase, that too, and nothing is knocked with a wrong one."""
    door.about = about(needs=["approval"], ask_name=True, link={"name": "", "kind": "open"})
    door.states = ["waiting", "admitted"]
    await tab.join(section="asks")
    assert "Ann lets people in one by one." in await tab.text() and "Week 3" in await tab.text()
    assert not await tab.page.get_by_label("Passphrase").locator("visible=true").count()
    await tab.page.get_by_label("Your name").locator("visible=true").fill("Eve")
    await tab.page.click(OPEN)
    await tab.see("waiting")
    assert door.posts[1] == ("/join/knock", {"token": TOKEN, "name": "Eve", "same_person": False})
    await tab.page.wait_for_url(door.url + INSIDE, timeout=30_000)

    door.about = about(needs=["passphrase", "approval"], **HIDDEN)
    door.posts.clear()
    door.states = ["waiting"]
    await tab.join(section="asks")
    await tab.page.get_by_label("Your name").locator("visible=true").fill("Eve")
    await tab.page.get_by_label("Passphrase").locator("visible=true").fill("blue bicycle 7")
    door.refuse["/join/knock"] = Reason.PASSPHRASE_WRONG
    await tab.page.click(OPEN)
    await tab.page.get_by_text("That is not the passphrase.").wait_for()
    await tab.page.get_by_label("Passphrase").locator("visible=true").fill(WORDS)
    await tab.page.click(OPEN)
    await tab.see("waiting")
    assert door.posts[-1][0] != "/join" and "bicycle" not in await tab.everything()
    knocks = [body["passphrase"] for path, body in door.posts if path == "/join/knock"]
    assert knocks == ["blue bicycle 7", WORDS]


async def test_the_person_a_link_is_for_knocks_as_such(tab: Tab, door: ScriptedGate) -> None:
    """ "I am Bo" fills the name, also where everybody knocks."""
    door.about = about(needs=["approval"])
    await tab.join(section="asks")
    await tab.page.get_by_label("I am Bo").locator("visible=true").check()
    await tab.page.click(OPEN)
    await tab.see("waiting")
    assert door.posts[1] == ("/join/knock", {"token": TOKEN, "name": "Bo", "same_person": True})


async def test_a_link_that_opens_later_says_when_and_looks_again_then(tab: Tab, door: ScriptedGate) -> None:
    """The moment in the reader's zone; a page that is left open offers to open when it has come."""
    door.about = about(state="not_yet", opens=time.time() + 60.0)
    await tab.page.clock.install(time=time.time())
    await tab.join(section="not_yet")
    assert "This link opens later." in await tab.text() and "CE" in await tab.text()
    door.about = about()
    await tab.page.clock.fast_forward(61_000)
    await tab.see("offer")
    assert door.posted() == ["/join/about"] * 2


async def test_a_link_that_does_not_open_from_here_tells_who_shares_and_no_more(tab: Tab, door: ScriptedGate) -> None:
    """It can be tried again, from elsewhere."""
    nothing = {"role": "", "role_sentence": "", "expires": 0.0, "recorded": []}
    door.about = about(state="outside", **HIDDEN, **nothing)
    await tab.join(section="outside")
    assert "This link does not open from here. Ann shares something" in await tab.text()
    door.about = about()
    await tab.page.get_by_role("button", name="Try again").locator("visible=true").click()
    await tab.see("offer")
    assert "Week 3" in await tab.text()


@pytest.mark.parametrize(
    ("why", "words"),
    [
        (Ended.OUTSIDE_NETWORKS, "This link does not open from here."),
        (Ended.NOT_YET, "This link does not open yet."),
        (Ended.PASSPHRASE_NEEDED, "type the passphrase that Ann gave you"),
        (Ended.RECIPIENT_NEEDED, "show that the address is yours"),
        (Ended.APPROVAL_NEEDED, "Ann lets people in one by one now."),
    ],
)
async def test_a_visit_that_lacks_what_is_asked_is_told_how_to_come_back(
    tab: Tab, door: ScriptedGate, why: Ended, words: str
) -> None:
    """By the same link, in the same browser."""
    door.ending = Ending(why=why, owner="Ann", share="Week 3")
    await tab.page.goto(f"{door.url}/s/x/~y/-/ended")
    assert words in await tab.text() and "in this browser" in await tab.text()


MAIL = {"needs": ["email"], "share": {"name": "", "kind": "directory", "folder": "", "message": ""}}


async def test_a_named_recipient_has_a_code_sent_and_types_it(tab: Tab, door: ScriptedGate) -> None:
    """Nothing is sent before a click; the code goes along with the next one; the focus is where one types."""
    door.about = about(**MAIL, mail={"to": "b…@berkeley.edu", "domain": ""}, link={"name": "", "kind": "person"})
    await tab.join(section="offer")
    text = await tab.text()
    assert "This link is for b…@berkeley.edu." in text and "Send me a code" in text and "Code from the mail" not in text
    assert door.posted() == ["/join/about"]
    await tab.page.click(OPEN)
    await tab.page.get_by_label("Code from the mail").locator("visible=true").wait_for()
    assert door.posts[-1] == ("/join/code", {"token": TOKEN, "email": ""})
    assert "A code is on its way to b…@berkeley.edu." in await tab.text()
    assert await tab.page.evaluate("document.activeElement.name") == "code"
    await tab.page.click(OPEN)
    assert "Type the code from the mail first." in await tab.text()
    door.refuse["/join"] = Reason.MAIL_CODE_INVALID
    await tab.page.keyboard.type("k7f2 9bcd")
    await tab.page.keyboard.press("Enter")
    await tab.page.get_by_text("This code does not open the link.").wait_for()
    await tab.page.keyboard.type("2345 6789")
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url(door.url + INSIDE)
    assert door.posts[-1] == ("/join", {"token": TOKEN, "name": "", "email": "", "code": "2345 6789"})


async def test_an_address_of_the_domain_is_typed_then_its_code(tab: Tab, door: ScriptedGate) -> None:
    """A slip is told before anything is sent, another domain by name; the address can be changed."""
    door.about = about(
        **MAIL, mail={"to": "", "domain": "berkeley.edu"}, ask_name=True, link={"name": "", "kind": "open"}
    )
    await tab.join(section="offer")
    await tab.page.click(OPEN)
    assert "Type your address first, like name@berkeley.edu." in await tab.text()
    assert door.posted() == ["/join/about"]
    address = tab.page.get_by_label("Your address at").locator("visible=true")
    door.refuse["/join/code"] = Reason.OTHER_DOMAIN
    await address.fill("ann@evil.net")
    await tab.page.keyboard.press("Enter")
    await tab.page.get_by_text("This link is for addresses at berkeley.edu.").wait_for()
    await address.fill("ann@berkeley.edu")
    await tab.page.keyboard.press("Enter")
    await tab.page.get_by_label("Code from the mail").locator("visible=true").wait_for()
    await tab.page.get_by_role("button", name="Type another").click()
    await address.fill("bo@berkeley.edu")
    await tab.page.keyboard.press("Enter")
    await tab.page.get_by_label("Code from the mail").locator("visible=true").fill("K7F2 9BCD")
    await tab.page.get_by_label("Your name").locator("visible=true").fill("Bo")
    await tab.page.click(OPEN)
    await tab.page.wait_for_url(door.url + INSIDE)
    proof = {"email": "bo@berkeley.edu", "code": "K7F2 9BCD"}
    assert door.posts[-1] == ("/join", {"token": TOKEN, "name": "Bo", **proof})


async def test_where_everybody_knocks_the_code_comes_first(tab: Tab, door: ScriptedGate) -> None:
    """Then the knock takes it along."""
    door.about = about(
        **{**MAIL, "needs": ["email", "approval"]},
        mail={"to": "", "domain": "berkeley.edu"},
        link={"name": "", "kind": "open"},
    )
    await tab.join(section="asks")
    await tab.page.get_by_label("Your address at").locator("visible=true").fill("bo@berkeley.edu")
    await tab.page.click(OPEN)
    await tab.page.get_by_label("Code from the mail").locator("visible=true").fill("K7F2 9BCD")
    await tab.page.get_by_label("Your name").locator("visible=true").fill("Bo")
    await tab.page.click(OPEN)
    await tab.see("waiting")
    (knock,) = [body for path, body in door.posts if path == "/join/knock"]
    assert (knock["email"], knock["code"], knock["name"]) == ("bo@berkeley.edu", "K7F2 9BCD", "Bo")


@pytest.mark.parametrize(("section", "approval"), [("offer", []), ("asks", ["approval"])])
async def test_where_a_passphrase_is_asked_for_too_it_comes_before_the_mail(
    tab: Tab, door: ScriptedGate, section: str, approval: list[str]
) -> None:
    """No code is asked for without it; a wrong one is typed over; the code is sent with the one that was right."""
    door.about = about(
        **{**MAIL, "needs": ["passphrase", "email", *approval]},
        mail={"to": "b…@berkeley.edu", "domain": ""},
        link={"name": "", "kind": "person"},
    )
    await tab.join(section=section)
    await tab.page.click(OPEN)
    assert "Type the passphrase first." in await tab.text() and "/join/code" not in door.posted()
    words = tab.page.get_by_label("Passphrase").locator("visible=true")
    door.refuse["/join/code"] = Reason.PASSPHRASE_WRONG
    await words.fill("blue bicycle")
    await tab.page.keyboard.press("Enter")
    await tab.page.get_by_text("Capital and small letters count.").wait_for()
    assert await tab.page.evaluate("document.activeElement.name") == "passphrase"
    await tab.page.keyboard.type("green bicycle")
    await tab.page.keyboard.press("Enter")
    await tab.page.get_by_label("Code from the mail").locator("visible=true").fill("K7F2 9BCD")
    assert door.posts[-1] == ("/join/code", {"token": TOKEN, "email": "", "passphrase": "green bicycle"})
    if approval:
        await tab.page.get_by_label("Your name").locator("visible=true").fill("Bo")
    await tab.page.click(OPEN)
    await (tab.see("waiting") if approval else tab.page.wait_for_url(door.url + INSIDE))
    sent = next(body for path, body in reversed(door.posts) if path in ("/join", "/join/knock"))
    assert (sent["passphrase"], sent["code"]) == ("green bicycle", "K7F2 9BCD")


async def test_a_gate_that_sends_no_mail_is_told_and_a_new_code_can_be_asked_for(tab: Tab, door: ScriptedGate) -> None:
    """The page stays where it was; after a while the small button is there."""
    await tab.page.clock.install()
    door.about = about(**MAIL, mail={"to": "b…@berkeley.edu", "domain": ""}, link={"name": "", "kind": "person"})
    door.refuse["/join/code"] = Reason.MAIL_UNAVAILABLE
    await tab.join(section="offer")
    await tab.page.click(OPEN)
    await tab.page.get_by_text("No code can be sent at the moment.").wait_for()
    await tab.page.click(OPEN)
    await tab.page.get_by_label("Code from the mail").locator("visible=true").wait_for()
    again = tab.page.get_by_role("button", name="Send a new code")
    assert await again.count() == 0
    await tab.page.clock.fast_forward(31_000)
    await again.click()
    await again.wait_for(state="detached")
    assert door.posted().count("/join/code") == 3
