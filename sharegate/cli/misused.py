"""A command line that the library refuses, for programs: with `--json` the error is one JSON document as all others."""

from __future__ import annotations

import sys
from typing import Any

from typer.core import TyperGroup

from sharegate.cli.output import in_json
from sharegate.cli.problems import USAGE, Problem


class Program(TyperGroup):
    """The whole program."""

    def invoke(self, ctx: Any) -> Any:
        as_json = "--json" in _before_dashes(ctx.args)
        try:
            return super().invoke(ctx)
        except Exception as error:  # raised again: the library tells it, and ends the program
            told = getattr(error, "format_message", None)
            if as_json and told is not None and getattr(error, "exit_code", None) == USAGE:
                sys.stdout.write(in_json(Problem(USAGE, "usage", str(told())).document(), indent=2) + "\n")
            raise


def _before_dashes(arguments: list[str]) -> list[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments
