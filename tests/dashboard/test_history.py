"""The history by page, as a timeline, and as the picture of who passed something on, through the owner's API."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.errors import Reason
from sharegate.shares.model import Knock, Visit, VisitKind, new_id
from tests.dashboard.conftest import Office

HOSTILE = {
    "markup": "<img src=x onerror=alert(1)>",
    "controls": "a\x1b[31m\x07\nb",
    "overrides": "\u202egnp.exe\u2066",
    "formula": '=HYPERLINK("http://evil.example","x")',
    "formula after a line": "\n@SUM(A1)",
    "long": "x" * 10_000_000,
}


async def record(office: Office, action: Action, **fields: Any) -> None:
    trail = office.running.gate._trail  # type: ignore[attr-defined]  # as the gate itself records
    await trail.record(AuditEvent(action=action, **{"actor": "visitor"} | fields))


async def asked(office: Office, query: dict[str, str], where: str = "audit") -> tuple[int, dict[str, Any]]:
    return await office.running.api.call("GET", f"/api/v1/{where}", query)


async def pages(office: Office, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        status, answer = await asked(office, {"cursor": cursor, **query})
        assert status == 200, answer
        found += answer["events"]
        cursor = answer["next"]
        if not cursor:
            assert answer["reached"] is None
            return found


@pytest.mark.parametrize("newest", ["1", "0"])
async def test_a_history_comes_page_by_page(office: Office, newest: str) -> None:
    """Both ways round, each entry once, also while more is recorded."""
    made = await office.share(**{"for": ["Ann"]})
    share = made["share"]["id"]
    for number in range(20):
        office.clock.forward(1)
        await record(office, Action.REQUEST_ANSWERED, share=share, path=f"week3/{number}", method="GET")
    first = await office.call("GET", "audit", share=share, limit="5", newest=newest)
    assert len(first["events"]) == 5 and first["next"]
    await record(office, Action.REQUEST_ANSWERED, share=share, path="week3/late", method="GET")
    rest = await office.call("GET", "audit", share=share, limit="1000", newest=newest, cursor=first["next"])
    paths = [event["path"] for event in first["events"] + rest["events"] if event["path"]]
    wanted = [f"week3/{number}" for number in range(20)]
    assert paths == (wanted[::-1] if newest == "1" else [*wanted, "week3/late"])
    assert rest["next"] == ""


async def test_each_filter_narrows(office: Office) -> None:
    """By share, link, visit, folder, action, outcome, reason and time, and by several at once."""
    made = await office.share(**{"for": ["Ann", "Bo"]})
    share, (ann, bo) = made["share"]["id"], [link["id"] for link in made["links"]]
    begun = office.clock()
    await record(office, Action.LINK_JOINED, share=share, link=ann, visit="va", name="Ann")
    office.clock.forward(60)
    await record(office, Action.REQUEST_ANSWERED, share=share, link=ann, visit="va", path="week3/a/b", method="GET")
    await record(office, Action.REQUEST_ANSWERED, share=share, link=bo, visit="vb", path="week3/ab", method="GET")
    denied = {"outcome": Outcome.DENIED, "reason": "outside_root"}
    await record(office, Action.REQUEST_DENIED, share=share, link=bo, visit="vb", path="week4", **denied)
    for query, count in (
        ({"link": ann, "visit": "va"}, 2),
        ({"link": bo}, 3),
        ({"visit": "vb", "path": "week3"}, 1),
        ({"path": "week3/a"}, 1),
        ({"action": "link.joined"}, 1),
        ({"share": share, "outcome": "denied"}, 1),
        ({"reason": "outside_root", "visit": "va"}, 0),
        ({"person": " ANN"}, 2),  # of their link, and of themselves
        ({"person": "ann", "share": share, "action": "link.joined"}, 1),
        ({"person": "Nobody"}, 0),
        ({"share": share, "since": str(begun + 1)}, 3),
        ({"share": share, "until": str(begun + 1), "action": "link.joined"}, 1),
    ):
        for newest in ("1", "0"):
            found = await pages(office, limit="2", newest=newest, **query)
            assert len(found) == count, query


async def test_a_search_that_fits_nothing_says_how_far_it_came(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page looks at so many entries and tells up to when; the next goes on from there, and finds what is older."""
    share = (await office.share())["share"]["id"]
    await record(office, Action.REQUEST_ANSWERED, share=share, path="deep", method="GET")
    for _ in range(30):
        office.clock.forward(1)
        await record(office, Action.REQUEST_ANSWERED, share=share, path="week3", method="GET")
    store = office.running.gate._store  # type: ignore[attr-defined]
    real = store.page
    monkeypatch.setattr(store, "page", lambda query, after=None, looks=10: real(query, after, looks=10))
    now = office.clock()
    _, answer = await asked(office, {"share": share, "path": "deep", "newest": "1", "limit": "5"})
    assert answer["events"] == [] and answer["next"] and answer["reached"] == now - 9
    assert [event["path"] for event in await pages(office, share=share, path="deep", newest="1")] == ["deep"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *(({"limit": value}, "limit") for value in ("0", "-1", "10001", "1.5", "x", "٣", "9" * 30)),
        ({"action": "link.joind"}, "action"),
        ({"outcome": "Denied"}, "outcome"),
        ({"since": "yesterday"}, "since"),
        ({"person": " \u200b"}, "person"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "A" * 5000}, "cursor"),
    ],
    ids=str,
)
async def test_what_cannot_be_asked_is_told(office: Office, query: dict[str, str], field: str) -> None:
    """Which field, what is wrong, and what to do."""
    for path in ("audit", "audit/export"):
        status, answer = await office.ask("GET", path, **query)
        assert (status, answer["error"]["field"]) == (400, field), path
        assert answer["error"]["message"] and answer["error"]["remedy"]


async def test_a_cursor_is_for_its_question(office: Office) -> None:
    """Another filter, the other way round, or the export of it: refused rather than answered with something else."""
    await office.share()
    first = await office.call("GET", "audit", limit="1", newest="1")
    for path, query in (("audit", {"newest": "0"}), ("audit", {"newest": "1", "path": "x"}), ("audit/export", {})):
        status, answer = await asked(office, {"cursor": first["next"], **query}, path)
        assert (status, answer["error"]["field"]) == (400, "cursor")
        assert "another question" in answer["error"]["message"]


async def test_an_export_goes_on_by_the_same_cursors(office: Office) -> None:
    """All of it as chains; what fits a filter by time; as many lines as entries, the header once."""
    made = await office.share()
    for number in range(1200):
        await record(office, Action.REQUEST_ANSWERED, share=made["share"]["id"], path=f"{number}", method="GET")
    for query in ({}, {"share": made["share"]["id"]}):
        lines, cursor, calls = [], "", 0
        while calls == 0 or cursor:
            answer = await office.call("GET", "audit/export", cursor=cursor, format="csv", **query)
            lines += answer["lines"]
            cursor, calls = answer["next"], calls + 1
        read = list(csv.DictReader(io.StringIO("".join(lines))))
        assert calls >= 3 and [row["path"] for row in read if row["path"]] == [f"{number}" for number in range(1200)]


# -- the picture ----------------------------------------------------------------------------------------------------


async def enter(office: Office, link: dict[str, Any], **fields: Any) -> Visit:
    store = office.running.gate._store  # type: ignore[attr-defined]
    visit = Visit(
        **{
            "id": new_id(),
            "share": link["share"],
            "link": link["id"],
            "number": 0,
            "name": link["name"],
            "created": office.clock(),
            "expires": office.clock() + 86400,
        }
        | fields
    )
    opened: Visit = await store.open_visit(visit, seats=None)
    await record(office, Action.LINK_JOINED, share=opened.share, link=opened.link, visit=opened.id, name=opened.name)
    return opened


async def test_the_picture_of_a_share(office: Office) -> None:
    """From the owner to who was not let in, out of the real records and the real history."""
    made = await office.share(**{"for": ["Ann"]})
    (link,) = made["links"]
    ann = await enter(office, link)
    store = office.running.gate._store  # type: ignore[attr-defined]
    knock = Knock(id="k" * 10, share=ann.share, link=ann.link, name="Bob", came_from=ann.id, created=office.clock())
    await store.add_knock(knock, limit=5)
    admitted = await office.call("POST", f"knocks/{knock.id}/admit", {"role": "view"})
    assert admitted["knock"]["state"] == "admitted"
    answer = await office.call("GET", f"shares/{ann.share}/passing")
    assert answer["complete"] and answer["tree"]["name"] == "Olga"
    (shown,) = answer["tree"]["below"]
    (person,) = shown["below"]
    (bob,) = person["below"]
    assert (shown["kind"], person["badge"], person["state"]) == ("link", "Ann · own link", "open")
    assert (bob["badge"], bob["knocked"], bob["came_from"]) == ('says "Bob"', True, ann.id)
    await office.call("POST", "audit/erase", {"visit": bob["id"]})
    answer = await office.call("GET", f"shares/{ann.share}/passing")
    (bob,) = answer["tree"]["below"][0]["below"][0]["below"]
    assert (bob["erased"], bob["name"], bob["state"]) == (True, "", "ended")
    assert (await office.ask("GET", "shares/nobody/passing"))[0] == 404


async def test_an_address_that_is_opened_elsewhere_is_an_attempt(office: Office) -> None:
    """Whoever opens the address of somebody's page without its cookie is seen below them; made-up addresses are not."""
    made = await office.share(**{"for": ["Ann"]})
    ann = await enter(office, made["links"][0])
    gate = office.running.gate
    trail = gate._trail  # type: ignore[attr-defined]
    for page in ((ann.share, ann.id), (ann.share, "unknown"), ("unknown", ann.id)):
        await trail.stranger_denied(Reason.NO_CREDENTIAL, "203.0.113.9", page=page)
    await trail.stranger_denied(Reason.VISIT_ENDED, "203.0.113.9", page=(ann.share, ann.id))
    await trail.flush()
    answer = await office.call("GET", f"shares/{ann.share}/passing")
    (attempt,) = answer["tree"]["below"][0]["below"][0]["below"]
    assert (attempt["kind"], attempt["network"], attempt["count"]) == ("attempt", "203.0.113.0/24", 1)


# -- the timeline ---------------------------------------------------------------------------------------------------


async def test_the_timeline_of_a_share(office: Office) -> None:
    """One lane for each person, with their devices, what they did by the hour, and when they were in."""
    made = await office.share(**{"for": ["Ann"]})
    (link,) = made["links"]
    ann = await enter(office, link)
    device = await enter(office, link, kind=VisitKind.DEVICE, came_from=ann.id)
    office.clock.forward(3600)
    at = {"share": ann.share, "link": ann.link}
    await record(office, Action.CHANNEL_OPENED, visit=device.id, path="week3/a.ipynb", **at)
    await record(office, Action.DOCUMENT_WRITTEN, visit=ann.id, path="week3/a.ipynb", **at)
    await record(office, Action.REQUEST_DENIED, visit=ann.id, outcome=Outcome.DENIED, reason="outside_root", **at)
    answer = await office.call("GET", "audit/lanes", share=ann.share)
    (lane,) = answer["lanes"]
    assert (lane["label"], lane["badge"], lane["devices"]) == (f"{made['share']['label']}.a1", "Ann · own link", 1)
    assert [(hour["opens"], hour["edits"], hour["denials"]) for hour in lane["hours"]] == [(1, 1, 1)]
    assert lane["stays"] == [{"since": ann.created, "until": None, "how": ""}]
    assert (answer["more"], answer["counted_since"], answer["until"]) == (0, None, office.clock())
    early = await office.call("GET", "audit/lanes", share=ann.share, until=str(ann.created - 5))
    assert early["lanes"] == []


async def test_a_timeline_says_back_to_when_it_counted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done in a busy share is counted so far and no further."""
    made = await office.share(**{"for": ["Ann"]})
    ann = await enter(office, made["links"][0])
    for _ in range(12):
        office.clock.forward(600)
        await record(office, Action.CHANNEL_OPENED, share=ann.share, link=ann.link, visit=ann.id)
    monkeypatch.setattr("sharegate.audit.history.MOST_GLANCES", 6)
    monkeypatch.setattr("sharegate.audit.history._PAGE", 3)
    answer = await office.call("GET", "audit/lanes", share=ann.share)
    assert answer["counted_since"] == office.clock() - 5 * 600
    assert sum(hour["opens"] for hour in answer["lanes"][0]["hours"]) == 6


@pytest.mark.parametrize(("since", "until"), [("5", "5"), ("9", "5"), ("1", "99999999"), ("0", "99999999999")])
async def test_a_timeline_has_a_beginning_and_an_end(office: Office, since: str, until: str) -> None:
    """No longer than a term; `since` lies before `until`."""
    share = (await office.share())["share"]["id"]
    status, answer = await office.ask("GET", "audit/lanes", share=share, since=since, until=until)
    if since == "0":
        assert status == 200  # a day, where no beginning is given
    else:
        assert (status, answer["error"]["field"]) == (400, "since")
    assert (await office.ask("GET", "audit/lanes"))[0] == 404


# -- bad values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
async def test_attack_hostile_text_in_every_field(office: Office, value: str) -> None:
    """It is kept on one line and short, reorders nothing, and a spreadsheet does not run it; pages, picture and
    timeline still come."""
    made = await office.share(**{"for": ["Ann"]})
    share, link = made["share"]["id"], made["links"][0]["id"]
    fields = ("reason", "rule", "method", "path", "detail", "name", "agent", "came_from")
    for action in (Action.REQUEST_DENIED, Action.LINK_REFUSED, Action.LINK_PASSED_ON, Action.KNOCK_MADE):
        said = dict.fromkeys(fields, value)
        await record(office, action, share=share, link=link, outcome=Outcome.DENIED, **said)
    for path in ("audit", f"shares/{share}/passing", f"audit/lanes?{share}"):
        query = {"share": share} if path.startswith("audit") else {}
        answer = await office.call("GET", path.partition("?")[0], **query)
        text = json.dumps(answer, ensure_ascii=False)
        assert len(text) < 60_000
        assert not {"\x1b", "\x07", "\u202e", "\u2066"} & set(text)
    lines = (await office.call("GET", "audit/export", format="csv"))["lines"]
    for row in csv.reader(io.StringIO("".join(lines))):
        assert not [cell for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n")]
