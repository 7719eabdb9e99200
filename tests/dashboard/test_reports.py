"""Reports: what a visitor tells the admins of a share, from the door or from a visit, and what becomes of it."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pytest

from sharegate.errors import Denied, StoreUnavailable
from sharegate.visits import reporting
from tests.dashboard.client import Program, Signed
from tests.dashboard.conftest import Office
from tests.dashboard.visitors import Outside, comes, holder
from tests.stores.records import a_report

WRONG = {"concern": "phishing", "text": "It asks for my password"}
HOSTILE = "<script>alert(1)</script>\u202e=cmd|' /C calc'!A0\x07\x1b[31m\n\n\n\nline"


async def reports(office: Office, **query: str) -> list[dict[str, Any]]:
    return list((await office.call("GET", "reports", **query))["reports"])


async def test_a_report_from_a_visit_reaches_the_admins(office: Office) -> None:
    """With who said it, of which share and what; the visitor is thanked and told nothing else."""
    made = await office.share(**{"for": ["Ann"]})
    ann = await comes(office, made)
    reply = await ann.post(ann.base + "-/report", WRONG)
    assert (reply.status, reply.json) == (200, {"thanks": True})
    (one,) = await reports(office)
    assert (one["share"], one["name"], one["concern"], one["text"]) == (made["share"]["id"], "Ann", *WRONG.values())
    assert (one["state"], one["visit_label"], one["owner"]) == ("open", made["links"][0]["label"] + "1", "Olga")
    assert one["address"] == "127.0.0.1"


async def test_the_history_does_not_tell_an_owner_of_what_and_by_whom(office: Office) -> None:
    """Its entry names the report and what it is about; not the share, the visit, the person or their words."""
    ann = await comes(office, await office.share(**{"for": ["Ann"]}))
    await ann.post(ann.base + "-/report", WRONG)
    (one,) = await reports(office)
    (event,) = (await office.call("GET", "audit", action="report.made"))["events"]
    assert event["detail"] == f"{one['id']} phishing"
    assert [event[name] for name in ("share", "link", "visit", "name", "address", "agent", "path")] == [""] * 7
    assert "password" not in json.dumps((await office.call("GET", "audit"))["events"])


@pytest.mark.parametrize("verb", ["pause", "revoke", "expire"])
async def test_what_is_over_can_be_reported_too(office: Office, verb: str) -> None:
    """At the door by the link, and by the browser that held the visit."""
    made = await office.share(**{"for": ["Ann"]})
    ann = await comes(office, made)
    if verb == "expire":
        office.clock.forward(made["share"]["expires"] - office.clock() + 60)
    else:
        await office.call("POST", f"shares/{made['share']['id']}/{verb}")
    assert (await ann.post(ann.base + "-/report", WRONG)).json == {"thanks": True}
    bo = holder(made, office)
    assert (await bo.post("/join/report", {"token": bo.token, "concern": "other"})).json == {"thanks": True}
    assert [(one["name"], one["concern"]) for one in await reports(office)] == [("", "other"), ("Ann", "phishing")]


async def test_attack_strangers_learn_nothing(office: Office) -> None:
    """Without the cookie, with another visit's, with two, or of no visit at all: one answer, and no report."""
    made = await office.share(**{"for": ["Ann", "Bo"]})
    ann, bo = await comes(office, made), await comes(office, made, "Bo", 1)
    twice = Outside(office, "", "", f"{ann.cookies}; {ann.cookies}")
    tries = [
        (Outside(office), ann.base),
        (bo, ann.base),
        (twice, ann.base),
        (ann, f"/s/{made['share']['id']}/~nobody/"),
        (ann, "/s/nothing/~nobody/"),
    ]
    answers = []
    for who, base in tries:
        reply = await who.post(base + "-/report", WRONG)
        error = reply.json["error"]
        answers.append((reply.status, error["code"], error["message"]))
    assert len(set(answers)) == 1 and answers[0][:2] == (401, "no_access")
    assert (await Outside(office).post("/join/report", {"token": "a.b.c", "concern": "other"})).status == 401
    assert await reports(office) == []


async def test_attack_from_another_site(office: Office) -> None:
    """Another origin, none, or another site's page: refused before anything is read."""
    ann = await comes(office, await office.share(**{"for": ["Ann"]}))
    for headers in ({"Origin": "https://evil.example"}, {"Origin": ""}, {"Sec_Fetch_Site": "cross-site"}):
        for path, body in ((ann.base + "-/report", WRONG), ("/join/report", {"token": ann.token, **WRONG})):
            assert (await ann.post(path, body, **headers)).status == 403
    assert await reports(office) == []


async def test_bad_bodies_are_refused(office: Office) -> None:
    """No concern of the list, too much text, other fields, other types, no JSON, ten megabytes."""
    made = await office.share(**{"for": ["Ann"]})
    ann = await comes(office, made)
    bad: list[Any] = [
        {},
        {"concern": "boring"},
        {"concern": "other", "text": "x" * 1001},
        {"concern": "other", "text": 1},
        {"concern": ["other"]},
        {"concern": "other", "share": "x"},
        b'{"concern": "other", "concern": "phishing"}',
        b"[" * 4000,
        b"no json",
    ]
    for body in bad:
        assert (await ann.post(ann.base + "-/report", body)).status == 400, body
    assert (await ann.post(ann.base + "-/report", b"x" * 10_000_000)).status in (400, 413)
    assert (await ann.get(ann.base + "-/report")).status == 404
    assert await reports(office) == []


async def test_attack_hostile_words_are_cleaned(office: Office) -> None:
    """No control, no reordering; markup stays text, and the page escapes it. Line breaks stay, few at a time."""
    ann = await comes(office, await office.share(**{"for": ["Ann"]}))
    await ann.post(ann.base + "-/report", {"concern": "other", "text": HOSTILE})
    (one,) = await reports(office)
    assert one["text"] == "<script>alert(1)</script>=cmd|' /C calc'!A0[31m\n\nline"
    with_page = Signed(office)
    await with_page.enter()
    try:
        async with with_page.http.get("/admin/reports", headers=with_page.headers()) as answer:
            page = await answer.text()
    finally:
        await with_page.close()
    assert "&lt;script&gt;alert(1)" in page and "<script>alert(1)" not in page


async def test_the_same_report_twice_is_one(office: Office) -> None:
    """A double click, or two tabs; after it was closed it may be made anew."""
    ann = await comes(office, await office.share(**{"for": ["Ann"]}))
    for _ in range(2):
        assert (await ann.post(ann.base + "-/report", WRONG)).status == 200
    (one,) = await reports(office)
    await office.call("POST", f"reports/{one['id']}/close", {"note": "seen"})
    await ann.post(ann.base + "-/report", WRONG)
    assert len(await reports(office, all="1")) == 2
    assert (await office.actions()).count("report.made") == 2


async def test_attack_many_reports(office: Office) -> None:
    """From one network at most three an hour about a share; whoever is refused is told when to come back."""
    made = await office.share(**{"for": ["Ann"]})
    ann = await comes(office, made)
    for number in range(5):
        reply = await ann.post(ann.base + "-/report", {"concern": "other", "text": str(number)})
        assert reply.status == (200 if number < 3 else 429)
    assert reply.header("Retry-After")
    assert len(await reports(office)) == 3
    office.clock.forward(3600)
    assert (await ann.post(ann.base + "-/report", WRONG)).status == 200


async def test_attack_one_network_reports_everything(office: Office) -> None:
    """About all shares together at most ten an hour: nobody keeps the admins busy."""
    made = [await office.share(path, **{"for": ["Ann"]}) for path in ("week3", "week4", "week3", "week4")]
    answers = []
    for number in range(3):
        for each in made:
            who = holder(each, office)
            body = {"token": who.token, "concern": "other", "text": str(number)}
            answers.append((await who.post("/join/report", body)).status)
    assert answers == [200] * 10 + [429] * 2
    assert len(await reports(office)) == 10


async def test_reports_that_wait_are_so_many_and_from_no_whole_address(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From many networks: of one share, and of all, no more wait than somebody could read; of an address its network
    is kept."""
    monkeypatch.setattr(reporting, "PER_SHARE", 3)
    monkeypatch.setattr(reporting, "OVERALL", 5)
    made = [await office.share(path, **{"for": ["Ann"]}) for path in ("week3", "week4", "week3")]
    gate, store = office.running.gate, office.running.gate._store  # type: ignore[attr-defined]
    waiting = []
    for at, each in enumerate(made):
        share, link = await store.share(each["share"]["id"]), await store.link(each["links"][0]["id"])
        for number in range(4):
            with contextlib.suppress(Denied):
                address = f"203.0.{at * 10 + number}.77"
                await gate._own._reporting.report(share, link, None, address, "other", str(number))  # type: ignore[attr-defined]
        waiting.append(len(await reports(office)))
    assert waiting == [3, 5, 5]
    kept = {one["address"] for one in await reports(office, all="1")}
    assert kept and all(re.fullmatch(r"203\.0\.[0-9]+\.0/24", address) for address in kept), kept


async def test_a_report_is_closed_with_a_note_and_opened_again(office: Office) -> None:
    """Both are recorded as an admin's acts; closing what is closed is told, not done twice."""
    ann = await comes(office, await office.share(**{"for": ["Ann"]}))
    await ann.post(ann.base + "-/report", WRONG)
    (one,) = await reports(office)
    closed = (await office.call("POST", f"reports/{one['id']}/close", {"note": " asked Olga\u202e "}))["report"]
    assert (closed["state"], closed["note"], closed["closed"]) == ("closed", "asked Olga", office.clock())
    assert await reports(office) == [] and len(await reports(office, all="1")) == 1
    for verb, status in (("close", 409), ("reopen", 200), ("reopen", 409)):
        assert (await office.ask("POST", f"reports/{one['id']}/{verb}", {}))[0] == status
    status, said = await office.ask("POST", "reports/nothing/close", {"note": "x"})
    assert (status, said["error"]["code"]) == (404, "not_found")
    status, said = await office.ask("POST", f"reports/{one['id']}/close", {"note": "x" * 501})
    assert (status, said["error"]["field"]) == (400, "note")
    acts = [event for event in (await office.call("GET", "audit"))["events"] if event["action"].startswith("report.")]
    assert {(event["action"], event["actor"]) for event in acts[1:]} == {
        ("report.closed", "admin"),
        ("report.reopened", "admin"),
    }


async def test_what_cannot_be_recorded_was_not_reported(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The visitor is told to try again, and then it is one report."""
    ann = await comes(office, await office.share(**{"for": ["Ann"]}))
    trail = office.running.gate._trail
    record = trail.record

    async def full(*arguments: Any, **named: Any) -> None:
        raise StoreUnavailable("full")

    monkeypatch.setattr(trail, "record", full)
    assert (await ann.post(ann.base + "-/report", WRONG)).status == 503
    monkeypatch.setattr(trail, "record", record)
    assert await reports(office) == []
    assert (await ann.post(ann.base + "-/report", WRONG)).status == 200
    assert len(await reports(office)) == 1


async def test_who_is_forgotten_leaves_no_words(office: Office) -> None:
    """Name, address and text of their reports go; that there was one stays."""
    ann = await comes(office, await office.share(**{"for": ["Ann"]}))
    await ann.post(ann.base + "-/report", WRONG)
    await office.call("POST", "audit/erase", {"person": "Ann"})
    (one,) = await reports(office)
    assert (one["name"], one["address"], one["text"], one["concern"]) == ("", "", "", "phishing")


async def test_reports_are_for_admins_in_person(office: Office) -> None:
    """No token reads or closes them, whatever it may."""
    program = Program(office, await office.token("people:read", "people:write", "trail:read", "shares:write"))
    try:
        for method, path in (("GET", "reports"), ("POST", "reports/x/close")):
            status, said = await program.ask(method, f"/api/v1/{path}", {} if method == "POST" else None)
            assert (status, said["code"]) == (403, "person_only")
    finally:
        await program.close()


async def test_reports_come_by_page(office: Office) -> None:
    """The newest first, each once, with how many there are; without a length all of them, as commands ask."""
    store = office.running.gate._store  # type: ignore[attr-defined]
    made = await office.share()
    of = {"share": made["share"]["id"], "link": made["links"][0]["id"], "visit": ""}
    for number in range(7):
        report = a_report(f"report{number}", created=office.clock() + number, text=f"odd {number}", **of)
        await store.add_report(report, per_share=99, overall=99)
    await store.change_report("report3", closed=office.clock())
    for query, wanted in (({}, [6, 5, 4, 2, 1, 0]), ({"all": "1"}, [6, 5, 4, 3, 2, 1, 0])):
        found = []
        for page in (1, 2, 3):
            answer = await office.call("GET", "reports", limit="3", page=str(page), **query)
            assert (answer["count"], answer["limit"], answer["open"]) == (len(wanted), 3, 6)
            found += answer["reports"] if answer["page"] == page else []
        assert [one["id"] for one in found] == [f"report{number}" for number in wanted]
        assert [one["id"] for one in await reports(office, **query)] == [one["id"] for one in found]
    for wrong in ({"limit": "0"}, {"page": "0"}, {"page": "x"}):
        assert (await office.ask("GET", "reports", **wrong))[0] == 400
