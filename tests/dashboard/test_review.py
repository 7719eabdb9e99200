"""The access review: every live share with its age, width and last use, signed off and paused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sharegate.audit.events import Action, AuditEvent
from sharegate.errors import StoreUnavailable
from sharegate.shares.model import Visit, new_id
from tests.dashboard.conftest import Office

DAY = 86400.0


async def several(office: Office, count: int = 5) -> list[str]:
    """Shares, each a day younger than the one before."""
    made = []
    for _ in range(count):
        made.append((await office.share(expires=office.clock() + 80 * DAY))["share"]["id"])
        office.clock.forward(DAY)
    return made


async def seen(office: Office, share: str) -> None:
    """A visitor does something."""
    trail = office.running.gate._trail  # type: ignore[attr-defined]
    await trail.record(AuditEvent(action=Action.CHANNEL_OPENED, actor="visitor", share=share))


async def listed(office: Office, **query: str) -> dict[str, Any]:
    return await office.call("GET", "review", **query)


async def test_every_live_share_is_listed(office: Office) -> None:
    """The oldest first, by page; what was revoked or has expired is not there, what is paused is."""
    ids = await several(office)
    await office.call("POST", f"shares/{ids[0]}/revoke")
    await office.call("POST", f"shares/{ids[1]}/pause")
    first = await listed(office, limit="2")
    assert [one["id"] for one in first["shares"]] == ids[1:3] and first["count"] == 4
    second = await listed(office, limit="2", cursor=first["next"])
    assert [one["id"] for one in second["shares"]] == ids[3:] and second["next"] == ""
    assert [one["state"] for one in first["shares"]] == ["paused", "active"]
    office.clock.forward(90 * DAY)
    assert (await listed(office))["shares"] == []


async def test_the_widest_come_first(office: Office) -> None:
    """Whoever can change text in a whole folder by a link for anyone before who can look at one file."""
    file = (await office.share("notes.md", **{"for": ["Ann"]}))["share"]["id"]
    person = (await office.share(**{"for": ["Ann"]}))["share"]["id"]
    anyone = (await office.share(anyone=True, visits=5))["share"]["id"]
    edit = (await office.share("week4", role="edit", **{"for": ["Ann"]}))["share"]["id"]
    found: list[str] = []
    cursor = ""
    while not found or cursor:
        page = await listed(office, sort="widest", limit="1", cursor=cursor)
        found += [one["id"] for one in page["shares"]]
        cursor = page["next"]
    assert found == [edit, anyone, person, file]


async def test_what_no_visitor_used_for_a_month_is_unused(office: Office) -> None:
    """An owner's own acts are no use of it; what was made lately is not unused."""
    old, used, new = await several(office, 3)
    office.clock.forward(28 * DAY)
    await seen(office, used)
    await office.call("PATCH", f"shares/{old}", {"message": "hello"})
    answer = await listed(office, sort="unused")
    assert [(one["id"], one["unused"]) for one in answer["shares"]] == [(old, True), (new, False), (used, False)]
    assert answer["unused"] == 1
    assert answer["shares"][0]["last_used"] is None and answer["shares"][2]["last_used"] == office.clock()


async def test_who_is_in_is_counted(office: Office) -> None:
    """Who came by a link for anyone is known by their own word alone."""
    made = await office.share(anyone=True, visits=5)
    (link,) = made["links"]
    store = office.running.gate._store  # type: ignore[attr-defined]
    end = office.clock() + DAY
    visit = Visit(
        id=new_id(), share=link["share"], link=link["id"], number=0, name="Bo", created=office.clock(), expires=end
    )
    await store.open_visit(visit, seats=None)
    (one,) = (await listed(office))["shares"]
    assert (one["people"], one["outside"], one["ever"], one["open_links"]) == (1, 1, 1, 1)
    assert one["last_used"] == office.clock()


async def test_a_review_is_signed_off(office: Office) -> None:
    """The history has when and of what; the next review says when that was."""
    await several(office, 2)
    before = await listed(office)
    assert before["signed"] is None
    signed = await office.call("POST", "review/sign", {"digest": before["digest"]})
    assert (signed["count"], signed["digest"]) == (2, before["digest"])
    (event,) = (await office.call("GET", "audit", action="access.reviewed"))["events"]
    assert event["actor"] == "admin" and event["detail"] == f"2 shares, sha256 {before['digest']}"
    assert event["text"].startswith("An admin reviewed what is shared and signed it off")
    assert (await listed(office))["signed"]["at"] == office.clock()


async def test_what_was_not_looked_at_is_not_signed_off(office: Office) -> None:
    """Something was shared meanwhile: look again. Nothing is recorded."""
    await several(office, 1)
    looked = await listed(office)
    await office.share()
    for digest in (looked["digest"], "", "x"):
        status, answer = await office.ask("POST", "review/sign", {"digest": digest})
        assert (status, answer["error"]["code"]) == (409, "changed")
    assert (await office.ask("POST", "review/sign", {}))[0] == 400
    assert "access.reviewed" not in await office.actions()


async def test_several_are_paused_at_once(office: Office) -> None:
    """Each is recorded and says what became of it; twice is no fault, and an unknown one keeps no other."""
    ids = await several(office, 3)
    await office.call("POST", f"shares/{ids[2]}/revoke")
    answer = await office.call("POST", "review/pause", {"shares": [ids[0], "nobody", ids[1], ids[0], ids[2]]})
    assert [(one["id"], one["result"]) for one in answer["results"]] == [
        (ids[0], "paused"),
        ("nobody", "failed"),
        (ids[1], "paused"),
        (ids[2], "ended already"),
    ]
    assert answer["paused"] == 2 and answer["results"][1]["message"]
    again = await office.call("POST", "review/pause", {"shares": ids[:2]})
    assert [one["result"] for one in again["results"]] == ["paused already"] * 2
    events = (await office.call("GET", "audit", action="share.paused"))["events"]
    assert [(event["share"], event["detail"]) for event in events] == [(id, "access review") for id in ids[:2]]


async def test_what_a_coowner_paused_is_the_admins_now(office: Office) -> None:
    """Else the co-owner could open again what was paused in the review."""
    share = (await office.share())["share"]["id"]
    store = office.running.api._store
    await store.change_share(share, paused=True, paused_by="v" * 10)
    answer = await office.call("POST", "review/pause", {"shares": [share]})
    assert [one["result"] for one in answer["results"]] == ["paused"]
    kept = await store.share(share)
    assert kept is not None and kept.paused and kept.paused_by == ""
    answer = await office.call("POST", "review/pause", {"shares": [share]})
    assert [one["result"] for one in answer["results"]] == ["paused already"]


async def test_two_who_pause_at_once(office: Office) -> None:
    """Both are answered, and the share is paused."""
    ids = await several(office, 1)
    answers = await asyncio.gather(*(office.call("POST", "review/pause", {"shares": ids}) for _ in range(3)))
    assert {answer["results"][0]["result"] for answer in answers} <= {"paused", "paused already"}
    assert (await listed(office))["shares"][0]["state"] == "paused"


async def test_what_cannot_be_recorded_is_paused_all_the_same(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What closes is never taken back: it is told as failed, and nobody is in."""
    ids = await several(office, 1)

    async def fail(event: AuditEvent, *, durable: bool = True) -> None:
        raise StoreUnavailable("the disk is full")

    review = office.running.api._review
    monkeypatch.setattr(review._acts._trail, "record", fail)
    answer = await office.call("POST", "review/pause", {"shares": ids})
    assert answer["results"][0]["result"] == "failed"
    assert (await listed(office))["shares"][0]["state"] == "paused"


@pytest.mark.parametrize(
    ("method", "path", "given", "field"),
    [
        ("GET", "review", {"sort": "narrowest"}, "sort"),
        ("GET", "review", {"limit": "501"}, "limit"),
        *(("GET", "review", {"cursor": value}, "cursor") for value in ("x", "W10", "bnVsbA", "A" * 500, "%", "é")),
        ("POST", "review/pause", {"shares": []}, "shares"),
        ("POST", "review/pause", {"shares": ["x"] * 501}, "shares"),
    ],
    ids=str,
)
async def test_what_cannot_be_asked_is_told(
    office: Office, method: str, path: str, given: dict[str, Any], field: str
) -> None:
    """Which field, and what to do; a cursor is for the order that it was given out for."""
    status, answer = await office.running.api.call(
        method, f"/api/v1/{path}", given if method == "GET" else {}, given if method == "POST" else None
    )
    assert (status, answer["error"]["field"]) == (400, field)
    assert answer["error"]["remedy"]


async def test_a_cursor_is_for_its_order(office: Office) -> None:
    """The place in one order means nothing in another."""
    await several(office, 3)
    cursor = (await listed(office, limit="1", sort="oldest"))["next"]
    for sort in ("widest", "unused"):
        assert (await office.ask("GET", "review", cursor=cursor, sort=sort))[0] == 400
