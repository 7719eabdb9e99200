"""What a page asks for by itself is one line of the history."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.dashboard.pages.folding import FEWEST, PAUSE, Run, folded

NOW = 1_800_000_000.0


def entry(at: float, path: str = "api/me", **more: Any) -> dict[str, Any]:
    """Of Ann's page, by default one that it makes by itself."""
    kind = {"action": "request.answered", "outcome": "allowed", "actor": "visitor", "method": "GET", "rule": "me-read"}
    return {"at": NOW + at, "visit": "ann", "name": "Ann", "path": path, "status": 200, **kind, **more}


def file(at: float, path: str, **more: Any) -> dict[str, Any]:
    return entry(at, path, **{"rule": "contents-read", **more})


def summary(at: float, path: str, **more: Any) -> dict[str, Any]:
    return entry(at, path, action="channel.summary", method="", rule="collaboration-room", status=0, **more)


def told(*entries: dict[str, Any]) -> list[str]:
    """Each row, the newest first: the sentence of a run, or an entry's path. Entries are given the oldest first."""
    rows = folded(list(reversed(entries)))
    return [row.text if isinstance(row, Run) else row["path"] for row in rows]


def test_what_a_page_consists_of_is_one_line() -> None:
    """From three entries on; fewer stand for themselves."""
    assert told(*(entry(n) for n in range(FEWEST))) == ["Ann’s page asked for what it consists of."]
    assert told(*(entry(n) for n in range(FEWEST - 1))) == ["api/me"] * (FEWEST - 1)
    nameless = told(*(entry(n, name="") for n in range(FEWEST)))
    assert nameless == ["A visitor’s page asked for what it consists of."]


def test_what_was_looked_at_is_named() -> None:
    """Each file once, in the order in which it was asked for; what is too much is counted."""
    assert told(file(0, "a"), entry(1), file(2, "b"), file(3, "a")) == ["Ann looked at a and b."]
    assert told(*(file(n, path) for n, path in enumerate("abcde"))) == ["Ann looked at a, b, c and 2 more."]
    assert told(summary(0, "n.md"), file(1, "sub"), file(2, "n.md")) == ["Ann followed n.md and looked at sub."]
    assert told(*(summary(n, "n.md") for n in range(3))) == ["Ann followed n.md."]


@pytest.mark.parametrize(
    "between",
    [
        {"outcome": "denied", "action": "request.denied"},
        {"outcome": "failed"},
        {"action": "document.written"},
        {"action": "channel.opened"},
        {"method": "PUT", "rule": "contents-save"},
        {"status": 404},
        {"actor": "owner"},
    ],
    ids=str,
)
def test_attack_nothing_else_hides_in_a_line(between: dict[str, Any]) -> None:
    """A refusal, a failure, a change, an opened document and an owner's act stand for themselves, and end the line."""
    before, after = [entry(n) for n in range(3)], [entry(10 + n) for n in range(3)]
    line = "Ann’s page asked for what it consists of."
    assert told(*before, entry(5, "THIS", **between), *after) == [line, "THIS", line]


def test_others_in_between_do_not_end_a_line() -> None:
    """Two people at once have a line each, where their newest entry was; the owner's acts stand between."""
    entries = [file(n, "ab"[n % 2], visit="ab"[n % 2], name=("Ann", "Bo")[n % 2]) for n in range(6)]
    act = entry(2.5, "OWNER", actor="owner", visit="", action="share.changed")
    assert told(*entries, act) == ["OWNER", "Bo looked at b.", "Ann looked at a."]
    assert told(*entries[:3], act, *entries[3:]) == ["Bo looked at b.", "Ann looked at a.", "OWNER"]


def test_after_a_pause_it_is_another_line() -> None:
    """Somebody is there anew."""
    early, late = [file(n, "a") for n in range(3)], [file(PAUSE + 10 + n, "a") for n in range(3)]
    assert told(*early, *late) == ["Ann looked at a."] * 2
    assert told(*early, file(PAUSE, "a"), *late) == ["Ann looked at a."]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3 * PAUSE),
            st.sampled_from(["", "ann", "bo"]),
            st.sampled_from(["request.answered", "channel.summary", "request.denied"]),
        ),
        max_size=30,
    )
)
def test_each_entry_is_told_once_and_in_order(given_: list[tuple[float, str, str]]) -> None:
    """Whatever they are, also where clocks go back: none is lost or doubled, and rows go by their first entry."""
    entries = [entry(at, visit=visit, action=action) for at, visit, action in given_]
    rows = folded(entries)
    inside = [one for row in rows for one in (row.entries if isinstance(row, Run) else [row])]
    assert sorted(map(id, inside)) == sorted(map(id, entries))
    firsts = [id(row.newest if isinstance(row, Run) else row) for row in rows]
    places = {id(one): place for place, one in enumerate(entries)}
    assert [places[first] for first in firsts] == sorted(places[first] for first in firsts)
    assert all(len({one["visit"] for one in row.entries}) == 1 for row in rows if isinstance(row, Run))
