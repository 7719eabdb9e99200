"""A link and the address of a page go from hand to hand, before a real gate: what the owner's picture shows of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.gatehouse import Gatehouse, Reply

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

NAVIGATION = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
    "Accept": "text/html",
}


def browser(reply: Reply) -> str:
    """The cookie by which this browser is known at the door."""
    return next(value for key, value in reply.headers if key.lower() == "set-cookie").partition(";")[0]


async def tree(gate: Gatehouse, share: str) -> dict[str, Any]:
    answer = await gate.call("GET", f"shares/{share}/passing")
    assert answer["complete"]
    found: dict[str, Any] = answer["tree"]
    return found


async def test_from_the_owner_to_ann_to_bob_and_what_eve_tried(gate: Gatehouse) -> None:
    """Ann's link comes to Bob, who knocks and is let in; his address comes to Eve, who opens it, and knocks in vain.
    Made-up addresses are nobody's, and Ann goes on undisturbed."""
    made = await gate.share(**{"for": ["Ann"]})
    share = made["share"]["id"]
    token = urlsplit(made["links"][0]["url"]).fragment
    ann = await gate.visit(made)
    knocked = await gate.post("/join/knock", {"token": token, "name": "Bob", "same_person": False})
    await gate.call("POST", f"knocks/{knocked.json['knock']}/admit", {"role": "view"})
    state = {"knock": knocked.json["knock"]}
    bob = await gate.post("/join/knock/state", state, {"Cookie": browser(knocked)})
    address = gate.addresses.visit_in(bob.json["location"], share)
    assert address is not None
    base = gate.addresses.of(share).visit(address[1])
    for headers in ({}, {"Cookie": "sharegate-visit=made-up"}):
        for _ in range(3):
            page = await gate.raw("GET", base + "lab", {**NAVIGATION, **headers})
            assert page.status == 401
    for wrong in (base.replace(address[1], "zzzzzzzzzz"), ann.base.replace(share, "zzzzzzzzzz")):
        assert (await gate.raw("GET", wrong + "lab", NAVIGATION)).status in (401, 404)
    eve = await gate.post("/join/knock", {"address": base + "lab", "name": "Eve", "same_person": False})
    await gate.call("POST", f"knocks/{eve.json['knock']}/refuse")
    (link,) = (await tree(gate, share))["below"]
    (shown,) = link["below"]
    assert (shown["badge"], shown["state"]) == ("Ann · own link", "open")
    (let_in,) = shown["below"]
    assert (let_in["badge"], let_in["knocked"], let_in["by_address"], let_in["state"]) == (
        'says "Bob"',
        True,
        False,
        "open",
    )
    attempt, knock = let_in["below"]
    # The first of each kind at once; the others are counted within a minute.
    assert (attempt["kind"], attempt["count"], attempt["network"]) == ("attempt", 2, "127.0.0.1")
    assert (knock["badge"], knock["state"], knock["by_address"]) == ('says "Eve"', "refused", True)
    assert knock["signs"].startswith("address opened elsewhere")
    await gate.call("POST", f"visits/{let_in['id']}/end")
    assert (await ann.ask("GET", "api/contents/sub/shared")).status == 200
    (link,) = (await tree(gate, share))["below"]
    assert [one["state"] for one in (link["below"][0], link["below"][0]["below"][0])] == ["open", "ended"]
