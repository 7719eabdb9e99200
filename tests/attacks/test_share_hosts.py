"""A host for each share: who asks one share's host with what belongs to another, or to none, gets nowhere."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from sharegate.shares.model import new_id
from tests.attacks.conftest import SETTINGS
from tests.conftest import Clock
from tests.gatehouse import Gatehouse, Inside, Reply, gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


CLOCK = Clock(time.time())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, workshop: JupyterServer) -> AsyncIterator[Gatehouse]:
    folder = tmp_path_factory.mktemp("hosts")
    async with gatehouse(folder, workshop, now=CLOCK, share_hosts="localhost", **SETTINGS) as made:
        yield made


@pytest.fixture(autouse=True)
def later() -> None:
    """Each test begins when what those before it failed at is forgotten."""
    CLOCK.forward(120)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(house: Gatehouse) -> Inside:
    """An editor of one share."""
    return await house.visit(await house.share(role="edit", **{"for": ["Ann", "Cy"]}))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bo(house: Gatehouse) -> Inside:
    """A visitor of another share, which has another host."""
    return await house.visit(await house.share("sub/shared2", **{"for": ["Bo"]}), name="Bo")


@dataclass(frozen=True)
class Kind:
    """One kind of address: what to ask, with which fields beside the cookie, and what answers on the right host, on
    another share's and on the gate's own."""

    method: str
    path: str
    right: int
    other: int
    own: int
    body: str = ""
    upgrade: bool = False


# `{base}` is the visit's; `{token}`, `{door}`, `{lab}` and `{page}` are a share token and three static addresses.
KINDS = {
    "root": Kind("GET", "/", 302, 302, 302),
    "robots": Kind("GET", "/robots.txt", 200, 200, 200),
    "door": Kind("GET", "/join", 200, 200, 200),
    "door's script": Kind("GET", "{door}", 200, 200, 200),
    "about": Kind("POST", "/join/about", 200, 401, 404, '{{"token":"{token}"}}'),
    "open": Kind("POST", "/join", 200, 401, 404, '{{"token":"{token}"}}'),
    "knock": Kind("POST", "/join/knock", 200, 401, 404, '{{"token":"{token}","name":"Ann"}}'),
    "device": Kind("POST", "/join/device", 403, 403, 404, '{{"code":"ABCD2345"}}'),
    "page": Kind("GET", "{base}lab/tree/sub/shared/nb.ipynb", 200, 401, 404),
    "to the page": Kind("GET", "{base}", 302, 401, 404),
    "contents": Kind("GET", "{base}api/contents/sub/shared/nb.ipynb", 200, 401, 404),
    "file": Kind("GET", "{base}files/sub/shared/data.csv", 200, 401, 404),
    "write": Kind("PUT", "{base}api/contents/sub/shared/w.txt", 201, 401, 404, json.dumps({"type": "file"})[:-1]),
    "local answer": Kind("GET", "{base}api/me", 200, 401, 404),
    "live": Kind("GET", "{base}-/live", 101, 401, 404, upgrade=True),
    "code for a device": Kind("POST", "{base}-/device", 200, 401, 404),
    "ended": Kind("GET", "{base}-/ended", 200, 200, 404),
    "the page's script": Kind("GET", "{page}", 200, 200, 404),
    "JupyterLab's script": Kind("GET", "{lab}", 200, 200, 404),
    "for programs": Kind("GET", "/api/contents/sub/shared", 403, 403, 404),
    "path mode": Kind("GET", "/s/{share}/~{visit}/api/me", 403, 403, 401),
}
KINDS["write"] = replace(
    KINDS["write"], body='{{"type":"file","format":"text","content":"w","name":"w.txt","path":"sub/shared/w.txt"}}'
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def words(house: Gatehouse, ann: Inside) -> dict[str, str]:
    """What stands in the addresses of KINDS, read from the pages themselves."""
    page = await ann.ask("GET", "lab/tree/sub/shared/nb.ipynb")
    door = await house.raw("GET", "/join", {"Host": ann.host})
    scripts = re.findall(rb'src="([^"]+)"', page.body)
    assert len(scripts) == 2
    return {
        "base": ann.base,
        "share": ann.share["id"],
        "visit": ann.base.strip("/~"),
        "token": urlsplit(ann.link["url"]).fragment,
        "page": scripts[0].decode(),
        "lab": scripts[1].decode(),
        "door": re.findall(r'src="([^"]+)"', door.body.decode())[0],
    }


async def ask(house: Gatehouse, ann: Inside, kind: Kind, words: dict[str, str], host: str) -> Reply:
    """Ask on this host as a page there would, with the cookies of Ann's visit, which no browser would send there."""
    fields = {
        "Host": host,
        "Origin": f"http://{host.lower()}",
        "Cookie": f"{ann.cookie_name}={ann.cookie}; {ann.addresses.browser_cookie.name}={ann.browser}",
        "Sec-Fetch-Site": "same-origin",
        **({"Content-Type": "application/json"} if kind.body else {}),
        **(UPGRADE if kind.upgrade else {}),
    }
    reply = await house.raw(kind.method, kind.path.format(**words), fields, kind.body.format(**words).encode())
    if kind.path == "/join" and reply.status == 200 and kind.method == "POST":
        # The same visit again, with a new cookie.
        ann.cookie = house.inside(reply, ann.share, ann.link).cookie
    return reply


def hosts(house: Gatehouse, ann: Inside, bo: Inside) -> dict[str, str]:
    port = house.running.config.gate_port
    return {
        "right": ann.host,
        "upper case": ann.host.upper(),
        "other": bo.host,
        "unknown": f"{new_id()}.localhost:{port}",
        "no id at all": f"a-b.localhost:{port}",
        "own": f"127.0.0.1:{port}",
        "trailing dot": f"{ann.share['id']}.localhost.:{port}",
        "no port": f"{ann.share['id']}.localhost",
        "the dashboard's port": f"{ann.share['id']}.localhost:{house.running.config.dashboard_port}",
        "deeper": f"x.{ann.host}",
        "the base": f"localhost:{port}",
        "below the own": f"{ann.share['id']}.127.0.0.1:{port}",
        "ipv6": f"[::1]:{port}",
        "nobody's": "evil.example",
        "empty label": f".localhost:{port}",
    }


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_address_on_every_kind_of_host(
    house: Gatehouse, ann: Inside, bo: Inside, words: dict[str, str], kind: str
) -> None:
    """What is Ann's is answered on her share's host. On any other share's host, whether there is such a share or not,
    her cookies are nobody's; the gate's own host has a door and nothing else; any other name is none of ours."""
    asked = KINDS[kind]
    found = {name: await ask(house, ann, asked, words, host) for name, host in hosts(house, ann, bo).items()}

    statuses = {name: reply.status for name, reply in found.items()}
    expected = dict.fromkeys(statuses, 421)
    expected |= {"right": asked.right, "upper case": asked.right, "own": asked.own}
    expected |= dict.fromkeys(("other", "unknown", "no id at all"), asked.other)
    if kind == "write":
        expected["upper case"] = 200  # written again
    if kind in ("the page's script", "JupyterLab's script"):
        # Scripts are for shares that stand, and there is nothing in them that is anybody's.
        expected |= dict.fromkeys(("unknown", "no id at all"), 404)
    assert statuses == expected


def told(reply: Reply) -> tuple[int, bytes, list[tuple[str, str]]]:
    """An answer without what differs each time."""
    body = re.sub(rb"\b[2-9b-z]{8}\b(?=</span>|\")", b"", reply.body)
    return reply.status, body, [field for field in reply.headers if field[0] not in ("Date", "Content-Length")]


@pytest.mark.parametrize("path", ["lab/tree/x", "api/contents/x", "files/x", "-/ended", "-/leave", "api/x?token=y"])
async def test_attack_learning_whether_a_share_has_a_host(house: Gatehouse, ann: Inside, path: str) -> None:
    """The host of a share that does not exist answers like that of one which does, to whoever has nothing of it."""
    answers = []
    for host in (ann.host, f"{new_id()}.localhost:{house.running.config.gate_port}"):
        for method in ("GET", "POST"):
            fields = {"Host": host, "Origin": f"http://{host}", "Accept": "text/html"}
            answers.append(told(await house.raw(method, f"/~{new_id()}/{path}", fields)))

    assert answers[:2] == answers[2:]
    assert answers[0][0] in (200, 401)


async def test_what_a_visit_is_given_on_its_own_host(house: Gatehouse, ann: Inside) -> None:
    """Cookies that no other host can set and that go nowhere else; a page whose every address is of its host."""
    token = urlsplit(ann.link["url"]).fragment
    known = {"Cookie": f"{ann.addresses.browser_cookie.name}={ann.browser}"}
    reply = await house.post("/join", {"token": token, "name": ""}, house.door(ann.share["id"]) | known)
    fields = [value for name, value in reply.headers if name.lower() == "set-cookie"]
    ann.cookie = house.inside(reply, ann.share, ann.link).cookie

    assert ann.link["url"].startswith(f"http://{ann.share['id']}.localhost:{house.running.config.gate_port}/join#")
    assert [field.partition("=")[0] for field in fields] == [
        f"__Host-sharegate-visit-{ann.base.strip('/~')}",
        "__Host-sharegate-browser",
    ]
    for field in fields:
        attributes = {part.strip().partition("=")[0].lower() for part in field.split(";")[1:]}
        assert attributes == {"path", "max-age", "httponly", "samesite", "secure"}
        assert "; Path=/;" in field
    page = await ann.ask("GET", "lab/tree/sub/shared/nb.ipynb")
    assert b"/s/" not in page.body
    assert f"ws://{ann.host}" in page.header("Content-Security-Policy")
    assert page.header("Cross-Origin-Opener-Policy") == "same-origin"
    assert page.header("Cross-Origin-Resource-Policy") == "same-origin"
    specs = (await ann.ask("GET", "api/kernelspecs")).json["kernelspecs"]["python3"]["resources"]
    assert specs and all(url.startswith(ann.base) for url in specs.values())
    made = await ann.ask(
        "POST", "api/contents/sub/shared", headers={"Content-Type": "application/json"}, body=b'{"type":"file"}'
    )
    assert made.header("Location").startswith(f"{ann.base}api/contents/sub/shared/")
    assert (await ann.ask("GET", "")).header("Location") == f"{ann.base}lab/tree/sub/shared"


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize("path", ["api/contents/sub/shared", "files/sub/shared/data.csv", "lab/tree/sub/shared"])
async def test_attack_asking_from_a_sibling(ann: Inside, site: str, path: str) -> None:
    """A page of another share's host may send people here in a tab of their own, and may do nothing else, however near
    its name is."""
    from_there = {"Sec-Fetch-Site": site}
    asked = {
        "cors": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        "no-cors": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        "script": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        "frame": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        "object": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object"},
    }
    for name, fields in asked.items():
        reply = await ann.ask("GET", path, headers=from_there | fields)
        assert (reply.status, reply.public) == (403, "cross_site"), name
    followed = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert (await ann.ask("GET", path, headers=from_there | followed)).status == 200
    assert (await ann.ask("POST", "-/leave", headers=from_there | followed)).status == 403


async def test_attack_origins_beside_the_right_one(house: Gatehouse, ann: Inside, bo: Inside) -> None:
    """A change, a channel or the door is opened from the share's own origin, to the letter, and from no other."""
    own = f"http://{ann.host}"
    near = [
        *(bo.origin, house.origin, "http://localhost:8870", f"https://{ann.host}", own.rpartition(":")[0], own + "."),
        *(own.upper(), f"{own}/", f"{own}, {own}", "null", "", f"http://x.{ann.host}"),
    ]
    token = urlsplit(ann.link["url"]).fragment
    for origin in near:
        reply = await ann.ask("POST", "-/device", headers={"Origin": origin})
        assert (reply.status, reply.public) == (403, "cross_site"), origin
        assert await ann.upgrade("-/live", headers={"Origin": origin}) == 403, origin
        door = house.door(ann.share["id"]) | {"Origin": origin}
        assert (await house.post("/join/about", {"token": token}, door)).status == 403, origin
    assert await ann.upgrade("-/live") == 101


async def test_attack_a_planted_cookie(ann: Inside, bo: Inside) -> None:
    """What another host could plant, a cookie without the prefix, is not looked at; a second of the right name is
    refused instead of chosen from; and another visit's cookie under this visit's name opens nothing."""
    name, visit = ann.cookie_name, ann.base.strip("/~")
    planted = [
        (f"sharegate-visit={ann.cookie}", 401),
        (f"sharegate-visit-{visit}={ann.cookie}", 401),
        (f"__Secure-sharegate-visit-{visit}={ann.cookie}", 401),
        (f"__host-sharegate-visit-{visit}={ann.cookie}", 401),
        (f"{name}={bo.cookie}", 401),
        (f"{name}={ann.cookie}; {name}={bo.cookie}", 401),
        (f"{name}={bo.cookie}; {name}={ann.cookie}", 401),
        (f"sharegate-visit-{visit}={bo.cookie}; {name}={ann.cookie}", 200),
        (f"{bo.cookie_name}={bo.cookie}; {name}={ann.cookie}", 200),
    ]
    for cookie, status in planted:
        reply = await ann.ask("GET", "api/me", headers={"Cookie": cookie})
        assert reply.status == status, cookie


async def test_attack_another_shares_link_code_knock_and_address(house: Gatehouse, ann: Inside, bo: Inside) -> None:
    """At one share's door nothing of another's is known: its link, a code for its devices, a knock on it, or the
    address of a visit; and none of them is told from what does not exist."""
    here = house.door(bo.share["id"])
    token = urlsplit(ann.link["url"]).fragment
    code = (await ann.ask("POST", "-/device")).json["code"]
    there = house.door(ann.share["id"])
    knocked = await house.post("/join/knock", {"token": token, "name": "Eve"}, there)
    knock = knocked.json["knock"]
    known = {"Cookie": knocked.header("Set-Cookie").partition(";")[0]}
    await house.call("POST", f"knocks/{knock}/admit", {})
    events = len(await house.events(action="knock.made"))

    for path, body in [
        ("/join/about", {"token": token}),
        ("/join", {"token": token}),
        ("/join/knock", {"token": token, "name": "E"}),
    ]:
        reply = await house.post(path, body, here)
        assert (reply.status, reply.public) == (401, "no_access"), path
    reply = await house.post("/join/device", {"code": code}, here)
    assert (reply.status, reply.public) == (403, "device_code_invalid")
    state = await house.post("/join/knock/state", {"knock": knock}, here | known)
    assert state.json == {"knock": knock, "state": "waiting"}
    assert not state.header("Set-Cookie")
    state = await house.post("/join/knock/state", {"knock": knock}, there | known)
    assert state.json["state"] == "admitted"
    for address in (f"{ann.base}lab", f"/s/{ann.share['id']}{ann.base}lab"):
        heard = await house.post("/join/knock", {"address": address, "name": "Eve"}, here)
        assert heard.json["state"] == "waiting"
    assert len(await house.events(action="knock.made")) == events, "nobody knocked"
    # The code was not spent by that.
    used = await house.post("/join/device", {"code": code}, house.door(ann.share["id"]))
    assert used.status == 200


async def test_knocking_at_the_address_of_a_visit_on_its_own_host(house: Gatehouse, ann: Inside) -> None:
    """The path alone names the visit there; the owner hears it."""
    before = len(await house.events(action="knock.made"))
    door = house.door(ann.share["id"])
    knocked = await house.post("/join/knock", {"address": f"{ann.base}lab/tree/x", "name": "Eve"}, door)

    assert knocked.json["state"] == "waiting"
    assert any(name == "Set-Cookie" and value.startswith("__Host-") for name, value in knocked.headers)
    assert len(await house.events(action="knock.made")) == before + 1


async def test_a_navigation_without_the_cookie_is_shown_the_door(house: Gatehouse, ann: Inside) -> None:
    """The page about somebody's visit, as in path mode, and on the gate's own host the words to open the link again for
    an address kept from path mode."""
    fields = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Host": ann.host}
    reply = await house.raw("GET", f"{ann.base}lab", fields)
    assert reply.status == 401
    assert b"This address belongs to" in reply.body
    old = await house.raw("GET", f"/s/{ann.share['id']}{ann.base}lab", {**fields, "Host": house.addresses.host})
    assert old.status == 401
    assert b"Open the link you were given" in old.body
    assert b"Or knock" not in old.body


async def test_a_link_of_path_mode_is_still_good(
    tmp_path_factory: pytest.TempPathFactory, jupyter: JupyterServer
) -> None:
    """The mode may change: the token of an old link opens the door of its share's host, and back again."""
    folder = tmp_path_factory.mktemp("changing")
    async with gatehouse(folder, jupyter) as before:
        made = await before.share()
        token = urlsplit(made["links"][0]["url"]).fragment
        visit = await before.visit(made)
    async with gatehouse(folder, jupyter, share_hosts="localhost") as after:
        door = after.door(made["share"]["id"])
        known = {"Cookie": f"__Host-sharegate-browser={visit.browser}"}
        assert (await after.post("/join/about", {"token": token}, door)).json["state"] == "in_use"
        assert (await after.post("/join/about", {"token": token}, door | known)).json["state"] == "reenter"
    async with gatehouse(folder, jupyter) as again:
        about = await again.post("/join/about", {"token": token}, {"Cookie": f"sharegate-browser={visit.browser}"})
        assert about.json["state"] == "reenter"
        assert (await replace(visit, gate=again).ask("GET", "api/me")).status == 200
