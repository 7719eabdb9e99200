"""The generated reference of the API."""

from __future__ import annotations

from sharegate.cli import api_reference


async def test_the_reference_is_up_to_date() -> None:
    """docs/reference/api.md says what the program says; `python -m sharegate.cli.api_reference` mends it."""
    assert api_reference.PAGE.read_text(encoding="utf-8") == await api_reference.written()
