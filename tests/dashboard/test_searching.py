"""Finding people, paths, links and addresses over all shares."""

from __future__ import annotations

from typing import Any

import pytest

from sharegate.dashboard.views import short, shortest
from tests.dashboard.conftest import Office
from tests.dashboard.pages.party import party
from tests.stores.records import a_knock, a_link, a_share, a_visit


async def found(office: Office, text: str) -> list[dict[str, Any]]:
    return list((await office.call("GET", "search", q=text))["found"])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ANN", {("link", "name"), ("visit", "name")}),
        ("eve", {("knock", "name")}),
        ("Olga", {("share", "owner")}),
        ("192.0.2.17", {("visit", "address")}),
        ("198.51.100.9", {("knock", "address"), ("visit", "address")}),
        ("192.0.2.", {("visit", "address")}),
        ("203.0.113.1", set()),
        ("iphone", {("visit", "browser"), ("knock", "browser")}),
        ("week3/data.ipynb", {("share", "what it reaches")}),
        ("/week3/deep/er/x.csv", {("share", "what it reaches")}),
        ("week30/data.ipynb", set()),
        ("nothing like it", set()),
    ],
)
async def test_what_finds_whom(office: Office, text: str, what: set[tuple[str, str]]) -> None:
    """Names in any case, labels, networks by an address in them, browsers, and paths by the shares that reach them."""
    there = await party(office)
    await there.came("Ida", there.share["links"][1], address="198.51.100.0/24")
    await office.share("week4")
    rows = await found(office, text)
    assert {(row["kind"], row["matched"]) for row in rows} == what


async def test_labels_and_ids_find_what_they_name(office: Office) -> None:
    """A share's, a link's, a visit's; all of it has the share and its owner beside it."""
    there = await party(office)
    visit = (await office.call("GET", "visits", share=there.id))["visits"][0]
    rows = await found(office, visit["label"])
    assert visit["id"] in {row["id"] for row in rows}
    assert {(row["share"], row["share_name"], row["owner"]) for row in rows} == {(there.id, "week3", "Olga")}
    assert {row["kind"] for row in await found(office, there.share["label"])} >= {"share", "link", "visit"}


async def test_what_has_ended_is_found_too(office: Office) -> None:
    """With how it stands."""
    there = await party(office)
    await office.call("POST", f"shares/{there.id}/revoke")
    states = {row["state"] for row in await found(office, "ann")}
    assert "ended" in states and {row["state"] for row in await found(office, "week3")} >= {"revoked"}


@pytest.mark.parametrize("text", ["", " ", "a", "  a "])
async def test_one_letter_finds_half_of_everything(office: Office, text: str) -> None:
    """It is refused, with what is wanted."""
    status, said = await office.ask("GET", "search", q=text)
    assert status == 400 and said["error"]["field"] == "q" and "2" in said["error"]["remedy"]


async def test_the_report_of_passing_on_is_a_table(office: Office) -> None:
    """A row for each person, with from whom it came."""
    await party(office)
    answer = await office.call("GET", "audit/passed-on/export", format="csv")
    lines = [line.split(",") for line in answer["lines"]]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    came = {row["name"]: (row["how"], row["from_name"], row["share_name"]) for row in rows}
    assert came["Bo"] == ("admitted", "Ann", "week3") and came["Eve"] == ("refused", "Bo", "week3")


async def test_many_are_found_and_only_what_is_told_is_made_into_rows(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a word that fits thousands, 200 rows, with the labels that each has by itself."""
    there = await party(office)
    for number in range(230):
        await there.knocked(f"Guest {number}", there.share["links"][0], "Ann")
    views, made = office.running.api._searching._views, []
    whole = views.knock

    async def counted(knock: Any, **more: Any) -> Any:
        made.append(knock.id)
        return await whole(knock, **more)

    monkeypatch.setattr(views, "knock", counted)
    answer = await office.call("GET", "search", q="guest")
    assert len(answer["found"]) == len(made) == 200 and answer["more"] == 30
    one = answer["found"][-1]
    assert one["label"] == await views.knock_label(one["id"])


def test_labels_of_many_are_those_of_each() -> None:
    """The shortest that no other begins with, found by looking at the neighbours alone."""
    ids = ["aaaabbbb", "aaaabbcc", "aaaacccc", "bbbbbbbb", "aaaa"]
    assert shortest(ids) == {id: short(id, ids) for id in ids}
    assert shortest([]) == {}


async def test_nothing_is_found_less_for_looking_at_few(office: Office) -> None:
    """Whatever is looked for, what is found is what a look at each share finds: labels and parts of them, ids, names,
    paths inside, browsers, networks, and what is in no share."""
    store = office.running.gate._store  # type: ignore[attr-defined]
    now = office.clock()
    times = {"created": now, "expires": now + 9e4}
    for number in range(20):
        id = f"{number:03d}abc{number:04d}"
        told = {"owner": "Olga" if number % 2 else "Otto", "root": f"Week {number}/lab", "name": f"Übung {number}"}
        links = [a_link(f"{id}-{letter}", share=id, letter=letter, name=f"Ann.B {letter}", **times) for letter in "ab"]
        await store.add_share(a_share(id, **told, **times), links)
        if number < 10:
            seen = {"address": f"192.0.{number}.0/24", "agent": f"Firefox {number}", "name": "Bo" * (number % 3)}
            await store.open_visit(a_visit(f"visit{number}", share=id, link=links[1].id, **seen, **times), seats=None)
            knock = {"name": f"Eve {number}", "address": "2001:db8::/48"}
            await store.add_knock(a_knock(f"knock{number}", share=id, link=links[0].id, **knock), limit=9)
    (label,) = [one["label"] for one in (await office.call("GET", "shares"))["shares"] if one["name"] == "Übung 7"]
    looked_for = [
        *(
            "übung 1",
            "ÜBUNG",
            "week 3/lab",
            "Week 3/lab/a/b.ipynb",
            "/week",
            "olga",
            "otto",
            "firefox 4",
            "bobo",
            "eve",
        ),
        *(label, label[1:], f"{label}.a", f"{label[2:]}.b1", f"{label}.b1", ".b", ".b1", "b1", "a1", "7.b1", "c0.b"),
        *(
            "192.0.4.9",
            "192.0.4",
            "192.0.77.1",
            "2001:db8::5",
            "2001:db9::5",
            "0/24",
            "knock3",
            "visit",
            "ann.b",
            "nn.b a",
        ),
        *("007abc0007-b", "nobody at all", "..", "a.", "week 1\nolga"),
    ]
    searching = office.running.api._searching
    matched = 0
    for text in looked_for:
        found = await searching._found(text)
        naive = [one for share in await store.shares() for one in await searching._of(share, text.casefold())]
        assert {(one.kind, one.record.id, one.matched) for one in found} == {
            (one.kind, one.record.id, one.matched) for one in naive
        }, text
        assert len(found) == len(naive)
        matched += bool(found)
    assert matched > 25
