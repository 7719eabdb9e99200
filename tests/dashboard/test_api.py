"""The owner's API: every route does what it says, records it, and takes no nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import math
from typing import Any

import pytest
from msgspec.structs import replace

from sharegate.audit.events import AuditEvent
from sharegate.dashboard.api import Api
from sharegate.errors import StoreUnavailable
from sharegate.shares.model import Visit
from tests.dashboard.conftest import SECRET, SERVER, Office

DAY = 86400.0


def routes(api: Api) -> list[tuple[str, str]]:
    return [(route.method, f"/api/v1/{route.path}") for route in api.routes]


async def test_a_share_is_created_shown_changed_and_listed(office: Office) -> None:
    """POST, GET and PATCH of a share tell the same record, and the trail has each act."""
    made = await office.share(**{"for": ["Ann", "Bo"], "name": "Week 3", "message": "Hello"})
    share = made["share"]
    assert [link["name"] for link in made["links"]] == ["Ann", "Bo"]
    assert all(link["url"].startswith(office.running.gate_url + "/join#") for link in made["links"])
    assert (share["root"], share["role"], share["state"]) == ("week3", "view", "active")
    assert share["expires"] == office.clock() + 7 * DAY
    changed = await office.call("PATCH", f"shares/{share['id']}", {"name": "Week three", "message": ""})
    assert changed["share"]["name"] == "Week three"
    assert (await office.call("GET", f"shares/{share['id']}"))["share"] == changed["share"]
    assert (await office.call("GET", "shares"))["shares"] == [changed["share"]]
    assert await office.actions() == [
        *("gate.started", "share.created", "link.created", "link.created", "share.changed"),
    ]


async def test_links_are_added_replaced_and_previewed(office: Office) -> None:
    """The URL of a link stays until it is replaced; a preview lasts five minutes and is listed nowhere."""
    share = (await office.share())["share"]["id"]
    link = (await office.call("POST", f"shares/{share}/links", {"name": "Cy"}))["link"]
    assert (await office.call("GET", f"links/{link['id']}/url"))["url"] == link["url"]
    changed = await office.call("PATCH", f"links/{link['id']}", {"name": "Cyn"})
    assert changed["link"]["name"] == "Cyn"
    assert (await office.call("GET", f"links/{link['id']}/url"))["url"] == link["url"]
    replaced = await office.call("POST", f"links/{link['id']}/replace")
    assert replaced["link"]["url"] != link["url"] and replaced["ended"] is None
    preview = (await office.call("POST", f"shares/{share}/preview"))["link"]
    assert preview["expires"] == office.clock() + 300
    assert len((await office.call("GET", f"shares/{share}"))["share"]["links"]) == 2


WORDS = "green bicycle 7"
ASKED: dict[str, Any] = {
    "networks": ["10.0.0.0/8"],
    "ask": True,
    "passphrase": WORDS,
    "recipient": "ann@example.org",
    "domain": "example.org",
}


async def test_what_a_link_asks_for_is_given_shown_changed_and_recorded(office: Office) -> None:
    """In people's words in the history; the passphrase is told nowhere, neither as it is nor as it is kept."""
    opens = office.clock() + 60
    made = await office.share(**{"for": ["Ann"]}, **ASKED, not_before=opens)
    link = made["links"][0]
    shown = {**ASKED, "passphrase": True, "not_before": opens}
    assert {name: link[name] for name in shown} == shown
    added = await office.call("POST", f"shares/{made['share']['id']}/links", {"name": "Bo", "passphrase": WORDS})
    assert (added["link"]["passphrase"], added["link"]["ask"], added["link"]["not_before"]) == (True, False, None)
    gone = {"networks": [], "ask": False, "passphrase": None, "recipient": "", "domain": None, "not_before": None}
    changed = (await office.call("PATCH", f"links/{link['id']}", {**gone, "name": "Ann B."}))["link"]
    assert {name: changed[name] for name in gone} == {**gone, "passphrase": False, "domain": ""}
    again = await office.call("PATCH", f"links/{link['id']}", {"passphrase": WORDS})
    events = (await office.call("GET", "audit"))["events"]
    details = [event["detail"] for event in events if event["action"] in ("link.created", "link.changed")]
    first = "not before 2027-01-15 08:01 UTC, from 10.0.0.0/8, asks first, with a passphrase, for one e-mail address"
    assert details == [
        f"{first}, for addresses of example.org",
        "with a passphrase",
        "name, from now on, from everywhere, asks no more, without a passphrase, for no address in particular, "
        "for addresses of any domain",
        "with a passphrase",
    ]
    everything = json.dumps([made, added, changed, again, events, await office.everything()])
    assert WORDS not in everything and "argon2" not in everything and "ann@example.org" not in json.dumps(events)


async def test_an_address_is_one_persons(office: Office) -> None:
    """Not of two links at once, and not of an open one."""
    for body in ({"for": ["Ann", "Bo"]}, {"anyone": True}):
        asked = {"path": "week3", "recipient": "ann@example.org", **body}
        status, answer = await office.ask("POST", "shares", {**asked, "path": (await office.share())["share"]["root"]})
        assert status == 400 and answer["error"]["field"] == "recipient", answer


async def test_a_condition_that_cannot_be_recorded_gives_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was opened is closed again, another passphrase is the former one again; what was asked for stays asked."""
    made = await office.share(**{"for": ["Ann", "Bo"]}, passphrase=WORDS, networks=["10.0.0.0/8"])
    ann, bo = (link["id"] for link in made["links"])
    store = office.running.gate._store  # type: ignore[attr-defined]
    before = await store.link(ann), await store.link(bo)
    with monkeypatch.context() as full:
        full.setattr(office.running.api._acts, "_trail", Full())
        for id, body in (
            (ann, {"passphrase": "another green bicycle", "networks": ["10.0.0.0/7"], "ask": True}),
            (bo, {"passphrase": None, "networks": ["10.1.0.0/16"], "domain": "example.org"}),
        ):
            assert (await office.ask("PATCH", f"links/{id}", body))[0] == 503
    assert await store.link(ann) == replace(before[0], ask=True)
    assert await store.link(bo) == replace(before[1], networks=("10.1.0.0/16",), domain="example.org")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"networks": ["10.0.0.1/8"]}, "networks"),
        ({"networks": "everywhere"}, "networks"),
        ({"networks": [None]}, "networks"),
        ({"not_before": math.nan}, "not_before"),
        ({"not_before": "soon"}, "not_before"),
        ({"ask": 1}, "ask"),
        ({"passphrase": "x" * 100_000}, "passphrase"),
        ({"passphrase": "half \ud800 character"}, "passphrase"),
        ({"passphrase": {"a": 1}}, "passphrase"),
        ({"recipient": "ann@example.org\r\nX: y"}, "recipient"),
        ({"domain": "*"}, "domain"),
        ({"admitted": True}, "admitted"),
    ],
)
async def test_a_condition_that_cannot_be_names_its_field(office: Office, body: dict[str, Any], field: str) -> None:
    """Nothing of it is done, and what was sent is not repeated where it may be a secret."""
    link = (await office.share())["links"][0]["id"]
    before = await office.everything()
    status, answer = await office.ask("PATCH", f"links/{link}", {"name": "new", **body})
    assert status == 400 and answer["error"]["field"] == field, answer
    assert "half" not in json.dumps(answer) and await office.everything() == before


async def test_links_for_programs_tell_what_programs_ask_for(office: Office) -> None:
    """URL and token of each link of a share with `clients`, of no other and of no preview; switched as one likes."""
    made = await office.share(**{"for": ["Ann"], "clients": True})
    share, link = made["share"], made["links"][0]
    token = link["url"].partition("#")[2]
    program = {"url": f"{office.running.gate_url}/s/{share['id']}", "token": token}
    assert share["clients"] and link["program"] == program
    assert (await office.call("GET", f"links/{link['id']}/url"))["program"] == program
    assert "program" not in (await office.call("POST", f"shares/{share['id']}/preview"))["link"]

    changed = await office.call("PATCH", f"shares/{share['id']}", {"clients": False})
    assert not changed["share"]["clients"]
    assert "program" not in await office.call("GET", f"links/{link['id']}/url")


@pytest.mark.parametrize("kind", ["share", "link"])
async def test_pause_resume_and_revoke(office: Office, kind: str) -> None:
    """A paused thing comes back, a revoked one never does; revoking twice keeps the first moment."""
    made = await office.share()
    id = made["share"]["id"] if kind == "share" else made["links"][0]["id"]
    for verb, state in (("pause", "paused"), ("resume", "active"), ("pause", "paused"), ("revoke", "revoked")):
        answer = await office.call("POST", f"{kind}s/{id}/{verb}")
        assert answer[kind]["state"] == state
        if verb in ("pause", "revoke"):
            ended = answer["ended"]
            assert (ended["visits"], ended["pages"], ended["channels"]) == (0, 0, 0)
    assert (await office.call("POST", f"{kind}s/{id}/revoke"))[kind]["state"] == "revoked"
    for verb in ("pause", "resume"):
        status, answer = await office.ask("POST", f"{kind}s/{id}/{verb}")
        assert (status, answer["error"]["code"]) == (403, "revoked")


async def test_a_moved_end_moves_the_links_that_had_it(office: Office) -> None:
    """Extending a share extends its links; a link with an end of its own keeps it; shortening shortens all."""
    made = await office.share(**{"for": ["Ann", "Bo"]})
    ann, bo = (link["id"] for link in made["links"])
    soon = office.clock() + DAY
    await office.call("PATCH", f"links/{bo}", {"expires": soon})

    async def ends() -> dict[str, float]:
        share = (await office.call("GET", f"shares/{made['share']['id']}"))["share"]
        return {link["id"]: link["expires"] for link in share["links"]}

    await office.call("PATCH", f"shares/{made['share']['id']}", {"expires": office.clock() + 30 * DAY})
    assert await ends() == {ann: office.clock() + 30 * DAY, bo: soon}
    await office.call("PATCH", f"shares/{made['share']['id']}", {"expires": office.clock() + 60})
    assert await ends() == {ann: office.clock() + 60, bo: office.clock() + 60}


class Full:
    """A history that nothing can be added to."""

    async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
        raise StoreUnavailable("full")


async def test_a_change_that_cannot_be_recorded_gives_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it gave is taken back, with the ends of links and visits; what it took away stays taken."""
    made = await office.share(**{"for": ["Ann", "Bo"]}, expires=office.clock() + 60, clients=True)
    share, links = made["share"]["id"], [link["id"] for link in made["links"]]
    store = office.running.gate._store  # type: ignore[attr-defined]
    visit = Visit(
        id="v", share=share, link=links[0], number=0, created=office.clock(), expires=made["share"]["expires"]
    )
    await store.open_visit(visit, seats=1)
    office.clock.forward(100)
    before, actions = await office.everything(), await office.actions()
    with monkeypatch.context() as full:
        full.setattr(office.running.api._acts, "_trail", Full())
        for path, body in (
            (f"shares/{share}", {"expires": office.clock() + 3600, "role": "edit", "clients": False, "name": "Other"}),
            (f"links/{links[1]}", {"role": "edit", "devices": 2, "name": "Eve"}),
        ):
            assert (await office.ask("PATCH", path, body))[0] == 503
        assert (await office.ask("POST", f"shares/{share}/preview"))[0] == 503
    preview = (await store.links(share))[-1]
    assert preview.revoked == office.clock()
    assert await store.visit("v") == replace(visit, number=1)
    before["shares"][0]["clients"] = False
    before["shares"][0]["links"][1]["devices_max"] = 2
    assert await office.everything() == before
    assert await office.actions() == actions


async def test_what_somebody_changed_again_is_not_taken_back(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that cannot be recorded does not undo what was done, and recorded, after it."""
    link = (await office.share())["links"][0]["id"]
    store, issuer = office.running.gate._store, office.running.api.keys._issuer  # type: ignore[attr-defined]

    class Slow(Full):
        async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
            await issuer.change_link(link, {"devices": 1})
            await issuer.replace(link)
            await super().record(event)

    with monkeypatch.context() as full:
        full.setattr(office.running.api._acts, "_trail", Slow())
        assert (await office.ask("PATCH", f"links/{link}", {"devices": 5}))[0] == 503
        assert (await office.ask("POST", f"links/{link}/replace"))[0] == 503
    kept = await store.link(link)
    assert (kept.devices, kept.serial) == (1, 4)


async def test_an_expired_share_is_shown_as_such_and_only_when_asked(office: Office) -> None:
    """`all=1` shows what is over."""
    await office.share(expires=office.clock() + 60)
    office.clock.forward(61)
    assert (await office.call("GET", "shares"))["shares"] == []
    assert [one["state"] for one in (await office.call("GET", "shares", all="1"))["shares"]] == ["expired"]


async def test_an_exchanged_root_waits_for_the_owner(office: Office) -> None:
    """After the folder was replaced, confirm takes the new one; while nothing is there it is refused."""
    share = (await office.share())["share"]["id"]
    await office.running.gate._store.change_share(share, suspended=True)
    (office.folder / "week3").rmdir()
    status, answer = await office.ask("POST", f"shares/{share}/confirm")
    assert (status, answer["error"]["code"]) == (403, "root_changed")
    (office.folder / "week3").mkdir()
    assert (await office.call("POST", f"shares/{share}/confirm"))["share"]["state"] == "active"


async def test_overlapping_shares_are_told(office: Office) -> None:
    """A second share of a folder, or of one inside, names the first."""
    first = (await office.share())["share"]["id"]
    (office.folder / "week3" / "inner").mkdir()
    assert [one["id"] for one in (await office.share("week3/inner"))["overlaps"]] == [first]
    assert (await office.share("week4"))["overlaps"] == []
    made = [(await office.share())["share"]["id"] for _ in range(12)]
    told = await office.share()
    assert ([one["id"] for one in told["overlaps"]], told["overlaps_more"]) == (made[-10:], 4)


async def test_servers_are_added_and_removed(office: Office) -> None:
    """The token goes in and never comes out, in no list and no history."""
    url = (await office.call("GET", "servers"))["servers"][0]["url"]
    await office.call("DELETE", f"servers/{SERVER}")
    added = await office.call("POST", "servers", {"url": url, "token": SECRET, "name": "again"})
    assert added["server"]["name"] == "again"
    listed = (await office.call("GET", "servers"))["servers"]
    assert [one["id"] for one in listed] == [added["server"]["id"]]
    status, answer = await office.ask("DELETE", "servers/n0b0dy")
    assert (status, answer["error"]["code"]) == (404, "not_found")
    assert SECRET not in json.dumps([await office.everything(), (await office.call("GET", "audit"))["events"]])


async def test_the_gate_tells_about_itself(office: Office) -> None:
    """Version, addresses, counts, keys, findings; none of it is a secret."""
    await office.share()
    facts = await office.call("GET", "gate")
    assert facts["running"] and facts["gate_url"] == office.running.gate_url
    assert facts["counts"] == {"shares": 1, "visits": 0, "persons": 0, "knocks": 0, "channels": 0}
    keys = (await office.call("GET", "keys"))["keys"]
    assert [key["state"] for key in keys] == ["active"]
    findings = (await office.call("GET", "doctor"))["findings"]
    # Nobody runs the mail server that is set here.
    assert {one["level"] for one in findings if "mail server" not in one["what"]} <= {"ok", "note", "warn"}
    assert (await office.call("GET", "audit/verify"))["intact"] is True
    assert (await office.call("GET", "audit/passed-on"))["people"] == []


async def test_screens_hear_of_changes_and_a_slow_one_holds_up_nobody(office: Office) -> None:
    """A reader that falls behind loses the oldest and is told so."""
    changes = office.running.api.changes()
    assert (await anext(changes))["kind"] == "hello"
    share = (await office.share())["share"]["id"]
    heard = [await asyncio.wait_for(anext(changes), 25) for _ in range(4)]
    assert share in {one["id"] for one in heard}
    for _ in range(600):
        office.running.api.changed(type("Change", (), {"kind": "share", "id": share})())  # type: ignore[arg-type]
    for _ in range(600):
        office.running.api.changed(type("Change", (), {"kind": "link", "id": share})())  # type: ignore[arg-type]
    missed = False
    with contextlib.suppress(TimeoutError):
        while not missed:
            missed = (await asyncio.wait_for(anext(changes), 25)).get("missed", False)
    assert missed
    await changes.aclose()  # type: ignore[attr-defined]


# -- nonsense -------------------------------------------------------------------------------------------------------

HOSTILE: list[Any] = [
    *(None, True, 0, -1, 10**30, 1.5, math.nan, math.inf, -math.inf, "", "x", "x" * 100_000, [], [[]], {}, {"a": 1}),
    *("\x00", "a\x1b[31m", "\u202e\u2066", "\ud800", "<script>alert(1)</script>", "../..", "/", "//", ".", ".hidden"),
    *(["\ud800"], [None], ["x"] * 2000, "week3\x00", "nan", "1e999", "%00", "'; DROP TABLE shares; --"),
]
FIELDS = (
    *("path", "server", "role", "expires", "name", "message", "for", "anyone", "visits", "devices", "open_file"),
    *("clients", "own_extensions", "runnable_files", "page", "url", "token", "root_dir", "nothing"),
)
QUERIES = ("ref", "share", "open", "all", "since", "until", "after_seq", "limit", "newest", "reason", "path", "action")


def well_formed(status: int, answer: dict[str, Any]) -> None:
    json.dumps(answer)
    if status == 200:
        assert "error" not in answer
        return
    assert status in (400, 403, 404, 405, 409, 503), answer
    assert set(answer["error"]) == {"code", "message", "field", "remedy", "candidates"}
    assert answer["error"]["code"] and answer["error"]["message"]
    assert SECRET not in json.dumps(answer)


@pytest.mark.timeout(300)
async def test_hostile_bodies_change_nothing_and_are_told_what_is_wrong(office: Office) -> None:
    """Every verb with every field made hostile: an error with its shape, no traceback, and records as they were."""
    made = await office.share()
    ids = {
        "shares": made["share"]["id"],
        "links": made["links"][0]["id"],
        "servers": SERVER,
        "knocks": "k",
        "visits": "v",
    }
    good = {"path": str(office.folder / "week4")}
    for method, pattern in routes(office.running.api):
        if method not in ("POST", "PATCH") or "{verb" in pattern:
            continue
        path = pattern.removeprefix("/api/v1/").replace("{id}", ids.get(pattern.split("/")[3], "x"))
        base = good if pattern.endswith("/shares") else {}
        for field, value in itertools.product(FIELDS, HOSTILE):
            status, answer = await office.ask(method, path, {**base, field: value})
            well_formed(status, answer)
            if status == 200:
                text = json.dumps(answer)
                assert ": NaN" not in text and "Infinity" not in text, (path, field, value)
                assert len(text) < 20_000 + len(answer.get("overlaps", [])) * 20_000, (path, field)
                await _undo(office, answer, made["share"]["id"])
    assert (await office.call("GET", "audit/verify"))["intact"] is True


async def _undo(office: Office, answer: dict[str, Any], keep: str) -> None:
    """What was accepted after all is taken back, so that the next one starts as the first did."""
    share = answer.get("share", {}).get("id", keep)
    if share != keep:
        await office.call("POST", f"shares/{share}/revoke")


@pytest.mark.parametrize(
    "value", ["", "x", "-1", "1e999", "nan", "9" * 40, "\x00", "\ud800", "%", "k7f2", "x" * 10_000]
)
async def test_hostile_queries_are_answered(office: Office, value: str) -> None:
    """No argument of a reading route is a traceback."""
    await office.share()
    for method, pattern in routes(office.running.api):
        if method == "GET" and "{id}" not in pattern:
            for name in QUERIES:
                well_formed(*await office.running.api.call("GET", pattern, {name: value}))


@pytest.mark.parametrize("value", ["/week3\0", "/\0", "/" + "n" * 5000, "/" + "é/" * 3000])
async def test_places_that_no_disk_has_are_refused_by_name(office: Office, value: str) -> None:
    """Wherever a path of the owner's computer is asked for."""
    for path, field in (("shares", "path"), ("audit/anchor", "to"), ("store/backup", "to")):
        status, answer = await office.ask("POST", path, {field: value})
        well_formed(status, answer)
        no_server = path == "shares" and "\0" not in value and answer["error"]["code"] == "unreachable"
        assert no_server or (status, answer["error"]["field"]) == (400, field), (path, answer)
    status, answer = await office.running.api.call("GET", "/api/v1/audit/verify", {"anchors": value})
    well_formed(status, answer)
    assert (status, answer["error"]["field"]) == (400, "anchors")


@pytest.mark.parametrize("id", ["nobody", "-", "x" * 40, "x" * 41, "a%2fb", "..", "\ud800", "", "é", "a\n"])
async def test_ids_that_name_nothing_are_not_found(office: Office, id: str) -> None:
    """Every route with an id says so in the same shape."""
    for method, pattern in routes(office.running.api):
        if "{id}" in pattern:
            for verb in ("revoke", "admit"):
                path = pattern.removeprefix("/api/v1/").replace("{id}", id)
                path = path[: path.index("{verb")] + verb if "{verb" in path else path
                status, answer = await office.ask(method, path, {"name": "x"} if method == "PATCH" else None)
                well_formed(status, answer)
                assert status == 404, (method, path, answer)


async def test_methods_and_paths_that_are_no_routes(office: Office) -> None:
    """GET changes nothing: no verb answers it."""
    share = (await office.share())["share"]["id"]
    before = await office.everything()
    for method, path in (
        *(("GET", f"shares/{share}/revoke"), ("HEAD", f"shares/{share}/revoke"), ("POST", "gate"), ("PUT", "shares")),
        *(("POST", f"shares/{share}/explode"), ("POST", f"shares/{share}/revoke/"), ("GET", ""), ("get", "shares")),
        *(("DELETE", f"shares/{share}"), ("POST", f"shares/{share}/revoke\n")),
    ):
        status, answer = await office.ask(method, path)
        well_formed(status, answer)
        assert status in (404, 405)
    assert await office.everything() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"expires": math.nan}, "expires"),
        ({"expires": math.inf}, "expires"),
        ({"expires": True}, "expires"),
        ({"role": "owner"}, "role"),
        ({"role": ["view"]}, "role"),
        ({"name": 7}, "name"),
        ({"name": "x" * 1000}, "name"),
        ({"message": "x" * 100_000}, "message"),
        ({"name": "\ud800"}, "name"),
        ({"root": "/"}, "root"),
        ({"id": "x"}, "id"),
        ({}, ""),
    ],
)
async def test_a_change_that_cannot_be_names_its_field(office: Office, body: dict[str, Any], field: str) -> None:
    """Nothing of it is done, not even the fields that would do."""
    share = (await office.share())["share"]["id"]
    before = await office.everything()
    status, answer = await office.ask("PATCH", f"shares/{share}", {"message": "new", **body} if body else body)
    assert status in (400, 403) and answer["error"]["field"] == field, answer
    assert await office.everything() == before


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("", "root_of_server"),
        (".git", "hidden_path"),
        ("nothing-here", "invalid"),
        ("week3/../../..", "invalid"),
    ],
)
async def test_what_must_not_be_shared_is_refused(office: Office, path: str, code: str) -> None:
    """The server's root, hidden folders, and what is not there or not below it."""
    before = await office.everything()
    status, answer = await office.ask("POST", "shares", {"path": path, "server": SERVER})
    assert answer["error"]["code"] == code, answer
    assert status in (400, 403)
    assert await office.everything() == before


async def test_running_is_refused_until_it_can_be_given(office: Office) -> None:
    """`run` is named as not available, not silently turned into less; `edit` can be given."""
    asked = {"path": str(office.folder / "week3")}
    status, answer = await office.ask("POST", "shares", {**asked, "role": "run"})
    assert (status, answer["error"]["code"]) == (403, "role_not_available")
    status, answer = await office.ask("POST", "shares", {**asked, "role": "edit"})
    assert (status, answer["share"]["role"]) == (200, "edit")
