"""`review`: the list, signing it off, and pausing what nobody uses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import run
from tests.cli.scripted import NOW, ScriptedGate, error

Json = dict[str, Any]


def one(label: str = "k7f2", **more: Any) -> Json:
    return {
        "id": f"{label}xxxxxx",
        "label": label,
        "name": "",
        "root": "lectures/week3",
        "kind": "directory",
        "owner": "Olga",
        "server": "srv",
        "state": "active",
        "created": NOW - 40 * 86400,
        "expires": NOW + 86400,
        "role": "view",
        "depth": 1,
        "links": 2,
        "open_links": 0,
        "clients": False,
        "people": 3,
        "ever": 9,
        "outside": 0,
        "last_used": NOW - 3600,
        "unused": False,
    } | more


def answer(*shares: Json, **more: Any) -> Json:
    return {
        "shares": list(shares),
        "next": "",
        "count": len(shares),
        "unused": sum(share["unused"] for share in shares),
        "digest": "d" * 64,
        "signed": None,
    } | more


STALE = one("m3xq", unused=True, last_used=None, people=0, open_links=1)


def test_the_list(scripted: ScriptedGate) -> None:
    """Age, width, people and last use of each, and when it was signed off last."""
    scripted.say("GET review", answer(one(outside=2), STALE))
    ran = run("review", "--sort", "widest")
    assert ran.code == 0, ran.err
    _, first, second = ran.out.splitlines()
    assert first.split("  ")[0] == "k7f2" and "can view" in first and "3, 2 of them unnamed" in first
    assert "never" in second and "2, for anyone" in second
    assert "1 unused for 30 days. Last signed off: never." in ran.err
    assert [query["sort"] for call, query, _ in scripted.calls if call.endswith("/review")] == ["widest"]


def test_signing_off(scripted: ScriptedGate) -> None:
    """What was looked at, by its digest; nobody signs unseen."""
    scripted.say("GET review", answer(one()))
    scripted.say("POST review/sign", {"at": NOW, "count": 1, "digest": "d" * 64})
    assert run("review", "--sign").code == 2 and scripted.sent("POST review/sign") == []
    assert run("review", "--sign", "--json").code == 2
    ran = run("review", "--sign", "--yes")
    assert ran.code == 0 and "Signed off: 1 share." in ran.out
    assert scripted.sent("POST review/sign") == [{"digest": "d" * 64}]
    assert run("review", "--sign", "--yes", "--json").document["signed"]["count"] == 1


def test_a_list_that_changed_is_not_signed(scripted: ScriptedGate) -> None:
    """The gate's refusal is told."""
    scripted.say("GET review", answer(one()))
    scripted.say("POST review/sign", error("changed", "what is shared is not what was looked at any more"), 409)
    ran = run("review", "--sign", "--yes")
    assert ran.code == 3 and "any more" in ran.err


def test_pausing_what_is_unused(scripted: ScriptedGate) -> None:
    """Only that, once it was asked; what could not be paused makes the command fail."""
    scripted.say("GET review", answer(one(), STALE, one("p4rt", unused=True, state="paused")))
    results = [{"id": "m3xqxxxxxx", "result": "paused", "message": "", "ended": None}]
    scripted.say("POST review/pause", {"results": results, "paused": 1})
    assert run("review", "--pause-unused").code == 2 and scripted.sent("POST review/pause") == []
    ran = run("review", "--pause-unused", "--yes")
    assert ran.code == 0 and "m3xq: paused" in ran.out
    assert scripted.sent("POST review/pause") == [{"shares": ["m3xqxxxxxx"]}]
    failed = [{"id": "m3xqxxxxxx", "result": "failed", "message": "the disk is full", "ended": None}]
    scripted.say("POST review/pause", {"results": failed, "paused": 0})
    ran = run("review", "--pause-unused", "--yes")
    assert ran.code == 1 and "the disk is full" in ran.out


def test_nothing_to_review(scripted: ScriptedGate) -> None:
    """And nothing to pause."""
    scripted.say("GET review", answer())
    assert "Nothing is shared." in run("review").out
    assert run("review", "--pause-unused", "--yes").code == 0


@pytest.mark.parametrize("value", ["\x1b[31mred\x07", "\u202egnp", "x" * 1_000_000, "[bold]x[/bold]"])
def test_attack_hostile_text_in_the_list(scripted: ScriptedGate, value: str) -> None:
    """Names and folders move no cursor and fill no screen."""
    scripted.say("GET review", answer(one(name=value, root=value, label=value, state=value)))
    ran = run("review")
    assert ran.code == 0 and len(ran.out) < 2500
    assert not {"\x1b", "\x07", "\u202e"} & set(ran.out)
