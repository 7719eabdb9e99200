"""The words of a message: names are set apart, and nothing in them makes a link, a mention or markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.notify.model import SHOWN, Bundle, Kind
from sharegate.notify.words import message, person, thing, trial

HERE = "http://localhost:8871"
HOSTILE = [
    "<b>Ann</b>",
    "@everyone",
    "＠everyone",
    "https://evil.example/x",
    "evil。example",
    "[click](http://evil.example)",
    "*Ann* _x_ ~y~ `z`",
    "Ann\r\nBcc: all@example.org",
    "Ann\u202egnp.exe",
    "<!channel> <@U123>",
    ":boom: #general",
    "a" + "\u0301" * 500,
    "\u2069\u2068Ann",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_attack_names(name: str) -> None:
    """Letters, digits and blanks are left, on one line, between isolates."""
    said = person(name)
    assert re.fullmatch("“\u2068[^\\W_](?:[\\w '’\u0300-\u036f-]*)\u2069”", said), said
    assert len(said) <= 44 and "_" not in said


@given(st.text(max_size=300))
def test_no_name_makes_an_address_or_a_mention(name: str) -> None:
    """Whatever somebody types."""
    for said in (person(name), thing(name)):
        assert not re.search(r"[@#<>&*`~\[\]()|\\:/.!\x00-\x1f\x7f\u202a-\u202e\u200b-\u200f\u2066\u2067]", said)
        assert said.count("\u2068") == said.count("\u2069") <= 1


def test_what_is_left_of_a_person_and_a_thing() -> None:
    """People read their names; what has no letter is somebody, or a share."""
    assert person("Siân O'Neil-Smith") == "“\u2068Siân O'Neil-Smith\u2069”"
    assert thing("week_3.ipynb") == "“\u2068week_3 ipynb\u2069”"
    assert (person("@@@"), thing("...")) == ("", "a share")
    assert person("محمد") == "“\u2068محمد\u2069”"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("count", [1, 40])
def test_every_kind_has_words(kind: Kind, count: int) -> None:
    """One and several, with an address of the dashboard, and nothing left unfilled."""
    share = "" if kind in (Kind.REPORT, Kind.MORE) else "k7f2k7f2k7"
    said = message(Bundle(kind, share, "Week 3", ("Ann", "Bo", "Cy")[: min(count, SHOWN)], count, 1.8e9), HERE)
    assert "\n" not in said.title and said.body.count("\n") == 1
    assert re.search(rf"\nSee {HERE}/[a-z0-9/-]*\Z", said.body)
    assert "{" not in said.body + said.title
    if share:
        assert "Week 3" in said.title
    if count == 40 and kind is not Kind.MORE:
        assert "40" in said.body


def test_several_are_named_and_the_rest_counted() -> None:
    """Three names, and how many more."""
    said = message(Bundle(Kind.VISIT, "k7f2", "Week 3", ("Ann", "Bo", "Cy"), 40), HERE)
    assert said.body.startswith("40 came in for the first time: “\u2068Ann\u2069”") and "and 37 more" in said.body
    assert "37 more" in message(Bundle(Kind.MORE, "", "", (), 37), HERE).body
    assert HERE in trial(HERE).body
