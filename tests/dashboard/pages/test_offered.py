"""What forms tell of the rules in force."""

from __future__ import annotations

import pytest

from sharegate.dashboard.pages.offered import offers
from sharegate.dashboard.pages.source import Json
from sharegate.shares.required import listed


class Told:
    """Answers as the owner's API does."""

    def __init__(self, **rules: list[str]) -> None:
        self.rules: Json = {"edit_asks_for": [], "anyone_asks_for": [], "mail": True} | rules

    async def get(self, path: str) -> Json:
        assert path == "offers"
        return self.rules


@pytest.mark.parametrize(
    ("rules", "edit", "anyone"),
    [
        ({}, "", ""),
        ({"edit_asks_for": ["passphrase"]}, "a passphrase", ""),
        ({"anyone_asks_for": ["ask", "domain"]}, "", f"{listed(('domain',))} or {listed(('ask',))}"),
    ],
)
async def test_what_links_have_to_ask_for_in_words(rules: dict[str, list[str]], edit: str, anyone: str) -> None:
    """Beside what the API says, and "" where nothing is wanted."""
    told = await offers(Told(**rules))  # type: ignore[arg-type]  # what a page's source is asked for here
    assert (told["edit_wants"], told["anyone_wants"], told["mail"]) == (edit, anyone, True)
