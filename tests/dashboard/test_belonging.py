"""What is for admins or another owner's, asked by somebody who is neither."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

import pytest
from msgspec import structs

from sharegate.audit.events import Action
from sharegate.dashboard.asking import Who
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.login import Session, Viewer
from sharegate.dashboard.pages.site import ADMIN_PAGES, PAGES
from tests.dashboard.client import Signed
from tests.dashboard.conftest import Office
from tests.dashboard.pages.conftest import Scene
from tests.dashboard.pages.reading import reading
from tests.dashboard.test_alarms import DETAIL, happen
from tests.stores.records import a_share

SHARE = "k7f2k7f2k7"


@pytest.fixture
def scene(office: Office) -> Scene:
    return Scene(office)


# Each as somebody writes it: a share's id, and the longer form where a part may be left out.
ADDRESSES = [
    re.sub(r"\(\?P<id>[^)]*\)", SHARE, pattern).replace("(?:", "").replace(")?", "")
    for pattern, _, _ in (*PAGES, *ADMIN_PAGES)
]
PATHS = sorted(path for path in ADDRESSES if path.startswith("/admin"))


async def test_attack_somebody_who_is_no_admin_looks_at_the_pages_of_admins(office: Office) -> None:
    """Every address of theirs is refused with a page that shows nothing, in whatever spelling."""
    await office.share(**{"for": ["Ann"]})
    assert len(PATHS) >= 7
    async with reading(office, admin=False) as reader:
        for path in PATHS:
            for spelled in (path, path + "?q=ann&preview=1&stolen=1", path.replace("a", "%61", 1)):
                source = await reader.get(spelled, 403)
                assert "This is for admins" in source and "week3" not in source, spelled
        for path in ("/%2Fadmin", "/admin/", "/Admin", "/x/../admin//", "/admin/;/keys"):
            async with reader.http.get(path) as answer:
                assert answer.status in (403, 404), path


async def test_attack_somebody_who_is_no_admin_calls_what_their_pages_call(office: Office) -> None:
    """The API of those pages refuses them too, and so do downloads."""
    share = (await office.share())["share"]["id"]
    before = await office.everything()
    async with reading(office, admin=False) as reader:
        headers = {"Origin": reader.url, "X-CSRF-Token": reader.csrf}
        for route in office.running.api.routes:
            if route.who is Who.ADMIN:
                path = next(route.addresses())[0].replace("{id}", share)
                body = {"shares": [share]} if route.method == "POST" else None
                async with reader.http.request(route.method, path, json=body, headers=headers) as answer:
                    assert answer.status == 403 and "not_admin" in await answer.text(), route
        async with reader.http.get("/api/v1/search/download?q=week") as answer:
            assert answer.status == 403
        async with reader.http.get("/api/v1/shares") as answer:
            assert answer.status == 200
    assert await office.everything() == before


def test_all_pages_of_admins_and_no_others_stand_below_their_address() -> None:
    """So that a new one among the owner's is noticed."""
    assert all(pattern == "/admin" or pattern.startswith("/admin/") for pattern, _, _ in ADMIN_PAGES)
    assert not [pattern for pattern, _, _ in PAGES if "admin" in pattern]


async def test_attack_another_owner_reaches_for_what_is_not_theirs(office: Office, scene: Scene) -> None:
    """By ids that are right: each is answered as one that nobody has, lists leave it out, and nothing is changed."""
    made = await office.share(**{"for": ["Ann"]})
    visit = await scene.visit(made, "Ann", where="week3")
    knock = await scene.knock(made, "Eve")
    await happen(office, Action.DOCUMENT_ALARM, "week3/a.ipynb", detail=DETAIL)
    (alarm,) = (await office.call("GET", "alarms"))["alarms"]
    ids = {
        *(("visits", f"/{visit}/end"), ("visits", f"/{visit}/undo"), ("knocks", f"/{knock}/admit")),
        *(("knocks", f"/{knock}/refuse"), ("alarms", f"/{alarm['id']}/dismiss")),
    }
    before = await office.everything()
    otto = Signed(office, viewer=Viewer("Otto", owner="Otto"))
    await otto.enter()
    for what, rest in ids:
        status, said = await otto.ask("POST", f"/api/v1/{what}{rest}", {})
        missing, other = await otto.ask("POST", f"/api/v1/{what}/{'x' * 8}/{rest.split('/')[-1]}", {})
        assert (status, said["code"]) == (missing, other["code"]) == (404, "not_found")
    for ref in ("week3", "Ann", "Eve", "main", made["share"]["id"]):
        status, said = await otto.ask("GET", f"/api/v1/resolve?ref={ref}")
        assert status == 404
    assert [one["id"] for one in (await office.call("GET", "visits", here="1"))["visits"]] == [visit]
    for what in ("shares?all=1", "visits", "visits?here=1", "knocks", "alarms", "servers"):
        status, said = await otto.ask("GET", f"/api/v1/{what}")
        assert status == 200 and said[what.partition("?")[0]] == [] and not said.get("next"), what
    narrowed = [
        route.path
        for route in office.running.api.routes
        if route.of is Of.LISTED and route.method == "GET" and "share" in getattr(route.query, "__struct_fields__", ())
    ]
    assert "visits" in narrowed
    for share in (made["share"]["id"], "nobody2345"):
        status, said = await otto.ask("GET", f"/api/v1/audit?share={share}")
        assert (status, said["code"]) == (404, "not_found")
    for path in narrowed:
        status, said = await otto.ask("GET", f"/api/v1/{path}?share={made['share']['id']}")
        missing, other = await otto.ask("GET", f"/api/v1/{path}?share=nobody2345")
        assert (status, said.get("code")) == (missing, other.get("code")), path
        assert not any(name in str(said) for name in ("week3", "Ann", "Eve", visit, knock)), path
    await otto.close()
    assert await office.everything() == before


@pytest.mark.parametrize("theirs", ["a share", "a server"])
async def test_attack_an_owner_asks_for_all_records_where_others_share_too(office: Office, theirs: str) -> None:
    """While all is hers an owner may have it; from the moment on in which somebody else has a share, or a server, only
    what is of a share of hers."""
    store: Any = office.running.gate._store
    share = (await office.share())["share"]["id"]
    olga = Signed(office, viewer=Viewer("Olga", owner="Olga"))
    await olga.enter()
    status, said = await olga.ask("GET", "/api/v1/audit")
    assert status == 200, said
    if theirs == "a share":
        await store.add_share(a_share("ottos45678", owner="Otto"), [])
    else:
        (hers,) = await store.upstreams()
        await store.put_upstream(structs.replace(hers, id="ottosrv234", name="other", owner="Otto"))
    status, said = await olga.ask("GET", "/api/v1/audit")
    assert (status, said.get("code")) == (403, "not_admin")
    assert (await olga.ask("GET", f"/api/v1/audit?share={share}"))[0] == 200
    await olga.close()


async def test_attack_another_owner_looks_at_a_proof(office: Office) -> None:
    """What was found of a share, or that it is being looked for, is its owner's alone; nobody else stops it."""
    share = (await office.share(**{"for": ["Ann"]}))["share"]["id"]
    proof = (await office.call("POST", f"shares/{share}/prove", {"quick": True}))["proof"]["id"]
    otto, olga = (Signed(office, viewer=Viewer(name, owner=name)) for name in ("Otto", "Olga"))
    for who, seen in ((otto, []), (olga, [proof])):
        await who.enter()
        for query in ("", f"?share={share}"):
            status, said = await who.ask("GET", f"/api/v1/proofs{query}")
            assert (status, [one["id"] for one in said["proofs"]]) == (200, seen)
    for method, path in (("GET", f"proofs/{proof}"), ("POST", f"proofs/{proof}/stop"), ("GET", "proofs/nobody2345")):
        status, said = await otto.ask(method, f"/api/v1/{path}")
        assert (status, said["code"]) == (404, "not_found")
    assert (await olga.ask("POST", f"/api/v1/proofs/{proof}/stop"))[0] == 200
    for who in (otto, olga):
        await who.close()


async def test_attack_another_owner_listens(office: Office) -> None:
    """Their live page hears of their own shares alone."""
    share = (await office.share())["share"]["id"]
    api = office.running.api
    for viewer, hears in (
        (Viewer("Otto", owner="Otto"), False),
        (Viewer("Olga", owner="Olga"), True),
        (Viewer("Ada", admin=True), True),
        (Viewer("Nemo"), False),
    ):
        session = Session("s", viewer, "csrf")
        assert await api.tells(session.asker, share) is hears
        assert await api.tells(session.asker, "")
        assert await api.tells(session.asker, "", "report") is session.asker.for_all


async def test_attack_another_owner_listens_for_what_is_stored(office: Office, scene: Scene) -> None:
    """Each record that is written is told of by its kind and id: theirs to an owner, all to an admin."""
    otto = Signed(office, viewer=Viewer("Otto", owner="Otto"))
    ada = Signed(office, viewer=Viewer("Ada", admin=True))
    heard: list[set[str]] = []
    async with contextlib.AsyncExitStack() as stack:
        sockets = []
        for who in (otto, ada):
            await who.enter()
            stack.push_async_callback(who.close)
            sockets.append(await stack.enter_async_context(who.http.ws_connect("/live", headers=who.headers())))
            assert (await sockets[-1].receive_json())["kind"] == "hello"
        made = await office.share(**{"for": ["Ann"]})
        olgas = {made["share"]["id"], made["links"][0]["id"]}
        olgas |= {await scene.visit(made, "Ann"), await scene.knock(made, "Eve")}
        await office.call("POST", "tokens", {"name": "t", "capabilities": ["gate:read"], "expires": office.clock() + 9})
        await scene.store.add_share(a_share("ottos45678", owner="Otto"), [])
        for socket in sockets:
            heard.append(set())
            while "ottos45678" not in heard[-1]:
                heard[-1].add((await asyncio.wait_for(socket.receive_json(), 25))["id"])
    assert heard[0] - {""} == {"ottos45678"}
    assert olgas - heard[1] <= {made["links"][0]["id"]}


async def test_attack_another_owner_makes_something_in_the_name_of_the_gates_owner(office: Office) -> None:
    """A server that they add would be theirs to answer for, and Olga's to share from."""
    before = await office.everything()
    for viewer in (Viewer("Otto", owner="Otto"), Viewer("Nemo")):
        otto = Signed(office, viewer=viewer)
        await otto.enter()
        status, said = await otto.ask("POST", "/api/v1/servers", {"url": "http://192.0.2.7:8888/", "token": "t"})
        await otto.close()
        assert (status, said["code"]) == (403, "not_admin")
    assert await office.everything() == before


async def test_admins_see_every_page(office: Office) -> None:
    """None of them needs something that is not there yet."""
    made = await office.share(**{"for": ["Ann"]})
    async with reading(office) as reader:
        for path in ADDRESSES:
            if not path.startswith(("/versions/", "/undo/", "/compare")):
                id = (made["links"][0] if path.startswith("/links/") else made["share"])["id"]
                await reader.get(path.replace(SHARE, id))


async def test_an_owner_who_is_no_admin_sees_every_page_of_owners(office: Office, scene: Scene) -> None:
    """None of them asks for something that is for admins."""
    made = await office.share(**{"for": ["Ann"]})
    await scene.visit(made, "Ann", where="week3")
    await scene.knock(made, "Eve")
    async with reading(office, admin=False) as reader:
        for pattern, _, _ in PAGES:
            id = (made["links"][0] if pattern.startswith("/links/") else made["share"])["id"]
            path = re.sub(r"\(\?P<id>[^)]*\)", id, pattern).replace("(?:", "").replace(")?", "")
            if not path.startswith(("/versions/", "/undo/", "/compare")):
                source = await reader.get(path)
                assert "for admins" not in source, path
