"""Co-owners in the owner's API: named, shown, and taken back."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.dashboard.client import Program, Signed
from tests.dashboard.conftest import Office
from tests.gatehouse import raw


async def enter(office: Office, link: dict[str, str]) -> None:
    """Open the link in some browser."""
    origin = office.running.gate_url
    body = f'{{"token": "{urlsplit(link["url"]).fragment}", "name": ""}}'.encode()
    headers = {"Origin": origin, "Host": urlsplit(origin).netloc, "Content-Type": "application/json"}
    reply = await raw(office.running.config.gate_port, "POST", "/join", headers, body)
    assert reply.status == 200, reply.body


async def shown(page: Signed, address: str) -> str:
    async with page.http.get(address, headers=page.headers()) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_a_co_owner_is_named_and_is_none_again(office: Office) -> None:
    """The link says so, the visit too, and both acts are the owner's in the trail."""
    link = (await office.share(**{"for": ["Tia"]}))["links"][0]
    assert (link["coowner"], link["coowner_visit"]) == (False, "")
    await enter(office, link)
    made = await office.call("POST", f"links/{link['id']}/coowner")
    assert made["link"]["coowner"] and made["link"]["coowner_visit"] == made["visit"]["label"]
    assert made["visit"]["name"] == "Tia" and made["visit"]["coowner"]
    assert (await office.call("GET", "visits"))["visits"][0]["coowner"]
    left = await office.call("DELETE", f"links/{link['id']}/coowner")
    assert (left["link"]["coowner"], left["link"]["coowner_visit"]) == (False, "")
    assert not (await office.call("GET", "visits"))["visits"][0]["coowner"]
    events = (await office.call("GET", "audit"))["events"]
    told = [(one["actor"], one["text"]) for one in events if one["action"].startswith("coowner.")]
    assert told == [
        ("owner", "The owner made Tia a co-owner, who lets others in."),
        ("owner", "The owner took it from Tia to be a co-owner."),
    ]


async def test_a_link_that_nobody_opened_yet(office: Office) -> None:
    """The mark waits, and the trail says for whom; taking nothing away is no act."""
    link = (await office.share(**{"for": ["Tia"]}))["links"][0]
    await office.call("DELETE", f"links/{link['id']}/coowner")
    made = await office.call("POST", f"links/{link['id']}/coowner")
    assert made["visit"] is None and made["link"]["coowner"] and made["link"]["coowner_visit"] == ""
    await enter(office, link)
    assert (await office.call("GET", f"links/{link['id']}"))["link"]["coowner_visit"] == f"{link['label']}1"
    events = [one for one in (await office.call("GET", "audit"))["events"] if one["action"].startswith("coowner.")]
    assert [one["detail"] for one in events] == ["whoever opens the link first"]


async def test_what_cannot_be_a_co_owners(office: Office) -> None:
    """A link for anyone is refused in words, and no link is not there."""
    link = (await office.share(anyone=True))["links"][0]
    status, said = await office.ask("POST", f"links/{link['id']}/coowner")
    assert status == 403 and said["error"]["code"] == "coowner_link" and "one person" in said["error"]["message"]
    for method in ("POST", "DELETE"):
        assert (await office.ask(method, "links/nobody/coowner"))[0] == 404
    status, said = await office.ask("POST", f"links/{link['id']}/coowner", {"role": "edit"})
    assert status == 400 and said["error"]["field"] == "role"


async def test_attack_a_program_names_one(office: Office) -> None:
    """No token does, whatever it may; the owner's browser does."""
    link = (await office.share(**{"for": ["Tia"]}))["links"][0]
    everything = ("shares:read", "shares:write", "people:read", "people:write", "rules:read")
    who, page = Program(office, await office.token(*everything)), Signed(office)
    try:
        for method in ("POST", "DELETE"):
            status, said = await who.ask(method, f"/api/v1/links/{link['id']}/coowner", {})
            assert (status, said["code"]) == (403, "person_only")
        await page.enter()
        status, said = await page.ask("POST", f"/api/v1/links/{link['id']}/coowner", {})
        assert status == 200 and said["link"]["coowner"]
    finally:
        await who.close()
        await page.close()


async def test_the_links_page_names_and_takes_back(office: Office) -> None:
    """With a sentence that says what it gives."""
    made = await office.share(**{"for": ["Tia"]})
    link, page = made["links"][0], Signed(office)
    try:
        await page.enter()
        text = await shown(page, f"/shares/{made['share']['id']}/links")
        assert "Make co-owner" in text and "may let in whoever knocks here" in text
        await office.call("POST", f"links/{link['id']}/coowner")
        text = await shown(page, f"/shares/{made['share']['id']}/links")
        assert "Not a co-owner any more" in text and "as soon as somebody opens the link" in text
        await enter(office, link)
        text = await shown(page, f"/shares/{made['share']['id']}/people")
        assert "co-owner" in text
    finally:
        await page.close()


async def test_race_who_is_put_out_before_the_mark_is_theirs_has_none(office: Office) -> None:
    """The link was marked before anybody opened it; its person is put out in the moment in which they have come in and
    the mark is about to be bound to them. The mark is taken, and said to be, as it is from who has it."""
    link = (await office.share(**{"for": ["Tia"]}))["links"][0]
    await office.call("POST", f"links/{link['id']}/coowner")
    await enter(office, link)
    store: Any = office.running.gate._store  # type: ignore[attr-defined]
    await store.change_link(link["id"], coowner_browser="")  # as it was in that moment
    (visit,) = (await office.call("GET", "visits"))["visits"]
    await office.call("POST", f"visits/{visit['id']}/end")
    assert not (await store.link(link["id"])).coowner
    assert "coowner.removed" in await office.actions()
