"""Whatever is asked at a co-owner's page, by everybody who is none: the same as if there were no such page."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from sharegate.visits.coowners.keys import PageKeys
from tests.gatehouse import Inside
from tests.visits.coowners.school import School

Who = Callable[[School, dict[str, Any]], Awaitable[tuple[Inside, str]]]


def keys_of(school: School) -> PageKeys:
    return school.gate.running.gate._own._coowners._keys  # type: ignore[attr-defined, no-any-return]


async def with_key(school: School, inside: Inside) -> tuple[Inside, str]:
    """With the best key that there could be: one that the gate would have given them."""
    visit = await school.gate.running.gate._store.visit(inside.base.rpartition("~")[2].rstrip("/"))  # type: ignore[attr-defined]
    return inside, keys_of(school).give(visit) if visit is not None else "none"


async def visitor(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """Ann, who has a link of her own."""
    return await with_key(school, await school.gate.visit(made, 2))


async def stranger(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """Nobody: the address of Tia's page, without her cookie, and a key of somebody else's."""
    tia, (_, key) = await school.coowner(made, 1), await visitor(school, made)
    return replace(tia, cookie="stolen"), key


async def put_out(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """A co-owner whose visit the owner ended."""
    tia, key = await with_key(school, await school.coowner(made, 1))
    await school.gate.call("POST", f"visits/{tia.base.rpartition('~')[2].rstrip('/')}/end")
    return tia, key


async def left(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """A co-owner who left, and keeps the cookie and a page; the mark is still bound to that browser."""
    tia, key = await with_key(school, await school.coowner(made, 1))
    reply = await tia.ask("POST", "-/leave", headers={"Content-Type": "application/json"}, body=b"{}")
    assert reply.status == 204, reply.body
    (link,) = [one for one in (await links_of(school, made)) if one["id"] == tia.link["id"]]
    assert link["coowner"]
    return tia, key


async def links_of(school: School, made: dict[str, Any]) -> list[dict[str, Any]]:
    shares = (await school.gate.call("GET", "shares", all="1"))["shares"]
    return [link for share in shares if share["id"] == made["share"]["id"] for link in share["links"]]


async def unmarked(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """A co-owner from whom the owner took it."""
    tia, key = await with_key(school, await school.coowner(made, 1))
    await school.gate.call("DELETE", f"links/{tia.link['id']}/coowner")
    return tia, key


async def of_another_share(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """A co-owner of another share, with its cookie and key at this one's address."""
    other = await school.coowner(await school.gate.share("week4", **{"for": ["Tom"]}))
    tia, (_, key) = await school.coowner(made, 1), await with_key(school, other)
    return replace(tia, cookie=other.cookie), key


async def on_another_device(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """Whoever got a code for another device of the co-owner's: by a script in her page, perhaps."""
    tia = await school.coowner(made, 1)
    headers = {"Content-Type": "application/json"}
    code = (await tia.ask("POST", "-/device", headers=headers, body=b"{}")).json["code"]
    reply = await school.gate.post("/join/device", {"code": code}, school.gate.door(made["share"]["id"]))
    return await with_key(school, school.gate.inside(reply, made["share"], tia.link))


async def let_in_at_the_link(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """To whom the co-owner's link was passed on, and whom the owner let in."""
    tia = await school.coowner(made, 1)
    knock = await school.knock(tia.link, browser="another-browser")
    await school.gate.call("POST", f"knocks/{knock}/admit", {})
    return await with_key(school, await school.admitted(knock, tia.link, "another-browser"))


async def let_in_by_a_co_owner(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """Whom a co-owner let in, at a link that was marked afterwards: the mark is bound to nobody whom they let in."""
    tia, link = await school.coowner(made, 1), made["links"][2]
    await school.gate.visit(made, 2)
    knock = await school.knock(link, browser="another-browser")
    async with school.tab(tia) as tab:
        assert (await tab.ask("admit", knock))["problem"] == ""
    eve = await school.admitted(knock, link, "another-browser")
    visits = (await school.gate.call("GET", "visits"))["visits"]
    await school.gate.call("POST", f"visits/{next(one['id'] for one in visits if one['name'] == 'Ann')}/end")
    marked = await school.gate.call("POST", f"links/{link['id']}/coowner")
    assert marked["visit"] is None
    return await with_key(school, eve)


async def link_is_paused(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    tia, key = await with_key(school, await school.coowner(made, 1))
    await school.gate.call("POST", f"links/{tia.link['id']}/pause")
    return tia, key


async def link_is_ended(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    tia, key = await with_key(school, await school.coowner(made, 1))
    await school.gate.call("POST", f"links/{tia.link['id']}/revoke")
    return tia, key


async def share_is_ended(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    tia, key = await with_key(school, await school.coowner(made, 1))
    await school.gate.call("POST", f"shares/{made['share']['id']}/revoke")
    return tia, key


async def expired(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    tia = await school.coowner(made, 1)
    await school.gate.call("PATCH", f"links/{tia.link['id']}", {"expires": school.clock() + 60})
    tia, key = await with_key(school, tia)
    school.clock.forward(61)
    return tia, key


async def lacks_the_passphrase(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """The link asks for something since she came."""
    tia, key = await with_key(school, await school.coowner(made, 1))
    await school.gate.call("PATCH", f"links/{tia.link['id']}", {"passphrase": "a long passphrase"})
    return tia, key


async def outside_the_networks(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    tia, key = await with_key(school, await school.coowner(made, 1))
    await school.gate.call("PATCH", f"links/{tia.link['id']}", {"networks": ["192.0.2.0/24"]})
    return tia, key


async def suspended(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """The folder is another one: nobody comes in before the owner confirmed it."""
    tia, key = await with_key(school, await school.coowner(made, 1))
    await school.gate.running.gate._store.change_share(made["share"]["id"], suspended=True)  # type: ignore[attr-defined]
    return tia, key


async def forbidden_by_the_rules(school: School, made: dict[str, Any]) -> tuple[Inside, str]:
    """Since a moment ago; the mark is still there."""
    tia, key = await with_key(school, await school.coowner(made, 1))
    rules = school.gate.running.api.rules._in_force  # type: ignore[attr-defined]
    rules.rules = replace(rules.rules, coowners=False)
    return tia, key


NOBODIES: list[Who] = [
    *(visitor, stranger, put_out, unmarked, of_another_share, on_another_device, let_in_at_the_link),
    *(let_in_by_a_co_owner, link_is_paused, link_is_ended, share_is_ended, expired, lacks_the_passphrase),
    *(outside_the_networks, suspended, forbidden_by_the_rules, left),
]


@pytest.mark.parametrize("who", NOBODIES, ids=lambda who: who.__name__)
async def test_attack_the_page_and_its_channel(school: School, who: Who) -> None:
    """Neither is there, by cookie or by key: what is answered is what any other address is answered with."""
    made = await school.share("Olaf", "Tia", "Ann", "Bo")
    inside, key = await who(school, made)
    for headers in ({}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Dest": "iframe"}, {"Sec_Fetch_Mode": None}):
        here, elsewhere = await school.page(inside, **headers), await school.page(inside, address="-/nobody", **headers)
        assert b"data-key" not in here.body and b"Who comes in" not in here.body
        assert (here.status, len(here.body)) == (elsewhere.status, len(elsewhere.body))
    cookie = {"Cookie": f"{inside.cookie_name}={inside.cookie}"}
    for more in ({}, cookie, {**cookie, "Origin": inside.origin}):
        assert await school.handshake(inside, key, **more) in (401, 403, 404, 410)


ACTS = ("admit", "refuse", "remove", "pause", "resume")
ENDINGS: list[Who] = [
    *(put_out, unmarked, link_is_paused, link_is_ended, share_is_ended, lacks_the_passphrase, outside_the_networks),
    *(suspended, forbidden_by_the_rules),
]


@pytest.mark.parametrize("who", ENDINGS, ids=lambda who: who.__name__)
@pytest.mark.parametrize("act", ACTS)
async def test_attack_an_open_page_after_the_end(
    school: School, monkeypatch: pytest.MonkeyPatch, who: Who, act: str
) -> None:
    """Nothing is done from a page that was open when it ended, also when the end has not come to the page yet."""
    made = await school.share("Olaf", "Tia", "Ann", "Bo")
    ann = await school.gate.visit(made, 2)
    knock = await school.knock(made["links"][2])
    ids = {"admit": knock, "refuse": knock, "remove": ann.base.rpartition("~")[2].rstrip("/")}
    tabs: list[Any] = []
    opened = School.coowner

    async def with_a_page(self: School, made: dict[str, Any], number: int = 0) -> Inside:
        inside = await opened(self, made, number)
        tabs.append(await stack.enter_async_context(self.tab(inside)))
        if act == "resume":
            assert (await tabs[0].ask("pause"))["problem"] == ""
        # From here on the page hears of nothing by itself.
        live = self.gate.running.gate._own._coowners._live  # type: ignore[attr-defined]
        monkeypatch.setattr(live, "_look", 3600)
        monkeypatch.setattr(live, "changed", lambda change: None)
        monkeypatch.setattr(live, "_wake", lambda: None)
        return inside

    monkeypatch.setattr(School, "coowner", with_a_page)
    async with contextlib.AsyncExitStack() as stack:
        await who(school, made)
        before = await school.gate.call("GET", "shares", all="1")
        assert await tabs[0].ask(act, ids.get(act, "")) == {} and tabs[0].over
        monkeypatch.undo()
    after = await school.gate.call("GET", "shares", all="1")
    assert after == before
    assert [one["id"] for one in (await school.gate.call("GET", "knocks"))["knocks"]] == [knock]
    done = [one["action"] for one in await school.events() if one["actor"].startswith("coowner:")]
    assert done == (["share.paused"] if act == "resume" else [])


@pytest.mark.parametrize("who", [*ENDINGS, left], ids=lambda who: who.__name__)
async def test_an_open_page_ends_at_once(school: School, monkeypatch: pytest.MonkeyPatch, who: Who) -> None:
    """Within the second, without being asked anything."""
    made = await school.share("Olaf", "Tia", "Ann", "Bo")
    opened, tabs = School.coowner, []

    async def with_a_page(self: School, made: dict[str, Any], number: int = 0) -> Inside:
        inside = await opened(self, made, number)
        tabs.append(await stack.enter_async_context(self.tab(inside)))
        return inside

    monkeypatch.setattr(School, "coowner", with_a_page)
    async with contextlib.AsyncExitStack() as stack:
        await who(school, made)
        assert await tabs[0].ended() == 4403 and tabs[0].over
