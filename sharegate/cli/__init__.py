"""The command line: `sharegate`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from sharegate import __version__

_HELP = """Share a folder, not your server.

sharegate gives others links to one folder, or one file, of your running JupyterLab. They see that folder live and
nothing else; you see who is there, and end it whenever you like.
"""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sharegate {__version__}")
        raise typer.Exit


def build(*, rich_help: bool = False) -> typer.Typer:
    """The whole program. With `rich_help` its help is drawn with colours and boxes, for a terminal."""
    from sharegate.cli import (
        asks,
        coowners,
        history,
        links,
        looking,
        mailing,
        notifying,
        opening,
        owning,
        passing,
        proving,
        reaching,
        reports,
        reviewing,
        searching,
        servers,
        settings,
        sharing,
        signing,
        storing,
        tokens,
        up,
        versions,
    )
    from sharegate.cli.command import epilog
    from sharegate.cli.misused import Program

    examples = ("sharegate demo", "sharegate up ~/lectures", "sharegate share ~/lectures/week3 --for Ann")
    app = typer.Typer(
        name="sharegate",
        cls=Program,
        help=_HELP,
        epilog=epilog(examples),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown" if rich_help else None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )

    @app.callback()
    def root(
        version: Annotated[
            bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
        ] = False,
    ) -> None:
        """Replaced by the help above."""

    daily = (up, opening, sharing, links, owning, coowners, asks)
    looks = (history, passing, reviewing, reports, searching, proving, versions)
    for module in (*daily, *looks, looking, reaching, servers, settings, mailing, notifying, signing, storing, tokens):
        module.add(app)
    return app


def main() -> None:
    """The entry point. Exit codes: 0 done, 1 failed, 2 usage, 3 refused by the rules, 4 not found, 5 not reachable."""
    from sharegate.cli import streams
    from sharegate.cli.output import is_terminal

    streams.standing()
    rich_help = is_terminal(sys.stdout) and is_terminal(sys.stderr) and not os.environ.get("NO_COLOR")
    streams.written(lambda: build(rich_help=rich_help)(prog_name="sharegate"))
