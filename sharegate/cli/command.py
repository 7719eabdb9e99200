"""What all commands have in common: their options, the way to the gate, questions, and how errors end them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import inspect
import os
import signal
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from sharegate.cli.control import Control, api_path, control_for
from sharegate.cli.moments import local_zone
from sharegate.cli.output import Output, shown
from sharegate.cli.problems import FAILED, Problem, Usage, problems
from sharegate.config import Config, load
from sharegate.errors import SharegateError

P = ParamSpec("P")

INTERRUPTED = 128 + signal.SIGINT

COMMON = "Options of every command"
_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel=COMMON)]
_YES = Annotated[bool, typer.Option("--yes", "-y", help="Answer questions with yes.", rich_help_panel=COMMON)]
_CONFIG = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Read settings from FILE.", rich_help_panel=COMMON)
]
_DATA = Annotated[
    str | None, typer.Option("--data-dir", metavar="DIR", help="Keep the records in DIR.", rich_help_panel=COMMON)
]
_DEBUG = Annotated[
    bool, typer.Option("--debug", help="Show where an unexpected error came from.", rich_help_panel=COMMON)
]
_OPTIONS = {"as_json": _JSON, "yes": _YES, "config_file": _CONFIG, "data_dir": _DATA, "debug": _DEBUG}
_NONE_BY_DEFAULT = ("config_file", "data_dir")


@dataclass
class Cli:
    """One run of one command."""

    as_json: bool = False
    yes: bool = False
    config_file: Path | None = None
    data_dir: str | None = None
    debug: bool = False
    zone: tzinfo = field(default_factory=local_zone)
    now: Callable[[], float] = time.time

    @cached_property
    def output(self) -> Output:
        return Output(as_json=self.as_json)

    def config(self, **overrides: Any) -> Config:
        """The settings: defaults, file, environment, options. Raises Faults."""
        if self.data_dir is not None:
            overrides["data_dir"] = typed_path(self.data_dir, "--data-dir")
        return load(self.config_file, os.environ, overrides)

    def control(self, *, gate_needed: bool = False) -> AbstractAsyncContextManager[Control]:
        return control_for(self.config(), gate_needed=gate_needed)

    def confirm(self, question: str) -> None:
        """Ask before something that cannot be undone. Ends the command with 1 when the answer is no.

        Raises Usage where nobody can be asked and `--yes` was not given.
        """
        if self.yes:
            return
        if self.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise Usage("--yes", f"nobody can be asked here: {question}", "Say --yes to do it")
        if not typer.confirm(f"{question} Go on?", err=True):
            self.output.note("Nothing was changed.")
            raise typer.Exit(FAILED)

    def fail(self, error: SharegateError) -> int:
        """Tell an error; the exit code."""
        told = problems(error)
        for problem in told:
            self._tell(problem)
        if self.as_json:
            document = told[0].document()
            if len(told) > 1:
                document["errors"] = [problem.document()["error"] for problem in told]
            self.output.document(document)
        return told[0].exit_code

    def _tell(self, problem: Problem) -> None:
        from rich.text import Text

        where = f"{shown(problem.field)}: " if problem.field else ""
        lines = problem.message.splitlines() or [""]
        self.output.note(Text.assemble(("Error: ", "bold red"), where, shown(lines[0], 500)), "")
        for line in lines[1:]:  # the last words of a server that did not start
            self.output.note(f"  {shown(line)}")
        for candidate in problem.candidates:
            self.output.note(f"  {shown(candidate)}", "")
        if problem.candidates:
            self.output.note("Nothing was done. Name one of these.")
        if problem.remedy:
            self.output.note(f"  {shown(problem.remedy, 500)}", "")


Body = Callable[Concatenate[Cli, P], Coroutine[Any, Any, None] | None]


def command(
    app: typer.Typer, name: str, *, examples: tuple[str, ...], panel: str | None = None
) -> Callable[[Body[P]], Body[P]]:
    """Register a function as a command. Its first parameter becomes the common options; it may be a coroutine."""

    def register(body: Body[P]) -> Body[P]:
        untyped: Callable[..., Coroutine[Any, Any, None] | None] = body

        def run(**given: Any) -> None:
            cli = Cli(**{option: given.pop(option) for option in _OPTIONS})
            _run(cli, lambda: untyped(cli, **_text(given)))

        signature = inspect.signature(body, eval_str=True)
        own = list(signature.parameters.values())[1:]
        common = [
            inspect.Parameter(
                option,
                inspect.Parameter.KEYWORD_ONLY,
                default=None if option in _NONE_BY_DEFAULT else False,
                annotation=annotation,
            )
            for option, annotation in _OPTIONS.items()
        ]
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + common
        vars(run)["__signature__"] = inspect.Signature(parameters)  # what inspect, and so typer, reads first
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__ = inspect.cleandoc(body.__doc__ or "")
        app.command(name, epilog=epilog(examples), rich_help_panel=panel)(run)
        return body

    return register


def epilog(examples: tuple[str, ...]) -> str:
    """The examples of a command; each is a paragraph of its own, which both ways of showing help leave on its line."""
    return "\n\n".join(["Examples:", *examples])


def _run(cli: Cli, body: Callable[[], Coroutine[Any, Any, None] | None]) -> None:
    """Run a command's body and turn every error into words and an exit code."""
    try:
        running = body()
        if running is not None:
            _loop_of(running)
    except SharegateError as error:
        raise typer.Exit(_traced(cli, cli.fail(error))) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.Abort):
        raise
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # whoever read our output has gone; typer ends quietly
        raise typer.Exit(_unexpected(cli, error)) from None
    except Exception as error:
        raise typer.Exit(_unexpected(cli, error)) from None


def _text(given: dict[str, Any]) -> dict[str, Any]:
    """What was typed, where it is text. Raises Usage for bytes that are none: no name or id is made of them."""
    for name, value in given.items():
        for text in value if isinstance(value, list | tuple) else (value,):
            try:
                if isinstance(text, str):
                    text.encode()
            except UnicodeEncodeError:
                raise Usage(name, "is not UTF-8 text", "Type it anew") from None
    return given


def _loop_of(running: Coroutine[Any, Any, None]) -> None:
    """Run it on the faster loop where there is one (not on Windows)."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(running)
    else:
        uvloop.run(running)


def _unexpected(cli: Cli, error: Exception) -> int:
    words = str(error).splitlines()
    what = f"{type(error).__name__}: {words[0]}" if words else type(error).__name__
    told = f"something unexpected happened ({shown(what)})"
    if isinstance(error, OSError) and error.strerror:  # a disk or a name of a file, rather than a fault of ours
        told = error.strerror + (f": {shown(error.filename)}" if error.filename else "")
    problem = Problem(FAILED, "failed", told)
    cli._tell(problem if cli.debug else Problem(FAILED, "failed", problem.message, remedy="--debug shows where"))
    if cli.as_json:
        cli.output.document(problem.document())
    return _traced(cli, FAILED)


def _traced(cli: Cli, exit_code: int) -> int:
    if cli.debug:
        traceback.print_exc(file=sys.stderr)
    return exit_code


def typed_path(text: str, field: str = "path") -> str:
    """A path as it was typed. Raises Usage for an empty one: it would be read as the current folder, and mostly comes
    from a shell variable that is not set."""
    if not text.strip():
        raise Usage(field, "is empty", "Name a file or a folder; the folder that you are in is `.`")
    return text


def on_disk(path: str, server: str) -> str:
    """A PATH as the owner's API takes it: absolute, or relative to the root of `server`. Raises Usage."""
    return typed_path(path) if server else os.path.abspath(os.path.expanduser(typed_path(path)))


@dataclass(frozen=True, slots=True)
class Found:
    """What a short id or a name stands for."""

    kind: str
    id: str
    label: str
    title: str

    @property
    def words(self) -> str:
        """`Ann's link k7f2.a`, without more than is known."""
        kind = {"visit": "visitor"}.get(self.kind, self.kind)
        return f"{kind} {self.label}" + (f" ({shown(self.title, 60)})" if self.title else "")


# What to do instead with something that a command is not for.
_INSTEAD = {
    "visit": "`sharegate end {label}` ends a visit",
    "knock": "`sharegate admit {label}` or `sharegate refuse {label}` answers a knock",
    "server": "`sharegate server list` shows servers",
    "share": "`sharegate list` shows the links of a share",
    "link": "`sharegate change`, `pause`, `replace` and `revoke` are for links",
}


async def find(control: Control, ref: str, *kinds: str) -> Found:
    """The one thing that `ref` names, of one of these kinds. Raises ApiError (4, or 2 with candidates) or Usage."""
    answer = await control.call("GET", api_path("resolve"), query={"ref": ref or " "})
    found = Found(*(str(answer[name]) for name in ("kind", "id", "label", "title")))
    if found.kind not in kinds:
        wanted = " or ".join("visitor" if kind == "visit" else kind for kind in kinds)
        raise Usage(
            "id", f"this needs a {wanted}, and that is a {found.words}", _INSTEAD[found.kind].format(label=found.label)
        )
    return found


def _nothing() -> None:
    """Nobody is told."""


@contextlib.asynccontextmanager
async def until_signalled(
    again: Callable[[], object] = _nothing, *, hangup: Callable[[], object] | None = None
) -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set, in place of ending the process at once. `again` is called by those
    that come when it is set already. SIGHUP calls `hangup` where that is given, and nothing else."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def signalled() -> None:
        if stop.is_set():
            again()
        stop.set()

    for number in numbers:
        loop.add_signal_handler(number, signalled)
    if hangup is not None:
        loop.add_signal_handler(signal.SIGHUP, hangup)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
