"""`store …`: the records on the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sharegate.cli import words
from sharegate.cli.command import Cli, command, typed_path
from sharegate.cli.control import Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import FAILED
from sharegate.errors import Refused, Unreachable

_MB = 1 << 20


def add(app: typer.Typer) -> None:
    store = typer.Typer(help="The gate's records on the disk: check, back up, put back.")
    command(store, "check", examples=("sharegate store check", "sharegate store check --json"))(check)
    command(
        store,
        "backup",
        examples=("sharegate store backup ~/backup/2026-11-28", "sharegate store backup /mnt/safe/gate --with-keys"),
    )(backup)
    command(
        store,
        "restore",
        examples=("sharegate store restore ~/backup/2026-11-28", "sharegate store restore /mnt/safe/gate --with-keys"),
    )(restore)
    command(store, "migrate", examples=("sharegate store migrate --dry-run", "sharegate store migrate"))(migrate)
    app.add_typer(store, name="store", rich_help_panel="Look")


def _progress(cli: Cli) -> Callable[[str, int, int], None]:
    """A line on stderr for each step of what takes long, and for each quarter of it."""
    told: set[tuple[str, int]] = set()

    def step(what: str, done: int, total: int) -> None:
        quarter = 4 * done // max(total, 1)
        if (what, quarter) not in told:
            told.add((what, quarter))
            cli.output.note(f"{what} …" if what != "copying" else f"{what} {25 * quarter} %")

    return step


async def check(cli: Cli) -> None:
    """Look whether the records are sound: the file, what refers to what, the history, and what the keys open.

    Works beside a running gate and changes nothing. Exit code 1 when something is wrong, 4 when there are no records, 5
    when they cannot be read.
    """
    from sharegate import upkeep

    config = cli.config()
    if config.store:
        async with cli.control() as control:
            report = await control.call("GET", api_path("store", "check"))
    else:
        report = upkeep.check(config, progress=_progress(cli))
    if cli.as_json:
        cli.output.document(report)
    else:
        _tell_check(cli, report)
    if not report["sound"]:
        raise typer.Exit(FAILED)


def _tell_check(cli: Cli, report: Json) -> None:
    cli.output.say(
        "The records are sound." if report["sound"] else "The records are damaged:",
        "bold green" if report["sound"] else "bold red",
    )
    for fault in report["faults"]:
        cli.output.say(f"  {shown(fault, 300)}")
    for note in report["notes"]:
        cli.output.note(shown(note, 500))
    if "sizes" not in report:
        return  # those are the Redis server's to tell
    sizes, counts = report["sizes"], report["counts"]
    cli.output.say(
        f"  format {report['format']}, {sizes['file'] / _MB:.1f} MB with a log of {sizes['log'] / _MB:.1f} MB, "
        f"{sizes['free'] / _MB:.0f} MB free"
    )
    if counts:
        told = ", ".join(f"{number} {name}" for name, number in counts.items())
        cli.output.say(f"  {told.replace('upstreams', 'servers').replace('trail', 'entries of the history')}")


def backup(
    cli: Cli,
    to: Annotated[str, typer.Argument(metavar="TO", help="A new folder for the copy.")],
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="The keys too: whoever has the copy can make links and read all of it.")
    ] = False,
) -> None:
    """Copy the records as they are in this moment, also while the gate writes, and check the copy.

    Without the keys the copy holds names and addresses of visitors, but neither your servers' tokens nor kept versions
    in readable form, and no link can be made from it.
    """
    from sharegate import upkeep

    done = upkeep.backup(
        cli.config(), Path(typed_path(to, "to")).expanduser(), with_keys=with_keys, progress=_progress(cli)
    )
    if cli.as_json:
        cli.output.document(done)
        return
    cli.output.say(f"The copy is in {shown(done['to'])}, and sound.")
    if with_keys:
        cli.output.warn("The keys are in it: keep it as safe as they are.")
    else:
        cli.output.note("The keys are not in it. Without data_dir/keys it opens no server and no link: keep them too.")


async def restore(
    cli: Cli,
    source: Annotated[str, typer.Argument(metavar="FROM", help="A folder that `store backup` made.")],
    with_keys: Annotated[bool, typer.Option("--with-keys", help="Put back its keys too.")] = False,
    no_pause: Annotated[
        bool, typer.Option("--no-pause", help="Let everybody in at once whom the old records let in.")
    ] = False,
) -> None:
    """Put a copy in the place of the records, while no gate runs. The present ones are kept beside it.

    What was revoked after the copy was made is not revoked in it. Therefore all shares are paused: look, then resume.
    """
    from sharegate import upkeep

    config = cli.config()
    cli.confirm("The present records are put aside, and what happened since the copy is not in it.")
    done = upkeep.restore(
        *(config, Path(typed_path(source, "from")).expanduser()),
        with_keys=with_keys,
        pause=not no_pause,
        progress=_progress(cli),
    )
    async with cli.control() as control:
        answer = await control.call("POST", api_path("store", "restored"), body={"pause": not no_pause})
    done |= {"paused": answer["paused"], "tokens": answer["tokens"]}
    if cli.as_json:
        cli.output.document(done)
        return
    cli.output.say(f"The records of {shown(done['from'])} are in place.")
    for name, what in (("kept", "records"), ("kept_keys", "keys")):
        if done[name]:
            cli.output.note(f"The former {what} are kept: {shown(done[name])}")
    if done["paused"]:
        cli.output.warn(
            f"{words.count(len(done['paused']), 'share')} paused: sharegate list --all, then sharegate resume ID"
        )
    if done["tokens"]:
        ended = words.count(len(done["tokens"]), "token")
        cli.output.warn(f"{ended} of programs revoked: make those anew that you still want (sharegate token create)")


async def migrate(
    cli: Cli, dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False
) -> None:
    """Bring the records to the format of this version. Every start does it too; a copy is kept first.

    There is no way back with the new records: an older version refuses them, and needs the copy.
    """
    from sharegate import upkeep

    config = cli.config()
    before, newest = upkeep.formats(config)
    answer: dict[str, Any] = {"format": before, "newest_format": newest, "migrated": False}
    if before > newest:
        raise Refused(
            "store_newer",
            f"the records were written by a newer sharegate (format {before}, this one reads up to {newest})",
            "Install that version again, or restore a copy made before the upgrade",
        )
    if 0 < before < newest and not dry_run:
        try:
            async with cli.control(gate_needed=True):
                raise Refused("gate_running", "a gate of another version runs on these records", "Stop it first")
        except Unreachable:
            pass
        async with cli.control():
            answer |= {"migrated": True, "format": newest, "before": before}
    if cli.as_json:
        cli.output.document(answer)
    elif answer["migrated"]:
        cli.output.say(f"The records have format {newest} now. A copy with format {before} lies beside them.")
    elif before == 0:
        cli.output.say("There are no records yet.")
    elif before == newest:
        cli.output.say(f"The records have format {before}, the newest that this version knows.")
    else:
        cli.output.say(f"The records have format {before}; this version would bring them to {newest}, after a copy.")
