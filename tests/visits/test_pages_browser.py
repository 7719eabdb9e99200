"""The door's pages in a real browser, over a gate that answers as the test says."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time

import pytest
from playwright.async_api import Browser

from sharegate.errors import Reason
from sharegate.visits.pages import Ended, Ending
from tests.visits.conftest import INSIDE, TOKEN, ScriptedGate, Tab, about

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OPEN = "button:visible[type=submit]"


async def test_an_open_link_shows_who_shares_what_and_spends_nothing(tab: Tab, door: ScriptedGate) -> None:
    """Before a click the page tells owner, share, role, end, message and record, and has posted `about` only."""
    await tab.join(section="offer")
    text = await tab.text()
    for words in (
        "week3/",
        "Ann shares “Week 3” with you.",
        "Start with nb.ipynb.",
        "can view",
        "when you come and go",
        "2 October 2096",
        "CE",
    ):
        assert words in text
    assert re.search(r"\(?in \d+ months", text)
    assert door.posts == [("/join/about", {"token": TOKEN})]
    assert door.origins == {door.url}


async def test_a_click_on_open_joins_and_leaves_the_door_behind(tab: Tab, door: ScriptedGate) -> None:
    """Open posts the token and goes to the visit; the door is no longer in the tab's history."""
    await tab.page.goto(f"{door.url}/elsewhere")
    await tab.join(section="offer")
    await tab.page.click(OPEN)
    await tab.page.wait_for_url(door.url + INSIDE)
    assert door.posts[1:] == [("/join", {"token": TOKEN, "name": ""})]
    assert door.origins == {door.url}
    await tab.page.go_back()
    assert tab.page.url == f"{door.url}/elsewhere"


@pytest.mark.parametrize("state", ["open", "in_use", "ended"])
async def test_the_token_stays_nowhere_but_in_the_scripts_memory(tab: Tab, door: ScriptedGate, state: str) -> None:
    """After load the token is in no address, history entry, storage, element, field or console line."""
    door.about = about(state=state, ended_why="expired" if state == "ended" else "")
    await tab.join()
    await tab.page.wait_for_function("document.title !== 'Shared with you · sharegate'")
    assert tab.page.url == f"{door.url}/join"
    everything = await tab.everything()
    for part in TOKEN.split("."):
        assert part not in everything


async def test_a_script_of_another_page_finds_no_token_after_the_visit_began(tab: Tab, door: ScriptedGate) -> None:
    """Attack: the owner's own script on the gate's origin looks for the token that opened the page it runs in."""
    await tab.join(section="offer")
    await tab.page.click(OPEN)
    await tab.page.wait_for_url(door.url + INSIDE)
    assert TOKEN not in await tab.everything()


async def test_names_and_messages_with_markup_are_shown_as_text(tab: Tab, door: ScriptedGate) -> None:
    """Attack: markup in every text of the answer makes no element and runs nothing."""
    evil = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>'
    door.about = about(
        owner=evil,
        owner_badge=evil + "2",
        share={"name": evil, "kind": "directory", "folder": evil, "message": evil},
        link={"name": evil, "kind": "person"},
        role_sentence=evil,
        recorded=[evil],
    )
    await tab.join(section="offer")
    assert (await tab.text()).count("window.owned=1") >= 12
    assert await tab.page.locator("main img, main script").count() == 0
    assert await tab.page.evaluate("window.owned") is None


async def test_an_open_link_asks_for_a_name(tab: Tab, door: ScriptedGate) -> None:
    """With ask_name the name is required before anything is posted, then posted with the token."""
    door.about = about(ask_name=True, link={"name": "", "kind": "open"})
    await tab.join(section="offer")
    await tab.page.click(OPEN)
    assert "Type your name first." in await tab.text()
    assert await tab.page.evaluate("document.activeElement.name") == "name"
    assert door.posted() == ["/join/about"]
    await tab.page.get_by_label("Your name").locator("visible=true").fill(" \u200b")
    await tab.page.keyboard.press("Enter")
    assert "Type your name first." in await tab.text()
    await tab.page.get_by_label("Your name").locator("visible=true").fill("  Eve ")
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url(door.url + INSIDE)
    assert door.posts[-1] == ("/join", {"token": TOKEN, "name": "Eve"})


async def test_the_same_browser_is_offered_to_continue(tab: Tab, door: ScriptedGate) -> None:
    """State `reenter` shows Continue, and a click posts the join."""
    door.about = about(state="reenter")
    await tab.join(section="offer")
    assert await tab.page.locator(OPEN).inner_text() == "Continue"
    await tab.page.click(OPEN)
    await tab.page.wait_for_url(door.url + INSIDE)


async def test_a_link_in_use_lets_the_other_browser_knock_and_wait(tab: Tab, door: ScriptedGate) -> None:
    """ "I am somebody else" with a name knocks; the page waits in sight and enters once it is admitted."""
    door.about = about(state="in_use")
    door.states = ["waiting", "admitted"]
    await tab.join(section="in_use")
    assert "This link is in use by Bo." in await tab.text()
    await tab.page.click(OPEN)
    assert "Say first who you are." in await tab.text()
    await tab.page.get_by_label("I am somebody else").locator("visible=true").check()
    await tab.page.get_by_label("Your name").locator("visible=true").fill("Eve")
    assert door.posted() == ["/join/about"]
    await tab.page.click(OPEN)
    await tab.see("waiting")
    assert "Waiting for Ann. Keep this page open." in await tab.text()
    assert await tab.page.evaluate("document.activeElement.tagName") == "H1"
    await tab.page.wait_for_url(door.url + INSIDE, timeout=15000)
    assert door.posts[1] == ("/join/knock", {"token": TOKEN, "name": "Eve", "same_person": False})
    assert door.posts[2:] == [("/join/knock/state", {"knock": "kn0ck"})] * 2


async def test_the_same_person_says_so(tab: Tab, door: ScriptedGate) -> None:
    """ "I am Bo" fills the name and knocks as the same person."""
    door.about = about(state="in_use")
    await tab.join(section="in_use")
    await tab.page.get_by_label("I am Bo").locator("visible=true").check()
    await tab.page.click(OPEN)
    await tab.see("waiting")
    assert door.posts[1] == ("/join/knock", {"token": TOKEN, "name": "Bo", "same_person": True})


HIDDEN = {
    "share": {"name": "", "kind": "directory", "folder": "", "message": ""},
    "link": {"name": "", "kind": "person"},
}
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
    await tab.page.wait_for_url(door.url + INSIDE, timeout=15000)

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


@pytest.mark.parametrize(("state", "words"), [("refused", "Ann did not let you in."), ("gone", "not answered")])
async def test_a_knock_that_ends_without_entry_says_what_to_do(
    tab: Tab, door: ScriptedGate, state: str, words: str
) -> None:
    """Refused and gone are told politely; only a knock that went unanswered can be repeated."""
    door.about = about(state="full", link={"name": "", "kind": "open"})
    door.states = [state]
    await tab.join(section="full")
    await tab.page.get_by_label("Your name").locator("visible=true").fill("Eve")
    await tab.page.click(OPEN)
    await tab.see(state)
    text = await tab.text()
    assert words in text and "write to Ann" in text
    again = tab.page.locator('[data-do="knock-again"]:visible')
    assert await again.count() == (1 if state == "gone" else 0)
    if state == "gone":
        await again.click()
        await tab.see("full")


async def test_waiting_survives_a_gate_that_is_away(tab: Tab, door: ScriptedGate) -> None:
    """A poll that fails for a passing reason is told and repeated, and the answer still arrives."""
    door.about = about(state="in_use")
    door.states = ["admitted"]
    door.refuse["/join/knock/state"] = Reason.DRAINING
    await tab.join(section="in_use")
    await tab.page.get_by_label("I am Bo").locator("visible=true").check()
    await tab.page.click(OPEN)
    await tab.page.get_by_text("This page keeps trying.").wait_for(timeout=15000)
    await tab.page.wait_for_url(door.url + INSIDE, timeout=15000)


@pytest.mark.parametrize(
    ("state", "why", "by", "words", "knock"),
    [
        ("ended", "revoked", "Ann", ["Ann ended this link.", "ask Ann for a new link"], False),
        ("ended", "expired", "", ["This link has expired.", "Ask Ann to extend it"], True),
        ("ended", "replaced", "Ann", ["This link was replaced by a newer one."], True),
        ("ended", "", "", ["no longer opens anything"], True),
        ("paused", "paused", "Ann", ["Ann paused this link.", "when Ann resumes it"], True),
        ("paused", "suspended", "", ["Sharing is suspended.", "has to confirm"], True),
    ],
)
async def test_a_link_that_is_over_says_what_happened(
    tab: Tab, door: ScriptedGate, state: str, why: str, by: str, words: list[str], knock: bool
) -> None:
    """Each way a link can be over has its own words and its own advice; what is revoked takes no knocks."""
    door.about = about(state=state, ended_why=why, ended_by=by, ended_at=1_790_000_000)
    await tab.join(section="over")
    text = await tab.text()
    assert all(word in text for word in words)
    assert "21 September" in text
    assert door.posted() == ["/join/about"]
    aside = tab.page.locator('[data-section="over"] summary')
    assert await aside.is_visible() is knock
    if knock:
        await aside.click()
        await tab.page.get_by_label("Your name").locator("visible=true").fill("Eve")
        await tab.page.click(OPEN)
        await tab.see("waiting")


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


async def test_a_link_taken_by_another_browser_meanwhile_is_shown_as_such(tab: Tab, door: ScriptedGate) -> None:
    """When Open is refused because the link changed, the page looks again and shows its new state."""
    await tab.join(section="offer")
    door.refuse["/join"] = Reason.LINK_IN_USE
    door.about = about(state="in_use")
    await tab.page.click(OPEN)
    await tab.see("in_use")
    assert door.posted() == ["/join/about", "/join", "/join/about"]


async def test_too_many_tries_says_how_long_to_wait(tab: Tab, door: ScriptedGate) -> None:
    """A 429 tells the seconds of Retry-After and keeps the button from being pressed meanwhile."""
    door.retry_after = 7
    await tab.join(section="offer")
    door.refuse["/join"] = Reason.JOIN_LIMIT
    await tab.page.click(OPEN)
    await tab.page.get_by_text("Try again in 7 s.").wait_for()
    await tab.page.click(OPEN, force=True)
    assert door.posted() == ["/join/about", "/join"]


async def test_a_double_click_opens_once(tab: Tab, door: ScriptedGate) -> None:
    """Two clicks on Open make one join."""
    await tab.join(section="offer")
    await tab.page.evaluate(
        "() => { const b = document.querySelector('[data-form=open] button[type=submit]'); b.click(); b.click(); }"
    )
    await tab.page.wait_for_url(door.url + INSIDE)
    assert door.posted() == ["/join/about", "/join"]


async def test_a_gate_that_fails_can_be_asked_again(tab: Tab, door: ScriptedGate) -> None:
    """A passing fault keeps the token in memory and Try again shows the link."""
    door.refuse["/join/about"] = Reason.STORE_UNAVAILABLE
    await tab.join(section="problem")
    assert "The gate cannot keep its records" in await tab.text()
    await tab.page.locator('[data-do="again"]:visible').click()
    await tab.see("offer")


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


async def test_several_owners_at_one_address_are_told(tab: Tab, door: ScriptedGate) -> None:
    """shared_origin is said in words, and is silent otherwise."""
    await tab.join(section="offer")
    assert "Several owners" not in await tab.text()
    door.about = about(shared_origin=True)
    await tab.page.reload()
    await tab.join(section="offer")
    assert "Several owners may share from this address" in await tab.text()


async def test_an_address_of_somebody_elses_visit_offers_to_knock(tab: Tab, door: ScriptedGate) -> None:
    """Opening the address posts nothing; the form knocks with the path, without the query."""
    address = "/s/other/~vvvvvvvvvv/lab/tree/week3"
    await tab.page.goto(f"{door.url}{address}?reset=1")
    assert "This address belongs to somebody’s visit." in await tab.text()
    assert door.posts == []
    await tab.page.get_by_text("Or knock").click()
    await tab.page.get_by_label("Somebody sent me this address").check()
    await tab.page.get_by_label("Your name").fill("Eve")
    await tab.page.click(OPEN)
    await tab.see("waiting")
    assert "Waiting for the owner." in await tab.text()
    assert door.posts[0] == ("/join/knock", {"address": address, "name": "Eve", "same_person": False})
    assert door.origins == {door.url}


async def test_an_ended_page_tells_the_moment_in_the_readers_zone(tab: Tab, door: ScriptedGate) -> None:
    """The end of a visit is shown in local time."""
    door.ending = Ending(Ended.REVOKED, "Ann", "Week 3", 1_790_000_000)
    await tab.page.goto(f"{door.url}/s/x/~y/-/ended")
    await tab.page.get_by_text("CEST").wait_for()
    assert "Ann ended this link." in await tab.text()


@pytest.mark.parametrize("width", [1200, 390, 320])
async def test_nothing_shifts_and_nothing_overflows(tab: Tab, door: ScriptedGate, width: int) -> None:
    """While the answer arrives no visible thing moves, and no width of screen has to scroll sideways."""
    door.about = about(
        share={"name": "W" * 60, "kind": "directory", "folder": "f" * 120, "message": "m" * 500}, ask_name=True
    )
    await tab.page.set_viewport_size({"width": width, "height": 800})
    await tab.page.add_init_script(
        """window.shifts = 0;
        new PerformanceObserver(list => { for (const one of list.getEntries()) window.shifts += one.value; })
          .observe({type: "layout-shift", buffered: true});"""
    )
    await tab.join(section="offer")
    await tab.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    assert await tab.page.evaluate("window.shifts") < 0.001
    assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_page_can_be_used_by_keyboard_and_announces_itself(tab: Tab, door: ScriptedGate) -> None:
    """The first Tab reaches Open, its heading was announced, and headings and fields have names."""
    await tab.join(section="offer")
    assert await tab.page.locator("#say").inner_text() == "Ann shares “Week 3” with you."
    await tab.page.keyboard.press("Tab")
    assert await tab.page.evaluate("document.activeElement.innerText") == "Open"
    assert await tab.page.locator("h1:visible").count() == 1


async def test_without_scripts_the_page_says_what_it_needs(chromium: Browser, door: ScriptedGate) -> None:
    """The noscript sentence stands alone: no form that could not work."""
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{door.url}/join#{TOKEN}")
    assert "This page needs JavaScript." in await page.locator("main").inner_text()
    assert await page.locator("[data-section]:visible").count() == 0
    await context.close()


async def test_the_page_cannot_be_framed(chromium: Browser, door: ScriptedGate) -> None:
    """Attack: a page that frames the door to have Open clicked gets an error frame."""
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(f"{door.url}/elsewhere")
    await page.evaluate(
        "url => new Promise(done => { const f = document.createElement('iframe'); f.onload = done; f.src = url;"
        " document.body.append(f); })",
        f"{door.url}/join#{TOKEN}",
    )
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and not door.posts:
        await asyncio.sleep(0.1)
    assert door.posts == []
    assert "Looking at your link" not in await page.frames[1].content()
    await context.close()


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
