"""The generated reference and what every command owes its users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from sharegate.cli import build, reference
from tests.cli.conftest import run


def commands(group: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in (group or typer.main.get_command(build())).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


def test_the_reference_is_up_to_date() -> None:
    """docs/reference/cli.md says what the program says; `python -m sharegate.cli.reference` mends it."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page()


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_every_help_has_examples_that_begin_with_the_command(words: tuple[str, ...]) -> None:
    """--help explains in people's words and shows examples; the words of the code are not used."""
    ran = run(*words, "--help")
    assert ran.code == 0
    assert "Examples:" in ran.out
    assert f"sharegate {' '.join(words)}" in ran.out.partition("Examples:")[2]
    for word in ("upstream", "proxy", "scope", "session", "guest", "invite"):
        assert word not in ran.out.lower().replace("sharegate", ""), word


@pytest.mark.parametrize(
    ("words", "command"), list(commands()), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_has_the_common_options(words: tuple[str, ...], command: Any) -> None:
    """--json, --yes, --config, --data-dir and --debug are everywhere."""
    options = {name for param in command.params for name in param.opts}
    assert {"--json", "--yes", "--config", "--data-dir", "--debug"} <= options
    assert "--token" not in options
