"""`sharegate coowner`: on real records, without a gate, and in front of scripted answers."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import run
from tests.cli.scripted import ScriptedGate, link, share


def test_a_co_owner_is_named_listed_and_taken_back(scripted: ScriptedGate) -> None:
    """Each says in whose browser it holds, or that it waits."""
    tia = link("k7f2.a", name="Tia", coowner=True, coowner_visit="k7f2.a1")
    tom = link("k7f2.b", name="Tom", coowner=True, coowner_visit="")
    off = link("k7f2.c", name="Tim", coowner=True, coowner_visit="", state="paused")
    scripted.knows("link", "k7f2-a", "k7f2.a", "Tia")
    hers = {"label": "k7f2.a1", "badge": "Tia · own link"}
    scripted.say("POST links/k7f2-a/coowner", {"link": tia, "visit": hers})
    ran = run("coowner", "add", "Tia")
    assert ran.code == 0 and "Tia · own link (k7f2.a1) lets people in from now on" in ran.out
    scripted.say("POST links/k7f2-a/coowner", {"link": tia, "visit": None})
    assert "Whoever opens the link of Tia first" in run("coowner", "add", "k7f2.a").out
    scripted.say("GET shares", {"shares": [share("k7f2", name="Week 3", links=[tia, tom, off, link("k7f2.d")])]})
    ran = run("coowner", "list")
    for words in ("Tia", "in k7f2.a1", "Tom", "as soon as somebody opens the link", "not now: the link is paused"):
        assert words in ran.out, words
    assert "k7f2.d" not in ran.out
    found = run("coowner", "list", "--json").document["coowners"]
    assert [one["link"]["name"] for one in found] == ["Tia", "Tom", "Tim"]
    scripted.say("DELETE links/k7f2-a/coowner", {"link": link("k7f2.a", name="Tia")})
    assert "Tia lets nobody in any more." in run("coowner", "remove", "k7f2.a").out
    assert scripted.sent("DELETE links/k7f2-a/coowner")


def test_there_is_none(home: Path) -> None:
    """It is said, with what makes one; and a link that is not there is not found."""
    ran = run("coowner", "list")
    assert ran.code == 0 and "no co-owner" in ran.out
    assert run("coowner", "list", "--json").document == {"coowners": []}
    assert run("coowner", "add", "nobody").code == 4
