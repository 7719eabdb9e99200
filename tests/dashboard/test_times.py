"""Asking for more time: who may, what the owner sees and answers, and what the visitor is told."""

from __future__ import annotations

from typing import Any

import pytest

from sharegate.dashboard.login import Viewer
from sharegate.errors import StoreUnavailable
from sharegate.visits.more_time import ASKS, PER_LINK
from tests.dashboard.client import Signed
from tests.dashboard.conftest import Office
from tests.dashboard.visitors import Outside, comes, holder

DAY = 86400.0
Json = dict[str, Any]


async def times(office: Office, **query: str) -> list[Json]:
    return list((await office.call("GET", "times", **query))["times"])


async def asks(who: Outside) -> Any:
    reply = await who.post(who.base + "-/time", {})
    return reply.json["state"] if reply.status == 200 else reply.json["error"]["code"]


async def knows(who: Outside) -> str:
    """What the page of the visit would be told."""
    reply = await who.get(who.base + "-/time")
    assert reply.status == 200, reply.body
    return str(reply.json["state"])


async def shared(office: Office, days: float = 2, **more: Any) -> Json:
    return await office.share(**{"for": ["Ann", "Bo"], "expires": office.clock() + days * DAY, **more})


async def test_a_visitor_asks_and_the_owner_grants(office: Office) -> None:
    """The link ends later, who is in stays in, and the page is told; asked twice, it is one ask."""
    made = await shared(office)
    ann = await comes(office, made)
    assert await knows(ann) == "may"
    assert [await asks(ann) for _ in range(2)] == ["waiting", "waiting"] and await knows(ann) == "waiting"
    (one,) = await times(office)
    assert (one["name"], one["share"], one["whole_share"], one["links"]) == ("Ann", made["share"]["id"], True, 2)
    assert "Ann" in one["badge"]
    until = office.clock() + 9 * DAY
    answer = await office.call("POST", f"times/{one['id']}/grant", {"expires": until})
    assert answer["until"] == until and answer["time"]["state"] == "granted"
    assert await knows(ann) == "granted" and await times(office) == []
    office.clock.forward(3 * DAY)
    assert (await ann.about())["state"] == "reenter"
    shares = (await office.call("GET", "shares"))["shares"]
    assert shares[0]["expires"] == until and {link["expires"] for link in shares[0]["links"]} == {until}
    assert [name for name in await office.actions() if name.startswith("time.")] == ["time.asked", "time.granted"]


async def test_an_expired_link_is_asked_for_at_the_door(office: Office) -> None:
    """By its holder, in the browser that asked: it waits, is refused, and may be asked again after a day."""
    made = await shared(office)
    bo = holder(made, office, 1)
    office.clock.forward(3 * DAY)
    assert (await bo.about())["time"] == "may"
    reply = await bo.post("/join/time", {"token": bo.token})
    assert reply.json == {"state": "waiting"}
    bo.cookies = next(value.partition(";")[0] for key, value in reply.headers if key.lower() == "set-cookie")
    assert (await bo.about())["time"] == "waiting" and (await holder(made, office, 1).about())["time"] == "may"
    (one,) = await times(office)
    assert (one["visit"], one["name"], one["badge"], one["link_name"]) == ("", "", "", "Bo")
    await office.call("POST", f"times/{one['id']}/refuse")
    assert (await bo.about())["time"] == "refused"
    assert (await bo.post("/join/time", {"token": bo.token})).json == {"state": "refused"}
    office.clock.forward(DAY)
    assert (await bo.post("/join/time", {"token": bo.token})).json == {"state": "waiting"}
    await office.call("POST", f"times/{(await times(office))[0]['id']}/grant", {"expires": office.clock() + DAY})
    assert (await bo.about())["state"] == "open"


async def test_an_expired_visit_comes_back(office: Office) -> None:
    """The page of the visit says how it stands, and the same cookie opens it again."""
    made = await shared(office)
    ann = await comes(office, made)
    office.clock.forward(3 * DAY)
    assert 'data-time="may"' in (await ann.get(ann.base + "-/ended")).body.decode()
    assert await asks(ann) == "waiting"
    assert 'data-time="waiting"' in (await ann.get(ann.base + "-/ended")).body.decode()
    (one,) = await times(office)
    await office.call("POST", f"times/{one['id']}/grant", {"expires": office.clock() + DAY})
    assert await knows(ann) == "granted"


@pytest.mark.parametrize("how", ["revoke", "revoke link", "end", "replace", "late", "pause"])
async def test_there_is_no_asking_for_what_was_ended(office: Office, how: str) -> None:
    """Revoked, ended, replaced, paused, or expired for more than two weeks; nothing is stored."""
    made = await shared(office)
    ann = await comes(office, made)
    share, link = made["share"]["id"], made["links"][0]["id"]
    paths = {"revoke": f"shares/{share}/revoke", "pause": f"shares/{share}/pause"}
    paths |= {"revoke link": f"links/{link}/revoke", "replace": f"links/{link}/replace"}
    if how == "late":
        office.clock.forward(17 * DAY)
    elif how == "end":
        (visit,) = (await office.call("GET", "visits"))["visits"]
        await office.call("POST", f"visits/{visit['id']}/end")
    else:
        await office.call("POST", paths[how])
    if how != "replace":  # the visit goes on, and may ask
        assert await asks(ann) != "waiting"
        assert await knows(ann) == ""
    if how != "end":  # who was put out may come again by the link, and ask
        reply = await ann.post("/join/time", {"token": ann.token})
        assert reply.status in (401, 403), reply.body
        assert (await ann.about())["time"] == ""
    assert await times(office) == []


@pytest.mark.parametrize("how", ["suspended", "link revoked", "put out"])
async def test_there_is_no_asking_for_what_was_ended_and_has_expired_since(office: Office, how: str) -> None:
    """An end that has come besides does not hide what the owner, or the gate, did: nothing is opened by asking."""
    made = await shared(office)
    ann, store = await comes(office, made), office.running.gate._store
    share, link = made["share"]["id"], made["links"][0]["id"]
    if how == "suspended":  # the folder is another one
        await store.change_share(share, suspended=True)  # type: ignore[attr-defined]
    elif how == "link revoked":
        await office.call("POST", f"links/{link}/revoke")
    else:
        (visit,) = (await office.call("GET", "visits"))["visits"]
        await office.call("POST", f"visits/{visit['id']}/end")
    office.clock.forward(3 * DAY)
    bo = holder(made, office, 1)
    assert (await bo.about())["time"] == ("" if how == "suspended" else "may")
    assert await knows(ann) == ""
    reply = await ann.post(ann.base + "-/time", {})
    assert reply.status in (401, 403), reply.body
    assert 'data-time="may"' not in (await ann.get(ann.base + "-/ended")).body.decode()
    if how != "put out":
        assert (await ann.post("/join/time", {"token": ann.token})).status in (401, 403)
    assert await times(office) == []


async def test_the_owners_own_preview_asks_nobody(office: Office) -> None:
    """It has its short time, and the owner makes another one."""
    made = await shared(office)
    preview = (await office.call("POST", f"shares/{made['share']['id']}/preview"))["link"]
    olga = await comes(office, {"links": [preview]})
    assert await knows(olga) == "" and await asks(olga) != "waiting"
    office.clock.forward(preview["expires"] - office.clock() + 60)
    assert await knows(olga) == "" and await asks(olga) != "waiting"
    reply = await olga.post("/join/time", {"token": olga.token})
    assert reply.status in (401, 403), reply.body
    assert await times(office) == []


async def test_attack_one_network_asks_without_end(office: Office) -> None:
    """From browsers that are new each time: so many an hour, and so many that wait at one link; another link's holder
    asks as before."""
    made = await shared(office)
    bo, ann = holder(made, office, 1), await comes(office, made)
    office.clock.forward(3 * DAY)
    for hour in range(2):
        for _ in range(int(ASKS.burst)):
            assert (await bo.post("/join/time", {"token": bo.token})).json == {"state": "waiting"}
        reply = await bo.post("/join/time", {"token": bo.token})
        assert (reply.status, reply.json["error"]["code"]) == (429, "too_many"), hour
        assert len(await times(office)) == (hour + 1) * ASKS.burst
        office.clock.forward(3600)
    assert len(await times(office)) == PER_LINK
    reply = await bo.post("/join/time", {"token": bo.token})
    assert (reply.status, reply.json["error"]["code"]) == (429, "too_many")
    assert len(await times(office)) == PER_LINK
    assert await asks(ann) == "waiting"


async def test_attack_strangers_ask(office: Office) -> None:
    """The answer of every other address, whether there is such a visit or not; from another site, none."""
    made = await shared(office)
    ann, bo = await comes(office, made), await comes(office, made, "Bo", 1)
    answers = set()
    for who, base in ((Outside(office), ann.base), (bo, ann.base), (ann, f"/s/{made['share']['id']}/~nobody/")):
        for reply in (await who.post(base + "-/time", {}), await who.get(base + "-/time")):
            answers.add(reply.status)
    assert answers == {401}
    assert (await Outside(office).post("/join/time", {"token": "a.b.c"})).status == 401
    for headers in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert (await ann.post(ann.base + "-/time", {}, **headers)).status == 403
    for body in ({"expires": 1}, [], b"x"):
        assert (await ann.post(ann.base + "-/time", body)).status == 400
    assert await times(office) == []


async def test_the_answer_is_within_the_rules(office: Office) -> None:
    """Not earlier than it ends now, not longer than the organisation allows, not past a share for one link; then it
    waits on."""
    made = await shared(office)
    link = made["links"][0]["id"]
    await office.call("PATCH", f"links/{link}", {"expires": office.clock() + DAY})
    await asks(await comes(office, made))
    (one,) = await times(office)
    assert (one["whole_share"], one["links"]) == (False, 1)
    for expires in (office.clock() + 60, office.clock() + 3 * DAY):
        status, said = await office.ask("POST", f"times/{one['id']}/grant", {"expires": expires})
        assert status in (400, 403) and said["error"]["field"] == "expires", said
    await asks(await comes(office, made, "Bo", 1))
    two = next(each for each in await times(office) if each["whole_share"])
    status, said = await office.ask("POST", f"times/{two['id']}/grant", {"expires": office.clock() + 4000 * DAY})
    assert said["error"]["code"] == "expires_too_late"
    assert len(await times(office)) == 2
    await office.call("POST", f"times/{one['id']}/grant", {"expires": office.clock() + 1.5 * DAY})
    ends = {each["id"]: each["expires"] for each in (await office.call("GET", "shares"))["shares"][0]["links"]}
    assert ends[link] == office.clock() + 1.5 * DAY and max(ends.values()) == made["share"]["expires"]


async def test_an_answer_happens_once(office: Office) -> None:
    """Two owners, two tabs: the second is told. A new end without a word answers, too."""
    made = await shared(office)
    ann = await comes(office, made)
    await asks(ann)
    (one,) = await times(office)
    await office.call("POST", f"times/{one['id']}/refuse")
    for verb, body in (("refuse", None), ("grant", {"expires": office.clock() + 9 * DAY})):
        status, said = await office.ask("POST", f"times/{one['id']}/{verb}", body)
        assert (status, said["error"]["code"]) == (409, "changed")
    assert (await office.ask("POST", "times/nobody/refuse"))[0] == 404
    bo = await comes(office, made, "Bo", 1)
    await asks(bo)
    await office.call("PATCH", f"shares/{made['share']['id']}", {"expires": office.clock() + 20 * DAY})
    assert await times(office) == [] and await knows(bo) == "granted"
    office.clock.forward(21 * DAY)
    assert await knows(bo) == "may" and await asks(bo) == "waiting"


@pytest.mark.parametrize("verb", ["grant", "refuse"])
async def test_attack_two_answers_in_one_moment(office: Office, verb: str) -> None:
    """The one that was written first stays; the other one is told, and moves no end."""
    made = await shared(office)
    await asks(await comes(office, made))
    (one,) = await times(office)
    store: Any = office.running.gate._store
    change = store.change_time_ask
    body = {"expires": office.clock() + 9 * DAY}
    with pytest.MonkeyPatch.context() as patch:

        async def slow(id: str, **fields: Any) -> Any:
            patch.undo()
            await office.call("POST", f"times/{one['id']}/refuse")
            return await change(id, **fields)

        patch.setattr(store, "change_time_ask", slow)
        status, said = await office.ask("POST", f"times/{one['id']}/{verb}", body if verb == "grant" else None)
    assert (status, said["error"]["code"]) == (409, "changed")
    assert (await store.time_ask(one["id"])).state == "refused"
    assert (await office.call("GET", "shares"))["shares"][0]["expires"] == made["share"]["expires"]
    assert [name for name in await office.actions() if name.startswith("time.")] == ["time.asked", "time.refused"]


async def test_attack_another_owner_looks_at_who_asks(office: Office) -> None:
    """Of their own shares alone, and answers none of others'."""
    made = await shared(office)
    await asks(await comes(office, made))
    (one,) = await times(office)
    otto = Signed(office, viewer=Viewer("Otto", owner="Otto"))
    await otto.enter()
    for query in ("", f"?share={made['share']['id']}"):
        assert await otto.ask("GET", f"/api/v1/times{query}") == (200, {"times": []})
    for id in (one["id"], "nobody2345"):
        status, said = await otto.ask("POST", f"/api/v1/times/{id}/refuse")
        assert (status, said["code"]) == (404, "not_found")
    await otto.close()
    assert [each["id"] for each in await times(office)] == [one["id"]]


async def test_what_cannot_be_recorded_was_not_answered(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ask waits on, and the end is as it was."""
    made = await shared(office)
    await asks(await comes(office, made))
    (one,) = await times(office)
    record = office.running.api._acts.record

    async def full(*arguments: Any, **named: Any) -> None:
        raise StoreUnavailable("full")

    monkeypatch.setattr(office.running.api._acts, "record", full)
    for verb, body in (("refuse", None), ("grant", {"expires": office.clock() + 9 * DAY})):
        assert (await office.ask("POST", f"times/{one['id']}/{verb}", body))[0] == 503
    monkeypatch.setattr(office.running.api._acts, "record", record)
    assert [each["id"] for each in await times(office)] == [one["id"]]
    assert (await office.call("GET", "shares"))["shares"][0]["expires"] == made["share"]["expires"]


async def test_who_is_forgotten_asks_no_more(office: Office) -> None:
    """Their ask goes with them."""
    await asks(await comes(office, await shared(office)))
    await office.call("POST", "audit/erase", {"person": "Ann"})
    assert await times(office) == []
