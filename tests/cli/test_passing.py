"""`passing`: the picture of a share as lines of a terminal."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from sharegate.cli.passing import drawn, node_words
from tests.cli.conftest import run
from tests.cli.scripted import NOW, ScriptedGate

Json = dict[str, Any]


def node(kind: str, *below: Json, **more: Any) -> Json:
    return {"kind": kind, "at": NOW, "count": 1, "state": "", "below": list(below)} | more


TREE = node(
    "owner",
    node(
        "link",
        node(
            "person",
            node("device", label="k7f2.a3", state="ended"),
            node(
                "person",
                node("attempt", count=5, network="203.0.113.0/24"),
                node("knock", badge='says "Eve"', state="refused", signs="address opened elsewhere"),
                label="k7f2.a2",
                badge='says "Bob"',
                knocked=True,
                state="open",
                signs="link opened elsewhere; same network",
                network="198.51.100.0/24",
            ),
            node("person", label="k7f2.a4", badge="no name", erased=True, state="ended"),
            label="k7f2.a1",
            badge="Ann · own link",
            state="open",
        ),
        node("refused", count=2, reason="link_in_use"),
        node("more", count=37),
        label="k7f2.a",
        badge="Ann",
        state="active",
    ),
    node("link", label="k7f2.b", state="revoked"),
    name="Olga",
)
ANSWER = {"share": "s1", "name": "", "root": "lectures/week3", "tree": TREE, "complete": True}


def test_the_picture_is_drawn(scripted: ScriptedGate) -> None:
    """One line for each: who, by which link, since when, from where, and what was seen of passing on."""
    scripted.knows("share", "s1", "k7f2")
    scripted.say("GET shares/s1/passing", ANSWER)
    ran = run("passing", "k7f2")
    assert ran.code == 0 and "Signs, not proofs" in ran.err
    day = "2027-01-15 09:00"
    assert ran.out.splitlines() == [
        "Olga shares lectures/week3",
        f"├─ k7f2.a link for Ann, active, at {day}",
        f"│  ├─ k7f2.a1 Ann · own link, inside, since {day}",
        f"│  │  ├─ k7f2.a3 own device, not inside any more, at {day}",
        f'│  │  ├─ k7f2.a2 says "Bob", let in on a knock, inside, since {day}, from 198.51.100.0/24'
        " (link opened elsewhere; same network)",
        f"│  │  │  ├─ the address was opened elsewhere 5 times, not let in, at {day}, from 203.0.113.0/24",
        f'│  │  │  └─ says "Eve" knocked, was not let in, at {day} (address opened elsewhere)',
        f"│  │  └─ k7f2.a4 somebody who was forgotten, not inside any more, at {day}",
        f"│  ├─ opened 2 times and nobody was let in (link_in_use), at {day}",
        "│  └─ and 37 more",
        f"└─ k7f2.b link for one person, revoked, at {day}",
    ]


def test_the_picture_as_json(scripted: ScriptedGate) -> None:
    """As the gate says it."""
    scripted.knows("share", "s1", "k7f2")
    scripted.say("GET shares/s1/passing", ANSWER)
    assert run("passing", "k7f2", "--json").document == ANSWER


def test_only_a_share_has_a_picture(scripted: ScriptedGate) -> None:
    """A visit's is in that of its share."""
    scripted.knows("visit", "v1", "k7f2.a1", "Ann")
    assert run("passing", "k7f2.a1").code == 2


def test_what_was_cut_is_said(scripted: ScriptedGate) -> None:
    """There was more than was read."""
    scripted.knows("share", "s1", "k7f2")
    scripted.say("GET shares/s1/passing", {**ANSWER, "complete": False})
    assert "there was more" in run("passing", "k7f2").err


@pytest.mark.parametrize("value", ["\x1b[31mred\x07", "a\nb", "\u202egnp", "x" * 10_000_000, "[bold]x[/bold]"])
@pytest.mark.parametrize("kind", ["link", "person", "device", "program", "knock", "refused", "attempt", "else"])
def test_attack_hostile_text_in_the_picture(kind: str, value: str) -> None:
    """A line stays one line, short, and moves no cursor."""
    fields = ("badge", "name", "label", "network", "signs", "reason", "state", "kind", "at")
    hostile = node(kind, **dict.fromkeys(fields[:7], value)) | {"kind": kind, "at": value}
    line = node_words(hostile, UTC)
    assert len(line) < 700
    assert not {"\x1b", "\x07", "\n", "\u202e"} & set(line)
    answer = {"name": value, "root": value, "tree": node("owner", hostile, name=value)}
    assert all(len(line) < 700 and "\x1b" not in line for line in drawn(answer, UTC))


def test_attack_a_deep_picture_is_drawn() -> None:
    """However long a chain somebody sends."""
    tree = node("person")
    for _ in range(5000):
        tree = node("person", tree)
    assert len(list(drawn({"root": "r", "tree": tree}, UTC))) == 5001
