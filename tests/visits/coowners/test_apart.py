"""Who is given a co-owner's page, and whose WebSocket is let in."""

from __future__ import annotations

import contextlib

import aiohttp
import pytest

from sharegate.visits.coowners.apart import PAGES
from sharegate.visits.coowners.live import MOST_PAGES
from sharegate.visits.coowners.page import SUBPROTOCOL
from tests.gatehouse import Reply
from tests.visits.coowners.school import OPENING, School, key_of


def plain(reply: Reply) -> tuple[int, int]:
    return reply.status, len(reply.body)


async def test_a_person_who_opens_the_page_gets_it(school: School) -> None:
    """From a page of the share, or by typing its address; it belongs to no origin, and nobody keeps it."""
    tia = await school.coowner(await school.share())
    for site in ("same-origin", "none"):
        reply = await school.page(tia, Sec_Fetch_Site=site)
        assert reply.status == 200 and reply.header("Cache-Control") == "no-store"
        policy = reply.header("Content-Security-Policy")
        assert policy.endswith("sandbox allow-scripts") and "frame-ancestors 'none'" in policy
        assert reply.header("Cross-Origin-Opener-Policy") == "", "a browser would show an error instead"
    (first, second) = [one for one in await school.events("request.answered") if one["path"] == "-/coowner"]
    assert first["name"] == "Tia" and second["rule"] == "own"
    assert await school.key(tia) != await school.key(tia)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"},
        {"Sec_Fetch_Mode": "same-origin", "Sec_Fetch_Dest": "empty"},
        {"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"},
        {"Sec_Fetch_Mode": "cors"},
        {"Sec_Fetch_Dest": "iframe"},
        {"Sec_Fetch_Dest": "frame"},
        {"Sec_Fetch_Dest": "embed"},
        {"Sec_Fetch_Dest": "object"},
        {"Sec_Fetch_Dest": "fencedframe"},
        {"Sec_Purpose": "prefetch"},
        {"Sec_Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"Sec_Fetch_Mode": None, "Sec_Fetch_Dest": "empty"},
    ],
    ids=lambda headers: " ".join(f"{value}" for value in headers.values()),
)
async def test_attack_a_script_beside_asks_for_the_page(school: School, headers: dict[str, str | None]) -> None:
    """What is no navigation of a whole tab reads what any visitor reads of an address that there is not."""
    tia = await school.coowner(await school.share())
    reply = await school.page(tia, **headers)
    assert reply.status == 404 and b"data-key" not in reply.body
    assert plain(reply) == plain(await school.page(tia, address="-/nothing", **headers))


@pytest.mark.parametrize("missing", ["Sec_Fetch_Mode", "Sec_Fetch_Dest", "Sec_Fetch_Site"])
async def test_attack_a_browser_that_does_not_say_how_it_asks(school: School, missing: str) -> None:
    """Without these fields, as over plain http from elsewhere, nobody can tell a script from a person: no key."""
    tia = await school.coowner(await school.share())
    reply = await school.page(tia, **{missing: None})
    assert reply.status == 403 and b"cannot be opened safely" in reply.body and b"data-key" not in reply.body


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_attack_another_site_leads_there(school: School, site: str) -> None:
    """A click in the gate's own page is asked for first: what another site opened holds no key."""
    tia = await school.coowner(await school.share())
    reply = await school.page(tia, Sec_Fetch_Site=site)
    assert reply.status == 403 and b"data-key" not in reply.body
    assert f'href="{tia.base}-/coowner"'.encode() in reply.body and b"<script" not in reply.body


async def test_attack_two_values_of_one_field(school: School) -> None:
    """A field that is there twice is not the one that is hoped for."""
    tia = await school.coowner(await school.share())
    for field in ("Sec-Fetch-Mode", "Sec-Fetch-Dest"):
        said = [*tia.manners("GET").items(), *OPENING.items(), (field.lower(), "cors")]
        reply = await school.gate.raw("GET", tia.base + "-/coowner", dict(said))
        assert reply.status in (400, 404) and b"data-key" not in reply.body


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "DELETE"])
async def test_nothing_but_get_is_known_there(school: School, method: str) -> None:
    """Acts go over the page's own connection alone."""
    tia = await school.coowner(await school.share())
    reply = await tia.ask(method, "-/coowner", headers={**OPENING, "Content-Type": "application/json"}, body=b"")
    assert reply.status == 404


async def test_attack_a_visitors_page_opens_the_channel(school: School) -> None:
    """A script of the gate's origin has the visit's cookie, and neither the key nor an opaque origin."""
    made = await school.share()
    tia, ann = await school.coowner(made), await school.gate.visit(made, 1)
    key = await school.key(tia)
    cookie = {"Cookie": f"{tia.cookie_name}={tia.cookie}"}
    for origin in (tia.origin, "https://evil.example"):
        assert await school.handshake(tia, key, Origin=origin, **cookie) in (403, 404), "with the key even"
    for wrong in ("", "x", "y" * 120, key[:-1] + ("0" if key[-1] != "0" else "1"), key.replace(".", "..", 1)):
        assert await school.handshake(tia, wrong or "none", **cookie) in (400, 403, 404)
        assert await school.handshake(tia, wrong or "none") == 401
    assert await school.handshake(ann, key) == 401, "the key is Tia's"
    assert await school.handshake(tia, key) == 101


async def test_attack_a_key_at_another_address_or_in_another_place(school: School) -> None:
    """It counts below its own share alone, and as the second of two protocols."""
    made, other = await school.share(), await school.gate.share("week4", **{"for": ["Ann"]})
    tia = await school.coowner(made)
    key = await school.key(tia)
    elsewhere = tia.base.replace(made["share"]["id"], other["share"]["id"])
    handshakes = [(elsewhere, (SUBPROTOCOL, key)), (tia.base, (SUBPROTOCOL,)), (tia.base, (key,))]
    handshakes += [(tia.base, (SUBPROTOCOL, key, "more")), (tia.base, (key, SUBPROTOCOL))]
    said = {"Origin": "null", "Host": tia.host}
    async with aiohttp.ClientSession() as session:
        for base, protocols in handshakes:
            url = school.gate.origin.replace("http", "ws", 1) + base + "-/coowner"
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url, protocols=protocols, headers=said)
            assert refused.value.status == 401, (base, protocols)
    assert await school.handshake(tia, key) == 101


async def test_attack_a_key_outlives_what_it_is_of(school: School) -> None:
    """Not the mark, not the visit's cookie (the link opened again), and not half a day."""
    made = await school.share()
    tia = await school.coowner(made)
    key = await school.key(tia)
    link = f"links/{tia.link['id']}/coowner"
    await school.gate.call("DELETE", link)
    assert await school.handshake(tia, key) == 401
    await school.gate.call("POST", link)
    assert await school.handshake(tia, key) == 101
    school.clock.forward(12 * 3600 + 1)
    assert await school.handshake(tia, key) == 401
    key = await school.key(tia)
    again = await school.reenter(tia)
    assert await school.handshake(tia, key) == 401
    assert (await school.page(tia)).status == 401, "the cookie of before"
    assert await school.handshake(again, key_of(await school.page(again))) == 101


async def test_pages_are_limited(school: School) -> None:
    """So many open at once, and so many loaded in a minute."""
    tia = await school.coowner(await school.share())
    key = await school.key(tia)
    async with contextlib.AsyncExitStack() as tabs:
        for _ in range(MOST_PAGES):
            await tabs.enter_async_context(school.tab(tia, key))
        assert await school.handshake(tia, key) == 429
    for _ in range(int(PAGES.burst)):
        await school.page(tia)
    assert (await school.page(tia)).status == 429
