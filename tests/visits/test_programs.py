"""Programs at their address: which token counts, whose visit it is, and from where it is used."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sharegate.audit.events import AuditEvent
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.limits import Rate
from sharegate.messages import Headers, Request, Response
from sharegate.shares.issue import NewLink
from sharegate.shares.model import Grant, Link, Role, Share, Visit, VisitKind
from sharegate.visits.entry import badge
from sharegate.visits.programs import ONE_BY_ONE, PLACE_SECONDS, PLACES, Programs, read_token, room_for
from tests.conftest import Clock
from tests.house import ANN, House, Notes, house

HERE, THERE = "192.0.2.7", "198.51.100.9"
HERE_KEPT, THERE_KEPT = "192.0.2.0/24", "198.51.100.0/24"
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


@pytest.fixture
def programs(home: House) -> Programs:
    return Programs(home.store, home.authenticator, home.notes, home.clock)


def asking(target: str = "/s/x/api", headers: dict[str, str] | None = None, *, peer: str = HERE) -> Request:
    return Request("GET", target, Headers((headers or {}).items()), peer)


def with_token(token: str, *, peer: str = HERE, agent: str = "script/1") -> Request:
    return asking(headers={"Authorization": f"Bearer {token}", "User-Agent": agent}, peer=peer)


async def enter(programs: Programs, share: Share, request: Request) -> Grant:
    asked = read_token(request, request.target.partition("?")[2])
    grant = await programs.enter(asked, share.id)
    await programs.come_from(grant, asked.request)
    return grant


async def refused(call: Any) -> Reason:
    with pytest.raises(Denied) as caught:
        await call
    return caught.value.reason


async def for_programs(home: House, *links: NewLink, **more: Any) -> tuple[Share, list[Link]]:
    return await home.share(*links, clients=True, **more)


# -- the token --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "query", "rest"),
    [
        ({"Authorization": "Bearer a.b.c"}, "", ""),
        ({"authorization": "token a.b.c"}, "content=1", "content=1"),
        ({"Authorization": "BEARER  a.b.c "}, "", ""),
        ({}, "token=a.b.c", ""),
        ({}, "content=1&token=a.b.c&hash=1", "content=1&hash=1"),
        ({}, "%74oken=a%2Eb.c&tokens=x", "tokens=x"),
        ({"Authorization": "Bearer a.b.c"}, "token=a.b.c&x=1", "x=1"),
    ],
)
def test_a_token_is_taken_from_where_programs_put_it_and_goes_no_further(
    headers: dict[str, str], query: str, rest: str
) -> None:
    """As Jupyter's servers take it; what is asked then holds it nowhere but in the one field that is never shown."""
    request = asking("/s/x/api/contents" + (f"?{query}" if query else ""), {**headers, "Accept": "*/*"})
    asked = read_token(request, query)

    assert asked.token == "a.b.c"
    assert asked.query == rest
    assert asked.request.target == "/s/x/api/contents" + (f"?{rest}" if rest else "")
    assert asked.request.headers.items() == (("Accept", "*/*"),)
    assert "a.b.c" not in repr(asked)


@pytest.mark.parametrize(
    ("fields", "query", "reason"),
    [
        ([], "", Reason.NO_CREDENTIAL),
        ([], "Token=a", Reason.NO_CREDENTIAL),
        ([("Authorization", "Basic YTpi")], "", Reason.BAD_CREDENTIAL),
        ([("Authorization", "a.b.c")], "", Reason.BAD_CREDENTIAL),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer a")], "", Reason.AMBIGUOUS_CREDENTIAL),
        ([], "token=a&token=a", Reason.AMBIGUOUS_CREDENTIAL),
        ([], "token=a&%74oken=b", Reason.AMBIGUOUS_CREDENTIAL),
        ([("Authorization", "Bearer a")], "token=b", Reason.AMBIGUOUS_CREDENTIAL),
    ],
)
def test_no_token_or_two_are_refused(fields: list[tuple[str, str]], query: str, reason: Reason) -> None:
    """Whoever shows two credentials may mean either: neither counts."""
    with pytest.raises(Denied) as caught:
        read_token(Request("GET", "/s/x/api", Headers(fields), HERE), query)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "name",
    [
        *("Cookie", "cookie2", "Origin", "Service-Worker"),
        *("Sec-Fetch-Site", "Sec-Fetch-Mode", "sec-fetch-dest", "Sec-Fetch-User"),
    ],
)
def test_what_only_browsers_send_is_refused_beside_a_good_token(name: str) -> None:
    """A page's script, with or without its person's cookies, does not use the address of programs."""
    with pytest.raises(Denied) as caught:
        read_token(asking(headers={"Authorization": "Bearer a.b.c", name: "x"}), "")
    assert caught.value.reason is Reason.BROWSER_ON_PROGRAM_ADDRESS


# -- the visit --------------------------------------------------------------------------------------------------------


async def test_the_first_use_makes_a_visit_that_takes_no_seat_and_the_next_ones_are_the_same(
    home: House, programs: Programs
) -> None:
    """A thousand requests of a script are one visit; the link's person still gets in with a browser."""
    share, (link,) = await for_programs(home, role="edit")
    grants = [await enter(programs, share, with_token(home.token(link))) for _ in range(5)]
    entry = await home.door.open(home.token(link), "", ANN)

    assert len({grant.visit.id for grant in grants}) == 1
    grant = grants[0]
    assert grant.visit.kind is VisitKind.CLIENT
    assert (grant.role, grant.base, grant.expires) == (Role.EDIT, f"/s/{share.id}/", link.expires)
    assert badge(link, grant.visit) == "Ann · program"
    assert entry.visit.id != grant.visit.id
    assert home.notes.actions() == ["program.joined", "link.joined"]


async def test_first_uses_at_the_same_time_make_one_visit(home: House, programs: Programs) -> None:
    """Programs open connections side by side."""
    share, (link,) = await for_programs(home)
    grants = await asyncio.gather(*(enter(programs, share, with_token(home.token(link))) for _ in range(10)))

    assert len({grant.visit.id for grant in grants}) == 1
    assert len(await home.store.visits(share.id)) == 1


async def test_another_gate_on_the_same_store_goes_on_with_the_visit(home: House, programs: Programs) -> None:
    """Also this one after a restart: what is in memory only saves looking."""
    share, (link,) = await for_programs(home)
    first = await enter(programs, share, with_token(home.token(link)))
    other = Programs(home.store, home.authenticator, home.notes, home.clock)

    assert (await enter(other, share, with_token(home.token(link)))).visit.id == first.visit.id


async def test_a_visit_that_the_owner_ended_is_over_and_the_link_begins_anew(home: House, programs: Programs) -> None:
    """As with a browser: ending a visit ends what is open, and revoking the link is another thing."""
    share, (link,) = await for_programs(home)
    first = await enter(programs, share, with_token(home.token(link)))
    await home.issuer.end_visit(first.visit.id, "ended by the owner")

    assert await refused(home.authenticator.again(first)) is Reason.VISIT_ENDED
    assert (await enter(programs, share, with_token(home.token(link)))).visit.id != first.visit.id


async def test_a_replaced_link_ends_what_its_old_token_opened(home: House, programs: Programs) -> None:
    """A browser has a cookie of its own and stays; a program has nothing but the token."""
    share, (link,) = await for_programs(home)
    old = home.token(link)
    first = await enter(programs, share, with_token(old))
    new = await home.issuer.replace(link.id)

    assert await refused(enter(programs, share, with_token(old))) is Reason.LINK_REPLACED
    assert await refused(home.authenticator.again(first)) is Reason.LINK_REPLACED
    assert (await enter(programs, share, with_token(home.token(new)))).visit.id != first.visit.id


async def test_only_so_many_visits_are_made_for_a_link_in_a_day(home: House) -> None:
    """A program in a loop and an owner who ends its visits do not fill the store."""
    share, (link,) = await for_programs(home)
    programs = Programs(
        home.store, home.authenticator, home.notes, home.clock, new_visits=Rate(per=2, seconds=86400, burst=2)
    )
    for _ in range(2):
        grant = await enter(programs, share, with_token(home.token(link)))
        await home.issuer.end_visit(grant.visit.id, "ended by the owner")
    assert await refused(enter(programs, share, with_token(home.token(link)))) is Reason.JOIN_LIMIT


# -- who is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ({"networks": ("203.0.113.0/24",)}, Reason.OUTSIDE_NETWORKS),
        ({"not_before": 4e9}, Reason.NOT_YET),
        ({"passphrase": "$argon2id$"}, Reason.PASSPHRASE_NEEDED),
        ({"ask": True}, Reason.APPROVAL_NEEDED),
        ({"recipient": "ann@example.org"}, Reason.RECIPIENT_NEEDED),
        ({"domain": "example.org"}, Reason.RECIPIENT_NEEDED),
        ({"account": "*", "issuer": "https://login.example.org"}, Reason.ACCOUNT_NEEDED),
    ],
)
async def test_a_program_that_lacks_what_its_link_asks_for_makes_no_visit(
    home: House, programs: Programs, conditions: dict[str, Any], reason: Reason
) -> None:
    """It is told why, and leaves nothing behind; from inside the networks it comes in."""
    share, (link,) = await for_programs(home)
    await home.store.change_link(link.id, **conditions)
    assert await refused(enter(programs, share, with_token(home.token(link)))) is reason
    assert await home.store.visits(share.id) == [] and home.notes.events == []
    if "networks" in conditions:
        grant = await enter(programs, share, with_token(home.token(link), peer="203.0.113.9"))
        assert grant.peer == "203.0.113.9"


async def test_a_link_for_browsers_is_refused_to_programs(home: House, programs: Programs) -> None:
    """`clients` is the owner's to give, and to take back while programs are in."""
    share, (link,) = await home.share()
    assert await refused(enter(programs, share, with_token(home.token(link)))) is Reason.CLIENTS_OFF

    await home.issuer.change_share(share.id, {"clients": True})
    grant = await enter(programs, share, with_token(home.token(link)))
    await home.issuer.change_share(share.id, {"clients": False})
    assert await refused(enter(programs, share, with_token(home.token(link)))) is Reason.CLIENTS_OFF
    assert await refused(home.authenticator.again(grant)) is Reason.CLIENTS_OFF


async def test_a_preview_is_no_link_for_programs(home: House, programs: Programs) -> None:
    """It is counted nowhere, so nobody works with it."""
    share, _ = await for_programs(home)
    preview = await home.issuer.preview(share.id)
    assert await refused(enter(programs, share, with_token(home.token(preview)))) is Reason.CLIENTS_OFF


async def test_a_token_opens_its_own_share_only(home: House, programs: Programs) -> None:
    """At another share's address it is as good as none."""
    share, (link,) = await for_programs(home)
    other, _ = await for_programs(home, path="sub/elsewhere")

    assert await refused(enter(programs, other, with_token(home.token(link)))) is Reason.BAD_CREDENTIAL
    assert await refused(enter(programs, share, with_token("a.b.c"))) is Reason.BAD_CREDENTIAL
    assert home.notes.events == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("pause_share", Reason.SHARE_PAUSED),
        ("pause_link", Reason.LINK_PAUSED),
        ("revoke_share", Reason.SHARE_REVOKED),
        ("revoke_link", Reason.LINK_REVOKED),
        ("expire", Reason.SHARE_EXPIRED),
    ],
)
async def test_a_token_is_worth_what_its_link_is(
    home: House, programs: Programs, clock: Clock, change: str, reason: Reason
) -> None:
    """The record decides with each request, and for what is open."""
    share, (link,) = await for_programs(home)
    grant = await enter(programs, share, with_token(home.token(link)))
    match change:
        case "expire":
            clock.now = share.expires
        case "pause_share":
            await home.issuer.pause_share(share.id, paused=True)
        case "pause_link":
            await home.issuer.pause_link(link.id, paused=True)
        case "revoke_share":
            await home.issuer.revoke_share(share.id)
        case _:
            await home.issuer.revoke_link(link.id)

    assert await refused(enter(programs, share, with_token(home.token(link)))) is reason
    assert await refused(home.authenticator.again(grant)) is reason


async def test_a_link_that_stands_no_more_begins_no_visit(home: House, programs: Programs) -> None:
    """What is refused leaves nothing behind."""
    share, (link,) = await for_programs(home)
    await home.issuer.pause_link(link.id, paused=True)
    assert await refused(enter(programs, share, with_token(home.token(link)))) is Reason.LINK_PAUSED
    closed, (other,) = await home.share(path="sub/elsewhere")
    assert await refused(enter(programs, closed, with_token(home.token(other)))) is Reason.CLIENTS_OFF

    assert await home.store.visits(share.id) == await home.store.visits(closed.id) == []
    assert home.notes.events == []


async def test_a_visit_of_a_browser_is_never_a_programs(home: House) -> None:
    """The grant of a token is that of a program's visit or none."""
    _, (link,) = await for_programs(home)
    entry = await home.door.open(home.token(link), "", ANN)
    assert await refused(home.authenticator.program(entry.visit)) is Reason.OTHER_VISIT


async def test_no_cookie_opens_the_visit_of_a_program(home: House, programs: Programs) -> None:
    """The token is no cookie, nor is nothing."""
    share, (link,) = await for_programs(home)
    grant = await enter(programs, share, with_token(home.token(link)))
    for value in ("", home.token(link), grant.visit.id):
        assert await refused(home.authenticator.by_cookie(share.id, grant.visit.id, [value])) is Reason.OTHER_VISIT


async def test_what_cannot_be_recorded_is_not_opened(home: House, programs: Programs) -> None:
    """Fails closed: no visit stays of which the trail knows nothing."""
    share, (link,) = await for_programs(home)
    home.notes.broken = True
    with pytest.raises(StoreUnavailable):
        await enter(programs, share, with_token(home.token(link)))

    assert await home.store.visits(share.id, open_only=True) == []


# -- from where -------------------------------------------------------------------------------------------------------


async def test_a_new_address_or_program_is_recorded_and_shown(home: House, programs: Programs) -> None:
    """A token that was passed on shows by this, and by nothing else."""
    share, (link,) = await for_programs(home)
    token = home.token(link)
    uses = [(HERE, "script/1"), (HERE, "script/2"), (THERE, "script/1"), (THERE, "curl/8"), (HERE, "curl/8")]
    for peer, agent in uses:
        grant = await enter(programs, share, with_token(token, peer=peer, agent=agent))
    for _ in range(3):
        await enter(programs, share, with_token(token, peer=THERE, agent="curl/8"))

    seen = [(event.action.value, event.address, event.agent, event.detail) for event in home.notes.events]
    assert seen == [
        ("program.joined", HERE, "script/1", ""),
        ("program.elsewhere", HERE, "script/2", "new program"),
        ("program.elsewhere", THERE, "script/1", "new address"),
        ("program.elsewhere", THERE, "curl/8", "new program"),
        ("program.elsewhere", HERE, "curl/8", ""),
    ]
    places = [(place.address, place.agent) for place in programs.places(grant.visit.id)]
    assert len(places) == 5
    assert places[-1] == (THERE_KEPT, "curl/8")
    assert programs.places("nobody") == []


async def test_a_program_that_calls_itself_something_else_each_time_does_not_fill_the_trail(
    home: House, programs: Programs, clock: Clock
) -> None:
    """After the first few one record in ten seconds stands for all of them; memory is bounded too."""
    share, (link,) = await for_programs(home)
    for number in range(300):
        grant = await enter(programs, share, with_token(home.token(link), agent=f"script/{number}"))
    clock.forward(11)
    await enter(programs, share, with_token(home.token(link), agent="the last"))

    elsewhere = [event for event in home.notes.events if event.action.value == "program.elsewhere"]
    assert len(elsewhere) == ONE_BY_ONE + 1
    assert sum(event.count for event in elsewhere) == 300
    assert len(programs.places(grant.visit.id)) == PLACES


async def test_a_new_network_is_recorded_however_many_programs_there_are(home: House, programs: Programs) -> None:
    """What folds the names of programs must not hide an address."""
    share, (link,) = await for_programs(home)
    for number in range(50):
        await enter(programs, share, with_token(home.token(link), agent=f"script/{number}"))
    await enter(programs, share, with_token(home.token(link), peer=THERE, agent="script/51"))

    assert (home.notes.events[-1].address, home.notes.events[-1].detail) == (THERE, "new address and program")


async def test_another_machine_of_the_same_network_is_recorded_though_its_address_is_kept_short(
    home: House, programs: Programs
) -> None:
    """What is kept of an address is the same; that there are two is not hidden by that."""
    share, (link,) = await for_programs(home)
    for peer in (HERE, "192.0.2.8"):
        grant = await enter(programs, share, with_token(home.token(link), peer=peer))

    assert home.notes.events[-1].detail == "new address"
    assert [place.address for place in programs.places(grant.visit.id)] == [HERE_KEPT] * 2


async def test_a_token_is_used_from_a_few_networks_at_a_time(home: House, programs: Programs, clock: Clock) -> None:
    """As many as its people's devices: passed on to a hundred machines it works on three of them."""
    share, (link,) = await for_programs(home)
    token = home.token(link)
    outcomes = []
    for number in range(100):
        call = enter(programs, share, with_token(token, peer=f"203.0.113.{number}"))
        outcomes.append(None if number < 3 else await refused(call))
        if number < 3:
            await call
    assert outcomes == [None] * 3 + [Reason.PLACES_TAKEN] * 97

    clock.forward(PLACE_SECONDS / 2)
    await enter(programs, share, with_token(token, peer="203.0.113.1"))
    clock.forward(PLACE_SECONDS / 2 + 1)
    await enter(programs, share, with_token(token, peer=THERE))
    await enter(programs, share, with_token(token, peer="203.0.113.1"))


class SlowNotes(Notes):
    """A recorder that others get ahead of; `broken` is looked at when it writes."""

    async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        await super().record(event, durable=durable)


async def test_attack_many_networks_at_once_are_no_more_than_one_by_one(home: House) -> None:
    """A place is taken before it is recorded; who asks while that goes on finds none, and none afterwards."""
    notes = SlowNotes()
    programs = Programs(home.store, home.authenticator, notes, home.clock)
    share, (link,) = await for_programs(home)
    token = home.token(link)
    await enter(programs, share, with_token(token))
    others = [with_token(token, peer=f"203.0.113.{number}") for number in range(30)]
    burst = await asyncio.gather(*(enter(programs, share, each) for each in others), return_exceptions=True)
    later = [await asyncio.gather(enter(programs, share, each), return_exceptions=True) for each in others]

    assert sum(not isinstance(each, BaseException) for each in burst) == room_for(link) - 1
    assert sum(not isinstance(each, BaseException) for (each,) in later) == room_for(link) - 1
    assert notes.actions() == ["program.joined"] + ["program.elsewhere"] * (room_for(link) - 1)


async def test_a_place_that_cannot_be_recorded_is_not_taken(home: House, programs: Programs) -> None:
    """Refused for the store's fault, it keeps out nobody afterwards."""
    share, (link,) = await for_programs(home)
    token = home.token(link)
    await enter(programs, share, with_token(token))
    home.notes.broken = True
    for number in range(10):
        with pytest.raises(StoreUnavailable):
            await enter(programs, share, with_token(token, peer=f"203.0.113.{number}"))
    home.notes.broken = False
    for number in range(20, 19 + room_for(link)):
        await enter(programs, share, with_token(token, peer=f"203.0.113.{number}"))
    assert await refused(enter(programs, share, with_token(token, peer=THERE))) is Reason.PLACES_TAKEN


async def test_an_open_link_has_room_for_the_programs_of_all_its_people(home: House) -> None:
    """One network for each device of each person."""
    _, (person, anyone) = await for_programs(home, NewLink(name="Ann", devices=2), NewLink(anyone=True, visits=20))
    assert (room_for(person), room_for(anyone)) == (2, 60)


async def test_a_handshake_of_no_websocket_is_refused(home: House, programs: Programs) -> None:
    """Before anything is opened upstream for it."""
    share, (link,) = await for_programs(home)
    headers = {"Authorization": f"token {home.token(link)}", **HANDSHAKE}
    await enter(programs, share, asking(headers=headers))
    del headers["Sec-WebSocket-Key"]
    assert await refused(enter(programs, share, asking(headers=headers))) is Reason.BAD_HEADER


# -- browsers ---------------------------------------------------------------------------------------------------------

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Cookie": "a=b"}


@pytest.mark.parametrize("headers", [NAVIGATION, {"Accept": "text/html,*/*;q=0.8"}])
async def test_a_person_who_opens_the_address_with_its_token_is_sent_to_the_door(
    home: House, programs: Programs, headers: dict[str, str]
) -> None:
    """The token goes on in the fragment, and nothing is spent."""
    share, (link,) = await home.share()
    token = home.token(link)
    answer = await programs.to_door(asking(f"/s/{share.id}/lab?token={token}", headers), f"x=1&token={token}", "/join")

    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (302, b"")
    assert ("Location", f"/join#{token}") in answer.headers
    assert ("Referrer-Policy", "no-referrer") in answer.headers
    assert await home.store.visits(share.id) == []


@pytest.mark.parametrize(
    ("method", "headers", "query"),
    [
        ("GET", {"Accept": "*/*"}, "token={token}"),
        ("POST", NAVIGATION, "token={token}"),
        ("GET", NAVIGATION, "x=1"),
        ("GET", NAVIGATION, "token={token}&token={token}"),
        ("GET", {**NAVIGATION, "Authorization": "Bearer x"}, "token={token}"),
        ("GET", {**NAVIGATION, "Sec-Fetch-Dest": "iframe"}, "token={token}"),
        ("GET", {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, "token={token}"),
        ("GET", {**NAVIGATION, **HANDSHAKE}, "token={token}"),
    ],
)
async def test_nothing_else_is_led_to_the_door(
    home: House, programs: Programs, method: str, headers: dict[str, str], query: str
) -> None:
    """Neither programs nor pages, frames or forms."""
    _, (link,) = await home.share()
    request = Request(method, "/s/x/lab", Headers(headers.items()), HERE)
    assert await programs.to_door(request, query.format(token=home.token(link)), "/join") is None


async def test_nobody_is_led_to_the_door_with_words_that_are_not_ours(home: House, programs: Programs) -> None:
    """Only a token that the gate signed is written into an address."""
    call = programs.to_door(asking(headers=NAVIGATION), "token=evil%0d%0aX:1", "/join")
    assert await refused(call) is Reason.BAD_CREDENTIAL


def test_the_record_of_a_visit_that_was_stored_before_programs_reads() -> None:
    """A browser's visit has no serial."""
    assert Visit(id="v", share="s", link="l", number=1, created=1.0, expires=2.0).serial == 0
