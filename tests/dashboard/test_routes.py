"""Every route of the API, with every credential: who is let in, and who is told what."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.login import Viewer
from sharegate.dashboard.routes import Route
from sharegate.shares.api_tokens import ApiCapability
from tests.dashboard.client import Program, Signed
from tests.dashboard.conftest import Office

# By these codes somebody is not let in, whatever they ask.
OUT = {"not_signed_in", "bad_token", "cross_site", "capability_missing", "person_only", "socket_only"}
EVERYTHING = tuple(each.value for each in ApiCapability)


def addresses(office: Office) -> Iterator[tuple[Route, str]]:
    for route in office.running.api.routes:
        for path, _ in route.addresses():
            yield route, path.replace("{id}", "nobody")


async def asked(office: Office, who: Program) -> AsyncIterator[tuple[Route, int, str]]:
    for route, path in addresses(office):
        status, said = await who.ask(route.method, path, {} if route.method != "GET" else None)
        yield route, status, said.get("code", "") if status != 200 else ""


@contextlib.asynccontextmanager
async def program(office: Office, token: str = "") -> AsyncIterator[Program]:
    who = Program(office, token)
    try:
        yield who
    finally:
        await who.close()


@contextlib.asynccontextmanager
async def browser(office: Office, *, csrf: bool = True, viewer: Viewer | None = None) -> AsyncIterator[Signed]:
    who = Signed(office, csrf=csrf, viewer=viewer)
    try:
        await who.enter()
        yield who
    finally:
        await who.close()


async def test_attack_nobody_asks(office: Office) -> None:
    """Without any credential every route is the same 401."""
    async with program(office) as who:
        async for route, status, code in asked(office, who):
            assert (status, code) == (401, "not_signed_in"), route


async def test_attack_a_cookie_without_the_pages_token(office: Office) -> None:
    """It reads what its owner may read, and changes nothing."""
    async with browser(office, csrf=False) as who:
        async for route, status, code in asked(office, who):
            if route.method != "GET":
                assert (status, code) == (403, "cross_site"), route
            else:
                assert status not in (401, 403), (route, code)


async def test_a_page_does_what_is_not_for_the_terminal(office: Office) -> None:
    """With cookie and the page's token all else is let in."""
    async with browser(office) as who:
        async for route, status, code in asked(office, who):
            if route.needs is Only.TERMINAL:
                assert (status, code) == (403, "socket_only"), route
            else:
                assert code not in OUT, (route, status, code)


async def test_attack_a_token_that_lacks_the_capability(office: Office) -> None:
    """Having all the others does not help; what no capability is for, no token may do."""
    tokens = {one: await office.token(*(each for each in EVERYTHING if each != one)) for one in EVERYTHING}
    async with program(office) as who:
        for route, path in addresses(office):
            who.token = tokens.get(str(route.needs), "") or next(iter(tokens.values()))
            status, said = await who.ask(route.method, path, {} if route.method != "GET" else None)
            if route.needs is Only.SIGNED_IN:
                assert status == 200, (route, said)
                continue
            wanted = {Only.PERSON: "person_only", Only.TERMINAL: "socket_only"}
            expected = "capability_missing" if isinstance(route.needs, ApiCapability) else wanted[route.needs]
            assert (status, said["code"]) == (403, expected), route
    assert not [action for action in await office.actions() if action.startswith(("key.", "rules.", "share."))]


async def test_a_token_with_the_capability_is_let_in(office: Office) -> None:
    """With that one alone."""
    tokens = {one: await office.token(one) for one in EVERYTHING}
    async with program(office) as who:
        for route, path in addresses(office):
            if isinstance(route.needs, ApiCapability):
                who.token = tokens[route.needs.value]
                status, said = await who.ask(route.method, path, {} if route.method != "GET" else None)
                assert status == 200 or said["code"] not in OUT, (route, status, said)


async def test_attack_an_expired_token(office: Office) -> None:
    """It is the same 401 at every route, whatever it could."""
    token = await office.token(*EVERYTHING)
    office.clock.forward(86400)
    async with program(office, token) as who:
        for route, path in addresses(office):
            office.clock.forward(60)
            status, said = await who.ask(route.method, path, {} if route.method != "GET" else None)
            assert (status, said["code"]) == (401, "bad_token"), route


async def test_the_owner_at_the_terminal_may_everything(office: Office) -> None:
    """Over the socket no route is refused for who asks."""
    connector = aiohttp.UnixConnector(str(office.running.config.socket_path))
    async with aiohttp.ClientSession("http://gate", connector=connector) as http:
        for route, path in addresses(office):
            async with http.request(route.method, path, json={}) as answer:
                said = await answer.json()
                assert answer.status == 200 or said["error"]["code"] not in OUT, (route, said)


TERMINAL = {"POST store/backup", "POST store/restored", "POST logins"}
PERSON = {
    *("POST links/{id}/coowner", "DELETE links/{id}/coowner"),
    *("POST shares/{id}/{verb:confirm}", "POST servers", "DELETE servers/{id}", "POST rules/reload"),
    *("POST review/sign", "POST mail/test", "POST store/check", "POST store/copies", "GET store/work"),
    "GET config",
    *("GET notifications", "POST notifications/test"),
    *("GET reports", "POST reports/{id}/{verb:close}", "POST reports/{id}/{verb:reopen}"),
    *("POST audit/retention", "POST audit/erase", "GET tokens", "POST tokens", "POST tokens/{id}/{verb:revoke}"),
}
SIGNED_IN = {"GET me", "GET openapi.json"}
PRIVATE = {
    "POST store/backup": ("to",),
    "POST audit/anchor": ("to",),
    "GET audit/verify": ("anchors",),
    "POST shares/{id}/prove": ("to",),
    "POST servers": ("root_dir",),
}
ADDRESSES_OF_LINKS = {
    *("POST shares", "POST shares/{id}/links", "POST shares/{id}/preview", "GET links/{id}/url"),
    "POST links/{id}/{verb:pause|resume|revoke|replace}",
    *("POST rosters/share", "POST rosters/teams", "POST shares/{id}/roster", "POST links/{id}/send"),
    *("GET links/{id}/code", "POST links/{id}/code", "DELETE links/{id}/code"),
}


async def test_who_may_do_what_is_decided_for_each_verb(office: Office) -> None:
    """What is for no token, for no page, and gives out addresses of links is listed here a second time."""
    routes = {f"{route.method} {route.path}": route for route in office.running.api.routes}
    assert len(routes) == len(office.running.api.routes)
    for only, listed in ((Only.TERMINAL, TERMINAL), (Only.PERSON, PERSON), (Only.SIGNED_IN, SIGNED_IN)):
        assert {name for name, route in routes.items() if route.needs is only} == listed
    assert {name: route.private for name, route in routes.items() if route.private} == PRIVATE
    assert {routes[name].needs for name in ADDRESSES_OF_LINKS} == {ApiCapability.SHARES_WRITE}
    writing = {
        name for name, route in routes.items() if route.method != "GET" and str(route.needs).endswith((":read",))
    }
    assert writing == {"POST audit/anchor", "POST receipts/check"}
    assert {route.needs for route in routes.values()} == {*ApiCapability, *Only}


# Which person may ask, and whose things it is about: what stands in neither list is for owners, and about nobody's.
ADMIN = {
    *("GET doctor", "GET review", "POST review/sign", "POST review/pause", "GET rules", "POST rules/reload"),
    *("GET keys", "POST keys/rotate", "GET store/check", "POST store/check", "POST store/copies", "GET store/work"),
    *("POST store/backup", "POST store/restored", "POST logins", "GET config", "GET health", "POST mail/test"),
    *("GET tokens", "POST tokens", "POST tokens/{id}/{verb:revoke}", "GET search", "GET search/export"),
    "GET overview",
    *("GET notifications", "POST notifications/test"),
    *("GET reports", "POST reports/{id}/{verb:close}", "POST reports/{id}/{verb:reopen}"),
}
OF = {
    Of.LISTED: {
        *("GET gate", "GET resolve", "GET shares", "POST shares", "GET visits", "GET knocks", "GET asks"),
        "GET doors",
        *("GET alarms", "GET servers", "GET times", "GET proofs", "POST snapshots"),
        *("POST rosters/share", "POST rosters/teams"),
    },
    Of.WHOLE: {
        *("GET audit", "GET audit/lanes", "GET audit/passed-on", "GET audit/passed-on/export", "GET audit/export"),
        *("GET audit/retention", "POST audit/retention", "POST audit/erase", "POST audit/anchor"),
        "GET snapshots",
    },
    Of.SHARE: {
        *("GET shares/{id}", "PATCH shares/{id}", "POST shares/{id}/{verb:pause|resume|revoke}"),
        *("POST shares/{id}/{verb:confirm}", "POST shares/{id}/links", "POST shares/{id}/preview"),
        *("GET shares/{id}/passing", "POST shares/{id}/prove"),
        "POST shares/{id}/roster",
    },
    Of.LINK: {
        *("GET links/{id}", "GET links/{id}/url", "PATCH links/{id}", "GET links/{id}/qr"),
        *("POST links/{id}/send", "GET links/{id}/code", "POST links/{id}/code", "DELETE links/{id}/code"),
        *("POST links/{id}/{verb:pause|resume|revoke|replace}", "POST links/{id}/coowner", "DELETE links/{id}/coowner"),
    },
    Of.VISIT: {"POST visits/{id}/end", "POST visits/{id}/undo"},
    Of.KNOCK: {"POST knocks/{id}/{verb:admit}", "POST knocks/{id}/{verb:refuse}"},
    Of.ASK: {"POST asks/{id}/{verb:ran|decline}"},
    Of.TIME: {"POST times/{id}/{verb:grant}", "POST times/{id}/{verb:refuse}"},
    Of.ALARM: {"POST alarms/{id}/{verb:dismiss}"},
    Of.SERVER: {"DELETE servers/{id}", "GET servers/{id}/browse", "GET servers/{id}/reach"},
    Of.PROOF: {"GET proofs/{id}", "POST proofs/{id}/stop"},
    Of.VERSION: {"GET snapshots/{id}", "GET snapshots/{id}/difference", "POST snapshots/{id}/restore"},
}
PEOPLE = {
    "owner": Viewer("Olga", owner="Olga"),
    "admin": Viewer("Ada", admin=True),
    "other": Viewer("Otto", owner="Otto"),
    "nobody's": Viewer("Nemo"),
}


async def test_whose_things_a_verb_is_about_is_decided_for_each(office: Office) -> None:
    """What names something by its id is about somebody's, or for admins."""
    routes = {f"{route.method} {route.path}": route for route in office.running.api.routes}
    assert {name for name, route in routes.items() if route.who is Who.ADMIN} == ADMIN
    for of, listed in OF.items():
        assert {name for name, route in routes.items() if route.of is of} == listed
    assert set(OF) == set(Of) - {Of.GATE}
    loose = {name for name, route in routes.items() if "{id}" in name and route.of is Of.GATE}
    assert loose <= ADMIN


@pytest.mark.parametrize("name", PEOPLE)
async def test_each_person_may_what_the_lists_say(office: Office, name: str) -> None:
    """Every verb, asked by the owner, an admin, another owner, and somebody who owns nothing."""
    made = await office.share(**{"for": ["Ann"]})
    ids = {Of.SHARE: made["share"]["id"], Of.LINK: made["links"][0]["id"], Of.SERVER: "srv2345678"}
    theirs = name in ("owner", "admin")
    async with browser(office, viewer=PEOPLE[name]) as who:
        for route in office.running.api.routes:
            if theirs and route.of in ids and route.method != "GET":
                continue  # done by other tests; here it would end what the next ones ask for
            for path, _ in route.addresses():
                whole = path.replace("{id}", ids.get(route.of, "nobody"))
                status, said = await who.ask(route.method, whole, {} if route.method != "GET" else None)
                code = said.get("code", "") if status != 200 else ""
                if route.who is Who.ADMIN and name != "admin":
                    assert (status, code) == (403, "not_admin"), route
                elif route.needs is Only.TERMINAL:
                    assert (status, code) == (403, "socket_only"), route
                elif theirs:
                    assert code not in (OUT | {"not_admin"}), (route, said)
                elif route.of is Of.WHOLE and status != 400:
                    assert (status, code) == (403, "not_admin"), (route, said)
                elif route.of not in (Of.GATE, Of.LISTED, Of.WHOLE):
                    assert (status, code) == (404, "not_found"), (route, said)
                else:
                    assert "week3" not in str(said) and made["share"]["id"] not in str(said), (route, said)


async def test_attack_a_page_or_program_names_a_file_of_the_gates_computer(office: Office, tmp_path: Any) -> None:
    """Wherever a field names one, it is refused by name and nothing is written."""
    target = tmp_path / "written"
    share = (await office.share())["share"]["id"]
    async with browser(office) as page, program(office, await office.token(*EVERYTHING)) as token:
        for route in office.running.api.routes:
            for name in route.private:
                path = f"/api/v1/{route.path}".replace("{id}", share)
                where: Any = {"params": {name: str(target)}} if route.method == "GET" else {}
                body = None if route.method == "GET" else {name: str(target)}
                for who in (page, token):
                    status, said = await who.ask(route.method, path, body, **where)
                    assert status == 403 and said["code"] in ("socket_only", "person_only"), (route, said)
                    if route.needs is not Only.TERMINAL and said["code"] == "socket_only":
                        assert said["field"] == name
    assert not target.exists()


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "PROPFIND"])
async def test_other_methods_are_told_which_there_are(office: Office, method: str) -> None:
    """405 with Allow, to who is let in."""
    async with browser(office) as who:
        answer, said = await who.whole(method, "/api/v1/shares")
        assert answer.status == 405 and said["code"] == "method_not_allowed"
        assert answer.headers["Allow"] == "GET, HEAD, POST"
