"""Small local answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sharegate.lab import synthetic
from sharegate.messages import Response
from sharegate.policy.model import LOCALS
from sharegate.shares.model import RootKind
from tests.lab.people import grant


def body(answer: Response) -> Any:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


def test_every_answer_has_a_name_that_rules_may_use() -> None:
    """The names are those of the route table's closed list."""
    assert set(synthetic.LOCAL) <= LOCALS - {"me"}, "who a visitor is depends on who else is in"


def test_identity_is_the_gates_word_and_stable() -> None:
    """The same visit is the same person in the same colour; another visit has another handle."""
    first = body(synthetic.me(synthetic.identity(grant(), "Bo Chen (2)")))
    again = body(synthetic.me(synthetic.identity(grant(), "Bo Chen (2)")))
    other = body(synthetic.me(synthetic.identity(grant(visit="other34567"), "Bo Chen")))

    assert first == again
    assert first["identity"]["display_name"] == first["identity"]["name"] == "Bo Chen (2)"
    assert first["identity"]["initials"] == "BC"
    assert first["identity"]["username"] != other["identity"]["username"]
    assert first["permissions"] == {"updatable_fields": []}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Bo", "B"), ("Bo Chen", "BC"), ("ann maria o'neil", "AO"), ("", ""), ("-", "-"), ("李 小龙", "李小")],
)
def test_initials(name: str, expected: str) -> None:
    """Initials are those of the first and last word, whatever the script."""
    assert synthetic.initials(name) == expected


def test_initials_are_those_of_the_name_without_what_tells_people_apart() -> None:
    """Quotation marks and numbers do not become initials."""
    assert synthetic.identity(grant(), "“Bo Chen” (2)")["initials"] == "BC"


def test_nobody_without_a_name() -> None:
    """A visit without a name is a visitor, not an empty label."""
    nameless = grant(name="")
    assert synthetic.called(nameless.link, nameless.visit) == "Visitor"


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ({}, "lab/tree/sub/shared"),
        ({"open_file": "sub/shared/inner/a b&ü.ipynb"}, "lab/tree/sub/shared/inner/a%20b&%C3%BC.ipynb"),
        ({"kind": RootKind.FILE, "root": "sub/n?b#.ipynb"}, "doc/tree/sub/n%3Fb%23.ipynb"),
    ],
)
def test_where_a_visit_starts(share: dict[str, Any], expected: str) -> None:
    """A folder, a file of it, or the one shared file; the address is encoded."""
    answer = synthetic.root_redirect(grant(**share))

    assert answer.status == 302
    assert dict(answer.headers)["Location"] == grant().base + expected


def test_nothing_of_the_owners_activity() -> None:
    """Status tells no count and no time."""
    status = body(synthetic.status(grant()))

    assert (status["connections"], status["kernels"]) == (0, 0)
    assert status["started"].startswith("1970")


def test_absent_is_an_answer_without_a_reason() -> None:
    """What the page does without is a plain 404."""
    assert synthetic.absent(grant()).status == 404
    assert synthetic.no_content(grant()).status == 204
    assert body(synthetic.empty_list(grant())) == []
    assert body(synthetic.empty_object(grant())) == {}
    assert b"Disallow: /" in bytes(synthetic.robots(grant()).body)  # type: ignore[arg-type]
