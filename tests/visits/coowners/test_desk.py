"""What a co-owner does from their page, and what they cannot do."""

from __future__ import annotations

from typing import Any

import pytest

from sharegate.audit.events import AuditEvent
from sharegate.errors import StoreUnavailable
from sharegate.visits.coowners.desk import NO_LONGER
from tests.visits.coowners.school import School


async def test_a_co_owner_lets_somebody_in(school: School) -> None:
    """The page shows the knock with its doubts; whoever is let in has what the link gives, and the trail names Tia."""
    made = await school.share()
    ann = await school.gate.visit(made, 1)
    tia = await school.coowner(made)
    async with school.tab(tia) as tab:
        knock = await school.knock(made["links"][1])
        state = await tab.until(lambda state: state["knocks"])
        shown = state["knocks"][0]
        assert (shown["name"], shown["link"], shown["came_from"], shown["role"]) == ("Eve", "Ann", "Ann", "view")
        assert shown["doubts"] == ["network"] and shown["answerable"]
        assert (await tab.ask("admit", knock))["problem"] == ""
        state = await tab.until(lambda state: len(state["people"]) == 3)
        assert [(one["name"], one["own"]) for one in state["people"]] == [("Ann", True), ("Tia", True), ("Eve", False)]
    (visit,) = [one for one in (await school.gate.call("GET", "visits"))["visits"] if one["name"] == "Eve"]
    assert (visit["kind"], visit["admitted_by"], visit["role"], visit["coowner"]) == ("knock", "Tia", "view", False)
    (event,) = await school.events("knock.admitted")
    tia_id = tia.base.rpartition("~")[2].rstrip("/")
    assert (event["actor"], event["by"], event["name"]) == (f"coowner:{tia_id}", "Tia", "Eve")
    assert event["text"] == "Tia, a co-owner, let Eve in."
    assert ann.share["id"] == event["share"]


async def test_whoever_is_let_in_has_what_the_link_gives(school: School) -> None:
    """A link for reading in a share for editing: the visit may read."""
    made = await school.share(role="edit")
    await school.gate.call("PATCH", f"links/{made['links'][1]['id']}", {"role": "view"})
    await school.gate.visit(made, 1)
    tia = await school.coowner(made)
    knock = await school.knock(made["links"][1])
    async with school.tab(tia) as tab:
        assert (await tab.until(lambda state: state["knocks"]))["knocks"][0]["role"] == "view"
        assert await tab.ask("admit", knock, role="edit") == {}, "no role can be asked for"
    async with school.tab(tia) as tab:
        assert (await tab.ask("admit", knock))["problem"] == ""
    visits = (await school.gate.call("GET", "visits"))["visits"]
    assert [one["role"] for one in visits if one["name"] == "Eve"] == ["view"]


async def test_the_page_shows_what_everybody_may_by_now(school: School) -> None:
    """The least of what share and link give, not what a link gave when it was made; and nobody whose link does not
    stand."""
    made = await school.share(role="edit")
    await school.gate.call("PATCH", f"links/{made['links'][1]['id']}", {"role": "edit"})
    await school.gate.visit(made, 1)
    tia = await school.coowner(made)
    await school.knock(made["links"][1])

    async def shown() -> tuple[list[str], list[str]]:
        async with school.tab(tia) as tab:
            state = tab.states[-1]
        return [one["name"] for one in state["people"]], [one["role"] for one in (*state["people"], *state["knocks"])]

    assert await shown() == (["Ann", "Tia"], ["edit"] * 3)
    await school.gate.call("PATCH", f"shares/{made['share']['id']}", {"role": "view"})
    assert await shown() == (["Ann", "Tia"], ["view"] * 3)
    await school.gate.call("POST", f"links/{made['links'][1]['id']}/pause")
    assert (await shown())[0] == ["Tia"]


async def test_a_co_owner_refuses_removes_pauses_and_resumes(school: School) -> None:
    """Each act happens at once, and is Tia's in the trail; her page outlives the pause, her other pages do not."""
    made = await school.share()
    ann = await school.gate.visit(made, 1)
    tia = await school.coowner(made)
    knock = await school.knock(made["links"][1])
    share = made["share"]["id"]
    async with school.tab(tia) as tab:
        assert (await tab.ask("refuse", knock))["problem"] == ""
        assert (await tab.until(lambda state: not state["knocks"]))["state"] == "open"
        person = next(one for one in tab.states[-1]["people"] if one["name"] == "Ann")
        assert person["removable"] and not person["you"]
        assert (await tab.ask("remove", person["id"]))["problem"] == ""
        await tab.until(lambda state: len(state["people"]) == 1)
        assert (await ann.ask("GET", "api/me")).public == "visit_ended"
        assert (await tab.ask("pause"))["problem"] == ""
        assert (await tab.until(lambda state: state["state"] != "open"))["state"] == "paused"
        assert (await tia.ask("GET", "api/me")).public == "share_paused"
        assert (await tab.ask("pause"))["problem"] == "It is paused already."
        assert (await school.page(tia)).status == 200, "the page for opening it again"
        assert (await tab.ask("resume"))["problem"] == ""
        await tab.until(lambda state: state["state"] == "open")
        assert (await tia.ask("GET", "api/me")).status == 200
        assert (await tab.ask("resume"))["problem"] == "It is open already."
    done = [
        (event["action"], event["text"])
        for event in await school.events(share=share)
        if event["actor"].startswith("coowner:")
    ]
    assert done == [
        ("knock.refused", "Tia, a co-owner, did not let Eve in."),
        ("visit.ended", "Tia, a co-owner, put Ann out."),
        ("share.paused", "Tia, a co-owner, paused sharing; everybody is out."),
        ("share.resumed", "Tia, a co-owner, resumed sharing."),
    ]


async def test_attack_what_the_owner_paused_only_the_owner_opens(school: School) -> None:
    """Also when a co-owner had paused it before, and when the owner paused what was paused."""
    made = await school.share()
    tia = await school.coowner(made)
    share = made["share"]["id"]
    async with school.tab(tia) as tab:
        await school.gate.call("POST", f"shares/{share}/pause")
        await tab.until(lambda state: state["state"] == "paused_by_owner")
        assert (await tab.ask("resume"))["problem"] == "Olga paused it."
        await school.gate.call("POST", f"shares/{share}/resume")
        assert (await tab.ask("pause"))["problem"] == ""
        await school.gate.call("POST", f"shares/{share}/pause")
        assert (await tab.ask("resume"))["problem"] == "Olga paused it."
    assert (await school.gate.call("GET", f"shares/{share}"))["share"]["state"] == "paused"


async def test_attack_a_co_owner_answers_their_own_knock(school: School) -> None:
    """Who knocks at a co-owner's link, which may be themselves elsewhere, is for the owner; so is who knocks with the
    co-owner's own browser at another link."""
    made = await school.share("Tia", "Tom", "Ann")
    tia, _, _ = await school.coowner(made), await school.coowner(made, 1), await school.gate.visit(made, 2)
    knocks = [await school.knock(made["links"][0]), await school.knock(made["links"][1])]
    own = await school.knock(made["links"][2], "Tia", tia.browser)
    async with school.tab(tia) as tab:
        state = await tab.until(lambda state: len(state["knocks"]) == 3)
        assert [one["answerable"] for one in state["knocks"]] == [False, False, True]
        for knock in (*knocks, own):
            for act in ("admit", "refuse"):
                assert "owner" in (await tab.ask(act, knock))["problem"]
    waiting = (await school.gate.call("GET", "knocks"))["knocks"]
    assert {one["id"] for one in waiting} == {*knocks, own}


async def test_attack_a_co_owner_puts_out_themselves_another_or_the_owner(school: School) -> None:
    """Nobody of a co-owner's link, and not the owner who looks; nor anybody of another share."""
    made, other = await school.share("Tia", "Tom", "Ann"), await school.gate.share("week4", **{"for": ["Bo"]})
    tia, tom = await school.coowner(made), await school.coowner(made, 1)
    preview = await school.gate.call("POST", f"shares/{made['share']['id']}/preview")
    await school.gate.visit({**made, "links": [preview["link"]]})
    bo = await school.gate.visit(other)
    async with school.tab(tia) as tab:
        mine = (await school.gate.call("GET", "visits", share=made["share"]["id"]))["visits"]
        assert {one["kind"] for one in mine} == {"browser", "preview"}
        for visit in mine:
            assert (await tab.ask("remove", visit["id"]))["problem"]
        his = bo.base.rpartition("~")[2].rstrip("/")
        assert (await tab.ask("remove", his))["problem"].startswith("There is nobody")
    for one in (tia, tom, bo):
        assert (await one.ask("GET", "api/me")).status == 200


async def test_attack_a_co_owner_of_one_share_answers_at_another(school: School) -> None:
    """What is of another share is, to them, not there."""
    made, other = await school.share(), await school.gate.share("week4", **{"for": ["Bo"]})
    tia, _ = await school.coowner(made), await school.gate.visit(other)
    knock = await school.knock(other["links"][0])
    async with school.tab(tia) as tab:
        for id in (knock, "nobody2345"):
            assert (await tab.ask("admit", id))["problem"] == "There is nobody like that here any more."
        assert tab.states[-1]["knocks"] == [] and len(tab.states[-1]["people"]) == 1
    assert (await school.gate.call("GET", "knocks"))["knocks"][0]["id"] == knock


async def test_two_pages_answer_one_knock(school: School) -> None:
    """One of the two answers counts; the other one is told."""
    made = await school.share()
    await school.gate.visit(made, 1)
    tia = await school.coowner(made)
    knock = await school.knock(made["links"][1])
    async with school.tab(tia) as one, school.tab(tia) as two:
        assert (await one.ask("admit", knock))["problem"] == ""
        assert "already" in (await two.ask("refuse", knock))["problem"]
        assert "already" in (await one.ask("admit", knock))["problem"]
    visits = (await school.gate.call("GET", "visits"))["visits"]
    assert len([one for one in visits if one["name"] == "Eve"]) == 1


async def test_an_act_that_cannot_be_recorded_is_taken_back(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is let in, and nothing opened, of whom the owner would not read."""
    made = await school.share()
    await school.gate.visit(made, 1)
    tia = await school.coowner(made)
    knock = await school.knock(made["links"][1])
    desk = school.gate.running.gate._own._coowners._desk  # type: ignore[attr-defined]
    record = desk._trail.record

    async def broken(event: AuditEvent, *, durable: bool = True) -> None:
        if event.actor.startswith("coowner:"):
            raise StoreUnavailable("full")
        await record(event, durable=durable)

    async with school.tab(tia) as tab:
        assert (await tab.ask("pause"))["problem"] == ""
        await tab.until(lambda state: state["state"] == "paused")
        monkeypatch.setattr(desk._trail, "record", broken)
        assert "records" in (await tab.ask("resume"))["problem"]
        await school.gate.call("POST", f"shares/{made['share']['id']}/resume")
        assert "records" in (await tab.ask("admit", knock))["problem"]
        monkeypatch.undo()
    visits = (await school.gate.call("GET", "visits"))["visits"]
    assert [one["state"] for one in visits if one["name"] == "Eve"] == ["ended"]


async def test_attack_a_mark_that_is_taken_while_it_is_used(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom a co-owner lets in in the moment in which the owner takes the mark is out again, and nothing was opened."""
    made = await school.share()
    await school.gate.visit(made, 1)
    tia = await school.coowner(made)
    link = tia.link["id"]
    knock = await school.knock(made["links"][1])
    desk = school.gate.running.gate._own._coowners._desk  # type: ignore[attr-defined]
    admit = desk._knocks.admit

    async def slow(*arguments: Any, **more: Any) -> Any:
        await school.gate.call("DELETE", f"links/{link}/coowner")
        return await admit(*arguments, **more)

    monkeypatch.setattr(desk._knocks, "admit", slow)
    async with school.tab(tia) as tab:
        assert await tab.ask("admit", knock) == {} and tab.over
    await desk.finished()
    visits = (await school.gate.call("GET", "visits"))["visits"]
    (eve,) = [one for one in visits if one["name"] == "Eve"]
    assert (eve["state"], eve["ended_reason"]) == ("ended", NO_LONGER)


async def test_attack_a_mark_that_is_taken_while_the_share_is_opened(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is paused again."""
    made = await school.share()
    tia = await school.coowner(made)
    desk = school.gate.running.gate._own._coowners._desk  # type: ignore[attr-defined]
    pause_share = desk._issuer.pause_share

    async def slow(*arguments: Any, **more: Any) -> Any:
        await school.gate.call("DELETE", f"links/{tia.link['id']}/coowner")
        return await pause_share(*arguments, **more)

    async with school.tab(tia) as tab:
        assert (await tab.ask("pause"))["problem"] == ""
        monkeypatch.setattr(desk._issuer, "pause_share", slow)
        assert await tab.ask("resume") == {} and tab.over
    await desk.finished()
    monkeypatch.undo()
    assert (await school.gate.call("GET", f"shares/{made['share']['id']}"))["share"]["state"] == "paused"


@pytest.mark.parametrize("act", ["pause", "resume"])
async def test_attack_the_owner_pauses_in_the_moment_in_which_a_co_owner_does(school: School, act: str) -> None:
    """The owner's pause is the owner's: it neither becomes the co-owner's, to be opened by them, nor is it lost."""
    made = await school.share()
    tia, share = await school.coowner(made), made["share"]["id"]
    desk = school.gate.running.gate._own._coowners._desk  # type: ignore[attr-defined]
    pause_share = desk._issuer.pause_share
    async with school.tab(tia) as tab:
        if act == "resume":
            assert (await tab.ask("pause"))["problem"] == ""
        with pytest.MonkeyPatch.context() as patch:

            async def slow(*arguments: Any, **more: Any) -> Any:
                patch.undo()
                await school.gate.call("POST", f"shares/{share}/pause")
                return await pause_share(*arguments, **more)

            patch.setattr(desk._issuer, "pause_share", slow)
            assert (await tab.ask(act))["code"] == "stale"
        await tab.until(lambda state: state["state"] == "paused_by_owner")
        assert (await tab.ask("resume"))["code"] == "paused_by_owner"
    assert (await school.gate.call("GET", f"shares/{share}"))["share"]["state"] == "paused"


async def test_what_could_not_be_opened_is_theirs_to_open_still(school: School) -> None:
    """An opening that was taken back leaves the pause the co-owner's, as it was."""
    made = await school.share()
    tia = await school.coowner(made)
    desk = school.gate.running.gate._own._coowners._desk  # type: ignore[attr-defined]

    async def broken(event: AuditEvent, *, durable: bool = True) -> None:
        raise StoreUnavailable("full")

    async with school.tab(tia) as tab:
        assert (await tab.ask("pause"))["problem"] == ""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(desk._trail, "record", broken)
            assert "records" in (await tab.ask("resume"))["problem"]
        assert (await school.gate.call("GET", f"shares/{made['share']['id']}"))["share"]["state"] == "paused"
        assert (await tab.ask("resume"))["problem"] == ""
    assert (await school.gate.call("GET", f"shares/{made['share']['id']}"))["share"]["state"] == "active"


async def test_attack_a_knock_that_is_too_old(school: School) -> None:
    """Who waited half a day is shown no more, and let in no more by whoever kept the knock's id."""
    made = await school.share()
    await school.gate.visit(made, 1)
    tia = await school.coowner(made)
    knock = await school.knock(made["links"][1])
    school.clock.forward(12 * 3600 + 1)
    async with school.tab(tia) as tab:
        assert tab.states[-1]["knocks"] == []
        assert (await tab.ask("admit", knock))["code"] == "decided"
    assert "Eve" not in [one["name"] for one in (await school.gate.call("GET", "visits"))["visits"]]


async def test_attack_older_records_are_opened_by_a_co_owner(school: School) -> None:
    """After a copy was put back all is the owner's to open, also what a co-owner had paused before."""
    made = await school.share()
    tia = await school.coowner(made)
    async with school.tab(tia) as tab:
        assert (await tab.ask("pause"))["problem"] == ""
        await school.gate.call("POST", "store/restored", {"pause": True})
        assert (await tab.ask("resume"))["code"] == "paused_by_owner"


async def test_devices_go_with_their_person(school: School) -> None:
    """A single one of them is nobody whom a co-owner sees."""
    made = await school.share()
    tia, ann = await school.coowner(made), await school.gate.visit(made, 1)
    headers = {"Content-Type": "application/json"}
    code = (await ann.ask("POST", "-/device", headers=headers, body=b"{}")).json["code"]
    await school.gate.post("/join/device", {"code": code}, school.gate.door(made["share"]["id"]))
    visits = (await school.gate.call("GET", "visits"))["visits"]
    device = next(one["id"] for one in visits if one["kind"] == "device")
    async with school.tab(tia) as tab:
        assert [one["devices"] for one in tab.states[-1]["people"]] == [1, 2]
        assert (await tab.ask("remove", device))["code"] == "not_found"
        assert (await tab.ask("remove", ann.base.rpartition("~")[2].rstrip("/")))["code"] == ""
    visits = (await school.gate.call("GET", "visits"))["visits"]
    assert sorted(one["state"] for one in visits) == ["ended", "ended", "open"]
    assert next(one["id"] for one in visits if one["state"] == "open") in tia.base
